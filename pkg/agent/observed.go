package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
)

// configEvery is how often the configuration file is compared with what runs.
const configEvery = 30 * time.Second

// afterRound is called from the loop.
func (n *Node) afterRound(r reconcile.Round) {
	n.tellCordon(r.Drain)
	n.metrics.Observe(r)
	if len(r.Drift.Seen) > 0 {
		n.db.Saw(r.Started, r.Drift.Seen)
	}
	if len(r.QuarantineSeen) > 0 {
		n.db.Saw(r.Started, r.QuarantineSeen)
	}
	n.lastRound.Store(int64(r.Took()))
	n.metrics.Quarantined(peerBlocks(r))
	n.metrics.Prefixes(n.classes.count(r.Want))
	n.observeSources()
	if r.Complete {
		n.reach.wake()
	}
	n.ready()
}

// classes counts the paths of each class, by what has changed since the last time.
type classes struct {
	want    object.Set
	byClass map[string]int
}

// count returns how many paths of each class are desired.
func (c *classes) count(want object.Set) map[string]int {
	if c.byClass == nil {
		c.byClass = map[string]int{}
	}
	for k := range want.Only(object.KindPath).Differ(c.want) {
		if it, ok := c.want.Get(k); ok {
			c.byClass[string(expose.ClassOf(it))]--
		}
		if it, ok := want.Get(k); ok {
			c.byClass[string(expose.ClassOf(it))]++
		}
	}
	c.want = want.Only(object.KindPath)
	maps.DeleteFunc(c.byClass, func(_ string, n int) bool { return n == 0 })
	out := maps.Clone(c.byClass)
	if evpn := want.LenOf(object.KindEVPN); evpn > 0 {
		out["evpn"] = evpn
	}
	return out
}

// observeSources brings the metrics of what is followed and of the state file up to date.
func (n *Node) observeSources() {
	up := map[string]bool{"open_vswitch": n.sources.ovs.Status().Connected}
	for _, d := range n.sources.databases {
		up[d.metric] = d.status().Synced
	}
	n.sources.kubeUp(up)
	n.metrics.Sources(up)
	_, ill := n.db.Trouble()
	aside := map[string]int{}
	for _, a := range n.db.Asides() {
		aside[a.Reason]++
	}
	n.metrics.State(!ill, n.db.Failures(), aside)
	_, stats := n.ctl.Last()
	n.metrics.Frozen(stats.FrozenSince)
}

// observeSessions brings the metrics of sessions up to date. That the speaker does not answer
// is one of them.
func (n *Node) observeSessions(ctx context.Context) {
	states, err := n.peers(ctx)
	if ctx.Err() != nil {
		return
	}
	out := make([]metrics.Session, 0, len(states))
	for _, s := range states {
		m := metrics.Session{
			Peer: object.PeerName(s.Address), State: string(s.State), Up: s.State == bgp.Established,
			Since: s.Since, Flaps: s.Flaps,
			BFD: s.BFD.On, BFDUp: s.BFD.Runs && s.BFD.State == bfd.Up, BFDFailures: s.BFD.Failures,
			BFDEvents: bfdCounts(s.BFD.Counts),
		}
		for _, f := range s.Families {
			m.Prefixes = append(m.Prefixes, metrics.Prefixes{
				Family: f.Family.String(), Sent: f.Sent, Received: f.Received, Accepted: f.Accepted,
				Rejected: f.Received - min(f.Accepted, f.Received),
			})
		}
		out = append(out, m)
	}
	n.metrics.Sessions(out, err == nil)
	n.recordBFD(states)
}

// watchSessions keeps the metrics of sessions up to date until ctx ends: at once where one
// comes up or goes down, and from time to time for the counts.
func (n *Node) watchSessions(ctx context.Context) {
	tick := time.NewTicker(attendEvery)
	defer tick.Stop()
	for {
		n.observeSessions(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-n.stepped:
		}
	}
}

// watchConfig compares the file with what runs until ctx ends.
func (n *Node) watchConfig(ctx context.Context) {
	for {
		n.observeConfig()
		if !pause(ctx, configEvery) {
			return
		}
	}
}

func (n *Node) observeConfig() {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	stale := false
	if n.opts.Load != nil {
		s, err := n.opts.Load()
		changed, _ := config.Changes(n.current, s)
		stale = err != nil || len(changed) > 0
	}
	n.metrics.Config(metrics.Config{Hash: hashOf(n.current), Loaded: n.loaded, Stale: stale})
}

// hashOf identifies settings, without their passwords: those could be guessed from it.
func hashOf(s config.Settings) string {
	text, err := s.Text()
	if err != nil {
		return "unknown"
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
