package reconcile

import (
	"sync"
	"time"
)

// steady is a clock that never goes back. The real one does not either as long as times
// are compared within a process, because they carry the monotonic clock's reading; this
// one holds for every Clock, so that no hold, retry or audit waits for a time that was
// set back to come again.
type steady struct {
	Clock

	mu     sync.Mutex
	last   time.Time
	behind time.Duration // how far the clock was set back in all
}

// Now is the time of the clock, or the last one that it had where that is later.
func (s *steady) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now().Add(s.behind)
	if back := s.last.Sub(now); back > 0 {
		s.behind += back
		now = now.Add(back)
	}
	s.last = now
	return now
}
