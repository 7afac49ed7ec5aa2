package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// rule is a policy rule with what identifies its owner.
type rule struct {
	object.Rule
	protocol uint8
	// plain is set on a rule without selectors that looks up a table.
	plain bool
	// text is what the rule selects and does, as ip(8) prints it.
	text string
	// to is set on a rule that selects by nothing but a destination, if by that, and
	// plainly takes what it selects: it refuses it, or looks up another table for this
	// destination alone.
	to netip.Prefix
}

// ruleToRequest writes r with our protocol.
func ruleToRequest(q *rtnl.Batch, kind uint16, flags int, r object.Rule, protocol uint8) {
	q.Begin(kind, flags, rtnl.FibRuleHdr{
		Family: ruleFamily(r), Table: rtnl.ShortTable(r.Table), Action: unix.FR_ACT_TO_TBL,
	})
	q.Uint32(unix.FRA_TABLE, r.Table)
	q.Uint32(unix.FRA_PRIORITY, r.Priority)
	if r.SuppressDefault {
		q.Uint32(unix.FRA_SUPPRESS_PREFIXLEN, 0)
	}
	// In a delete it is a selector, too (rule_find).
	q.Uint8(unix.FRA_PROTOCOL, protocol)
}

func ruleFamily(r object.Rule) uint8 {
	if r.IPv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// ruleFromMessage is the inverse of ruleToRequest; false for families that we
// make no rules for.
func ruleFromMessage(m rtnl.Message) (r rule, ok bool, err error) {
	h, attrs, err := m.Rule()
	if err != nil || h.Family != unix.AF_INET && h.Family != unix.AF_INET6 {
		return rule{}, false, err
	}
	r.Rule = object.Rule{Table: uint32(h.Table), IPv6: h.Family == unix.AF_INET6}
	w := newRuleText(h)
	for attrs.Next() {
		switch attrs.Type {
		case unix.FRA_TABLE:
			r.Table = attrs.Uint32()
		case unix.FRA_PRIORITY:
			r.Priority = attrs.Uint32()
		case unix.FRA_PROTOCOL:
			r.protocol = attrs.Uint8()
		default:
			w.attribute(&attrs)
		}
	}
	r.plain, r.SuppressDefault = w.plain(), w.suppressesDefault()
	r.text = w.line(r.Rule)
	r.to = w.takes(r.IPv6)
	return r, true, errors.Join(attrs.Err(), w.err)
}

// encodeRule creates exclusively: the kernel would let the same rule exist
// twice, and takes the protocol for a part of it. Deleting selects by our
// protocol too.
// Without NLM_F_EXCL it does not compare at all (rule_exists in
// net/core/fib_rules.c). FRA_PROTOCOL is there since Linux 4.17.
// A rule that suppresses nothing, as earlier versions wrote it, cannot be selected
// alone: rule_find takes the absence for any, and deletes the one that was added
// first. That is the old one, as its successor is added before it goes. Where an
// earlier version has run in between it is the other way round, and the next round
// adds what is missing: at no moment is there none.
func (b *Backend) encodeRule(q *rtnl.Batch, c object.Change) error {
	switch {
	case c.After == nil:
		ruleToRequest(q, unix.RTM_DELRULE, 0, c.Before.(object.Rule), b.marks.RuleProtocol)
	case c.Before == nil:
		if have, there := b.mirror.set.Get(c.Key()); there && !have.Marked {
			return b.foreign(have)
		}
		ruleToRequest(q, unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, c.After.(object.Rule), b.marks.RuleProtocol)
	case c.Reclaim:
		// Whoever gave it another protocol has deleted ours and added another one, beside
		// which ours can be.
		ruleToRequest(q, unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, c.After.(object.Rule), b.marks.RuleProtocol)
	}
	return nil // any other update changes nothing: a rule is nothing but its key
}

func (b *Backend) readRules(ctx context.Context) error {
	var takers []rule
	items, err := b.dumpItems(ctx, func(q *rtnl.Batch, family uint8) {
		if family == unix.AF_INET {
			takers = nil
		}
		q.Begin(unix.RTM_GETRULE, 0, rtnl.FibRuleHdr{Family: family})
	}, func(m rtnl.Message) (object.Item, bool, error) {
		if r, ok, err := ruleFromMessage(m); ok && err == nil && b.mayTake(r) {
			takers = append(takers, r)
		}
		return b.ruleItem(m)
	})
	if err != nil {
		return fmt.Errorf("read rules: %w", err)
	}
	for i, it := range items {
		if by := b.taker(it.Value.(object.Rule), takers); it.Marked && by != "" {
			items[i].Found = &object.Found{Overridden: by}
		}
	}
	b.mirror.replace(object.KindRule, items)
	return nil
}

// ruleItem leaves out rules with selectors: they have other keys than ours.
func (b *Backend) ruleItem(m rtnl.Message) (object.Item, bool, error) {
	r, ok, err := ruleFromMessage(m)
	if !ok || !r.plain || err != nil {
		return object.Item{}, false, err
	}
	it := object.Item{Value: r.Rule, Marked: r.protocol == b.marks.RuleProtocol}
	if !it.Marked {
		it.Found = &protocols[r.protocol]
	}
	return it, it.Marked || has(b.scope.tables, r.Table), nil
}

// ruleChanged has the rules read again, which are few: the kernel lets the same
// rule exist once for each protocol, so an event about one of them does not
// show what there is now.
func (b *Backend) ruleChanged(m rtnl.Message) error {
	if r, ok, err := ruleFromMessage(m); ok && err == nil && b.mayTake(r) {
		b.rules = true
		b.invalidate(partRules, false)
	}
	it, ok, err := b.ruleItem(m)
	if !ok || err != nil {
		return err
	}
	k := it.Value.Key()
	if m.Type == unix.RTM_NEWRULE && b.mirror.shows(k, it) {
		return nil
	}
	have, _ := b.mirror.set.Get(k)
	report := it.Marked || have.Marked || b.scope.wants(k)
	if b.invalidate(partRules, report); report {
		b.culprits.blame(k)
	}
	return nil
}

// ForeignRule is a rule of another owner.
type ForeignRule struct {
	Priority uint32
	// Text is the rule as ip rule prints it.
	Text string
}

// Shadows lists the rules of others that come before priority, those of the
// kernel (local, l3mdev, main, default) excepted. A packet that one of them
// matches never reaches our tables.
// The l3mdev rule, which the VRF driver adds with the first VRF, has the protocol of
// the kernel as well (vrf_fib_rule in drivers/net/vrf.c).
func (b *Backend) Shadows(ctx context.Context, priority uint32) ([]ForeignRule, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch == nil {
		return nil, errClosed
	}
	var lines []ForeignRule
	_, err := b.dumpItems(ctx, func(q *rtnl.Batch, family uint8) {
		if family == unix.AF_INET {
			lines = nil
		}
		q.Begin(unix.RTM_GETRULE, 0, rtnl.FibRuleHdr{Family: family})
	}, func(m rtnl.Message) (object.Item, bool, error) {
		r, ok, err := ruleFromMessage(m)
		if ok && err == nil && r.Priority < priority && r.protocol != b.marks.RuleProtocol &&
			r.protocol != unix.RTPROT_KERNEL {
			lines = append(lines, ForeignRule{r.Priority, r.text})
		}
		return object.Item{}, false, err
	})
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return lines, nil
}
