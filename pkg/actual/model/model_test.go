package model

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

func TestContract(t *testing.T) { contract.Run(t, subject()) }

func subject() contract.Subject {
	return contract.Subject{
		New: func(*testing.T) actual.Backend {
			w := New()
			w.Set(false, object.Device{Name: "dev0", Up: true}, object.Device{Name: "br-ex", Up: true},
				object.Sysctl{Path: "net/ipv4/conf/dev0/proxy_arp", Val: "0"})
			return w
		},
		Device: "dev0", Bridge: "br-ex",
		Foreign: func(_ *testing.T, b actual.Backend, v object.Value) { b.(*World).Set(false, v) },
	}
}

func TestDeviceTakesWhatSitsOnIt(t *testing.T) {
	w := New()
	dev := object.Device{Name: "dev0", Up: true}
	vlan := object.Link{Name: "dev0.100", Type: "vlan", Parent: "dev0", VLAN: 100, Up: true}
	neigh := object.ProxyNeigh{Dev: "dev0.100"}
	w.Set(true, dev, vlan, neigh)
	w.Unset(dev.Key())
	if got := w.String(); got != "" {
		t.Errorf("got %q, want nothing left", got)
	}
}
