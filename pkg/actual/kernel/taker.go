package kernel

import (
	"context"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// takes is the destination that a rule plainly takes away from every rule after it;
// invalid if it selects by something else too, or may let a packet pass. A rule that
// looks up a table for every packet may find nothing there.
func (w *ruleText) takes(ipv6 bool) netip.Prefix {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if ipv6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	refuses := w.action == "blackhole" || w.action == "unreachable" || w.action == "prohibit"
	switch {
	case w.from != "all" || w.not || len(w.selectors) > 0 || len(w.tail) > 0 || w.action != "" && !refuses:
		return netip.Prefix{}
	case w.to == "" && refuses:
		return all
	}
	if p, err := netip.ParsePrefix(w.to); err == nil {
		return p
	}
	a, err := netip.ParseAddr(w.to)
	if err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// mayTake reports whether a rule of another owner can take packets from the tables in
// focus. The table local is everybody's, and so are rules of the kernel.
func (b *Backend) mayTake(r rule) bool {
	return r.to.IsValid() && r.protocol != b.marks.RuleProtocol && r.protocol != unix.RTPROT_KERNEL &&
		r.Table != unix.RT_TABLE_LOCAL && !has(b.scope.tables, r.Table)
}

// taker is the first of the rules that come before one of ours and select a destination
// to which there is a wanted route in its table; empty if there is none.
func (b *Backend) taker(ours object.Rule, rules []rule) string {
	for _, r := range rules {
		if r.Priority >= ours.Priority || r.IPv6 != ours.IPv6 {
			continue
		}
		for k := range b.scope.focus.Want.AllOf(object.KindRoute) {
			if k.Num == ours.Table && k.Prefix.Overlaps(r.to) {
				return r.text
			}
		}
	}
	return ""
}

// checkRules reads the rules again when one came or went that may win over ours.
func (b *Backend) checkRules() {
	if !b.rules {
		return
	}
	b.rules = false
	before := b.mirror.set
	if err := b.refreshOnly(context.Background(), partRules); err != nil {
		b.invalidate(partRules, true)
	}
	b.unreported = b.unreported || !before.Same(b.mirror.set)
}
