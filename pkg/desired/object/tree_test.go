package object

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// TestTreeIsAMap holds trees against maps over random changes of many copies, with hashes
// that fall together in their first bits, in all of them and not at all.
func TestTreeIsAMap(t *testing.T) {
	for name, hash := range map[string]func(i int) uint64{
		"apart":    func(i int) uint64 { return hashOf(numbered(i)) },
		"together": func(i int) uint64 { return uint64(i) << 50 },
		"same":     func(i int) uint64 { return uint64(i % 3) },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(6) {
				walkTree(t, rand.New(rand.NewPCG(seed, 1)), hash)
			}
		})
	}
}

// copied is a tree beside the map that it stands for. own may change it in place.
type copied struct {
	tree *tree
	own  *owner
	want map[Key]*entry
}

func walkTree(t *testing.T, r *rand.Rand, hash func(int) uint64) {
	t.Helper()
	trees := []copied{{own: new(owner), want: map[Key]*entry{}}}
	for step := range 400 {
		c := &trees[r.IntN(len(trees))]
		i := r.IntN(60)
		k, h := numbered(i), hash(i)
		switch {
		case r.IntN(20) == 0 && len(trees) < 8: // from here on neither may change what both have
			c.own = new(owner)
			trees = append(trees, copied{c.tree, new(owner), maps.Clone(c.want)})
			continue
		case r.IntN(3) > 0:
			e := newEntry(h, Item{Value: routeTo(i), Rank: uint8(step)})
			c.tree = c.tree.editable(c.own)
			c.tree.put(c.own, e)
			c.want[k] = e
		case c.want[k] != nil:
			c.tree = c.tree.editable(c.own)
			c.tree.remove(c.own, h, k)
			delete(c.want, k)
		}
		for i := range trees {
			trees[i].check(t, hash)
		}
		checkDiffer(t, trees[r.IntN(len(trees))], trees[r.IntN(len(trees))])
	}
}

func (c copied) check(t *testing.T, hash func(int) uint64) {
	t.Helper()
	have := map[Key]*entry{}
	c.tree.all(func(e *entry) bool {
		have[e.key()] = e
		return true
	})
	if !maps.Equal(have, c.want) || c.tree.len() != len(c.want) {
		t.Fatalf("%d entries, said to be %d, want %d", len(have), c.tree.len(), len(c.want))
	}
	for i := range 60 {
		if e := c.tree.get(hash(i), numbered(i)); e != c.want[numbered(i)] {
			t.Fatalf("get %d: %v, want %v", i, e, c.want[numbered(i)])
		}
	}
}

func checkDiffer(t *testing.T, a, b copied) {
	t.Helper()
	var want, have []string
	for k, e := range a.want {
		if o := b.want[k]; o != e {
			want = append(want, fmt.Sprint(k, e != nil, o != nil))
		}
	}
	for k := range b.want {
		if a.want[k] == nil {
			want = append(want, fmt.Sprint(k, false, true))
		}
	}
	a.tree.differ(b.tree, func(x, y *entry) bool {
		k := cmpOr(x, y).key()
		if x == y || x != a.want[k] || y != b.want[k] {
			t.Fatalf("differ: %v and %v under %v", x, y, k)
		}
		have = append(have, fmt.Sprint(k, x != nil, y != nil))
		return true
	})
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Fatalf("differ: %v, want %v", have, want)
	}
	seen := map[Key]bool{}
	a.tree.both(b.tree, func(x, y *entry) bool {
		k := cmpOr(x, y).key()
		if seen[k] || x != a.want[k] || y != b.want[k] {
			t.Fatalf("both: %v and %v under %v", x, y, k)
		}
		seen[k] = true
		return true
	})
	for _, all := range []map[Key]*entry{a.want, b.want} {
		for k := range all {
			if !seen[k] {
				t.Fatalf("both leaves %v out", k)
			}
		}
	}
}

func cmpOr(a, b *entry) *entry {
	if a != nil {
		return a
	}
	return b
}

func numbered(i int) Key {
	addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return Key{Kind: KindRoute, Num: 200, Prefix: netip.PrefixFrom(addr, 32)}
}

// route is the value under numbered.
func routeTo(i int) Route { return NewRoute(200, numbered(i).Prefix, "br-ex", netip.Addr{}) }

// TestClonesAreApart: neither a copy nor what was united, taken out or is being walked sees
// what is changed afterwards.
func TestClonesAreApart(t *testing.T) {
	var s Set
	for i := range 100 {
		s.Put(Item{Value: routeTo(i)})
	}
	clone, part, union := s.Clone(), s.Only(KindRoute), Union(s)
	walked := 0
	for k := range s.All() {
		s.Remove(k)
		s.Put(Item{Value: routeTo(1000 + walked)})
		walked++
	}
	if walked != 100 || s.Len() != 100 || s.Has(numbered(1)) || !s.Has(numbered(1001)) {
		t.Errorf("%d walked, %d left", walked, s.Len())
	}
	for name, o := range map[string]Set{"clone": clone, "part": part, "union": union} {
		if o.Len() != 100 || !o.Has(numbered(1)) || o.Has(numbered(1001)) {
			t.Errorf("%s: %d items", name, o.Len())
		}
	}
	clone.Put(Item{Value: routeTo(5000)})
	if s.Has(numbered(5000)) || part.Has(numbered(5000)) || !clone.Has(numbered(5000)) {
		t.Error("a copy's change is seen elsewhere")
	}
}

// TestUnlike: of what was put into two sets separately, that is yielded which is not equal.
func TestUnlike(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var a, b Set
		want := map[Key]bool{}
		for i := range 40 {
			x := Item{Value: routeTo(i), Marked: r.IntN(2) == 0}
			y := x
			switch r.IntN(8) {
			case 0:
				y.Marked = !x.Marked
			case 1:
				y.Rank = 3
			case 2:
				y.Why = []Source{{Row: "another"}}
			case 3:
				y.Found = &Found{Deviates: "an MTU"}
			case 4:
				x.Block, y.Block = &Block{Code: "a"}, &Block{Code: "a"} // equal, in two places
			case 5:
				x.Block = &Block{Code: "a"}
			}
			inA, inB := r.IntN(5) > 0, r.IntN(5) > 0
			if inA {
				a.Put(x)
			}
			if inB {
				b.Put(y)
			}
			if inA != inB || inA && !x.Equal(y) {
				want[numbered(i)] = true
			}
		}
		got := map[Key]bool{}
		for k := range a.Unlike(b) {
			got[k] = true
		}
		if !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// TestDiffer: what a copy shares is not yielded, what was put again is.
func TestDiffer(t *testing.T) {
	var s Set
	for i := range 1000 {
		s.Put(Item{Value: routeTo(i)})
	}
	o := s.Clone()
	o.Remove(numbered(3))
	o.Put(Item{Value: routeTo(7)})
	o.Put(Item{Value: routeTo(2000)})
	for _, keys := range [][]Key{slices.Collect(s.Differ(o)), slices.Collect(o.Differ(s))} {
		slices.SortFunc(keys, Key.Compare)
		if want := []Key{numbered(3), numbered(7), numbered(2000)}; !slices.Equal(keys, want) {
			t.Errorf("%v, want %v", keys, want)
		}
	}
	if !s.Same(s.Clone()) || s.Same(o) {
		t.Error("Same is not about identity")
	}
	for range s.Differ(o) {
		break
	}
}

// BenchmarkSet compares what a set costs with a map of the same items.
func BenchmarkSet(b *testing.B) {
	const n = 100_000
	items := make([]Item, n)
	keys := make([]Key, n)
	for i := range items {
		items[i] = Item{Value: routeTo(i)}
		keys[i] = numbered(i)
	}
	var full Set
	plain := map[Key]Item{}
	for i, it := range items {
		full.Put(it)
		plain[keys[i]] = it
	}
	run := func(name string, each func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				each()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/item")
		})
	}
	run("fill/map", func() {
		m := map[Key]Item{}
		for i, it := range items {
			m[keys[i]] = it
		}
	})
	run("fill/set", func() {
		var s Set
		for _, it := range items {
			s.Put(it)
		}
	})
	run("get/map", func() {
		for _, k := range keys {
			if _, ok := plain[k]; !ok {
				b.Fatal(k)
			}
		}
	})
	run("get/set", func() {
		for _, k := range keys {
			if _, ok := full.Get(k); !ok {
				b.Fatal(k)
			}
		}
	})
	run("walk/map", func() {
		for range maps.All(plain) {
		}
	})
	run("walk/set", func() {
		for range full.All() {
		}
	})
	run("copy and change one/map", func() {
		m := maps.Clone(plain)
		delete(m, keys[1])
	})
	run("copy and change one/set", func() {
		s := full.Clone()
		s.Remove(keys[1])
	})
	changed := full.Clone()
	changed.Remove(keys[1])
	run("compare with one change/set", func() {
		for range full.Differ(changed) {
		}
	})
}

// TestReuse: the result says what the new set says, and differs from the former one
// exactly where an item is another one.
func TestReuse(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	var former Set
	for range 60 {
		var fresh Set
		want := map[Key]bool{}
		for i := range 200 {
			old, had := former.Get(numbered(i))
			it := Item{Value: routeTo(i), Why: []Source{{Rule: "R1"}}, Keeps: []Key{numbered(1)}}
			switch n := r.IntN(40); {
			case n == 0 && had, !had && n > 20:
				want[numbered(i)] = had
				continue
			case n == 1:
				it.Block = &Block{Code: BlockHeld, Text: fmt.Sprint(r.IntN(2))}
			case n == 2:
				it.Found = &Found{Deviates: "an MTU"}
			case n == 3:
				it.Why = []Source{{Rule: "R2"}}
			case n == 4:
				it.After, it.Marked = []Key{numbered(2)}, true
			}
			fresh.Put(it)
			want[numbered(i)] = !had || !reflect.DeepEqual(old, it)
		}
		have := fresh.Reuse(former, former)
		if have.Len() != fresh.Len() || !reflect.DeepEqual(have.Sorted(), fresh.Sorted()) {
			t.Fatal("another content")
		}
		changed := map[Key]bool{}
		for k := range former.Differ(have) {
			changed[k] = true
		}
		for k, yes := range want {
			if changed[k] != yes {
				t.Fatalf("%v: changed %v, want %v", k, changed[k], yes)
			}
		}
		former = have
	}
}

// TestShuffled: everything comes once, and over many times anything comes first.
func TestShuffled(t *testing.T) {
	var s Set
	for i := range 40 {
		s.Put(Item{Value: routeTo(i)})
	}
	first := map[Key]bool{}
	for range 4000 {
		var keys []Key
		for k := range s.Shuffled(KindRoute) {
			keys = append(keys, k)
		}
		first[keys[0]] = true
		slices.SortFunc(keys, Key.Compare)
		if len(slices.Compact(keys)) != 40 {
			t.Fatalf("%d keys", len(keys))
		}
	}
	if len(first) != 40 {
		t.Errorf("%d of 40 came first at some time", len(first))
	}
	for range s.Shuffled(KindPath) {
		t.Error("something of an empty kind")
	}
}
