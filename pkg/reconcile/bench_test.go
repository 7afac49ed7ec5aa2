package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// BenchmarkIdleRound measures a whole round in which nothing has changed, as
// the loop makes one for every event that does not concern this node: derive,
// read from a backend that costs nothing, and diff.
func BenchmarkIdleRound(b *testing.B) {
	for _, kind := range []string{"provider", "tenant"} {
		for _, ports := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, ports), func(b *testing.B) { idleRounds(b, kind, ports) })
		}
	}
}

func idleRounds(b *testing.B, kind string, ports int) {
	snap := crowd(b, kind, ports)
	cfg := defaults()
	cfg.TenantNetworks = true
	driver := bgp.New(cfg)
	still := &stillLife{items: ours(desired.Compute(snap, nil, driver).Want)}
	if n := still.items.LenOf(object.KindPath); n < ports {
		b.Fatalf("%d paths, want at least %d", n, ports)
	}
	reader, err := actual.NewReader(still)
	if err != nil {
		b.Fatal(err)
	}
	c := New(Config{Observer: fixedView{snap}, Drivers: []desired.Driver{driver}, Backends: reader, Journal: noJournal{}})
	b.ReportAllocs()
	for b.Loop() {
		r, err := c.Round(b.Context(), false)
		if err != nil || !r.Plan.Empty() {
			b.Fatalf("%v\n%s", err, r.Plan.Summary())
		}
	}
}

// ours are the items as backends read them that we have written.
func ours(want object.Set) object.Set {
	var set object.Set
	for k, it := range want.All() {
		it.Marked = k.Kind.HasMark()
		set.Put(it)
	}
	return set
}

// crowd is a snapshot of node gw-1 with that many ports: VMs on a provider
// network here, or VMs anywhere behind a gateway that is here. One in ten has
// an IPv6 address too.
func crowd(b testing.TB, kind string, ports int) observe.Snapshot {
	b.Helper()
	s, err := story.Parse("include base\nset lrp-p1 mac \"fa:16:3e:2c:7a:01 10.0.0.1/8 2600:db8::1/64\"")
	if err != nil {
		b.Fatal(err)
	}
	snap, err := s.Snapshot("gw-1")
	if err != nil {
		b.Fatal(err)
	}
	dp, chassis := story.UUID("datapath dp-pub"), story.UUID("chassis gw-1")
	if kind == "tenant" {
		dp, chassis = story.UUID("datapath dp-priv"), story.UUID("chassis cmp-2")
	}
	snap.Protected = observe.Protect(snap, observe.Own{}) // as the source makes it, once for all
	sb := *snap.SB
	rows := sb.Ports.Slice()
	for i := range ports {
		a := netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)})
		p := &observe.PortBinding{
			UUID: story.UUID(fmt.Sprint("crowd ", i)), LogicalPort: fmt.Sprintf("vm-%08d", i), Datapath: dp, Chassis: chassis,
			Addresses: []observe.PortAddress{{
				MAC:   object.MAC{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)},
				Addrs: []netip.Prefix{netip.PrefixFrom(a, 32)},
			}},
			ExternalIDs: map[string]string{"neutron:cidrs": a.String() + "/8"},
		}
		if i%10 == 0 {
			six := netip.MustParseAddr(fmt.Sprintf("2600:db8::%x:%x", 1+i>>16, i&0xffff))
			p.Addresses[0].Addrs = append(p.Addresses[0].Addrs, netip.PrefixFrom(six, 128))
			p.ExternalIDs["neutron:cidrs"] += " " + six.String() + "/64"
		}
		rows = append(rows, p)
	}
	slices.SortFunc(rows, observe.ComparePorts)
	sb.Ports = rowlist.Of(rows...)
	snap.SB = &sb
	return snap
}

type fixedView struct{ snap observe.Snapshot }

func (v fixedView) Snapshot(context.Context) (observe.Snapshot, error) { return v.snap, nil }
func (v fixedView) Changed() []<-chan struct{}                         { return nil }

// stillLife is a backend of every kind in which nothing ever changes.
type stillLife struct{ items object.Set }

func (s *stillLife) Name() string                                           { return "still" }
func (s *stillLife) Kinds() []object.Kind                                   { return object.Kinds() }
func (s *stillLife) Read(context.Context, actual.Focus) (object.Set, error) { return s.items, nil }
func (s *stillLife) Apply(_ context.Context, changes []object.Change) []error {
	return make([]error, len(changes))
}
func (s *stillLife) Changed() <-chan struct{} { return nil }
func (s *stillLife) Close() error             { return nil }

// noJournal remembers nothing.
type noJournal struct{ plan.NoLedger }

func (noJournal) Begin(plan.Plan) error                       { return nil }
func (noJournal) End(plan.Plan, []error, time.Duration) error { return nil }
func (noJournal) Forget([]object.Key) error                   { return nil }
func (noJournal) Renew([]object.Item) error                   { return nil }
func (noJournal) LastKnown() object.Set                       { return object.Set{} }

// BenchmarkChange measures a whole round in which one port of many has come or gone, and
// reports what of it is not the drivers.
func BenchmarkChange(b *testing.B) {
	for _, ports := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(ports), func(b *testing.B) {
			with := crowd(b, "provider", ports)
			without, fewer := with, *with.SB
			goes, _ := fewer.Port("vm-00000500")
			story.ReplacePort(&fewer, goes, nil)
			without.SB = &fewer
			driver := bgp.New(defaults())
			w := &lively{stillLife{items: ours(desired.Compute(with, nil, driver).Want)}}
			reader, err := actual.NewReader(w)
			if err != nil {
				b.Fatal(err)
			}
			view := &twoViews{views: [2]observe.Snapshot{with, without}}
			c := New(Config{Observer: view, Drivers: []desired.Driver{driver}, Backends: reader, Journal: noJournal{}})
			if _, err := c.Round(b.Context(), false); err != nil {
				b.Fatal(err)
			}
			change := func() Round {
				view.now = 1 - view.now
				r, err := c.Round(b.Context(), false)
				if err != nil || r.Plan.Empty() || len(r.Failed()) > 0 {
					b.Fatalf("%v\n%s", err, r.Plan.Summary())
				}
				return r
			}
			change() // finds out once what all that want the same have in common
			change()
			b.ReportAllocs()
			var derived, rest time.Duration
			for b.Loop() {
				r := change()
				derived, rest = derived+r.Derived, rest+r.Read+r.Planned
			}
			b.ReportMetric(float64(derived.Microseconds())/float64(b.N), "derive-µs")
			b.ReportMetric(float64(rest.Microseconds())/float64(b.N), "read+plan-µs")
		})
	}
}

// twoViews shows one of two snapshots.
type twoViews struct {
	views [2]observe.Snapshot
	now   int
}

func (v *twoViews) Snapshot(context.Context) (observe.Snapshot, error) { return v.views[v.now], nil }
func (v *twoViews) Changed() []<-chan struct{}                         { return nil }

// lively is a backend that does what it is told.
type lively struct{ stillLife }

func (s *lively) Read(context.Context, actual.Focus) (object.Set, error) { return s.items.Clone(), nil }

func (s *lively) Apply(_ context.Context, changes []object.Change) []error {
	for _, c := range changes {
		if c.After == nil {
			s.items.Remove(c.Key())
			continue
		}
		s.items.Put(object.Item{Value: c.After, Marked: c.Key().Kind.HasMark()})
	}
	return make([]error, len(changes))
}
