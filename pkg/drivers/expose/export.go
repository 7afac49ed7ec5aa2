package expose

import (
	"fmt"
	"net/netip"

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
