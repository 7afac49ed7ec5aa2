package vswitch_test

import (
	"errors"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovsport"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
)

// Source and backend share one connection: ovs-vswitchd that restarts finds in
// the database the ports that the backend made, and the source sees their numbers.
func TestSourceAndBackendShareConnection(t *testing.T) {
	sw := vswitchtest.Start(t)
	sw.AddBridge("br-ex")
	b := ovsport.New()
	src, err := ovs.Open(t.Context(), ovs.Config{Endpoint: sw.Endpoint(), Others: []vswitch.Follower{b.Follower()}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	numbered := func(name string) func() bool {
		return func() bool {
			o, err := src.Read(t.Context())
			if err != nil {
				return false
			}
			br, _ := o.Bridge("br-ex")
			p, ok := br.MadePort(name)
			return ok && p.OFPort != 0 && len(br.Made) == 1
		}
	}
	port := object.OVSPort{Name: "vlan-1002", Bridge: "br-ex", Type: object.OVSInternal, Tag: 7}
	want, err := object.SetOf(port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(t.Context(), actual.Focus{Want: want}); err != nil {
		t.Fatal(err)
	}
	apply(t, b, object.Change{After: port})
	vswitchtest.Eventually(t, "the number is observed", numbered(port.Name))

	sw.KillSwitch()
	have, err := b.Read(t.Context(), actual.Focus{Want: want, Complete: true})
	if it, ok := have.Get(port.Key()); err != nil || !ok || it.Value != object.Value(port) || !it.Marked {
		t.Errorf("the port went with ovs-vswitchd: %v, %v", it, err)
	}
	next := port
	next.Name, next.Tag = "vlan-1003", 9
	apply(t, b, object.Change{Before: port}, object.Change{After: next})
	sw.StartSwitch()
	vswitchtest.Eventually(t, "the number of the next one is observed", numbered(next.Name))
	// Others' ports are none of ours.
	o, _ := src.Read(t.Context())
	if br, _ := o.Bridge("br-ex"); br.Made[0] != (observe.MadePort{Name: next.Name, OFPort: br.Made[0].OFPort}) {
		t.Errorf("got %+v", br.Made)
	}
}

func apply(t *testing.T, b *ovsport.Backend, changes ...object.Change) {
	t.Helper()
	if err := errors.Join(b.Apply(t.Context(), changes)...); err != nil {
		t.Fatal(err)
	}
}
