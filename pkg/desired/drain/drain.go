// Package drain is the maintenance mode of a node as a pure function of what is wanted:
// everything that it announces becomes a last resort (RFC 8326) and is withdrawn
// afterwards, but for what nobody else announces.
//
// It refuses to know the time and who else announces what: both are part of the [Order].
//
// Read next: [Apply].
package drain

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Order is what an operator has asked for, as far as it counts now.
type Order struct {
	// LastResort is what paths get until they are withdrawn.
	LastResort object.LastResort
	// Withdraw says that neighbours have had the time to turn to others.
	Withdraw bool
	// Force withdraws what nobody else announces, too.
	Force bool
	// Gone are paths that were withdrawn before. They do not come back by themselves: who
	// was told that the node may be stopped must be able to rely on it.
	Gone map[object.Key]bool
	// Taken says of prefixes who else announces them, in a phrase.
	Taken map[netip.Prefix]string
	// Own are addresses of the node itself, which nobody else can take over: they remain a
	// last resort for as long as it runs.
	Own map[netip.Addr]bool
}

// Report is what became of the paths, each list in the order of keys.
type Report struct {
	// Lowered are those that are announced as a last resort, Withdrawn those that are not
	// announced any more.
	Lowered, Withdrawn []object.Key
	// Last are those of Lowered that stay because nobody else announces them, Own because
	// they are the node's own.
	Last, Own []object.Key
}

// Apply changes what is wanted. What is blocked for another reason stays so.
func Apply(want *object.Set, o Order) Report {
	var r Report
	for _, kind := range object.KindsThat(object.Kind.IsPath) {
		for _, it := range want.SortedOf(kind) {
			if it.Block == nil {
				r.apply(want, it, o)
			}
		}
	}
	return r
}

func (r *Report) apply(want *object.Set, it object.Item, o Order) {
	k := it.Value.Key()
	if v, ok := it.Value.(object.Lowering); ok {
		it.Value = v.Lowered(o.LastResort)
	}
	own := o.Own[k.Prefix.Addr()] && k.Prefix.IsSingleIP()
	why := o.reason(k)
	switch {
	case own:
		r.Own = append(r.Own, k)
	case why != "":
		it.Block = &object.Block{Code: object.BlockDrained, Text: why}
		r.Withdrawn = append(r.Withdrawn, k)
	case o.Withdraw:
		r.Last = append(r.Last, k)
	}
	if it.Block == nil {
		r.Lowered = append(r.Lowered, k)
	}
	want.Put(it)
}

// reason is why a path is withdrawn; empty if it is not.
func (o Order) reason(k object.Key) string {
	who, taken := o.Taken[k.Prefix]
	switch {
	case o.Withdraw && taken && k.Kind.IsExported():
		return "this node is drained, and it is announced by " + who
	case o.Withdraw && o.Force:
		return "this node is drained by force: it is withdrawn whether anybody else announces it or not"
	case o.Gone[k]:
		return "this node is drained"
	}
	return ""
}

// Same reports whether two orders ask for the same.
func (o Order) Same(p Order) bool {
	return o.LastResort == p.LastResort && o.Withdraw == p.Withdraw && o.Force == p.Force &&
		maps.Equal(o.Gone, p.Gone) && maps.Equal(o.Taken, p.Taken) && maps.Equal(o.Own, p.Own)
}

// Keys are the keys of a set of paths as texts in order, and ParseKeys reads them. What
// cannot be read is left out: it would be announced again as a last resort.
func Keys(paths map[object.Key]bool) []string {
	out := make([]string, 0, len(paths))
	for k := range paths {
		out = append(out, k.Text())
	}
	slices.Sort(out)
	return out
}

// ParseKeys is the inverse of [Keys].
func ParseKeys(texts []string) map[object.Key]bool {
	out := map[object.Key]bool{}
	for _, text := range texts {
		if k, err := object.ParseKey(text); err == nil && k.Kind.IsPath() {
			out[k] = true
		}
	}
	return out
}
