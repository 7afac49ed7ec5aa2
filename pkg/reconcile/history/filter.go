package history

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Filter says which steps are asked for.
type Filter struct {
	// Target is an address, a prefix, an object as plans print it, or a name that is in
	// its key or in the rows that led to it; empty is everything.
	Target string
	// Also are further targets, one a line, of steps that are wanted besides: what the
	// target is known as.
	Also string
	// Since leaves out what was before; the zero time is the beginning.
	Since time.Time
	// Cause leaves out steps of other causes; empty is every cause.
	Cause plan.Cause
	// After leaves out records up to this number.
	After uint64
	// Most is how many steps are wanted at most, the newest; 0 is all.
	Most int
}

// Causes are all causes, for messages and completion.
func Causes() []plan.Cause {
	return []plan.Cause{
		plan.CauseChange, plan.CauseDrift, plan.CauseRetry, plan.CauseStart, plan.CauseConfig, plan.CauseRepair,
		plan.CauseDrain, plan.CauseUnreachable,
	}
}

// ParseCause reads a cause; empty text is every cause.
func ParseCause(text string) (plan.Cause, error) {
	c := plan.Cause(text)
	if text == "" || slices.Contains(Causes(), c) {
		return c, nil
	}
	return "", fmt.Errorf("unknown cause %.40q: use change, drift, retry, start, config, repair, drain or "+
		"unreachable", text)
}

// Matcher is a filter made ready to look at many steps.
type Matcher struct {
	f      Filter
	prefix netip.Prefix // of a target that is an address or a prefix
	words  []string
	also   []Matcher
}

// NewMatcher prepares a filter.
func NewMatcher(f Filter) Matcher {
	m := Matcher{f: f, words: strings.Fields(f.Target)}
	if addr, err := netip.ParseAddr(f.Target); err == nil {
		addr = addr.Unmap().WithZone("")
		m.prefix = netip.PrefixFrom(addr, addr.BitLen())
	} else if p, err := netip.ParsePrefix(f.Target); err == nil {
		m.prefix = p.Masked()
	}
	for also := range strings.Lines(f.Also) {
		m.also = append(m.also, NewMatcher(Filter{Target: strings.TrimSuffix(also, "\n")}))
	}
	return m
}

// Matches reports whether a step is asked for.
func (m Matcher) Matches(s Step) bool {
	if s.Round <= m.f.After && m.f.After > 0 || s.At.Before(m.f.Since) || m.f.Cause != "" && s.Cause != m.f.Cause {
		return false
	}
	return m.isAbout(s) || slices.ContainsFunc(m.also, func(also Matcher) bool { return also.isAbout(s) })
}

// isAbout reports whether a step is about the target.
func (m Matcher) isAbout(s Step) bool {
	switch {
	case m.f.Target == "":
		return true
	case m.prefix.IsValid():
		return m.concerns(s)
	default:
		return m.named(s)
	}
}

// Select are the steps that a filter asks for, the newest if there are more, and how many
// older ones there are.
func Select(steps []Step, f Filter) (out []Step, more int) {
	out = []Step{}
	for m, i := NewMatcher(f), 0; i < len(steps); i++ {
		if m.Matches(steps[i]) {
			out = append(out, steps[i])
		}
	}
	if n := len(out) - f.Most; f.Most > 0 && n > 0 {
		return out[n:], n
	}
	return out, 0
}

// concerns reports whether the step is about an address in the prefix, or about a prefix
// that leads to it. A default route leads everywhere, and concerns itself only.
func (m Matcher) concerns(s Step) bool {
	if s.Prefix != nil && s.Prefix.Overlaps(m.prefix) && (s.Prefix.Bits() > 0 || m.prefix.Bits() == 0) {
		return true
	}
	// A flow and an EVPN route have the address in their text.
	addr := m.prefix.Addr().String()
	words := func(text string) bool {
		return slices.ContainsFunc(strings.FieldsFunc(text, separates), func(w string) bool {
			return w == addr && m.prefix.IsSingleIP() || w == m.prefix.String()
		})
	}
	return words(s.Key) || s.Before != nil && words(*s.Before) || s.After != nil && words(*s.After) || words(s.Line)
}

// separates tells the characters between words of keys and attributes. A slash is none,
// and neither is a colon: they are parts of prefixes and IPv6 addresses.
func separates(r rune) bool { return strings.ContainsRune(" ,=()[]\"", r) }

// named reports whether all words of the target are, in order, at the beginning of the
// object's text, or one name is in its key or its rows.
func (m Matcher) named(s Step) bool {
	text := strings.Fields(s.Object())
	if len(text) >= len(m.words) && slices.Equal(text[:len(m.words)], m.words) {
		return true
	}
	if len(m.words) != 1 {
		return slices.ContainsFunc(s.rows(), func(r RowRef) bool { return r.String() == m.f.Target })
	}
	name := m.words[0]
	has := func(text string) bool {
		return slices.Contains(strings.FieldsFunc(text, separates), name)
	}
	row := func(r RowRef) bool { return has(r.Table) || has(r.Name) }
	return has(s.Key) || slices.ContainsFunc(s.rows(), row) || s.From == name || s.To == name || has(s.Line)
}

// rows are all rows that the step names.
func (s Step) rows() []RowRef {
	if s.Row == nil {
		return s.Rows
	}
	return append([]RowRef{*s.Row}, s.Rows...)
}
