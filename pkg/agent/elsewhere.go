package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/elsewhere"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

const (
	// elsewhereEvery is how often it is asked whether neighbours have sent anything, and
	// elsewhereShare bounds what listing it costs: a pause is so many times as long.
	elsewhereEvery = 2 * time.Second
	elsewhereShare = 10
	// elsewhereSettled is how long after an UPDATE is counted its paths are surely listed.
	elsewhereSettled = time.Second
	// elsewhereHold is how long two may announce one prefix before that is a problem: while
	// an address moves, the fabric has both for a moment.
	elsewhereHold = 10 * time.Second
	// elsewhereListed is how many prefixes an answer lists; all are counted.
	elsewhereListed = 100
)

// overlaps are the prefixes of ours that somebody else announces, too.
type overlaps struct {
	log *slog.Logger

	mu sync.Mutex // guards what follows
	// found are those of the last pass, since when each was seen first.
	found []elsewhere.Finding
	since map[netip.Prefix]time.Time
	// taken says who else announces what a drain has made a last resort.
	taken map[netip.Prefix]string
	// told says that the log has a line about it.
	told bool
	// state and ours are what the last pass looked at.
	state string
	ours  object.Set
}

func newOverlaps(log *slog.Logger) *overlaps {
	return &overlaps{log: log, since: map[netip.Prefix]time.Time{}}
}

// take takes over what a pass has found.
func (o *overlaps) take(found []elsewhere.Finding, now time.Time) {
	since := make(map[netip.Prefix]time.Time, len(found))
	for _, f := range found {
		since[f.Prefix] = now
		if first, ok := o.since[f.Prefix]; ok {
			since[f.Prefix] = first
		}
	}
	o.found, o.since = found, since
}

// forget has the next look list everything again.
func (o *overlaps) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = ""
}

// report is what has lasted for longer than a move takes, by prefix, and the log's line
// about it.
func (o *overlaps) report(now time.Time) control.Elsewhere {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := control.Elsewhere{Prefixes: []control.ElsewherePrefix{}}
	for _, f := range o.found {
		since := o.since[f.Prefix]
		if now.Sub(since) < elsewhereHold {
			continue
		}
		if out.Count++; out.Count <= elsewhereListed {
			out.Prefixes = append(out.Prefixes, control.ElsewherePrefix{Finding: f, Since: since})
		}
	}
	switch {
	case out.Count > 0 && !o.told:
		first := out.Prefixes[0]
		o.log.Warn("somebody else announces what this node announces", "code", codeElsewhere, "prefixes", out.Count,
			"first", first.Prefix, "by", first.By(), "peer", first.Peer, "remedy", elsewhereTry(first.Finding))
	case out.Count == 0 && o.told:
		o.log.Info("nobody else announces what this node announces any more", "code", codeElsewhere)
	}
	o.told = out.Count > 0
	return out
}

// of is what was reported of the prefix that has the address; nil if nothing was.
func (o *overlaps) of(addr netip.Addr, now time.Time) *reconcile.Elsewhere {
	o.mu.Lock()
	defer o.mu.Unlock()
	var best *elsewhere.Finding
	for i, f := range o.found {
		if f.Prefix.Contains(addr) && (f.Announced == f.Prefix || f.Announced.Contains(addr)) &&
			now.Sub(o.since[f.Prefix]) >= elsewhereHold && (best == nil || f.Prefix.Bits() > best.Prefix.Bits()) {
			best = &o.found[i]
		}
	}
	if best == nil {
		return nil
	}
	return &reconcile.Elsewhere{
		Finding: *best, Code: codeElsewhere, Since: o.since[best.Prefix].Format(time.RFC3339), Try: elsewhereTry(*best),
	}
}

// elsewhereTry shows all paths for a prefix.
func elsewhereTry(f elsewhere.Finding) string {
	return "bgp-ovn bgp received --within " + f.Prefix.String()
}

// watchElsewhere looks for others that announce what is ours, until ctx ends.
func (n *Node) watchElsewhere(ctx context.Context) {
	last := 0
	for {
		began := time.Now()
		if err := n.lookElsewhere(ctx); err != nil && ctx.Err() == nil {
			n.opts.Log.Debug("cannot look for others that announce our prefixes", "err", err)
		}
		count := n.elsewhere.report(time.Now()).Count
		n.metrics.Elsewhere(count)
		if count != last {
			last = count
			n.past.wake()
		}
		if !pause(ctx, max(elsewhereEvery, elsewhereShare*time.Since(began))) {
			return
		}
	}
}

// pause waits; false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// rest waits for d, and without points until there are some; false if ctx ends first.
func (o *outside) rest(ctx context.Context, d time.Duration) bool {
	o.mu.Lock()
	none := len(o.running) == 0
	o.mu.Unlock()
	if !none {
		return pause(ctx, d)
	}
	select {
	case <-ctx.Done():
		return false
	case <-o.woken:
		return true
	}
}

// lookElsewhere makes one pass over what neighbours announce, if they or we announce
// something else than at the last one.
func (n *Node) lookElsewhere(ctx context.Context) error {
	tally, err := n.table.Tally(ctx)
	if err != nil {
		return err
	}
	ours, err := n.speaker.Ours()
	if err != nil {
		return err
	}
	r, _ := n.ctl.Last()
	o := n.elsewhere
	o.mu.Lock()
	same, sent := o.state == tally.State && o.ours.Same(ours), o.state != tally.State
	o.mu.Unlock()
	if same || r.Snapshot.SB == nil || r.Snapshot.Host == nil {
		return nil
	}
	if sent && !pause(ctx, elsewhereSettled) {
		return ctx.Err()
	}
	var found, taken []elsewhere.Finding
	if tally.Received() > 0 && ours.LenOf(object.KindPath) > 0 {
		if found, taken, err = n.survey(ctx, r, tally, ours); err != nil {
			return err
		}
	}
	if o.takeOver(taken) {
		n.speaker.Wake()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state, o.ours = tally.State, ours
	o.take(found, time.Now())
	return nil
}

// survey is the pass: what others announce that nobody else may, and what they have taken
// over from a node that is drained.
func (n *Node) survey(ctx context.Context, r reconcile.Round, tally rib.Tally, ours object.Set) (found,
	taken []elsewhere.Finding, err error,
) {
	node := n.whoWeAre(r.Snapshot, tally)
	s := elsewhere.NewSurvey(node)
	node.Lowered = true
	lowered := elsewhere.NewSurvey(node)
	for k, have := range ours.AllOf(object.KindPath) {
		it, _ := r.Want.Get(k)
		s.Announce(k.Prefix, isShared(it.Why))
		if times, ok := loweredBy(have.Value); ok {
			lowered.Announce(k.Prefix, false)
			lowered.Prepended(times)
		}
	}
	err = n.table.Received(ctx, "", netip.Prefix{}, func(p *rib.ReceivedPath) {
		if p.Prefix.IsValid() && !p.Stale {
			path := elsewhere.Path{
				Peer: p.Peer, Prefix: p.Prefix, NextHop: p.NextHop, ASPath: p.ASPath, OriginAS: p.OriginAS,
				Originator: p.Originator, ID: p.ID, Communities: p.Communities,
			}
			s.Add(path)
			lowered.Add(path)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return s.Findings(), lowered.Findings(), nil
}

// loweredBy reports whether a path is announced as a last resort, and how often our AS is
// prepended to it.
func loweredBy(v object.Value) (times int, ok bool) {
	p, ok := v.(object.Path)
	if !ok || !slices.Contains(p.Communities.List(), object.GracefulShutdown) {
		return 0, false
	}
	return int(p.Prepend.Times), true
}

// isShared reports whether the operator asks for a prefix by name, as for an anycast
// address: others may announce it, too.
func isShared(why []object.Source) bool {
	for _, w := range why {
		if w.Driver == fabric.Name {
			return true
		}
	}
	return false
}

// whoWeAre is what tells our paths from those of others.
func (n *Node) whoWeAre(snap observe.Snapshot, tally rib.Tally) elsewhere.Node {
	out := elsewhere.Node{
		AS: n.settings.BGP.AS, RouterID: n.id, Addrs: map[netip.Addr]bool{}, Chassis: map[netip.Addr]string{},
		IBGP: map[string]bool{},
	}
	for _, a := range snap.Host.Addresses {
		out.Addrs[a.Addr] = true
	}
	for _, e := range snap.SB.Encaps {
		name := e.ChassisName
		if c, ok := snap.SB.ChassisByName(name); ok {
			name = c.Text()
		}
		if e.ChassisName == snap.Chassis {
			out.Addrs[e.IP] = true
		} else {
			out.Chassis[e.IP] = name
		}
	}
	for _, p := range tally.Neighbours {
		out.IBGP[p.Address] = p.AS == out.AS
	}
	return out
}

// codeElsewhere is the problem that somebody else announces what we do.
const codeElsewhere = "announced-elsewhere"

// elsewhere makes one problem of all prefixes that somebody else announces.
func (s *statusReport) elsewhere(found control.Elsewhere) {
	if s.Elsewhere = found; found.Count == 0 {
		return
	}
	first := found.Prefixes[0]
	p := s.problem("announced-elsewhere", first.Prefix.String()+" is "+first.Text(), elsewhereTry(first.Finding))
	p.Object, p.Since = problem.Object{Kind: problem.KindAddress, Name: first.Prefix.Addr().String()}, first.Since
	p.Count = found.Count
}

// others tells of what somebody else has put into our speaker: it is announced to our
// neighbours, whether this node can forward it or not.
func (s *statusReport) others(o bgp.Others) {
	if o.First == nil {
		return
	}
	try := "whoever may open the socket of bgp.speaker can: find out who, and let them take it out again"
	f := s.problem("speaker-foreign", fmt.Sprintf("somebody else has put %d paths and %d peers into the speaker, "+
		"which are left alone; the first: %s", o.Paths, o.Peers, object.Text(o.First)), try)
	f.Count = o.Paths + o.Peers
}
