package object

import "fmt"

// KindRule is a policy rule.
const KindRule Kind = 11

var ruleKind = kindOf[Rule](traits{
	kind: KindRule, name: "rule", key: ruleKey, readKey: readRuleKey, parse: parseRule,
	marked: true, coexists: true,
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
	// SuppressDefault is FRA_SUPPRESS_PREFIXLEN 0: a default route in the table does
	// not count, and the packet falls through to the next rule. Rules of earlier
	// versions do not have it.
	SuppressDefault bool `json:"suppress_default"`
}

// NewRule returns a rule as every one is wanted. A default route that somebody puts
// into the table, as ovn-bgp-agent does, must not take along what the node itself
// sends.
func NewRule(priority, table uint32, ipv6 bool) Rule {
	return Rule{Priority: priority, Table: table, IPv6: ipv6, SuppressDefault: true}
}

// suppressDefault is how ip(8) prints SuppressDefault.
const suppressDefault = "suppress_prefixlength 0"

// Key is the whole rule: rules differing in any field coexist.
func (r Rule) Key() Key {
	k := Key{Kind: KindRule, Num: r.Table, Aux: r.Priority, Name: "inet"}
	if r.IPv6 {
		k.Name = "inet6"
	}
	if r.SuppressDefault {
		k.Sub = suppressDefault
	}
	return k
}

func ruleKey(k Key) string {
	text := fmt.Sprintf("%s priority %d lookup %d", k.Name, k.Aux, k.Num)
	if k.Sub != "" {
		text += " " + k.Sub
	}
	return text
}

func readRuleKey(f *fields) Key {
	k := Key{Name: f.oneOf("inet", "inet6"), Aux: f.uint32After("priority"), Num: f.uint32After("lookup")}
	if f.more() {
		f.literal("suppress_prefixlength")
		f.literal("0")
		k.Sub = suppressDefault
	}
	return k
}

// Attrs is empty: a rule is nothing but its key.
func (r Rule) Attrs() string { return "" }

// DependsOn is empty: a rule may point at an empty table.
func (r Rule) DependsOn() []Key { return nil }

func parseRule(f *fields) (Value, error) {
	k := readRuleKey(f)
	r := Rule{Priority: k.Aux, Table: k.Num, IPv6: k.Name == "inet6", SuppressDefault: k.Sub != ""}
	return r, f.end()
}
