package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// ruleText collects what a rule selects and does, in the syntax of ip(8).
type ruleText struct {
	header    rtnl.FibRuleHdr
	from, to  string
	not       bool
	selectors []string // further selectors
	action    string   // what is done instead of a table lookup
	tail      []string // what follows the action
	err       error    // of a prefix that cannot be
}

// none is how the kernel writes that a number is not set.
const none = ^uint32(0)

func newRuleText(h rtnl.FibRuleHdr) *ruleText {
	w := &ruleText{header: h, from: "all", not: h.Flags&unix.FIB_RULE_INVERT != 0}
	if h.TOS != 0 {
		w.add("tos", fmt.Sprintf("%#x", h.TOS))
	}
	switch h.Action {
	case unix.FR_ACT_TO_TBL:
	case unix.FR_ACT_BLACKHOLE:
		w.action = "blackhole"
	case unix.FR_ACT_UNREACHABLE:
		w.action = "unreachable"
	case unix.FR_ACT_PROHIBIT:
		w.action = "prohibit"
	case unix.FR_ACT_GOTO:
		w.action = "goto"
	default:
		w.action = "action " + strconv.Itoa(int(h.Action))
	}
	return w
}

func (w *ruleText) add(words ...string) { w.selectors = append(w.selectors, words...) }

// attribute handles everything but table, priority and protocol. What is
// unknown counts as a selector, so that no rule passes for simpler than it is.
func (w *ruleText) attribute(a *rtnl.Attrs) {
	switch a.Type {
	case unix.FRA_SRC:
		w.from = w.selected(a.Addr(), w.header.SrcLen)
	case unix.FRA_DST:
		w.to = w.selected(a.Addr(), w.header.DstLen)
	case unix.FRA_IIFNAME:
		w.add("iif", a.Text())
	case unix.FRA_OIFNAME:
		w.add("oif", a.Text())
	case unix.FRA_FWMARK:
		w.add("fwmark", fmt.Sprintf("%#x", a.Uint32()))
	case unix.FRA_FWMASK:
		if len(w.selectors) > 0 && a.Uint32() != none {
			w.selectors[len(w.selectors)-1] += fmt.Sprintf("/%#x", a.Uint32())
		}
	case unix.FRA_GOTO:
		w.action = "goto " + strconv.Itoa(int(a.Uint32()))
	case unix.FRA_L3MDEV:
		w.action = "lookup [l3mdev-table]"
	case unix.FRA_IP_PROTO:
		w.add("ipproto", transport(a.Uint8()))
	case unix.FRA_SPORT_RANGE:
		w.add("sport", ports(a))
	case unix.FRA_DPORT_RANGE:
		w.add("dport", ports(a))
	case unix.FRA_UID_RANGE:
		w.add("uidrange", uids(a))
	// The kernel writes the prefix length in every rule, with all bits set where it
	// is not in use (fib_nl_fill_rule): its presence means nothing.
	case unix.FRA_SUPPRESS_PREFIXLEN, unix.FRA_SUPPRESS_IFGROUP:
		w.suppress(a)
	case unix.FRA_FLOW, unix.FRA_PAD, unix.FRA_UNUSED2, unix.FRA_UNUSED3, unix.FRA_UNUSED4, unix.FRA_UNUSED5:
	default:
		w.add("attribute", strconv.Itoa(int(a.Type)))
	}
}

func (w *ruleText) suppress(a *rtnl.Attrs) {
	if a.Uint32() == none {
		return
	}
	word := "suppress_prefixlength"
	if a.Type == unix.FRA_SUPPRESS_IFGROUP {
		word = "suppress_ifgroup"
	}
	w.tail = append(w.tail, word, strconv.Itoa(int(a.Uint32())))
}

// plain reports whether the rule only looks up a table, for every
// packet.
func (w *ruleText) plain() bool {
	return w.from == "all" && w.to == "" && !w.not && len(w.selectors) == 0 && w.action == "" &&
		(len(w.tail) == 0 || w.suppressesDefault())
}

// suppressesDefault reports whether default routes, and nothing else, are taken for no
// result of the lookup.
func (w *ruleText) suppressesDefault() bool {
	return slices.Equal(w.tail, []string{"suppress_prefixlength", "0"})
}

// line is the rule as ip(8) prints it.
func (w *ruleText) line(r object.Rule) string {
	words := []string{strconv.Itoa(int(r.Priority)) + ":"}
	if w.not {
		words = append(words, "not")
	}
	words = append(words, "from", w.from)
	if w.to != "" {
		words = append(words, "to", w.to)
	}
	words = append(words, w.selectors...)
	if w.action != "" {
		words = append(words, w.action)
	} else {
		words = append(words, "lookup", tableName(r.Table))
	}
	return strings.Join(append(words, w.tail...), " ")
}

func tableName(t uint32) string {
	switch t {
	case unix.RT_TABLE_MAIN:
		return "main"
	case unix.RT_TABLE_LOCAL:
		return "local"
	case unix.RT_TABLE_DEFAULT:
		return "default"
	default:
		return strconv.Itoa(int(t))
	}
}

// selected prints a selector as ip(8) does: without the length of a host.
func (w *ruleText) selected(a netip.Addr, bits uint8) string {
	p, err := rtnl.Prefix(a, bits)
	if w.err == nil {
		w.err = err
	}
	if p.IsSingleIP() {
		return a.String()
	}
	return p.String()
}

func transport(p uint8) string {
	switch p {
	case unix.IPPROTO_TCP:
		return "tcp"
	case unix.IPPROTO_UDP:
		return "udp"
	case unix.IPPROTO_ICMP:
		return "icmp"
	default:
		return strconv.Itoa(int(p))
	}
}

func ports(a *rtnl.Attrs) string {
	first, last := a.PortRange()
	if first == last {
		return strconv.Itoa(int(first))
	}
	return fmt.Sprintf("%d-%d", first, last)
}

func uids(a *rtnl.Attrs) string {
	first, last := a.UIDRange()
	return fmt.Sprintf("%d-%d", first, last)
}
