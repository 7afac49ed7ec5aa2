package object

import "fmt"

// KindRule is a policy rule.
const KindRule Kind = 11

var ruleKind = kindOf[Rule](traits{
	kind: KindRule, name: "rule", key: ruleKey, readKey: readRuleKey, parse: parseRule,
	marked: true,
})

// Rule is one policy rule (RTM_NEWRULE) without selectors: look a table up for
// every packet. One such rule a bridge table and family is all that is ever
// written, because the kernel walks rules linearly for every packet.
type Rule struct {
	// Priority is FRA_PRIORITY: lower is earlier.
	Priority uint32 `json:"priority"`
	// Table is what is looked up (FRA_TABLE).
	Table uint32 `json:"table"`
	// IPv6 selects the family of the rule list.
	IPv6 bool `json:"ipv6"`
}

// Key is the whole rule: rules differing in any field coexist.
func (r Rule) Key() Key {
	k := Key{Kind: KindRule, Num: r.Table, Aux: r.Priority, Name: "inet"}
	if r.IPv6 {
		k.Name = "inet6"
	}
	return k
}

func ruleKey(k Key) string {
	return fmt.Sprintf("%s priority %d lookup %d", k.Name, k.Aux, k.Num)
}

func readRuleKey(f *fields) Key {
	return Key{Name: f.oneOf("inet", "inet6"), Aux: f.uint32After("priority"), Num: f.uint32After("lookup")}
}

// Attrs is empty: a rule is nothing but its key.
func (r Rule) Attrs() string { return "" }

// DependsOn is empty: a rule may point at an empty table.
func (r Rule) DependsOn() []Key { return nil }

// GuardsAgainst is the kind of routes.
func (r Rule) GuardsAgainst() Kind { return KindRoute }

// ClashesWith says what another's default route in the table does: a packet for
// which the table has no route must fall through to the next rule, and a default
// route lets none fall through. The predecessor leaves such tables behind.
func (r Rule) ClashesWith(other Value) string {
	o, ok := other.(Route)
	if !ok || o.Table != r.Table || o.Dst.Bits() != 0 || o.Dst.Addr().Is6() != r.IPv6 {
		return ""
	}
	return "table has a default route that is not ours, and all traffic would follow it: " + Text(other) +
		"; delete it, or run bgp-ovn adopt if ovn-bgp-agent made it"
}

func parseRule(f *fields) (Value, error) {
	var r Rule
	switch family := f.word(); family {
	case "inet":
	case "inet6":
		r.IPv6 = true
	default:
		return nil, f.unknown(family)
	}
	r.Priority = f.uint32After("priority")
	r.Table = f.uint32After("lookup")
	return r, f.end()
}
