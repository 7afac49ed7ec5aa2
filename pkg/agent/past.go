package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// past remembers since when problems have been there and which have gone, whether
// anybody asks for the status or not.
type past struct {
	// woken holds a token while somebody should look.
	woken chan struct{}

	mu     sync.Mutex // guards what follows
	memory problem.Memory
	// kept is what was noted of it the last time, waiting since when that is not written;
	// zero if it is.
	kept    string
	waiting time.Time
	// up are the sessions that were up at the last look, with how often they had been lost.
	up map[string]uint32
}

func newPast() *past { return &past{woken: make(chan struct{}, 1), up: map[string]uint32{}} }

// wake has somebody look soon.
func (p *past) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// observe takes in what is wrong now and how the sessions are. It returns what is wrong
// with since when, and what has gone within the last hour.
func (p *past) observe(now time.Time, found []problem.Finding, states []bgp.PeerState,
) ([]problem.Finding, []problem.Past) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found = p.memory.Observe(now, found)
	up := map[string]uint32{}
	for _, s := range states {
		if s.State != bgp.Established {
			continue
		}
		if lost, was := p.up[s.Address]; was && s.Flaps > lost && !s.LastErrorAt.IsZero() {
			p.memory.Ended(problem.Finding{
				Code: "peer-down", Text: fmt.Sprintf("peer %s was lost: %s", s.Address, s.LastError), Since: s.LastErrorAt,
				Object: problem.Object{Kind: problem.KindPeer, Name: s.Address},
			}, s.Since)
		}
		up[s.Address] = s.Flaps
	}
	p.up = up
	return found, p.memory.Past(now)
}

// noteProblems is the note of the state file that has the last hour of problems.
const noteProblems = "problems"

// flushAfter is how long a change waits for a round that writes it.
const flushAfter = time.Minute

// recall takes up what an earlier process noted; what cannot be read is forgotten.
func (p *past) recall(text string, now time.Time) {
	var k problem.Kept
	if text == "" || json.Unmarshal([]byte(text), &k) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memory.Recall(now, k)
}

// keep notes what is remembered, for the next round that writes something. What waits for
// long, because no round does, is written by itself.
func (p *past) keep(db *state.DB, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	raw, err := json.Marshal(p.memory.Keep(now))
	if err != nil {
		return // nothing in it cannot be encoded
	}
	if text := string(raw); text != p.kept {
		db.Note(noteProblems, text)
		if p.kept = text; p.waiting.IsZero() {
			p.waiting = now
		}
	}
	if db.Unwritten() || !p.waiting.IsZero() && now.Sub(p.waiting) >= flushAfter {
		db.Flush()
		p.waiting = time.Time{}
	}
}

// watchProblems looks at what is wrong from time to time, and when a session goes or
// comes, until ctx ends.
func (n *Node) watchProblems(ctx context.Context) {
	tick := time.NewTicker(attendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.past.woken:
		case <-tick.C:
		}
		r, stats := n.ctl.Last()
		n.statusOf(ctx, r, stats, n.reach.latest())
		n.past.keep(n.db, time.Now())
	}
}
