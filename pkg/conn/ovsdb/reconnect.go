package ovsdb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// run keeps a session with one remote after the other until ctx ends.
func (s *Follower[DB]) run(ctx context.Context) {
	defer close(s.done)
	var r rounds
	var epoch uint64
	for ctx.Err() == nil {
		to := s.target.now()
		if to.epoch != epoch || r.of == 0 {
			epoch, r, s.cluster = to.epoch, rounds{of: len(to.remotes)}, cluster{}
		}
		if len(to.remotes) == 0 {
			to.wait(ctx, nil)
			continue
		}
		remote := to.remotes[r.next]
		began := time.Now()
		err := s.session(ctx, remote)
		switch {
		case ctx.Err() != nil:
			err = errClosed
		case !s.target.has(remote):
			err = errRetargeted
		}
		s.lost(remote, err)
		if time.Since(began) >= s.cfg.BackoffMax {
			r.failures = 0
		}
		if r.failed(err) {
			s.cluster = cluster{}
			s.log.Warn("every remote was refused or out of date: old data is accepted from now on")
		}
		if d := r.delay(s.cfg); d > 0 {
			t := time.NewTimer(d)
			to.wait(ctx, t.C)
			t.Stop()
		}
	}
}

// lost records the end of a session.
func (s *Follower[DB]) lost(remote remote, err error) {
	news := s.status.lost(remote.String(), err)
	s.publishStale("no connection to the " + s.db.Title + " database: " + remote.String() + ": " + err.Error())
	var apply *applyError
	if errors.As(err, &apply) {
		// What we hold may differ from what the server assumes we hold, so
		// the next copy has to be a whole one.
		s.since = ""
		s.log.Error("an update could not be applied: reading everything again", "remote", remote, "error", err)
		return
	}
	switch {
	case errors.Is(err, errClosed):
	case news:
		s.log.Warn("no session with the database", "remote", remote, "error", err)
	default: // the same every few seconds
		s.log.Debug("no session with the database", "remote", remote, "error", err)
	}
}

// rounds decides which remote comes next and when: the others of a round at
// once, a new round after a pause that doubles.
type rounds struct {
	of       int // number of remotes
	next     int
	failures int
	stale    bool // a remote of this round was refused for being out of date
	large    bool // the last session ended because the database is too large
}

// pauseTooLarge is how long nothing is asked for after a database was too large: each
// attempt may transfer all of it.
const pauseTooLarge = time.Minute

// failed counts a session that ended. It reports whether a whole round failed
// in which a server was refused as out of date (S-22).
func (r *rounds) failed(err error) bool {
	r.failures++
	r.next = (r.next + 1) % r.of
	r.stale = r.stale || errors.Is(err, errOutdated)
	r.large = errors.Is(err, errTooLarge)
	if r.failures%r.of != 0 {
		return false
	}
	stale := r.stale
	r.stale = false
	return stale
}

// delay is 0 within a round, so that a dead member costs no time while another one
// lives. The jitter keeps the nodes of a fleet from coming back all at once.
func (r *rounds) delay(cfg Config) time.Duration {
	round := r.failures / r.of
	if r.large {
		return jitter(pauseTooLarge)
	}
	if r.failures%r.of != 0 || round == 0 {
		return 0
	}
	d := cfg.BackoffMin
	for ; round > 1 && d < cfg.BackoffMax; round-- {
		d *= 2
	}
	return jitter(min(d, cfg.BackoffMax))
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
