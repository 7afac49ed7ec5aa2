package interop_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// RFC 4724: a speaker that is killed and comes back costs no route.
func TestGracefulRestart(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours6, theirs: w.theirs6, families: []object.Family{v4, v6}, graceful: true})
		p := toRouter(w.theirs6, v4, v6)
		p.RestartTime = 60
		all := []object.Value{p}
		want4, want6 := map[string]string{}, map[string]string{}
		for i := range 20 {
			p4, p6 := fmt.Sprintf("203.0.113.%d/32", i), fmt.Sprintf("2001:db8:%x::/64", i+1)
			all = append(all, path(p4), path(p6))
			want4[p4], want6[p6] = w.ours6, w.ours6
		}
		n.want(all...)
		expect(t, r, v4, want4)
		expect(t, r, v6, want6)
		missing := watch(t, r, want4, want6)
		n.killSpeaker()
		harness.Eventually(t, 20*time.Second, func() string {
			_, err := n.Peers(context.Background())
			return unless(err != nil, "nobody has noticed")
		})
		n.startSpeaker()
		n.readable()
		n.want(all...)
		harness.Eventually(t, 30*time.Second, func() string {
			s := n.state(w.theirs6)
			return unless(s.State == bgp.Established && s.Graceful, fmt.Sprintf("%+v", s))
		})
		if lost := missing(); len(lost) > 0 {
			t.Errorf("the router was without %v", lost)
		}
		n.remove(path("203.0.113.0/32")) // the session is not only up
		delete(want4, "203.0.113.0/32")
		expect(t, r, v4, want4)
		expect(t, r, v6, want6)
	})
}

// watch looks at the router's routes all the time. It returns a function that
// ends this and says which were missing at any time.
func watch(t *testing.T, r router, want4, want6 map[string]string) func() []string {
	ctx, cancel := context.WithCancel(context.Background())
	lost := map[string]bool{}
	want4, want6 = maps.Clone(want4), maps.Clone(want6)
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			for family, want := range map[object.Family]map[string]string{v4: want4, v6: want6} {
				have := r.hops(family)
				for prefix := range want {
					if _, ok := have[prefix]; !ok && ctx.Err() == nil {
						lost[prefix] = true
					}
				}
			}
		}
	})
	end := func() []string {
		cancel()
		wg.Wait()
		return slices.Sorted(maps.Keys(lost))
	}
	t.Cleanup(func() { end() })
	return end
}

// RFC 9494: once the restart time is over, the routes stay as a last resort,
// with the community LLGR_STALE.
func TestLongLivedGracefulRestart(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{
			ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}, graceful: true,
			longLived: true,
		})
		p := toRouter(w.theirs4, v4)
		p.RestartTime, p.LLGRTime = 2, 60
		n.want(path("203.0.113.7/32"), p)
		expect(t, r, v4, map[string]string{"203.0.113.7/32": w.ours4})
		n.killSpeaker()
		stale := words(t, object.CommunitiesOf, []string{"65535:6"})
		harness.Eventually(t, 20*time.Second, func() string {
			got, ok := r.learned(v4, "203.0.113.7/32")
			return unless(ok && got.Communities == stale, fmt.Sprintf("present %t, %+v", ok, got))
		})
		n.startSpeaker()
		n.readable()
		n.want(path("203.0.113.7/32"), p)
		harness.Eventually(t, 30*time.Second, func() string {
			got, ok := r.learned(v4, "203.0.113.7/32")
			return unless(ok && got.Communities.Empty(), fmt.Sprintf("present %t, %+v", ok, got))
		})
	})
}

// The controller comes and goes; the router's session does not.
func TestControllerRestart(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}})
		p := toRouter(w.theirs4, v4) // without graceful restart: a flap would show
		n.want(path("203.0.113.7/32"), p)
		want := map[string]string{"203.0.113.7/32": w.ours4}
		expect(t, r, v4, want)
		up := n.state(w.theirs4).Since.Truncate(time.Second) // GoBGP counts in seconds
		missing := watch(t, r, want, nil)
		for range 3 {
			n.redial()
			n.want(path("203.0.113.7/32"), p)
			if s := n.state(w.theirs4); s.State != bgp.Established || s.Since.Truncate(time.Second).After(up.Add(time.Second)) {
				t.Errorf("up since %s, now %+v", up, s)
			}
		}
		if lost := missing(); len(lost) > 0 {
			t.Errorf("the router was without %v", lost)
		}
	})
}
