package engine

import (
	"container/heap"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

// timers are the sessions by when they have something to do.
type timers []*session

var _ heap.Interface = (*timers)(nil)

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].Next() < t[j].Next() }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].at, t[j].at = i, j
}

// Push is called by package heap.
func (t *timers) Push(x any) {
	s := x.(*session)
	s.at = len(*t)
	*t = append(*t, s)
}

// Pop is called by package heap.
func (t *timers) Pop() any {
	list := *t
	s := list[len(list)-1]
	*t = list[:len(list)-1]
	return s
}

// retryEvery is how often sockets that could not be opened are tried again, and the
// longest sleep.
const retryEvery = time.Second

// signal wakes the scheduler where a deadline is earlier than the one it waits for.
func (e *Engine) signal() {
	if len(e.timers) == 0 || e.timers[0].Next() >= e.waiting {
		return
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run is the scheduler.
func (e *Engine) run() {
	defer e.running.Done()
	timer := time.NewTimer(retryEvery)
	defer timer.Stop()
	for {
		timer.Reset(e.due())
		select {
		case <-e.done:
			return
		case <-e.wake:
		case <-timer.C:
		}
	}
}

// due does what is due and returns the pause until something is again.
func (e *Engine) due() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return retryEvery
	}
	now := e.now()
	if now >= e.nextOpen {
		e.openSockets()
		e.nextOpen = now + bfd.Time(retryEvery.Microseconds())
	}
	for read := false; len(e.timers) > 0 && e.timers[0].Next() <= now; {
		s := e.timers[0]
		switch {
		case s.until != 0 && now >= s.until:
			e.drop(s)
		case s.Expiry() <= now && !read:
			// A process that was held up finds expired timers, and beside them the packets
			// that came meanwhile: those count first.
			read = true
			for kind := range e.rx {
				e.readAll(kind)
			}
		default:
			e.take(s, s.Advance(now))
		}
	}
	now = e.now()
	e.waiting = now + bfd.Time(retryEvery.Microseconds())
	if len(e.timers) > 0 {
		e.waiting = min(e.waiting, e.timers[0].Next())
	}
	return time.Duration(e.waiting-now) * time.Microsecond
}

// Status is how a session is.
type Status struct {
	Peer
	State bfd.State
	// Diag is why it failed last; RemoteDiag is what the neighbour said then.
	Diag, RemoteDiag bfd.Diag
	// Since is when it entered its state, Failed when it failed last, Failures how often.
	Since, Failed time.Time
	Failures      uint64
	// Local and Remote are the discriminators; Remote is 0 where there is no neighbour.
	Local, Remote uint32
	RemoteState   bfd.State
	// RemoteMinRx is what the neighbour can bear, in microseconds.
	RemoteMinRx uint32
	// Interval is the pause between our packets, Detection how long the neighbour may be
	// silent; 0 while that is not known.
	Interval, Detection time.Duration
	Sent, Received      uint64
	// Events are the latest steps into Up and out of it, the oldest first; Counts are all.
	Events []Event
	Counts map[bfd.Cause]uint64
	// Err is why packets cannot be sent or received.
	Err error
}

// mostEvents bounds what is remembered of a session.
const mostEvents = 8

// Event is a step of a session into Up or out of it.
type Event struct {
	At time.Time
	bfd.Change
}

// Status is how the session with a neighbour is; it is not ok if there is none.
func (e *Engine) Status(addr netip.Addr) (Status, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.peers[addr]
	if !ok || s.until != 0 {
		return Status{}, false
	}
	out := Status{
		Peer: s.peer, State: s.State(), Diag: s.why.Diag, RemoteDiag: s.why.RemoteDiag, Since: s.since, Failed: s.failed,
		Failures: s.failures,
		Local:    s.Disc(), RemoteState: bfd.Down, Sent: s.sent, Received: s.received, Err: s.err,
		Interval: time.Duration(s.Interval()) * time.Microsecond,
		Events:   slices.Clone(s.events), Counts: maps.Clone(s.counts),
	}
	if p, ok := s.Remote(); ok {
		out.Remote, out.RemoteState, out.RemoteMinRx = p.MyDisc, p.State, p.RequiredMinRx
		out.Detection = time.Duration(s.Detection()) * time.Microsecond
	}
	if r := e.rx[kindOf(s.peer)]; out.Err == nil && r != nil {
		out.Err = r.err
	}
	return out, true
}

// Drops is what no session took.
func (e *Engine) Drops() Drops {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.drops
}
