package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// quarantine keeps peers whose messages end the speaker from being configured: the
// sessions of all others would end with it time and again.
type quarantine struct {
	record speaker.Record
	log    *slog.Logger
	// wake makes the loop look again.
	wake func()

	mu sync.Mutex // guards what follows
	// last are those that were held when the record was last read, and complaint is
	// why it could not be read.
	last      []speaker.Held
	complaint string
	// end fires when the first of them is tried again.
	end *time.Timer
}

// newQuarantine is about the speaker in this process, or the one in another process.
func newQuarantine(s config.Settings, log *slog.Logger, wake func()) (*quarantine, error) {
	q := &quarantine{log: log, wake: wake, record: speaker.RecordBeside(s.StateFile)}
	if s.BGP.Speaker == "" {
		return q, nil
	}
	var err error
	if q.record, err = speaker.RecordOf(s.BGP.Speaker); err != nil {
		return nil, fmt.Errorf("bgp.speaker: %w", err)
	}
	return q, nil
}

// blocks reads who is held and returns what that blocks of the objects of the
// configuration.
func (q *quarantine) blocks(fixed []object.Item) map[object.Key]object.Block {
	held := q.read()
	var out map[object.Key]object.Block
	for _, it := range fixed {
		p, ok := it.Value.(object.Peer)
		if !ok {
			continue
		}
		i := slices.IndexFunc(held, func(h speaker.Held) bool { return h.Is(p.Address) })
		if i < 0 {
			continue
		}
		if out == nil {
			out = map[object.Key]object.Block{}
		}
		out[p.Key()] = object.Block{Code: object.BlockQuarantined, Text: fmt.Sprintf(
			"its messages ended the speaker twice within five minutes, the last time at %s; it is tried again at %s, or "+
				"after: bgp-ovn peer release %s", clock(held[i].Last.Local()), clock(held[i].Until.Local()), p.Address)}
	}
	return out
}

// read reads who is held now, and logs what is new.
func (q *quarantine) read() []speaker.Held {
	now := time.Now()
	held, err := q.record.Held(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	complaint := ""
	if err != nil {
		complaint = err.Error()
	}
	if complaint != "" && complaint != q.complaint {
		q.log.Warn("whether a peer is quarantined is not known", "err", err)
	}
	q.complaint = complaint
	if slices.Equal(held, q.last) {
		return held
	}
	for _, h := range held {
		if !slices.Contains(q.last, h) {
			q.log.Error("peer is quarantined: its messages ended the speaker twice within five minutes", "peer", h.Peer,
				"until", h.Until, "remedy", "update the neighbour or filter what it passes on, then: bgp-ovn peer release "+h.Peer)
		}
	}
	for _, h := range q.last {
		if !slices.ContainsFunc(held, func(o speaker.Held) bool { return o.Peer == h.Peer }) {
			q.log.Info("peer is no longer quarantined", "peer", h.Peer)
		}
	}
	q.last = held
	q.wakeAtEnd(now)
	return held
}

// wakeAtEnd wakes the loop when the first hold ends; whoever calls it holds mu.
func (q *quarantine) wakeAtEnd(now time.Time) {
	if q.end != nil {
		q.end.Stop()
	}
	if len(q.last) == 0 {
		return
	}
	first := slices.MinFunc(q.last, func(a, b speaker.Held) int { return a.Until.Compare(b.Until) })
	q.end = time.AfterFunc(first.Until.Sub(now)+time.Second, q.wake) // not before, by either clock
}

// close ends the wait for the end of a hold.
func (q *quarantine) close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end != nil {
		q.end.Stop()
	}
	return nil
}

// held are the peers of the configuration that are held, by what the last round found.
func (q *quarantine) held(fixed []object.Item) []control.Quarantine {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := []control.Quarantine{}
	for _, it := range fixed {
		p, ok := it.Value.(object.Peer)
		if !ok {
			continue
		}
		for _, h := range q.last {
			_, zone, _ := strings.Cut(h.Peer, "%")
			interfaces, unnumbered := p.Interfaces()
			if h.Is(p.Address) || unnumbered && observe.MatchesInterface(interfaces, zone) {
				out = append(out, control.Quarantine{Peer: p.Address, Last: h.Last, Until: h.Until})
			}
		}
	}
	return out
}

// peerItems are the peers that a round wanted.
func peerItems(r reconcile.Round) []object.Item { return r.Want.SortedOf(object.KindPeer) }

// peerBlocks says of the peers that a round wanted which of them are held.
func peerBlocks(r reconcile.Round) map[string]bool {
	out := map[string]bool{}
	for _, it := range peerItems(r) {
		out[it.Value.Key().Name] = it.Block != nil && it.Block.Code == object.BlockQuarantined
	}
	return out
}

// ReleasePeer ends the quarantine of a peer; the next round configures it.
func (n *Node) ReleasePeer(_ context.Context, address string) (control.Released, error) {
	out := control.Released{Version: control.Version, Peer: address}
	was, err := n.quarantine.record.Release(address, time.Now())
	if err != nil {
		return out, err
	}
	if !was {
		return out, fmt.Errorf("peer %.80q is not quarantined; %s", address, n.othersHeld())
	}
	n.opts.Log.Info("peer is released from quarantine by command", "peer", address)
	n.speaker.Wake()
	return out, nil
}

// othersHeld lists who is held.
func (n *Node) othersHeld() string {
	var peers []string
	for _, h := range n.quarantine.read() {
		peers = append(peers, h.Peer)
	}
	if len(peers) == 0 {
		return "no peer is"
	}
	return "quarantined: " + strings.Join(peers, ", ")
}

// quarantined reports the peers that are held: problems before anything else of them.
func (s *statusReport) quarantined(held []control.Quarantine) {
	s.Quarantined = held
	for _, q := range held {
		f := s.problem("peer-quarantined", fmt.Sprintf(
			"peer %s is held down until %s: its messages ended the speaker twice within five minutes, the last time at %s",
			q.Peer, clock(q.Until.Local()), clock(q.Last.Local())),
			"update the neighbour or filter what it passes on, then: bgp-ovn peer release "+q.Peer)
		f.Object, f.Since = problem.Object{Kind: problem.KindPeer, Name: q.Peer}, q.Last
	}
}

// reopen lets peers connect again that were shut at their prefix limit, if that is
// configured. What cannot be asked is asked again soon.
func (n *Node) reopen(ctx context.Context) {
	if !n.reloading.TryLock() {
		return // a reload that hangs keeps nothing else waiting
	}
	after := n.current.BGP.PrefixLimitRestart
	n.reloading.Unlock()
	if after == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, speakerDeadline)
	defer cancel()
	if _, err := n.speaker.Reopen(ctx, after); err != nil {
		n.opts.Log.Debug("peers at their prefix limit cannot be looked after", "err", err)
	}
}
