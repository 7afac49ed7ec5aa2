package desired

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Guard tells which values would take away traffic that the node itself lives on.
// Every driver's objects come by it in [Compute], and everything that is there or is
// remembered in the planner, so that no driver can get around it.
//
// Where a route stands decides what it takes. A table that is looked up before the
// main one takes all that its routes cover. In the main table a route takes traffic
// only from less specific ones.
type Guard struct {
	*guarded
	// isolated are the routing tables of VRFs, which packets of the node itself are
	// not looked up in.
	isolated map[uint32]bool
}

// guarded are the protected prefixes, in an order in which they are found.
type guarded struct {
	// byAddr are the prefixes by address, so that those that a route covers are
	// neighbours; exact has the single addresses, and wide the others.
	byAddr []observe.ProtectedPrefix
	exact  map[netip.Addr]bool
	wide   []observe.ProtectedPrefix
}

func newGuarded(protected *observe.Protected) *guarded {
	g := &guarded{byAddr: protected.Prefixes, exact: map[netip.Addr]bool{}}
	if !slices.IsSortedFunc(g.byAddr, byAddress) { // a file that was edited
		g.byAddr = slices.Clone(g.byAddr)
		sorting.Sort(g.byAddr, byAddress)
	}
	for _, p := range g.byAddr {
		if p.Prefix.IsSingleIP() {
			g.exact[p.Prefix.Addr()] = true
		} else {
			g.wide = append(g.wide, p)
		}
	}
	return g
}

// Guards makes guards, and sorts what is protected once for all snapshots that protect the very
// same: thousands of prefixes where every chassis is one. The zero value is ready; it is not for
// concurrent use.
type Guards struct {
	of *observe.Protected
	by *guarded
}

// NewGuard returns a guard of what a snapshot protects; VRFs are those of the host
// and of the sets.
func NewGuard(snap observe.Snapshot, sets ...object.Set) *Guard {
	return new(Guards).New(snap, sets...)
}

// New is NewGuard.
func (gs *Guards) New(snap observe.Snapshot, sets ...object.Set) *Guard {
	switch {
	case snap.Protected == nil:
		gs.by, gs.of = newGuarded(observe.Protect(snap, observe.Own{})), nil
	case gs.of != snap.Protected:
		gs.by, gs.of = newGuarded(snap.Protected), snap.Protected
	}
	g := &Guard{guarded: gs.by, isolated: map[uint32]bool{}}
	if snap.Host != nil {
		for _, l := range snap.Host.Links {
			g.isolate(l.Table)
		}
	}
	for _, s := range sets {
		for _, kind := range object.KindsThat(object.Kind.IsIsolating) {
			for _, it := range s.AllOf(kind) {
				if v, ok := it.Value.(object.Isolating); ok {
					g.isolate(v.Isolates())
				}
			}
		}
	}
	return g
}

func byAddress(a, b observe.ProtectedPrefix) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
}

// isolate notes a VRF's table. The kernel looks up the others in any case.
func (g *Guard) isolate(table uint32) {
	if !object.TableReserved(table) {
		g.isolated[table] = true
	}
}

// Block says why a value must not exist; nil if it may.
func (g *Guard) Block(v object.Value) *object.Block {
	s, ok := v.(object.Steering)
	if !ok {
		return nil
	}
	to := s.Steers()
	if g.isolated[to.Table] || !to.Dst.IsValid() {
		return nil
	}
	p, hit := g.hit(to)
	if !hit {
		return nil
	}
	return &object.Block{Code: object.BlockProtected, Text: text(to.Dst, p)}
}

// hit returns the first protected prefix that is taken away, in the order of
// addresses, those that are covered before those that cover.
func (g *Guard) hit(to object.Steered) (observe.ProtectedPrefix, bool) {
	if !to.Dst.IsSingleIP() || g.exact[to.Dst.Addr()] {
		first, _ := slices.BinarySearchFunc(g.byAddr, to.Dst.Addr(), func(p observe.ProtectedPrefix, a netip.Addr) int {
			return p.Prefix.Addr().Compare(a)
		})
		for _, p := range g.byAddr[first:] {
			if !to.Dst.Contains(p.Prefix.Addr()) {
				break
			}
			if p.Prefix.Bits() >= to.Dst.Bits() && takes(to, p) {
				return p, true
			}
		}
	}
	for _, p := range g.wide {
		if p.Prefix.Bits() < to.Dst.Bits() && p.Prefix.Contains(to.Dst.Addr()) && takes(to, p) {
			return p, true
		}
	}
	return observe.ProtectedPrefix{}, false
}

// connectedIPv6 is the metric of the kernel's own route to what an IPv6 device is
// connected to (IP6_RT_PRIO_ADDRCONF); that of IPv4 is 0, which nothing precedes.
const connectedIPv6 = 256

// takes reports whether a route takes traffic of a protected prefix, of which one
// contains the other.
func takes(to object.Steered, p observe.ProtectedPrefix) bool {
	inside := to.Dst.Bits() > p.Prefix.Bits()
	if to.Table != object.TableMain {
		// A single address of a network that this node is connected to may just as well
		// be on a provider network with the same range.
		return !inside || p.Whole || !to.Direct || !to.Dst.IsSingleIP()
	}
	within := to.Dst.Bits() >= p.Prefix.Bits()
	switch {
	case p.Whole && within:
		return true
	case p.Connected && inside:
		return true
	case p.Connected && within:
		return to.Dst.Addr().Is6() && to.Metric < connectedIPv6
	case p.Connected:
		return false // the kernel prefers its own route, which is more specific
	default:
		return p.Way.IsValid() && to.Dst.Bits() > p.Way.Bits()
	}
}

// text says what would be hit.
func text(dst netip.Prefix, p observe.ProtectedPrefix) string {
	const harm = "; a route to it would take traffic away that this node itself needs"
	switch {
	case dst == p.Prefix:
		return fmt.Sprintf("%s is %s%s", dst, p.What, harm)
	case dst.Bits() < p.Prefix.Bits():
		return fmt.Sprintf("%s contains %s, which is %s%s", dst, p.Prefix, p.What, harm)
	default:
		return fmt.Sprintf("%s is in %s, which is %s%s", dst, p.Prefix, p.What, harm)
	}
}

// Equal reports whether two guards block the same.
func (g *Guard) Equal(o *Guard) bool {
	return (g.guarded == o.guarded || slices.Equal(g.byAddr, o.byAddr)) && maps.Equal(g.isolated, o.isolated)
}

// protect blocks what must not exist, and all that needs it. While the guard is the same and
// blocked nothing the last time, only what has changed can be blocked.
func (m *Memory) protect(snap observe.Snapshot, want *object.Set) {
	g := m.guardOf(snap, *want)
	blocked := map[object.Key]*object.Block{}
	look := func(k object.Key, it object.Item) {
		if b := g.Block(it.Value); b != nil {
			blocked[k] = b
		}
	}
	if m != nil && m.guard != nil && m.guard.Equal(g) {
		for k := range want.Differ(m.passed) {
			if it, ok := want.Get(k); ok {
				look(k, it)
			}
		}
	} else {
		for _, kind := range object.KindsThat(object.Kind.IsSteering) {
			for k, it := range want.AllOf(kind) {
				look(k, it)
			}
		}
	}
	if m != nil {
		m.guard, m.passed = nil, object.Set{}
		if len(blocked) == 0 {
			m.guard, m.passed = g, want.Clone()
		}
	}
	for grew := len(blocked) > 0; grew; {
		found := map[object.Key]*object.Block{} // counts from the next pass on, whatever the order of this one
		for k, it := range want.All() {
			if need, ok := firstOf(it.Needs(), blocked); ok && blocked[k] == nil {
				found[k] = &object.Block{
					Code: object.BlockProtected, Text: "needs " + need.Text() + ": " + blocked[need].Text,
				}
			}
		}
		grew = len(found) > 0
		maps.Copy(blocked, found)
	}
	for k, b := range blocked {
		it, _ := want.Get(k)
		it.Block = b
		want.Put(it)
	}
}

// guardOf is the guard of a snapshot and of what is wanted: that of the last time where nothing that it
// is made of has changed.
func (m *Memory) guardOf(snap observe.Snapshot, want object.Set) *Guard {
	if m == nil {
		return NewGuard(snap, want)
	}
	kinds := object.KindsThat(object.Kind.IsIsolating)
	if m.guard != nil && m.guards.of != nil && m.guards.of == snap.Protected && m.host == snap.Host &&
		m.passed.Only(kinds...).Same(want.Only(kinds...)) {
		return m.guard
	}
	m.host = snap.Host
	return m.guards.New(snap, want)
}

// firstOf returns the first of the keys that is blocked.
func firstOf(keys []object.Key, blocked map[object.Key]*object.Block) (object.Key, bool) {
	i := slices.IndexFunc(keys, func(k object.Key) bool { return blocked[k] != nil })
	if i < 0 {
		return object.Key{}, false
	}
	return keys[i], true
}
