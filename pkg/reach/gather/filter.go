package gather

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// hooks are those that forwarded packets meet.
var hooks = map[nftables.ChainHook]string{
	*nftables.ChainHookPrerouting: "prerouting", *nftables.ChainHookForward: "forward",
	*nftables.ChainHookPostrouting: "postrouting",
}

// filters reads the chains that forwarded packets meet. iptables as distributions have it
// (iptables-nft) is among them; of the old one only its presence is told.
func (s *session) filters() {
	if names, err := os.ReadFile("/proc/thread-self/net/ip_tables_names"); err == nil && len(bytes.TrimSpace(names)) > 0 {
		s.unread = append(s.unread, "iptables-legacy has tables, which are not looked at ("+
			strings.Join(strings.Fields(string(names)), ", ")+"): iptables-legacy-save")
	}
	conn, err := nftables.New()
	if err == nil {
		err = s.chainsOf(conn)
	}
	if err != nil && !errors.Is(err, unix.EPROTONOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
		s.failed("nftables", err)
	}
}

func (s *session) chainsOf(conn *nftables.Conn) error {
	chains, err := conn.ListChains()
	if err != nil {
		return fmt.Errorf("list chains: %w", err)
	}
	for _, c := range chains {
		family, hook := families[c.Table.Family], hookOf(c)
		if hook == "" || family == "" {
			continue
		}
		out := reach.Chain{Family: family, Table: c.Table.Name, Name: c.Name, Hook: hook}
		out.OneDevice = hook == hookIngress || hook == hookEgress
		out.Drop = c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return fmt.Errorf("list rules of %s %s %s: %w", family, c.Table.Name, c.Name, err)
		}
		for i, r := range rules {
			rule := filterRule(r.Exprs)
			rule.Text = fmt.Sprintf("rule %d%s", i+1, describe(rule))
			out.Rules = append(out.Rules, rule)
		}
		s.chains = append(s.chains, out)
	}
	return nil
}

// The hooks of one device each. Which device is not in what the library reads.
const (
	hookIngress = "ingress"
	hookEgress  = "egress"
)

// inetIngress is NF_INET_INGRESS.
const inetIngress = 5

// hookOf names the hook of a base chain; empty if forwarded packets do not meet it. The
// numbers of family netdev are others.
func hookOf(c *nftables.Chain) string {
	switch {
	case c.Hooknum == nil:
		return ""
	case c.Table.Family == nftables.TableFamilyNetdev && *c.Hooknum == *nftables.ChainHookIngress,
		c.Table.Family == nftables.TableFamilyINet && *c.Hooknum == inetIngress:
		return hookIngress
	case c.Table.Family == nftables.TableFamilyNetdev:
		return hookEgress
	default:
		return hooks[*c.Hooknum]
	}
}

var families = map[nftables.TableFamily]string{
	nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6", nftables.TableFamilyINet: "inet",
	nftables.TableFamilyNetdev: "netdev",
}

// describe prints what of a rule is understood.
func describe(r reach.FilterRule) string {
	var words []string
	names := map[string]string{"iif": "iifname", "oif": "oifname", "src": "saddr", "dst": "daddr", "family": "family"}
	for _, c := range r.Conditions {
		word := names[c.Field]
		if word == "" {
			word = "..."
		} else {
			if c.Not {
				word += " !="
			}
			word += " " + c.Value
		}
		words = append(words, word)
	}
	if r.Action != reach.Nothing && r.Action != reach.Other {
		words = append(words, string(r.Action))
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, " ") + ")"
}

// register is what an expression has loaded.
type register struct {
	field string
	six   bool
	mask  []byte
	size  int // bytes of the address that were loaded
}

// filterRule reads the expressions of a rule. What is not understood is a condition
// without a field.
func filterRule(exprs []expr.Any) reach.FilterRule {
	var r reach.FilterRule
	loaded := map[uint32]register{}
	unknown := func() { r.Conditions = append(r.Conditions, reach.Condition{}) }
	for _, e := range exprs {
		switch e := e.(type) {
		case *expr.Meta:
			loaded[e.Register] = register{field: metaFields[e.Key]}
		case *expr.Payload:
			loaded[e.DestRegister] = payload(e)
		case *expr.Bitwise:
			from := loaded[e.SourceRegister]
			from.mask = e.Mask
			if len(bytes.Trim(e.Xor, "\x00")) > 0 {
				from.field = ""
			}
			loaded[e.DestRegister] = from
		case *expr.Cmp:
			r.Conditions = append(r.Conditions, condition(loaded[e.Register], e))
		case *expr.Verdict:
			r.Action = verdicts[e.Kind]
			if _, known := verdicts[e.Kind]; !known {
				r.Action = reach.Other
			}
		case *expr.Reject:
			r.Action = reach.Drop
		case *expr.Queue:
			r.Action = reach.Other
		case *expr.Target:
			r.Action = reach.Other
			if e.Name == "REJECT" {
				r.Action = reach.Drop
			}
		case *expr.Counter, *expr.Log, *expr.Immediate, *expr.Notrack:
		case *expr.NAT, *expr.Masq, *expr.Redir, *expr.TProxy: // they let the packet pass
			r.Action = reach.Accept
		case *expr.Lookup, *expr.Range, *expr.Limit, *expr.Match:
			unknown()
		default:
			if r.Action == reach.Nothing {
				continue // it loads or sets something
			}
		}
	}
	return r
}

var verdicts = map[expr.VerdictKind]reach.FilterAction{
	expr.VerdictAccept: reach.Accept, expr.VerdictDrop: reach.Drop, expr.VerdictContinue: reach.Nothing,
}

var metaFields = map[expr.MetaKey]string{
	expr.MetaKeyIIFNAME: "iif", expr.MetaKeyOIFNAME: "oif", expr.MetaKeyNFPROTO: "family",
}

// payload tells which address a load is of: the offsets of RFC 791 and RFC 8200.
func payload(p *expr.Payload) register {
	if p.Base != expr.PayloadBaseNetworkHeader {
		return register{}
	}
	size := int(p.Len)
	switch {
	case p.Offset == 12 && size <= 4:
		return register{field: "src", size: size}
	case p.Offset == 16 && size <= 4:
		return register{field: "dst", size: size}
	case p.Offset == 8 && size > 4 && size <= 16:
		return register{field: "src", six: true, size: size}
	case p.Offset == 24 && size > 4 && size <= 16:
		return register{field: "dst", six: true, size: size}
	default:
		return register{}
	}
}

func condition(from register, c *expr.Cmp) reach.Condition {
	out := reach.Condition{Field: from.field, Not: c.Op == expr.CmpOpNeq}
	if c.Op != expr.CmpOpEq && c.Op != expr.CmpOpNeq {
		return reach.Condition{}
	}
	switch from.field {
	case "iif", "oif":
		// A name is compared with its terminating zero, one with an asterisk without.
		out.Value = string(bytes.TrimRight(c.Data, "\x00"))
		if len(c.Data) < unix.IFNAMSIZ && !bytes.HasSuffix(c.Data, []byte{0}) {
			out.Value += "*"
		}
	case "family":
		switch {
		case len(c.Data) > 0 && c.Data[0] == unix.NFPROTO_IPV4:
			out.Value = "ip"
		case len(c.Data) > 0 && c.Data[0] == unix.NFPROTO_IPV6:
			out.Value = "ip6"
		default:
			return reach.Condition{}
		}
	case "src", "dst":
		value, ok := prefixOf(from, c.Data)
		if !ok {
			return reach.Condition{}
		}
		out.Value = value.String()
	default:
		return reach.Condition{}
	}
	return out
}

// prefixOf makes a prefix of compared bytes, with a mask or without.
func prefixOf(from register, data []byte) (netip.Prefix, bool) {
	width := 4
	if from.six {
		width = 16
	}
	if len(data) > width {
		return netip.Prefix{}, false
	}
	full := make([]byte, width)
	copy(full, data)
	addr, ok := netip.AddrFromSlice(full)
	bits := 8 * len(data)
	if from.mask != nil {
		bits = 0
		for i, b := range from.mask {
			for bit := 7; bit >= 0; bit-- {
				if b&(1<<bit) == 0 {
					continue
				}
				if bits != 8*i+7-bit {
					return netip.Prefix{}, false // a mask with holes
				}
				bits++
			}
		}
	}
	return netip.PrefixFrom(addr, bits), ok
}
