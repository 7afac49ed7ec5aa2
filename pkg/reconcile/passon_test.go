package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// mute is a world that tells of nothing by itself.
type mute struct{ *model.World }

func (mute) Changed() <-chan struct{} { return nil }

// TestPlanPassesOnWhatItFound: what a plan over the socket has read is new to no backend
// afterwards, so that none would wake the loop for it.
func TestPlanPassesOnWhatItFound(t *testing.T) {
	for name, ask := range map[string]func(c *Controller) (Round, error){
		"plan":    func(c *Controller) (Round, error) { return c.Plan(t.Context(), true) },
		"preview": func(c *Controller) (Round, error) { return c.Preview(t.Context(), Intent{Drivers: c.cfg.Drivers}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var world *model.World
				l := run(t, nil, func(c *Config) {
					world = model.New()
					world.Set(false, must(story.Parse("include base")).Devices()...)
					c.Backends = must(actual.NewReader(mute{world}))
					c.AuditInterval = time.Hour
				})
				route := parse(t, "route 172.24.4.92/32 table 201 metric 0 dev br-ex")[0].Key()
				l.tell(t, newVM)
				later(time.Second)
				world.Unset(route)
				later(time.Second)
				before := l.count()
				if r, err := ask(l.c); err != nil || r.Plan.Empty() {
					t.Fatalf("%v\n%s", err, r.Plan)
				}
				later(time.Second)
				if have := world.String(); !contains(have, "route 172.24.4.92/32") {
					t.Errorf("what the plan found is not repaired:\n%s", have)
				}
				if l.count() != before+1 {
					t.Errorf("%d rounds, want 1", l.count()-before)
				}
				if r, err := ask(l.c); err != nil || !r.Plan.Empty() {
					t.Fatalf("%v\n%s", err, r.Plan)
				}
				later(time.Second)
				if l.count() != before+1 {
					t.Error("a plan that finds nothing wakes the loop")
				}
				l.stop()
			})
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
