package interop_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// RFC 5880 with the BFD of FRR and BIRD: where packets are lost while the link is up, the
// session ends by BFD and neither by TCP nor by the hold time, which is long here, and comes
// back once they are not. All routers are on one node.
func TestBFD(t *testing.T) {
	t.Parallel()
	n := newBFDNode(t)
	all := []object.Value{path("203.0.113.7/32")}
	type end struct {
		name string
		*wire
		router
		address, ours string
	}
	var ends []end
	for _, name := range []string{"frr-8.4", "frr-10.3", "bird"} {
		for _, six := range []bool{false, true} {
			w := newWire(t)
			e := end{name: name, wire: w, address: w.theirs4, ours: w.ours4}
			if six {
				e.address, e.ours = w.theirs6, w.ours6
			}
			e.router = routers[name](w, session{
				ours: e.ours, theirs: e.address, families: []object.Family{v4}, bfd: true, graceful: true,
			})
			p := toRouter(e.address, v4)
			p.HoldTime, p.RestartTime = 240, 120
			p.BFD = object.BFD{On: true, Interval: 250}
			all = append(all, p)
			ends = append(ends, e)
		}
	}
	n.want(all...)
	up := func(e end) {
		t.Helper()
		harness.Eventually(t, time.Minute, func() string {
			s := n.state(e.address)
			return unless(s.State == bgp.Established && s.BFD.State == bfd.Up, fmt.Sprintf("%s: %+v", e.name, s))
		})
		expect(t, e, v4, map[string]string{"203.0.113.7/32": e.ours})
		if f, is := e.router.(frr); is {
			// It makes its session anew once BGP is up, and until that is up again has nothing that could end.
			harness.Eventually(t, time.Minute, func() string {
				told := f.ask("bgp neighbors " + e.ours)
				return unless(strings.Contains(told, "Status: Up"), e.name+": its own BFD is not up:\n"+told)
			})
		}
	}
	failures := map[string]uint64{}
	for _, e := range ends {
		up(e)
		// FRR makes its session anew once it knows its own address, which may be a failure.
		failures[e.address] = n.state(e.address).BFD.Failures
	}
	for _, e := range ends {
		e.run("nft", "table inet cut { chain in { type filter hook input priority 0; policy drop; }; "+
			"chain out { type filter hook output priority 0; policy drop; }; }")
	}
	for _, e := range ends {
		harness.Eventually(t, time.Minute, func() string {
			s := n.state(e.address)
			return unless(s.State != bgp.Established && s.Fault == speaker.FaultBFD && s.BFD.Failures > failures[e.address],
				fmt.Sprintf("%s: %+v", e.name, s))
		})
		// BFD has ended it, and with it what is kept: the neighbour is not restarting.
		expect(t, e, v4, map[string]string{})
	}
	for _, e := range ends {
		e.run("nft", "delete", "table", "inet", "cut")
	}
	for _, e := range ends {
		up(e)
	}
}
