package expose_test

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// panicky exposes all ports on provider networks and panics at some of them when it
// has added all that they lead to.
type panicky map[string]bool

func (panicky) Name() string { return "panicky" }

func (at panicky) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	e := expose.New("panicky", expose.DefaultOptions(), out)
	networks, _ := expose.FindNetworks(snap, expose.DefaultOptions())
	for port := range snap.SB.Ports.All() {
		e.Row("Port_Binding", port.LogicalPort, func() {
			n, ok := networks.Of(port.Datapath)
			for _, el := range port.Addresses {
				for _, prefix := range el.Addrs {
					if ok {
						e.ExposeIP(n, prefix.Addr(), nil, e.Why("made up", "Port_Binding", port.LogicalPort))
					}
				}
			}
			if at[port.LogicalPort] {
				panic("made up")
			}
		})
	}
	return e.Skips()
}

// TestSharedObjectsOutliveAPanic: what a row shares with others, such as the rule
// of its bridge, is added again for the next one.
func TestSharedObjectsOutliveAPanic(t *testing.T) {
	snap := snapshot(t, "cmp-1", `include base
port vm1 on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis cmp-1 up
port vm2 on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.93" chassis cmp-1 up
`)
	for _, tt := range []struct {
		at          panicky
		rules, path int
	}{{nil, 1, 2}, {panicky{"vm1": true}, 1, 1}, {panicky{"vm2": true}, 1, 1}, {panicky{"vm1": true, "vm2": true}, 0, 0}} {
		res := desired.Compute(snap, nil, tt.at)
		if rules, paths := res.Want.LenOf(object.KindRule), res.Want.LenOf(object.KindPath); rules != tt.rules ||
			paths != tt.path {
			t.Errorf("panics at %v: got %d rules and %d paths, want %d and %d", tt.at, rules, paths, tt.rules, tt.path)
		}
		if len(res.Skipped) != len(tt.at) {
			t.Errorf("panics at %v: got %v", tt.at, res.Skipped)
		}
	}
}

// TestLabelDriverReadsNoMAC: a marked router port whose MAC cannot be read is
// reported and held; its gateway is exposed all the same.
func TestLabelDriverReadsNoMAC(t *testing.T) {
	const router = `include base
set cr-lrp-gw1 id expose=true
set lrp-p1 id expose=true
`
	for text, subnets := range map[string]int{router: 1, router + "set lrp-p1 mac nonsense\n": 0} {
		snap := snapshot(t, "gw-1", text)
		opts := expose.DefaultOptions()
		opts.Export.Subnets = true
		res := desired.Compute(snap, nil, LabelDriver{Options: opts})
		if len(res.Panics) > 0 {
			t.Errorf("panics: %+v", res.Panics)
		}
		var hosts, nets int
		for _, p := range object.Of[object.Path](res.Want) {
			if p.Prefix.IsSingleIP() {
				hosts++
			} else {
				nets++
			}
		}
		if hosts != 1 || nets != subnets {
			t.Errorf("%s\ngot %d hosts and %d subnets, want 1 and %d", text, hosts, nets, subnets)
		}
		for _, s := range res.Skipped {
			if subnets > 0 || !s.Hold || !strings.Contains(s.String(), "lrp-p1: unreadable") {
				t.Errorf("skipped: %s", s)
			}
		}
		if subnets == 0 && len(res.Skipped) == 0 {
			t.Error("the row is not reported")
		}
	}
}
