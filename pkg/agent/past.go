package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// past remembers since when problems have been there and which have gone, whether
// anybody asks for the status or not.
type past struct {
	// woken holds a token while somebody should look.
	woken chan struct{}

	mu     sync.Mutex // guards what follows
	memory problem.Memory
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
	}
}
