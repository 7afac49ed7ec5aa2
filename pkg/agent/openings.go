package agent

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// openAgainEvery is how often a socket or address is tried that could not be opened.
const openAgainEvery = 5 * time.Second

// openings are the sockets and addresses on which the controller answers. None of them is
// needed to forward: one that cannot be opened is a problem, and is tried again.
type openings struct {
	log *slog.Logger
	// done counts what goes on in the background.
	done *sync.WaitGroup

	mu     sync.Mutex
	closed []closedOpening // those that cannot be opened, in the order of the configuration
}

// closedOpening is one that cannot be opened.
type closedOpening struct {
	key   string
	err   error
	since time.Time
}

// open opens what the key names and takes it up, now or once that is possible, until ctx
// ends. Wanted is asked before each further attempt; nil always wants it.
func (o *openings) open(ctx context.Context, key string, open func() (net.Listener, error), take func(net.Listener),
	wanted func() bool,
) {
	if o.try(key, open, take) {
		return
	}
	o.done.Go(func() {
		tick := time.NewTicker(openAgainEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if wanted != nil && !wanted() {
					o.forget(key)
					return
				}
				if o.try(key, open, take) {
					return
				}
			}
		}
	})
}

// try opens it once, and tells of the first failure and of the end of it.
func (o *openings) try(key string, open func() (net.Listener, error), take func(net.Listener)) bool {
	l, err := open()
	was := o.forget(key)
	if err == nil {
		take(l)
		if was != nil {
			o.log.Info("it can be listened on now", "key", key)
		}
		return true
	}
	c := closedOpening{key: key, err: err, since: time.Now()}
	if was != nil {
		c.since = was.since
	} else {
		o.log.Error("cannot listen; everything else goes on, and it is tried again", "key", key, "err", err)
	}
	o.mu.Lock()
	o.closed = append(o.closed, c)
	o.mu.Unlock()
	return false
}

// forget takes out what is known of a key, and returns it.
func (o *openings) forget(key string) *closedOpening {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, c := range o.closed {
		if c.key == key {
			o.closed = append(o.closed[:i:i], o.closed[i+1:]...)
			return &c
		}
	}
	return nil
}

// list are those that cannot be opened.
func (o *openings) list() []closedOpening {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]closedOpening{}, o.closed...)
}

// openings tells of what the controller cannot answer on.
func (s *statusReport) openings(list []closedOpening) {
	for _, c := range list {
		f := s.problem("not-listening", c.key+": "+c.err.Error()+"; it is tried again",
			"mend what the message names, or change "+c.key)
		f.Object, f.Since = problem.Object{Kind: problem.KindSetting, Name: c.key}, c.since
	}
}
