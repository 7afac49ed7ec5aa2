package kernel

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// intruder is another program in the namespace of the lab: the marks are its own.
func (l *lab) intruder(marks actual.Marks) *Backend {
	l.t.Helper()
	b, err := New(Config{Marks: marks})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { b.Close() })
	return b
}

// TestProofDrift holds the kernel to what the model does when others change what is
// ours.
func TestProofDrift(t *testing.T) {
	var here *lab
	contract.Drift(t, subject(t, &here), func(t *testing.T, _ actual.Backend, act contract.Act, v object.Value) bool {
		here.t = t
		same, other := actual.DefaultMarks(), actual.Marks{RouteProtocol: 99, RuleProtocol: 99, Alias: "other"}
		switch act {
		case contract.Remove:
			change(t, here.intruder(same), v, func(object.Value) object.Change { return remove(v) })
		case contract.Change:
			change(t, here.intruder(same), v, func(now object.Value) object.Change { return update(now, v) })
		case contract.Beside:
			change(t, here.intruder(other), v, func(object.Value) object.Change { return create(v) })
		case contract.Take:
			return here.take(v, other)
		}
		// The rest waits for the ticker of the backend.
		here.b.compareOnce(t.Context())
		return true
	})
}

// change makes one change as an intruder, who knows what there is.
func change(t testing.TB, b *Backend, v object.Value, of func(now object.Value) object.Change) {
	t.Helper()
	have, err := b.Read(t.Context(), wanting(t, v))
	if err != nil {
		t.Fatal(err)
	}
	now, _ := have.Get(v.Key())
	if err := b.Apply(t.Context(), []object.Change{of(now.Value)})[0]; err != nil {
		t.Fatal(err)
	}
}

// take gives an object another owner's mark in the way in which a person would.
func (l *lab) take(v object.Value, other actual.Marks) bool {
	l.t.Helper()
	switch v := v.(type) {
	case object.Route:
		line := fmt.Sprintf("route change %s table %d metric %d proto 99", v.Dst, v.Table, v.Metric)
		if v.Unreachable {
			line = fmt.Sprintf("route change unreachable %s table %d metric %d proto 99", v.Dst, v.Table, v.Metric)
		} else {
			line += " dev " + v.Dev
		}
		if v.Via.IsValid() {
			line += " via " + v.Via.String() + " onlink"
		}
		l.ip(line)
	case object.Rule:
		l.ip("rule del priority " + strconv.Itoa(int(v.Priority)))
		change(l.t, l.intruder(other), v, func(object.Value) object.Change { return create(v) })
	case object.Link:
		l.ip("link set " + v.Name + " alias other")
	case object.Neigh, object.ProxyNeigh, object.Address:
		change(l.t, l.intruder(other), v, func(object.Value) object.Change { return update(v, v) })
		l.b.compareOnce(l.t.Context())
	default:
		return false // it bears no mark
	}
	return true
}

// TestMoreThanWeWrite: what others set on ours and no value expresses is seen at once,
// and gone once the object is written again.
func TestMoreThanWeWrite(t *testing.T) {
	for do, tc := range map[string]struct{ line, want string }{
		"route change 10.0.0.5 dev d0 table 201 proto 98 mtu 1400": {
			"route 10.0.0.5/32 table 201 metric 0  dev d0", "mtu 1400",
		},
		"-6 route change 2001:db8::5 dev d0 table 201 metric 1024 proto 98 advmss 1200": {
			"route 2001:db8::5/128 table 201 metric 1024  dev d0", "advmss 1200",
		},
		"-6 route change 2001:db8::5 dev d0 table 201 metric 1024 proto 98 pref high": {
			"route 2001:db8::5/128 table 201 metric 1024  dev d0", "pref 1",
		},
		"addr change 169.254.1.1/32 dev d0 valid_lft 600 preferred_lft 600": {
			"address 169.254.1.1/32 dev d0", "a lifetime",
		},
		"-6 addr change fd53:d91e:400:7f17::1:1/128 dev d0 valid_lft 600 preferred_lft 600": {
			"address fd53:d91e:400:7f17::1:1/128 dev d0", "a lifetime",
		},
	} {
		t.Run(strings.ReplaceAll(do, "/", " "), func(t *testing.T) {
			l := newLab(t)
			v := parse(t, tc.line)
			focus := wanting(t, v)
			l.read(focus)
			l.must(create(v))
			l.read(focus)
			l.clearSignals()
			l.ip(do)
			l.woken()
			if it, _ := l.read(focus).Get(v.Key()); it.Value != v || it.Deviates() != tc.want {
				t.Errorf("got %v, %q; want it as it was with %q", it.Value, it.Deviates(), tc.want)
			}
			l.must(update(v, v))
			for _, focus := range []actual.Focus{focus, complete(focus)} {
				if it, _ := l.read(focus).Get(v.Key()); it.Value != v || it.Deviates() != "" {
					t.Errorf("after it was written again: got %v, %q", it.Value, it.Deviates())
				}
			}
		})
	}
}
