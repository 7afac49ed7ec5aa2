package ovsport

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var leg = object.OVSPort{Name: "veth-ovs-1001", Bridge: "br-ex"}

// A port whose device is deleted and made again gets packets again. Open vSwitch does not see to
// that by itself: what it shows is as before.
func TestDeviceMadeAgain(t *testing.T) {
	for name, unplug := range map[string]func(*vswitchtest.Switch, *Backend){
		"alone": func(*vswitchtest.Switch, *Backend) {},
		// Others delete the port as well, and it is back before the switch has looked.
		"with its port": func(sw *vswitchtest.Switch, _ *Backend) { sw.Vsctl("--no-wait", "del-port", leg.Name) },
		"replaced": func(_ *vswitchtest.Switch, b *Backend) {
			mustApply(t, b, object.Change{Before: leg}, object.Change{After: leg})
		},
	} {
		t.Run(name, func(t *testing.T) {
			sw, s := subject(t)
			b := s.New(t).(*Backend)
			f := focus(t, leg)
			read(t, b, f)
			mustApply(t, b, creates(leg)...)
			awaitPackets(t, sw)
			remakeVeth(sw)
			unplug(sw, b)
			repair(t, sw, b)
			awaitPackets(t, sw)
			if have := read(t, b, actual.Focus{Want: f.Want, Complete: true}); !is(leg, true)(have, nil) {
				t.Errorf("there is %v", have.Sorted())
			}
		})
	}
}

// A port that is deleted and made again before the switch has looked is made of the device that
// there is: for the switch alone it would never have been away.
func TestSwitchLetsGo(t *testing.T) {
	sw, s := subject(t)
	b := s.New(t).(*Backend)
	read(t, b, focus(t, leg))
	mustApply(t, b, creates(leg)...)
	awaitPackets(t, sw)
	resume := sw.PauseSwitch()
	remakeVeth(sw)
	sw.Vsctl("--no-wait", "del-port", leg.Name)
	await(t, b, focus(t, leg), "the port is gone", func(have object.Set, err error) bool {
		return err == nil && have.Len() == 0
	})
	asked := sw.Vsctl("get", "open_vswitch", ".", "next_cfg")
	done := make(chan error, 1)
	go func() { done <- errors.Join(b.Apply(t.Context(), creates(leg))...) }()
	vswitchtest.Eventually(t, "the switch is asked, or the port is made", func() bool {
		return sw.Vsctl("get", "open_vswitch", ".", "next_cfg") != asked ||
			sw.Vsctl("--if-exists", "get", "port", leg.Name, "name") != ""
	})
	resume()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	awaitPackets(t, sw)
}

// A switch that does not answer keeps ports of devices back, and is not waited for again and
// again; all else goes on.
func TestSwitchHangs(t *testing.T) {
	sw, s := subject(t)
	b := s.New(t).(*Backend)
	vlan := internal("vlan-1002", 7)
	read(t, b, focus(t, leg, vlan))
	mustApply(t, b, creates(leg)...)
	mustApply(t, b, object.Change{Before: leg})
	resume := sw.PauseSwitch()
	fresh := object.OVSPort{Name: "veth-vrf-1001", Bridge: "br-ex"}
	if errs := b.Apply(t.Context(), creates(fresh)); errs[0] != nil {
		t.Errorf("a port that was never there waits: %v", errs[0])
	}
	next := func() string { return sw.Vsctl("get", "open_vswitch", ".", "next_cfg") }
	before, asked := next(), ""
	for range 3 {
		errs := b.Apply(t.Context(), creates(leg, vlan))
		if !errors.Is(errs[0], errNotFollowing) || errs[1] != nil {
			t.Errorf("got %v", errs)
		}
		if asked == "" {
			asked = next()
		}
	}
	if now := next(); asked == before || now != asked {
		t.Errorf("next_cfg was %s, is %s after the first try and %s after the last; want one request", before, asked, now)
	}
	resume()
	vswitchtest.Eventually(t, "the port is made", func() bool {
		return errors.Join(b.Apply(t.Context(), creates(leg))...) == nil
	})
	awaitPackets(t, sw)
}

// The index is the one of the kernel.
func TestDeviceIndex(t *testing.T) {
	for name, want := range map[string]string{"lo": "1\n", "nowhere0": "", "": "", "a-name-of-more-than-15": ""} {
		got, err := deviceIndex(name)
		if err != nil {
			t.Error(err)
		}
		if text, _ := os.ReadFile("/sys/class/net/" + name + "/ifindex"); name == "lo" && string(text) != want {
			t.Fatalf("lo is %s", text)
		}
		if (got == 1) != (want != "") || got > 1 {
			t.Errorf("%q: got %d", name, got)
		}
	}
}

// repair does what the loop would do, woken by Changed alone, until the port is made of the device
// that there is.
func repair(t *testing.T, sw *vswitchtest.Switch, b *Backend) {
	t.Helper()
	index, err := indexIn(sw, leg.Name)
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, focus(t, leg), "the port is made of the device", func(have object.Set, err error) bool {
		it, there := have.Get(leg.Key())
		switch {
		case err != nil:
			return false
		case !there:
			mustApply(t, b, object.Change{After: leg})
		case it.Deviates() != "":
			t.Log("found", it.Deviates())
			mustApply(t, b, object.Change{Before: leg, After: leg})
		}
		return sw.Vsctl("--if-exists", "get", "interface", leg.Name, "external_ids:bgp-ovn-ifindex") ==
			strconv.Quote(strconv.Itoa(index))
	})
}

// awaitPackets demands that what comes in through the device gets to the flows of the bridge. The
// counters of the port tell nothing: they are those of the device that has the name.
func awaitPackets(t *testing.T, sw *vswitchtest.Switch) {
	t.Helper()
	sw.Host("ip", "address", "replace", "192.0.2.1/24", "dev", "veth-vrf-1001")
	sw.Ofctl("add-flow", "br-ex", "priority=9,arp,arp_tpa=192.0.2.2,actions=drop") // counts from 0 again
	vswitchtest.Eventually(t, "a packet has got to the flows", func() bool {
		sw.Host("sh", "-c", "ping -c 1 -W 0.2 192.0.2.2 >/dev/null 2>&1 || true")
		for line := range strings.Lines(sw.Ofctl("dump-flows", "br-ex")) {
			if strings.Contains(line, "priority=9") {
				return !strings.Contains(line, "n_packets=0,")
			}
		}
		return false
	})
}
