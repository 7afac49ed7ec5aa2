package ovsdb

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// errRetargeted ends a session with a server that is none of the remotes any more.
var errRetargeted = errors.New("it is no longer one of the remotes of the database")

// target are the remotes of a database, which can become known or change while it is
// followed.
type target struct {
	mu      sync.Mutex
	current aim
	// drop ends the present session, which is with the remote that is named.
	with string
	drop func()
}

// aim is one state of a target.
type aim struct {
	remotes []remote
	// epoch counts the states.
	epoch uint64
	// texts are the remotes as they were configured, and missing is why there are none.
	texts   []string
	missing string
	// changed is closed when another state takes the place of this one.
	changed chan struct{}
}

// usableRemotes parses remotes and shuffles them, so that the nodes of a fleet spread
// over them.
func usableRemotes(texts []string, files TLS) ([]remote, error) {
	remotes, err := parseRemotes(texts)
	if err != nil {
		return nil, err
	}
	if err := files.validate(remotes); err != nil {
		return nil, err
	}
	rand.Shuffle(len(remotes), func(i, j int) { remotes[i], remotes[j] = remotes[j], remotes[i] })
	return remotes, nil
}

func (t *target) init(remotes []remote) {
	t.current = aim{remotes: remotes, changed: make(chan struct{})}
	for _, r := range remotes {
		t.current.texts = append(t.current.texts, r.text)
	}
	slices.Sort(t.current.texts)
}

func (t *target) now() aim {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

// has reports whether the remote is one of the present ones.
func (t *target) has(r remote) bool {
	return slices.ContainsFunc(t.now().remotes, func(o remote) bool { return o.text == r.text })
}

// hold makes drop end the session that begins with a remote, once that is none any
// more; the result ends that. A remote that is none already is dropped at once.
func (t *target) hold(r remote, drop func()) (release func()) {
	t.mu.Lock()
	t.with, t.drop = r.text, drop
	t.mu.Unlock()
	if !t.has(r) {
		drop()
	}
	return func() {
		t.mu.Lock()
		t.with, t.drop = "", nil
		t.mu.Unlock()
	}
}

// wait returns when there is another state, the timer has fired, or ctx ends.
func (a aim) wait(ctx context.Context, timer <-chan time.Time) {
	select {
	case <-ctx.Done():
	case <-a.changed:
	case <-timer:
	}
}

// Retarget replaces the remotes. A session with a server that is still one of them goes
// on; another one ends, and the rows that were read stay readable until those of the
// next server take their place, row by row. Without any remote nothing is connected to;
// missing says then what is waited for. An error means that they cannot be used; the
// present ones stay.
func (s *Follower[DB]) Retarget(texts []string, missing string) error {
	remotes, err := usableRemotes(texts, s.cfg.TLS)
	if err != nil {
		return err
	}
	next := aim{remotes: remotes, missing: missing, changed: make(chan struct{})}
	for _, r := range remotes {
		next.texts = append(next.texts, r.text)
	}
	slices.Sort(next.texts)
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	was := s.target.current
	if slices.Equal(next.texts, was.texts) && next.missing == was.missing {
		return nil
	}
	next.epoch = was.epoch + 1
	s.target.current = next
	close(was.changed)
	if s.target.drop != nil && !slices.Contains(next.texts, s.target.with) {
		s.target.drop()
	}
	s.status.retargeted(next.texts, missing)
	s.endpoints.forget(next.texts)
	return nil
}
