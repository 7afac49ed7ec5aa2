package contract

import (
	"iter"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Act is what another program does to the world of a backend.
type Act string

// The acts. Remove and Change leave the mark of an object as it is; Take gives an
// object of ours the mark of another owner and changes nothing else; Beside adds an
// object of another owner under another key; Again deletes the device of a
// port and, where Open vSwitch does not make it, makes one of that name.
const (
	Remove Act = "removed"
	Change Act = "changed"
	Take   Act = "taken"
	Beside Act = "beside"
	Again  Act = "device made again"
)

// Others performs an act with a value as another program would: the value that is
// removed or taken, that takes the place of ours, or that is added. False says that the
// system that holds the value cannot do it.
type Others func(t *testing.T, b actual.Backend, act Act, v object.Value) (done bool)

// Drift holds a backend to what is promised of changes by others, for every sample of
// every kind: each is noticed without a complete read, mended by the plan that follows
// from it, and nothing is left to do then; what others add beside ours stays. What was
// ours and is not wanted any more goes, also without its mark.
func Drift(t *testing.T, s Subject, others Others) {
	t.Helper()
	var n drifts
	for _, kind := range s.New(t).Kinds() {
		if _, omit := s.Omit[kind]; omit {
			continue
		}
		n.kinds++
		t.Run(kind.String(), func(t *testing.T) {
			for _, smp := range s.samples(t, kind) {
				if _, why := s.omitted(smp); why != "" {
					continue
				}
				n.samples++
				t.Run(smp.name, func(t *testing.T) { s.drift(t, smp, others, &n) })
			}
		})
	}
	proof.Report(t, "%d kinds, %d samples: %d changes by others noticed and mended, %d objects beside ours left alone, "+
		"%d taken ones removed when not wanted", n.kinds, n.samples, n.mended, n.alone, n.removed)
}

type drifts struct{ kinds, samples, mended, alone, removed int }

func (s Subject) drift(t *testing.T, smp sample, others Others, n *drifts) {
	kind := smp.value.Key().Kind
	for _, c := range []struct {
		act Act
		v   object.Value
	}{{Remove, smp.value}, {Change, smp.other}, {Take, smp.value}, {Again, smp.value}} {
		if c.v == nil || kind.IsSetting() && c.act != Change || c.act == Again && kind != object.KindOVSPort {
			continue
		}
		t.Run(string(c.act), func(t *testing.T) {
			d := s.settled(t, smp)
			if !others(t, d.b, c.act, c.v) {
				return
			}
			d.audit = c.act == Take && !kind.HasMark()
			d.mend(string(c.act))
			n.mended++
		})
	}
	if kind.IsSetting() {
		return
	}
	t.Run("unwanted", func(t *testing.T) {
		d := s.settled(t, smp)
		if kind.Coexists() || !others(t, d.b, Take, smp.value) {
			return
		}
		d.audit = !kind.HasMark()
		d.noticed("taken")
		d.want = object.Set{}
		d.owned = []object.Key{smp.value.Key()}
		d.mend("taken and not wanted")
		if it, ok := d.read(true).Get(smp.value.Key()); ok {
			t.Errorf("%s is left behind", object.Text(it.Value))
		}
		n.removed++
	})
	if v := s.beside(smp.value); v != nil {
		t.Run(string(Beside), func(t *testing.T) {
			d := s.settled(t, smp)
			if !others(t, d.b, Beside, v) {
				return
			}
			for _, complete := range []bool{false, true} {
				if p := d.plan(complete); !p.Empty() || len(p.Notes) > 0 {
					t.Errorf("complete=%t: got\n%s\nwant no plan", complete, p)
				}
			}
			apply(t, d.b, object.Change{Before: smp.value})
			if it, ok := readAs(t, d.b, true, v).Get(v.Key()); !ok || !object.SameButMark(it.Value, v) || it.Marked {
				t.Errorf("of another owner's %s there is %v, marked %t", object.Text(v), it.Value, it.Marked)
			}
			n.alone++
		})
	}
}

// beside is a value under another key that another owner may well have; nil for kinds
// of which there is none.
func (s Subject) beside(v object.Value) object.Value {
	switch v := v.(type) {
	case object.Route:
		if v.Unreachable || v.Dst.Addr().Is6() {
			return nil
		}
		v.Dst = host(v.Dst.Addr().Next())
		return v
	case object.Neigh:
		v.Addr, v.Learned = v.Addr.Next(), false
		return v
	case object.ProxyNeigh:
		v.Addr = v.Addr.Next()
		return v
	case object.Address:
		v.Prefix = host(v.Prefix.Addr().Next())
		return v
	case object.Rule:
		v.Priority++
		return v
	case object.Flow:
		v.Priority--
		return v
	case object.Path:
		v.Prefix = host(v.Prefix.Addr().Next())
		return v
	default:
		return nil
	}
}

// drifting is a backend on whose world one sample is as wanted.
type drifting struct {
	t      *testing.T
	b      actual.Backend
	ground object.Set // what the sample needs, as if it were of others
	want   object.Set
	owned  []object.Key
	// audit is set where a complete read may be what notices: the kernel tells nobody
	// that the protocol of a neighbour was changed. The ledger has it all the same.
	audit  bool
	ledger ledger
}

// settled makes the sample and demands that nothing is left to do.
func (s Subject) settled(t *testing.T, smp sample) *drifting {
	t.Helper()
	d := &drifting{t: t, b: s.ground(t, smp), want: setOf(t, smp.value), ledger: ledger{}}
	for _, v := range append(smp.before[:len(smp.before):len(smp.before)], object.Device{Name: s.Device},
		object.Device{Name: s.Bridge}, object.Link{Name: s.Device}, object.OVSPort{Name: s.Device}) {
		if v.Key() != smp.value.Key() {
			d.ground.Put(object.Item{Value: v})
		}
	}
	d.carryOut(d.plan(false))
	if p := d.plan(false); !p.Empty() || len(p.Notes) > 0 {
		t.Fatalf("there is something left to do at the start:\n%s", p)
	}
	return d
}

func (d *drifting) read(complete bool) object.Set {
	d.t.Helper()
	return readFocus(d.t, d.b, actual.Focus{Want: d.want, Owned: d.owned, Complete: complete})
}

// plan is the difference as far as it concerns what the sample is about: the world may
// hold other things of ours, which it needs.
func (d *drifting) plan(complete bool) plan.Plan {
	d.t.Helper()
	have := d.read(complete)
	only := d.ground.Clone()
	for k, it := range have.All() {
		if _, known := d.ledger[k]; known || d.want.Has(k) {
			only.Put(it)
		}
	}
	return plan.Diff(plan.Input{Want: d.want, Have: only, Ledger: d.ledger})
}

// noticed waits until an incremental read shows that something must be done.
func (d *drifting) noticed(what string) plan.Plan {
	d.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if p := d.plan(d.audit); !p.Empty() {
			return p
		}
		select {
		case <-d.b.Changed():
		case <-deadline:
			d.t.Fatalf("%s: not noticed without a complete read; there is\n%s", what, d.plan(true))
		}
	}
}

// mend carries out the plan that follows from a change and demands that it was all.
func (d *drifting) mend(what string) {
	d.t.Helper()
	p := d.noticed(what)
	if len(p.Notes) > 0 {
		d.t.Errorf("%s: got notes\n%s", what, p)
	}
	d.carryOut(p)
	for _, complete := range []bool{false, true} {
		if p := d.plan(complete); !p.Empty() || len(p.Notes) > 0 {
			d.t.Errorf("%s: complete=%t: after the repair there is left\n%s", what, complete, p)
		}
	}
}

func (d *drifting) carryOut(p plan.Plan) {
	d.t.Helper()
	for _, op := range p.Ops {
		apply(d.t, d.b, op.Change())
		if op.After != nil {
			d.ledger[op.Key()] = op.After
		} else {
			delete(d.ledger, op.Key())
		}
	}
}

// ledger is an Ownership that has what was written.
type ledger map[object.Key]object.Value

func (l ledger) Owned(k object.Key) bool               { return l[k] != nil }
func (l ledger) Prior(object.Key) (object.Value, bool) { return nil, false }
func (l ledger) Why(object.Key) []object.Source        { return nil }
func (l ledger) Recorded(k object.Key) (object.Item, bool) {
	v, ok := l[k]
	return object.Item{Value: v}, ok
}

func (l ledger) Keys(kind object.Kind) []object.Key {
	var out []object.Key
	for k := range l {
		if k.Kind == kind {
			out = append(out, k)
		}
	}
	return out
}

func (l ledger) Differ(want object.Set) iter.Seq[object.Key] {
	return func(yield func(object.Key) bool) {
		for k, v := range l {
			if it, wanted := want.Get(k); (!wanted || it.Value != v) && !yield(k) {
				return
			}
		}
		for k := range want.All() {
			if l[k] == nil && !yield(k) {
				return
			}
		}
	}
}

// host is the prefix of one address.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
