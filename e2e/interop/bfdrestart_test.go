package interop_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// RFC 5882 section 4.3: a speaker that is killed takes its BFD along, and its neighbours, which find
// that out while they keep its routes for a graceful restart, go on keeping them. That a failure of
// BFD alone ends what is kept is in TestBFD.
func TestGracefulRestartWithBFD(t *testing.T) {
	t.Parallel()
	n := newBFDNode(t)
	type watcher interface {
		router
		bfdSessions() string
	}
	type end struct {
		name string
		*wire
		watcher
	}
	var ends []end
	all := []object.Value{path("203.0.113.7/32"), path("203.0.113.8/32")}
	for _, name := range []string{"frr-8.4", "frr-10.3", "bird"} {
		w := newWire(t)
		p := toRouter(w.theirs4, v4)
		p.HoldTime, p.RestartTime = 240, 120
		p.BFD = object.BFD{On: true, Interval: 250}
		all = append(all, p)
		ends = append(ends, end{name, w, routers[name](w, session{
			ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}, bfd: true, bfdKeeps: true, graceful: true,
		}).(watcher)})
	}
	n.want(all...)
	up := func(e end) {
		t.Helper()
		harness.Eventually(t, time.Minute, func() string {
			s := n.state(e.theirs4)
			return unless(s.State == bgp.Established && s.Graceful && s.BFD.State == bfd.Up, fmt.Sprintf("%s: %+v", e.name, s))
		})
		expect(t, e, v4, map[string]string{"203.0.113.7/32": e.ours4, "203.0.113.8/32": e.ours4})
	}
	var missing []func() []string
	for _, e := range ends {
		up(e)
		missing = append(missing, watch(t, e, map[string]string{"203.0.113.7/32": "", "203.0.113.8/32": ""}, nil))
	}
	n.killSpeaker()
	harness.Eventually(t, time.Minute, func() string {
		_, err := n.Peers(context.Background())
		return unless(err != nil, "nobody has noticed")
	})
	for _, e := range ends { // each neighbour's BFD has failed before the speaker is back
		harness.Eventually(t, time.Minute, func() string {
			have := e.bfdSessions()
			return unless(!strings.Contains(strings.ToLower(have), " up"), e.name+": "+have)
		})
	}
	n.startSpeaker()
	n.readable()
	n.want(all...)
	for i, e := range ends {
		up(e)
		if lost := missing[i](); len(lost) > 0 {
			t.Errorf("%s was without %v", e.name, lost)
		}
	}
}
