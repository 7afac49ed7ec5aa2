package kernel

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// rule is a policy rule with what tells whose it is.
type rule struct {
	object.Rule
	protocol uint8
	// plain is set on a rule without selectors that looks a table up.
	plain bool
	// text is what the rule selects and does, as ip(8) prints it.
	text string
}

// sizeofFibRuleHdr is that of struct fib_rule_hdr: family, dst_len, src_len,
// tos, table, two reserved bytes, action, flags.
const sizeofFibRuleHdr = 12

// frActToTbl is FR_ACT_TO_TBL: look a table up.
const frActToTbl = 1

// ruleToRequest writes r with our protocol.
func ruleToRequest(q *rtnl.Batch, kind uint16, flags int, r object.Rule, protocol uint8) {
	table := uint8(unix.RT_TABLE_UNSPEC)
	if r.Table <= 0xff {
		table = uint8(r.Table)
	}
	q.Begin(kind, flags, ruleFamily(r), 0, 0, 0, table, 0, 0, frActToTbl)
	q.Header32(0)
	q.Uint32(unix.FRA_TABLE, r.Table)
	q.Uint32(unix.FRA_PRIORITY, r.Priority)
	q.Uint8(unix.FRA_PROTOCOL, protocol)
}

func ruleFamily(r object.Rule) uint8 {
	if r.IPv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// ruleFromMessage is the inverse of ruleToRequest.
func ruleFromMessage(m rtnl.Message) (rule, bool) {
	h, attrs, ok := m.Header(sizeofFibRuleHdr)
	if !ok || h[0] != unix.AF_INET && h[0] != unix.AF_INET6 {
		return rule{}, false
	}
	r := rule{Rule: object.Rule{Table: uint32(h[4]), IPv6: h[0] == unix.AF_INET6}}
	w := newRuleWords(h)
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
	r.plain = w.plain()
	r.text = w.line(r.Rule)
	return r, true
}

// encodeRule creates exclusively: the kernel would let the same rule stand
// twice, and takes the protocol for a part of it. Deleting selects by our
// protocol too.
func (b *Backend) encodeRule(q *rtnl.Batch, c object.Change) error {
	switch {
	case c.After == nil:
		ruleToRequest(q, unix.RTM_DELRULE, 0, c.Before.(object.Rule), b.marks.RuleProtocol)
	case c.Before == nil:
		if have, there := b.mirror.set.Get(c.Key()); there && !have.Marked {
			return b.foreign(have)
		}
		ruleToRequest(q, unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, c.After.(object.Rule), b.marks.RuleProtocol)
	}
	return nil // an update changes nothing: a rule is nothing but its key
}

func (b *Backend) readRules(ctx context.Context) error {
	items, err := b.dumpItems(ctx, func(q *rtnl.Batch, family uint8) {
		q.Begin(unix.RTM_GETRULE, 0, family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}, b.ruleItem)
	if err != nil {
		return fmt.Errorf("read rules: %w", err)
	}
	b.mirror.replace(object.KindRule, items)
	return nil
}

// ruleItem leaves out rules with selectors: they have other keys than ours.
func (b *Backend) ruleItem(m rtnl.Message) (object.Item, bool) {
	r, ok := ruleFromMessage(m)
	if !ok || !r.plain {
		return object.Item{}, false
	}
	ours := r.protocol == b.marks.RuleProtocol
	return object.Item{Value: r.Rule, Marked: ours}, ours || has(b.scope.tables, r.Table)
}

// noteRule has the rules read again, which are few: the kernel lets the same
// rule stand once for each protocol, so an event about one of them does not
// tell what there is now.
func (b *Backend) noteRule(m rtnl.Message) {
	it, ok := b.ruleItem(m)
	if !ok {
		return
	}
	k := it.Value.Key()
	if m.Type == unix.RTM_NEWRULE && b.mirror.shows(k, it) {
		return
	}
	have, _ := b.mirror.set.Get(k)
	b.doubt(partRules, it.Marked || have.Marked || b.scope.wants(k))
}

// Shadows lists the rules of others that come before priority, those of the
// kernel (local, l3mdev, main, default) excepted. A packet that one of them
// matches never reaches our tables.
func (b *Backend) Shadows(ctx context.Context, priority uint32) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch == nil {
		return nil, errClosed
	}
	var lines []string
	_, err := b.dumpItems(ctx, func(q *rtnl.Batch, family uint8) {
		if family == unix.AF_INET {
			lines = nil
		}
		q.Begin(unix.RTM_GETRULE, 0, family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}, func(m rtnl.Message) (object.Item, bool) {
		r, ok := ruleFromMessage(m)
		if ok && r.Priority < priority && r.protocol != b.marks.RuleProtocol && r.protocol != unix.RTPROT_KERNEL {
			lines = append(lines, r.text)
		}
		return object.Item{}, false
	})
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return lines, nil
}
