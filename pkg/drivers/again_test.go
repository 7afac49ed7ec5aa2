package drivers_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// TestDerivedAgainIsDerivedWhole: what a memory comes to after any changes of the databases, the
// node and what it lives on is what comes of everything: the same items with the same reasons in
// the same order, and the same complaints. With -rapid.checks=5000 it makes 100,000 steps.
func TestDerivedAgainIsDerivedWhole(t *testing.T) {
	all := worlds(t)
	steps, items, skips := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		origin := all[rapid.IntRange(0, len(all)-1).Draw(t, "world")]
		var drivers []desired.Driver
		for _, d := range randomDrivers(t, origin) {
			drivers = append(drivers, d.here)
		}
		drivers = rapid.Permutation(drivers).Draw(t, "order")
		here := rapid.SampledFrom(slices.Sorted(maps.Keys(origin.views))).Draw(t, "node")
		w, view := origin, origin.views[here]
		var memory desired.Memory
		for range 20 {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				w, view = origin, origin.views[here]
			case 1:
				view = mutateView(t, view)
			case 2:
				view.Protected = observe.Protect(view, randomOwn(t, view))
			case 3, 4, 5:
				w = w.grow(t)
			default:
				w = w.mutate(t)
			}
			view.SB, view.NB = w.sb, w.nb
			again, whole := memory.Compute(view, nil, drivers...), desired.Compute(view, nil, drivers...)
			if text := unlike(again, whole); text != "" {
				t.Fatalf("%s on %s: derived again (-), whole (+)\n%s", w.name, here, text)
			}
			steps, items, skips = steps+1, items+whole.Want.Len(), skips+len(whole.Skipped)
		}
	})
	t.Logf("%d steps, %d items, %d skips", steps, items, skips)
	if items < 10*steps || skips < steps/10 {
		t.Errorf("too few to mean anything: %d steps, %d items, %d skips", steps, items, skips)
	}
}

// grow adds a row like another one of Port_Binding, often with its addresses.
func (w world) grow(t *rapid.T) world {
	sb := *w.sb
	i, ok := pick(t, sb.Ports, "like")
	if !ok {
		return w
	}
	p := *sb.Ports[i]
	p.LogicalPort += fmt.Sprint("-", rapid.IntRange(0, 9).Draw(t, "name"))
	at, there := slices.BinarySearchFunc(sb.Ports, p.LogicalPort, func(p *observe.PortBinding, n string) int {
		return strings.Compare(p.LogicalPort, n)
	})
	if there {
		return w
	}
	p.UUID[15] ^= byte(len(p.LogicalPort))
	sb.Ports = slices.Insert(slices.Clone(sb.Ports), at, &p)
	w.sb = &sb
	return w
}

func unlike(a, b desired.Result) string {
	var out []string
	for k := range a.Want.Differ(b.Want) {
		x, has := a.Want.Get(k)
		y, had := b.Want.Get(k)
		if !has || !had || !x.Equal(y) {
			out = append(out, fmt.Sprintf("-%v %s\n+%v %s", has, inFull(x), had, inFull(y)))
		}
	}
	slices.Sort(out)
	if diff := cmp.Diff(a.Skipped, b.Skipped); diff != "" {
		out = append(out, diff)
	}
	return strings.Join(out, "\n")
}

func inFull(it object.Item) string {
	if it.Value == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s why %v after %v shared %v keeps %v block %+v rank %d", object.Text(it.Value), it.Why,
		it.After, it.Shared, it.Keeps, it.Block, it.Rank)
}
