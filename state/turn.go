package state

import (
	"errors"
	"sync"
	"time"
)

// errStalled is a disk that takes longer than anybody should wait.
var errStalled = errors.New("the disk does not answer")

// turn lets one at a time work on a file, in a goroutine that nobody has to wait for:
// a disk can take for ever, and what needs none of it must go on.
type turn struct {
	token chan struct{}

	mu      sync.Mutex
	working *job
}

// job is one piece of work; it is abandoned when nobody waits for it any more.
type job struct{ abandoned bool }

func newTurn() turn { return turn{token: make(chan struct{}, 1)} }

// run works and returns how that went, or errStalled after limit, with the work still
// going on if it began; 0 waits for ever. While work that was abandoned goes on, nobody
// waits at all.
func (t *turn) run(limit time.Duration, work func() error) (began bool, err error) {
	var expired <-chan time.Time
	if limit > 0 {
		if t.stuck() {
			return false, errStalled
		}
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case t.token <- struct{}{}:
	case <-expired:
		return false, errStalled
	}
	mine := &job{}
	t.set(mine)
	done := make(chan error, 1)
	go func() {
		err := survive(work)
		t.set(nil)
		<-t.token
		done <- err
	}()
	select {
	case err := <-done:
		return true, err
	case <-expired:
		t.mu.Lock()
		mine.abandoned = true
		t.mu.Unlock()
		return true, errStalled
	}
}

func (t *turn) set(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working = j
}

func (t *turn) stuck() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.working != nil && t.working.abandoned
}
