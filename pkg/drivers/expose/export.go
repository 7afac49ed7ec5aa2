package expose

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Filter is the export filter: which prefixes may be announced at all. The zero
// value lets host prefixes pass, and what the operator asks for by name
// (Originate). Wiring is none of its business: a prefix that is kept back is
// routed all the same.
type Filter struct {
	// Subnets lets tenant subnets pass as a whole.
	Subnets bool
	// Allow, unless it is empty, takes the place of these two rules: only what
	// lies in one of the ranges passes.
	Allow []observe.PrefixRange
	// Deny keeps back what lies in one of the ranges, whatever lets it pass.
	Deny []observe.PrefixRange
}

// block says why a prefix is kept back; nil if it is not. Asked is set for what
// the operator asked for by name.
func (f *Filter) block(prefix netip.Prefix, asked bool) *object.Block {
	denied := f.Denied(prefix)
	switch {
	case denied != nil:
		return denied
	case asked:
		return nil
	case len(f.Allow) == 0 && (prefix.IsSingleIP() || f.Subnets):
		return nil
	case len(f.Allow) == 0:
		return filtered("only host prefixes are announced; add its range to bgp.export.allow, which then has to name " +
			"all others too")
	}
	for _, r := range f.Allow {
		if r.Contains(prefix) {
			return nil
		}
	}
	return filtered("it lies in no range of bgp.export.allow")
}

// Passes reports whether a prefix may be announced that nobody asked for by name.
func (f *Filter) Passes(prefix netip.Prefix) bool { return f.block(prefix, false) == nil }

// Denied says which entry of Deny has the prefix; nil if none has.
func (f *Filter) Denied(prefix netip.Prefix) *object.Block {
	for _, r := range f.Deny {
		if r.Contains(prefix) {
			return filtered("bgp.export.deny has %s", r)
		}
	}
	return nil
}

func filtered(format string, args ...any) *object.Block {
	return &object.Block{Code: object.BlockFiltered, Text: fmt.Sprintf(format, args...)}
}

// Routed is a prefix that a router of OVN advertises by itself.
type Routed struct {
	// NextHop is the address to send; the zero value is our own.
	NextHop netip.Addr
	// MED and LocalPref take the place of those of the class, if they are set.
	MED, LocalPref object.Metric
	// Subnets lets prefixes pass that are no host prefixes.
	Subnets bool
	// Block is set on what must not be announced yet.
	Block *object.Block
}

// ExposeRoute advertises a prefix on top of nothing: OVN takes the traffic in by itself.
// A default route passes only where bgp.export.allow has it, because a router exports its
// own without being asked.
func (e *Exposer) ExposeRoute(prefix netip.Prefix, r Routed, why ...object.Source) {
	class := e.classOr(ClassOVN)
	path := e.opts.path(class, prefix)
	path.NextHop.Addr = r.NextHop
	if r.MED.Set {
		path.MED = r.MED
	}
	if r.LocalPref.Set {
		path.LocalPref = r.LocalPref
	}
	block := e.Filtered(path.Prefix, r.Subnets)
	if block == nil {
		block = r.Block
	}
	it := object.Item{Value: path, Why: why, Block: block, Rank: class.rank()}
	e.reportRank(it)
	e.addItem(it)
}

// Filtered says why the export filter keeps a prefix back that a router of OVN
// advertises; nil if it does not.
func (e *Exposer) Filtered(prefix netip.Prefix, subnets bool) *object.Block {
	f := &e.opts.Export
	allowed := slices.ContainsFunc(f.Allow, func(r observe.PrefixRange) bool { return r.Contains(prefix) })
	if denied := f.Denied(prefix); denied != nil {
		return denied
	}
	switch {
	case prefix.Bits() == 0 && !allowed:
		return filtered("a default route of a router is announced only if bgp.export.allow has %s, which then has to name "+
			"all others too", prefix)
	case !prefix.IsSingleIP() && prefix.Bits() != 0 && !subnets:
		return filtered("native.subnets is false: only host prefixes are announced")
	case len(f.Allow) > 0 && !allowed:
		return filtered("it lies in no range of bgp.export.allow")
	default:
		return nil
	}
}
