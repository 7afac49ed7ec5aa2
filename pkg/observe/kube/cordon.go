package kube

import (
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Memory remembers when the node was cordoned, for the next process.
type Memory interface {
	// Recall returns when the node was cordoned, zero if it was not; known is false
	// before the first Keep of all.
	Recall() (at time.Time, known bool)
	Keep(at time.Time)
}

// forgetful is a Memory of the process alone.
type forgetful struct{}

func (forgetful) Recall() (time.Time, bool) { return time.Time{}, false }
func (forgetful) Keep(time.Time)            {}

// cordon is how long the node has been unschedulable.
type cordon struct {
	drain time.Duration // how long draining takes
	at    time.Time     // when the node was cordoned; zero if it is not
	known bool          // at was kept before
	timer *time.Timer   // ends the draining
}

// state is how far the node is taken out of service.
func (c *cordon) state(now time.Time) observe.NodeState {
	switch {
	case c.at.IsZero():
		return observe.NodeActive
	case now.Before(c.at.Add(c.drain)):
		return observe.NodeDraining
	}
	return observe.NodeDrained
}

// set takes up what the Node says, and reports whether the moment of the cordon is another
// than before. A node that was cordoned before anything was kept is drained at once: how
// long ago that was is not known, and its paths were not announced by us.
func (c *cordon) set(unschedulable bool, now time.Time) bool {
	switch {
	case unschedulable && c.at.IsZero() && !c.known:
		c.at = now.Add(-c.drain)
	case unschedulable && c.at.IsZero():
		c.at = now
	case !unschedulable && (!c.at.IsZero() || !c.known):
		c.at = time.Time{}
	default:
		return false
	}
	c.known = true
	return true
}

// await calls over when a draining that goes on ends.
func (c *cordon) await(now time.Time, over func()) {
	c.stop()
	if c.state(now) == observe.NodeDraining {
		c.timer = time.AfterFunc(c.at.Add(c.drain).Sub(now), over)
	}
}

func (c *cordon) stop() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// recall takes up what was kept before.
func (s *Source) recall() {
	s.cordon.drain = s.cfg.DrainTime
	s.cordon.at, s.cordon.known = s.cfg.Cordon.Recall()
	if !s.cfg.DrainOnCordon {
		s.cordon.at = time.Time{}
	}
}

// nodeChanged takes up what the own Node says after it was listed or has changed.
func (s *Source) nodeChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.node.items) == 0 {
		return // a Node that is deleted says nothing about its cordon
	}
	s.seen = true
	now := s.cfg.Now()
	if s.cordon.set(s.cfg.DrainOnCordon && s.node.items[0].Unschedulable, now) {
		s.cfg.Cordon.Keep(s.cordon.at)
	}
	s.cordon.await(now, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.touch()
	})
}
