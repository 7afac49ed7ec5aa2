package agent

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/withdraw"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

const (
	// recheckEvery is how often suspects are looked at, and recheckShare how much longer the
	// pause is at least than a look at them took, so that many cost a tenth of a core.
	recheckEvery = 2 * time.Second
	recheckShare = 10
	// knownChunk is how many ways are asked about at once, each time with a deadline.
	knownChunk = 64
)

// withdrawing is what of a reachability decides about announcements
// (bgp.withdraw_unreachable).
type withdrawing struct {
	conf   withdraw.Config
	memory withdraw.Memory
	// sampled are how many addresses the last check took from all in no order, of which lost
	// certainly are not reachable.
	sampled, lost int
	// took is how long the last look at suspects took.
	took time.Duration
	// blocks are asked for by rounds, which do not wait for a check.
	blocks atomic.Pointer[map[object.Key]object.Block]
	// changed is called when blocks are others.
	changed func()
}

// withdrawConfig is when something is withdrawn.
func withdrawConfig(s config.Settings) withdraw.Config {
	return withdraw.Config{On: s.BGP.WithdrawUnreachable, Hold: s.BGP.WithdrawHold}
}

// setWithdraw takes up another configuration: what it does not withdraw is announced again.
func (c *reachability) setWithdraw(conf withdraw.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conf = conf; !conf.On {
		c.memory = withdraw.Memory{}
		c.publish()
	}
}

// blocked are the paths that must not be announced.
func (c *reachability) blocked() map[object.Key]object.Block {
	if blocks := c.blocks.Load(); blocks != nil {
		return *blocks
	}
	return nil
}

// publish has rounds take up what is withdrawn, if that has changed. The caller holds mu.
func (c *reachability) publish() {
	blocks, before := c.memory.Blocks(), c.blocked()
	same := len(blocks) == len(before)
	for k, b := range blocks {
		old, was := before[k]
		if !was {
			c.log.Warn("withdrawing what this node cannot forward packets for", "path", k.Text(), "why", b.Text,
				"remedy", "bgp-ovn trace "+k.Prefix.Addr().String())
		}
		same = same && was && old == b
	}
	for k := range before {
		if _, still := blocks[k]; !still {
			c.log.Info("announcing again what was withdrawn because it was not reachable", "path", k.Text())
		}
	}
	if same {
		return
	}
	c.blocks.Store(&blocks)
	if c.changed != nil {
		c.changed()
	}
}

// again fires when suspects are to be looked at; nil while there are none.
func (c *reachability) again() <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.memory.Suspects()) == 0 {
		return nil
	}
	return time.After(max(recheckEvery, recheckShare*c.took))
}

// recheck looks at suspects only.
func (c *reachability) recheck(ctx context.Context, r reconcile.Round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := time.Now()
	var ways []announced
	if r.Want.LenOf(object.KindPeer) > 0 {
		there := r.There()
		for _, k := range c.memory.Suspects() {
			if it, wanted := r.Want.Get(k); wanted {
				if a, ok := announcedBy(r, it, there); ok {
					ways = append(ways, a)
				}
			}
		}
	}
	found := c.judgeKnown(ctx, r, ways)
	c.took = time.Since(began)
	c.decide(r, began, ways, found)
	c.last.Withdrawn, c.last.Guard = c.withdrawn(r)
	c.last.Unreachable = slices.DeleteFunc(slices.Clone(c.last.Unreachable), func(u control.Unreachable) bool {
		return isAmong(c.last.Withdrawn, u)
	})
}

// isAmong reports whether an address is withdrawn.
func isAmong(withdrawn []control.Withdrawn, u control.Unreachable) bool {
	return slices.ContainsFunc(withdrawn, func(w control.Withdrawn) bool {
		return w.VNI == u.VNI && w.Prefix.Contains(u.Address)
	})
}

// judgeKnown judges each way in full. The caller holds mu.
func (c *reachability) judgeKnown(ctx context.Context, r reconcile.Round, ways []announced) []judged {
	var out []judged
	for first := 0; first < len(ways); first += knownChunk {
		part := ways[first:min(first+knownChunk, len(ways))]
		questions := c.questions(r, part)
		if c.conf.On {
			for i, w := range part {
				questions[i] = c.question(r, w.Way)
			}
		}
		out = append(out, c.judge(ctx, questions)...)
	}
	return out
}

// decide takes up what a check found. The caller holds mu.
func (c *reachability) decide(r reconcile.Round, at time.Time, ways []announced, found []judged) {
	check := withdraw.Check{At: at, Sampled: c.sampled, Bad: c.lost, Wanted: func(k object.Key) bool {
		it, ok := r.Want.Get(k)
		return ok && mayAnnounce(it)
	}}
	if c.conf.On {
		for _, kind := range []object.Kind{object.KindPath, object.KindEVPN} {
			for _, it := range r.Want.AllOf(kind) {
				if mayAnnounce(it) {
					check.Announced++
				}
			}
		}
	}
	for i, v := range found {
		f := withdraw.Finding{Path: ways[i].path}
		first, _ := v.First()
		switch {
		case reach.Certain(v.facts, v.Verdict):
			f.Proof, f.Code, f.Text, f.Try = withdraw.Unreachable, first.Code, first.Text, first.Try
		case v.Reachable && !v.facts.Incomplete:
			f.Proof = withdraw.Reachable
		}
		check.Findings = append(check.Findings, f)
	}
	c.memory = c.memory.After(check, c.conf)
	c.publish()
}

// mayAnnounce reports whether a path is announced, or would be if it were reachable.
func mayAnnounce(it object.Item) bool { return it.Block == nil || isWithdrawn(it) }

// isWithdrawn reports whether a path is withdrawn because it is not reachable.
func isWithdrawn(it object.Item) bool {
	return it.Block != nil && it.Block.Code == object.BlockUnreachable
}

// withdrawn is what is withdrawn, and why nothing more is. The caller holds mu.
func (c *reachability) withdrawn(r reconcile.Round) ([]control.Withdrawn, *control.WithdrawGuard) {
	out := []control.Withdrawn{}
	for _, s := range c.memory.Withdrawn() {
		w := control.Withdrawn{
			Prefix: s.Path.Prefix, Code: s.Code, Text: s.Finding.Text, Try: s.Try, Since: s.Since, Count: s.Count,
		}
		if it, ok := r.Want.Get(s.Path); ok && s.Path.Kind == object.KindEVPN {
			w.VNI = it.Value.(object.EVPNPath).VNI
		}
		if !s.Until.IsZero() {
			w.Until = &s.Until
		}
		out = append(out, w)
	}
	g := c.memory.Guarded()
	if g == nil {
		return out, nil
	}
	return out, &control.WithdrawGuard{
		Since: g.Since, Text: g.Text(), Unreachable: g.Unreachable, Announced: g.Announced,
	}
}

// withdrawn tells of what bgp.withdraw_unreachable keeps back, and of what it does not.
func (s *statusReport) withdrawn(found control.Reach) {
	for _, w := range found.Withdrawn {
		name := w.Prefix.String()
		if w.Prefix.IsSingleIP() {
			name = w.Prefix.Addr().String()
		}
		name += inVNI(w.VNI)
		text := name + " is withdrawn, this node cannot forward packets for it: " + w.Text
		if w.Until != nil {
			text = name + " is withdrawn until " + clock(w.Until.Local()) + " although it is reachable: it came and went; " +
				"the last reason: " + w.Text
		}
		f := s.problem("unreachable-here", text, w.Try)
		f.Object, f.Since, f.Like = problem.Object{Kind: problem.KindAddress, Name: name}, w.Since, w.Code
	}
	if g := found.Guard; g != nil {
		f := s.problem("unreachable-guard", g.Text,
			"bgp-ovn trace ADDRESS of one of them; to withdraw all: bgp-ovn drain --force")
		f.Since = g.Since
	}
}
