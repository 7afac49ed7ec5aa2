package gather

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// readRules reads the ip rules of a family, in their order.
func (s *session) readRules(ipv6 bool) []reach.Rule {
	if rules, ok := s.rules[ipv6]; ok {
		return rules
	}
	family := uint8(unix.AF_INET)
	if ipv6 {
		family = unix.AF_INET6
	}
	var rules []reach.Rule
	err := s.conn.Dump(s.ctx, func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETRULE, 0, rtnl.FibRuleHdr{Family: family})
	}, func() { rules = nil }, func(m rtnl.Message) error {
		r, err := s.ruleOf(m)
		if err == nil {
			rules = append(rules, r)
		}
		return err
	})
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
		s.failed("ip rules", err)
	}
	sorting.Stable(rules, func(a, b reach.Rule) int { return int(int64(a.Priority) - int64(b.Priority)) })
	s.rules[ipv6] = rules
	return rules
}

// unset is how the kernel writes that a number is not set.
const unset = ^uint32(0)

// ruleOf reads one rule with what it selects by, as far as that is looked at.
func (s *session) ruleOf(m rtnl.Message) (reach.Rule, error) {
	h, attrs, err := m.Rule()
	if err != nil {
		return reach.Rule{}, err
	}
	r := reach.Rule{Table: uint32(h.Table), Inverted: h.Flags&unix.FIB_RULE_INVERT != 0, Action: actions[h.Action]}
	r.More = h.TOS != 0 || h.Action != unix.FR_ACT_TO_TBL && r.Action == ""
	var more []string
	prefix := func(bits uint8) netip.Prefix {
		p, wrong := rtnl.Prefix(attrs.Addr(), bits)
		err = errors.Join(err, wrong)
		return p
	}
	for attrs.Next() {
		switch attrs.Type {
		case unix.FRA_PRIORITY:
			r.Priority = attrs.Uint32()
		case unix.FRA_TABLE:
			r.Table = attrs.Uint32()
		case unix.FRA_PROTOCOL:
			r.Ours = attrs.Uint8() == s.cfg.RuleProtocol
		case unix.FRA_SRC:
			r.From = prefix(h.SrcLen)
		case unix.FRA_DST:
			r.To = prefix(h.DstLen)
		case unix.FRA_IIFNAME:
			r.Iif = attrs.Text()
		case unix.FRA_SUPPRESS_PREFIXLEN:
			if n := attrs.Uint32(); n != unset {
				more = append(more, "suppress_prefixlength "+strconv.Itoa(int(n)))
			}
		case unix.FRA_L3MDEV:
			r.L3MDev = attrs.Uint8() != 0
			r.More = r.More || r.L3MDev
			more = append(more, "l3mdev")
		case unix.FRA_OIFNAME, unix.FRA_FWMARK, unix.FRA_IP_PROTO, unix.FRA_SPORT_RANGE, unix.FRA_DPORT_RANGE,
			unix.FRA_UID_RANGE:
			r.More = true
			more = append(more, "with further selectors")
		}
	}
	r.Text = ruleText(r, more)
	return r, errors.Join(err, attrs.Err())
}

// actions are those of rules that look up no table.
var actions = map[uint8]string{
	unix.FR_ACT_BLACKHOLE: "blackhole", unix.FR_ACT_UNREACHABLE: "unreachable", unix.FR_ACT_PROHIBIT: "prohibit",
	unix.FR_ACT_GOTO: "goto",
}

func ruleText(r reach.Rule, more []string) string {
	words := []string{fmt.Sprintf("%d:", r.Priority)}
	if r.Inverted {
		words = append(words, "not")
	}
	words = append(words, "from", selector(r.From))
	if r.To.IsValid() {
		words = append(words, "to", selector(r.To))
	}
	if r.Iif != "" {
		words = append(words, "iif", r.Iif)
	}
	if r.Action != "" {
		words = append(words, r.Action)
	} else {
		words = append(words, "lookup", tableText(r.Table))
	}
	return strings.Join(append(words, more...), " ")
}

func tableText(t uint32) string {
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

func selector(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return "all"
	case p.IsSingleIP():
		return p.Addr().String()
	default:
		return p.String()
	}
}
