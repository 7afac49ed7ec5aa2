package agent

import (
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd/engine"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// noteBFD is the note of the state file that has when the latest event of BFD was that the
// history has: the speaker remembers some from before this process.
const noteBFD = "bfd"

// bfdEvent is an event of the session with a peer.
type bfdEvent struct {
	peer string
	engine.Event
}

// bfdEvents are the events after a time, in order.
func bfdEvents(states []bgp.PeerState, after time.Time) (out []bfdEvent) {
	for _, s := range states {
		for _, e := range s.BFD.Events {
			if e.At.After(after) {
				out = append(out, bfdEvent{s.Address, e})
			}
		}
	}
	sorting.Sort(out, func(a, b bfdEvent) int { return a.At.Compare(b.At) })
	return out
}

// step is the event as the history has it.
func (e bfdEvent) step() history.Step {
	k := object.Peer{Address: e.peer}.Key()
	return history.Step{
		Cause: plan.CauseDrift, Kind: k.Kind.String(), Key: k.String(), Rows: []history.RowRef{},
		Outcome: history.Seen, Error: "BFD " + e.Text(),
	}
}

// recordBFD has the history tell of what has happened to BFD since the last time, with when
// it happened: that may be before this process.
func (n *Node) recordBFD(states []bgp.PeerState) {
	if !n.bfdKnown {
		n.bfdKnown = true
		n.bfdAt, _ = time.Parse(time.RFC3339Nano, n.db.Remembered(noteBFD))
	}
	events := bfdEvents(states, n.bfdAt)
	if len(events) == 0 {
		return
	}
	for _, e := range events {
		n.db.Saw(e.At, []history.Step{e.step()})
	}
	n.bfdAt = events[len(events)-1].At
	n.db.Note(noteBFD, n.bfdAt.Format(time.RFC3339Nano))
}

// bfdCounts are the events by what led to them; those that never happened are 0.
func bfdCounts(counts map[bfd.Cause]uint64) map[string]uint64 {
	out := map[string]uint64{}
	for _, c := range []bfd.Cause{bfd.CauseUp, bfd.CauseExpired, bfd.CauseNeighbour, bfd.CauseOperator} {
		out[string(c)] = counts[c]
	}
	return out
}
