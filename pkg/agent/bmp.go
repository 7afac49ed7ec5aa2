package agent

import (
	"context"
	"net/netip"
	"os"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// stations are the monitoring stations that are told of sessions and paths. They are no part
// of the desired state: nothing that is forwarded or announced stands on them, and they
// begin anew with each connection to the speaker.
type stations struct {
	node *Node

	mu sync.Mutex // guards what follows
	// ctx ends them all; nil before the node runs.
	ctx context.Context
	// stop ends each, up says which are connected.
	stop map[config.BMPStation]context.CancelFunc
	up   map[config.BMPStation]bool
	done sync.WaitGroup
}

func newStations(n *Node) *stations {
	return &stations{
		node: n, stop: map[config.BMPStation]context.CancelFunc{}, up: map[config.BMPStation]bool{},
	}
}

// run begins with the stations of the configuration, and ends them with ctx.
func (s *stations) run(ctx context.Context, want []config.BMPStation) {
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	if err := s.node.speaker.Conn().ForgetStations(ctx); err != nil {
		s.node.opts.Log.Debug("cannot look for old monitoring stations in the speaker", "err", err)
	}
	s.set(want)
	<-ctx.Done()
	s.done.Wait()
}

// set changes which stations there are. Those that stay keep their connections.
func (s *stations) set(want []config.BMPStation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		return
	}
	wanted := map[config.BMPStation]bool{}
	for _, w := range want {
		wanted[w] = true
	}
	for have, stop := range s.stop {
		if !wanted[have] {
			stop()
			delete(s.stop, have)
			delete(s.up, have)
		}
	}
	for _, w := range want {
		if s.stop[w] != nil {
			continue
		}
		ctx, stop := context.WithCancel(s.ctx)
		s.stop[w], s.up[w] = stop, false
		s.done.Go(func() { s.follow(ctx, w) })
	}
	s.observe()
}

// follow keeps one station connected until ctx ends.
func (s *stations) follow(ctx context.Context, w config.BMPStation) {
	log := s.node.opts.Log.With("station", address(w))
	said := ""
	station := speaker.Station{
		Remote: netip.AddrPortFrom(w.Address, w.Port), Policy: speaker.Policy(w.Policy), Statistics: w.Statistics,
		Name: s.name(),
	}
	s.node.speaker.Conn().Monitor(ctx, station, func(up bool, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, there := s.up[w]; !there || ctx.Err() != nil {
			return
		}
		s.up[w] = up
		s.observe()
		switch text := errText(err); {
		case up:
			log.Info("monitoring station is connected", "policy", w.Policy)
			said = ""
		case text != said: // not at each attempt
			said = text
			log.Warn("monitoring station is not connected; retrying with backoff", "err", err)
		}
	})
}

// name is what a station calls this node: its host name.
func (s *stations) name() string {
	name, err := os.Hostname()
	if err != nil {
		return s.node.id.String()
	}
	return name
}

// observe brings the metrics up to date. The caller holds mu.
func (s *stations) observe() {
	up := map[string]bool{}
	for w, connected := range s.up {
		up[address(w)] = connected
	}
	s.node.metrics.Stations(up)
}

func address(w config.BMPStation) string { return netip.AddrPortFrom(w.Address, w.Port).String() }

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
