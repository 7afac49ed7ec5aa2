package drivers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// randomOwn draws addresses and prefixes of the world that the node is to live on.
func randomOwn(t *rapid.T, view observe.Snapshot) observe.Own {
	var own observe.Own
	addrs := mentioned(view)
	for range rapid.IntRange(0, 3).Draw(t, "protected") {
		i, ok := pick(t, addrs, "address")
		if !ok {
			break
		}
		switch a := addrs[i]; rapid.IntRange(0, 2).Draw(t, "as") {
		case 0:
			own.Southbound = append(own.Southbound, "tcp:"+netip.AddrPortFrom(a, 6642).String())
		case 1:
			own.Peers = append(own.Peers, a)
		case 2:
			p, _ := a.Prefix(rapid.IntRange(8, a.BitLen()).Draw(t, "bits"))
			own.Protect = append(own.Protect, p)
		}
	}
	return own
}

// crossing describes two wanted routes in bridge tables that lead the same address to
// different owners; empty if there are none. An address that is wired by itself
// stands before the subnet that it is in.
func crossing(want object.Set, vrfs map[uint32]bool) string {
	var routes []object.Route
	for _, r := range object.Of[object.Route](want) {
		if r.Table != object.TableMain && !vrfs[r.Table] {
			routes = append(routes, r)
		}
	}
	for i, a := range routes {
		for _, b := range routes[:i] {
			sameOwner := a.Table == b.Table && a.Dev == b.Dev && a.Via == b.Via
			one, other := a.Steers().Direct, b.Steers().Direct
			if a.Dst.Overlaps(b.Dst) && !sameOwner && (one == other || a.Dst == b.Dst) {
				return object.Text(a) + " and " + object.Text(b)
			}
		}
	}
	return ""
}

// TestRandomWorldsAreSafe: whatever the databases say, nothing that is wanted takes
// away what the node lives on, no address leads to two places, and nothing panics.
func TestRandomWorldsAreSafe(t *testing.T) {
	all := worlds(t)
	blocked, routes := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 4 {
			w := all[rapid.IntRange(0, len(all)-1).Draw(t, "world")].mutate(t)
			drivers := randomDrivers(t, w)
			for _, here := range slices.Sorted(maps.Keys(w.views)) {
				view := mutateView(t, w.views[here])
				view.Protected = observe.Protect(view, randomOwn(t, view))
				r, b := checkSafe(t, w.name+" on "+here, view, drivers)
				routes, blocked = routes+r, blocked+b
			}
		}
	})
	t.Logf("%d routes, %d blocked", routes, blocked)
	if routes < 100 || blocked < 5 {
		t.Errorf("too few to mean anything: %d routes, %d blocked", routes, blocked)
	}
}

// checkSafe derives a view with all drivers, and counts the routes that are wanted and
// those that are protected from.
func checkSafe(t *rapid.T, where string, view observe.Snapshot, drivers []driver) (routes, blocked int) {
	var list []desired.Driver
	for _, d := range drivers {
		list = append(list, d.here)
	}
	res := desired.Compute(view, nil, list...)
	for _, p := range res.Panics {
		t.Fatalf("%s\n%s", p.Text, p.Stack)
	}
	vrfs := map[uint32]bool{}
	for _, l := range object.Of[object.Link](res.Want) {
		vrfs[l.Isolates()] = true
	}
	for _, d := range drivers {
		if n, ok := d.here.(*native.Driver); ok {
			for _, table := range n.Watched(nil, view) {
				vrfs[table] = true // of a router: no rule leads there
			}
		}
	}
	for _, it := range res.Want.SortedOf(object.KindRoute) {
		if routes++; it.Block != nil && it.Block.Code == object.BlockProtected {
			blocked++
			continue
		}
		dst := it.Value.(object.Route).Dst
		if table := it.Value.Key().Num; table == object.TableMain || vrfs[table] {
			continue
		}
		for _, p := range view.Protected.Prefixes {
			inside := p.Prefix.Bits() < dst.Bits() && p.Connected // a shared network, see the rules
			if p.Prefix.Overlaps(dst) && !inside {
				t.Fatalf("%s: %s takes %s, %s", where, object.Text(it.Value), p.Prefix, p.What)
			}
		}
	}
	checkAddresses(t, res.Want)
	if text := crossing(res.Want, vrfs); text != "" {
		t.Fatalf("%s: %s", where, text)
	}
	return routes, blocked
}

// TestShuffledRowsMakeNoDifference: neither the order of tables, of rows and columns nor
// that of elements of sets and maps, in which a database gives them in any order, changes
// what is derived.
func TestShuffledRowsMakeNoDifference(t *testing.T) {
	all := worlds(t)
	rapid.Check(t, func(t *rapid.T) {
		w := all[rapid.IntRange(0, len(all)-1).Draw(t, "world")].mutate(t)
		here := rapid.SampledFrom(slices.Sorted(maps.Keys(w.views))).Draw(t, "node")
		view := mutateView(t, w.views[here])
		var text bytes.Buffer
		if err := file.Write(&text, view); err != nil {
			t.Fatal(err)
		}
		drivers := randomDrivers(t, w)
		want := derivedFrom(t, text.Bytes(), drivers)
		var tree map[string]any
		if err := json.Unmarshal(text.Bytes(), &tree); err != nil {
			t.Fatal(err)
		}
		for _, database := range []string{"sb", "nb"} {
			if tables, ok := tree[database].(map[string]any); ok {
				tree[database] = json.RawMessage(shuffled(t, database, tables))
			}
		}
		again, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if got := derivedFrom(t, again, drivers); got != want {
			t.Fatalf("%s on %s: shuffled\n%s\nas written\n%s", w.name, here, got, want)
		}
	})
}

// shuffled writes a part of a database with all that has no order in another one: the
// members of objects, which are tables and columns, rows, and the elements of sets and
// maps (RFC 7047 section 5.1).
func shuffled(t *rapid.T, label string, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		var members [][]byte
		for _, name := range permuted(t, label, slices.Sorted(maps.Keys(v))) {
			members = append(members, fmt.Appendf(nil, "%q:%s", name, shuffled(t, name, v[name])))
		}
		return slices.Concat([]byte("{"), bytes.Join(members, []byte(",")), []byte("}"))
	case []any:
		list := v
		kind, of := "", []any(nil)
		if len(v) == 2 {
			kind, _ = v[0].(string)
			of, _ = v[1].([]any)
		}
		if of != nil && (kind == "set" || kind == "map") {
			return fmt.Appendf(nil, "[%q,%s]", kind, listed(t, label, permuted(t, label, of)))
		}
		if len(v) > 0 {
			if _, rows := v[0].(map[string]any); rows {
				list = permuted(t, label, v)
			}
		}
		return listed(t, label, list)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func listed(t *rapid.T, label string, list []any) []byte {
	var elements [][]byte
	for _, e := range list {
		elements = append(elements, shuffled(t, label, e))
	}
	return slices.Concat([]byte("["), bytes.Join(elements, []byte(",")), []byte("]"))
}

func permuted[T any](t *rapid.T, label string, list []T) []T {
	if len(list) < 2 {
		return list
	}
	return rapid.Permutation(list).Draw(t, label)
}

// derivedFrom prints all that the drivers make of a file, and what they report.
func derivedFrom(t *rapid.T, text []byte, drivers []driver) string {
	f, err := file.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := f.Snapshot("")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range drivers {
		res := desired.Compute(snap, nil, d.here)
		for _, it := range res.Want.Sorted() {
			fmt.Fprintf(&b, "%s %v %v\n", object.Text(it.Value), it.Block, it.Why)
		}
		for _, s := range res.Skipped {
			fmt.Fprintln(&b, s)
		}
	}
	return b.String()
}
