package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// eventful is a node on which everything happens that a round may have to do with: rows, failures,
// other programs, holds, reloads, restarts, and a clock that goes on.
type eventful struct {
	*node
	rng  *rand.Rand
	last observe.Snapshot
}

// Snapshot has the very rows of the last one where they are the same, as a source has.
func (w *eventful) Snapshot(ctx context.Context) (observe.Snapshot, error) {
	snap, err := w.node.Snapshot(ctx)
	if err != nil {
		return snap, err
	}
	keepRows(reflect.ValueOf(w.last.SB), reflect.ValueOf(snap.SB))
	keepRows(reflect.ValueOf(w.last.Kube), reflect.ValueOf(snap.Kube))
	for _, part := range []string{"SB", "OVS", "Host", "Protected", "Learned", "Kube", "Flows"} {
		was := reflect.ValueOf(w.last).FieldByName(part)
		is := reflect.ValueOf(&snap).Elem().FieldByName(part)
		if !was.IsNil() && reflect.DeepEqual(was.Interface(), is.Interface()) {
			is.Set(was)
		}
	}
	w.last = snap
	return snap, nil
}

// keepRows puts the rows of one snapshot into another in which they are the same.
func keepRows(was, is reflect.Value) {
	if was.IsNil() || is.IsNil() {
		return
	}
	from, to := was.Elem(), is.Elem()
	for i := range to.NumField() {
		rows := to.Field(i)
		if rows.Kind() != reflect.Slice || rows.Type().Elem().Kind() != reflect.Pointer || !rows.CanSet() {
			continue
		}
		for n := range rows.Len() {
			for m := range from.Field(i).Len() {
				if old := from.Field(i).Index(m); reflect.DeepEqual(old.Interface(), rows.Index(n).Interface()) {
					rows.Index(n).Set(old)
				}
			}
		}
		if reflect.DeepEqual(from.Field(i).Interface(), rows.Interface()) {
			rows.Set(from.Field(i))
		}
	}
}

const eventfulVMs = 5

// happens lets one thing happen.
func (w *eventful) happens() string {
	vm := 100 + w.rng.IntN(eventfulVMs)
	tell := func(format string, args ...any) string {
		line := fmt.Sprintf(format, args...)
		happen(w.t, w.story, []*node{w.node}, line)
		return line
	}
	_, known := w.last.SB.Port(fmt.Sprint("vm", vm))
	switch n := w.rng.IntN(16); {
	case n < 4 || !known && n < 9:
		return tell("%s", vmPort(vm, []string{"gw-1", "cmp-1"}[w.rng.IntN(2)]))
	case n == 4:
		return tell("drop vm%d", vm)
	case n == 5:
		return tell("set vm%d %s", vm, []string{"up", "down", "chassis gw-1", "chassis cmp-1"}[w.rng.IntN(4)])
	case n == 6:
		return tell("unreadable Port_Binding vm%d \"column mac: too short\"", vm)
	case n == 7:
		return tell("readable Port_Binding vm%d", vm)
	case n == 8:
		return tell("set cr-lrp-gw1 chassis %s", []string{"gw-1", "cmp-1"}[w.rng.IntN(2)])
	case n == 9:
		w.world.Unset(routeKey(vm))
		w.world.FailNext(routeKey(vm), errBusy)
		return fmt.Sprint("somebody removes the route of ", vm, ", and its repair fails")
	case n == 10:
		w.world.Unset(pathKeyOf(vm))
		return fmt.Sprint("somebody removes the path of ", vm)
	case n == 11:
		cfg := defaults()
		cfg.TenantNetworks = w.rng.IntN(2) == 0
		w.c.Reconfigure(w.intent(cfg, time.Duration(w.rng.IntN(2))*5*time.Second))
		return fmt.Sprint("reload: tenant networks ", cfg.TenantNetworks)
	case n == 12 && w.rng.IntN(4) == 0:
		w.start()
		return "restart"
	case n == 13: // once is no flapping
		w.c.Retry("")
		return "retry"
	case n > 13 && known:
		return tell("set vm%d %s", vm, []string{"up", "down"}[n%2])
	default:
		d := time.Duration(w.rng.Int64N(int64(8 * time.Second)))
		w.clock.advance(d)
		return fmt.Sprint(d, " later")
	}
}

func (w *eventful) intent(cfg bgp.Config, hold time.Duration) Intent {
	return Intent{
		Drivers: []desired.Driver{bgp.New(cfg)}, UnboundHold: hold,
		Damping: damping.Config{Suppress: 2000, Reuse: 1000, HalfLife: 20 * time.Second, Longest: time.Minute},
		Fuse:    FuseConfig{Share: 0.8, Least: 3, Hold: 10 * time.Second},
	}
}

// TestRoundsAreWhole: whatever happens - rows that come, go, move and cannot be read, steps that
// fail, others who undo what was done, holds, the fuse, reloads, restarts - the round that follows
// what has changed plans what a round that derives, reads and compares everything plans.
func TestRoundsAreWhole(t *testing.T) {
	walks, steps, planned, aside := proof.Count(12, 1000), 0, 0, 0
	for seed := range walks {
		s, err := story.Parse("include base")
		if err != nil {
			t.Fatal(err)
		}
		w := &eventful{rng: rand.New(rand.NewPCG(uint64(seed), 2))}
		w.node = newNode(t, "gw-1", s, defaults(), func(c *Config) { c.Observer = w })
		w.c.Reconfigure(w.intent(defaults(), 0))
		var log []string
		w.round()
		for range 50 {
			log = append(log, w.happens())
			r := w.agree(seed, log)
			w.checkDamped(r)
			w.checkExplained(r, log)
			steps, planned, aside = steps+1, planned+len(r.Plan.Ops), aside+len(w.c.damper.is)
		}
	}
	proof.Report(t, "%d steps in %d walks, %d operations: each plan is that of everything", steps, walks, planned)
	if planned < steps/2 || aside < walks {
		t.Errorf("%d operations in %d steps, with %d paths set aside, mean nothing", planned, steps, aside)
	}
}

// checkDamped: what is set aside is not there, and is paths to one host and nothing else.
func (w *eventful) checkDamped(r Round) {
	w.t.Helper()
	there := r.There()
	for k := range w.c.damper.is {
		if !k.LeadsToOneHost() || there(k) && len(r.Failed()) == 0 {
			w.t.Fatalf("%s is set aside, and there", k.Text())
		}
	}
	for k, it := range r.Want.All() {
		if _, ok := w.c.damper.is[k]; it.Block != nil && it.Block.Code == object.BlockFlapping && !ok {
			w.t.Fatalf("%s is withheld without being set aside", k.Text())
		}
	}
}

// checkExplained: what is said to be announced is what is announced, whatever becomes of what it needs,
// unless this very round has announced or withdrawn it.
func (w *eventful) checkExplained(r Round, log []string) {
	w.t.Helper()
	for i := range eventfulVMs {
		k := pathKeyOf(100 + i)
		if slices.ContainsFunc(r.Plan.Ops, func(op plan.Op) bool { return op.Key() == k }) {
			continue
		}
		if e := w.c.Explain(r, k.Prefix.Addr(), nil, false); e.Advertised != r.Have.Has(k) {
			w.t.Fatalf("after %s: %s there: %v, but\n%s", strings.Join(log, "\n"), k.Text(), r.Have.Has(k), e)
		}
	}
}

func opLines(ops []plan.Op) []string {
	var out []string
	for _, op := range ops {
		out = append(out, op.String())
	}
	return out
}
