package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	api "github.com/osrg/gobgp/v3/api"
)

// State is a state of the session's machine, by its name in RFC 4271 section
// 8.2.2.
type State string

// The states of a session.
const (
	Idle        State = "Idle"
	Connect     State = "Connect"
	Active      State = "Active"
	OpenSent    State = "OpenSent"
	OpenConfirm State = "OpenConfirm"
	Established State = "Established"
)

func stateFromAPI(s api.PeerState_SessionState) State {
	switch s {
	case api.PeerState_CONNECT:
		return Connect
	case api.PeerState_ACTIVE:
		return Active
	case api.PeerState_OPENSENT:
		return OpenSent
	case api.PeerState_OPENCONFIRM:
		return OpenConfirm
	case api.PeerState_ESTABLISHED:
		return Established
	default:
		return Idle
	}
}

// PeerEvent is one step of a session's state machine.
type PeerEvent struct {
	Address    string
	Was, State State
	At         time.Time
	// Reason says in words why an established session ended.
	Reason string
}

// watch follows the sessions until unwatch is called. GoBGP queues events
// without a bound, so that nothing here may wait.
func (b *Backend) watch(s embedded) error {
	ctx, cancel := context.WithCancel(context.Background())
	b.unwatch = cancel
	err := s.WatchEvent(ctx, watchPeers(), func(r *api.WatchEventResponse) {
		if ctx.Err() == nil {
			b.event(r)
		}
	})
	if err != nil {
		cancel()
		return fmt.Errorf("watch the sessions: %w", err)
	}
	return nil
}

func watchPeers() *api.WatchEventRequest {
	return &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}
}

func (b *Backend) event(r *api.WatchEventResponse) {
	e := r.GetPeer()
	if e.GetType() != api.WatchEventResponse_PeerEvent_STATE {
		return
	}
	state := e.GetPeer().GetState()
	b.observe(state.GetNeighborAddress(), stateFromAPI(state.GetSessionState()))
}

// observe passes one step on. Only a session that came up or went down wakes
// the loop: one that fails to connect steps every few seconds.
func (b *Backend) observe(address string, state State) {
	e, flipped, known := b.words.enter(address, state)
	if !known {
		return
	}
	if b.onPeer != nil {
		b.onPeer(e)
	}
	if !flipped {
		return
	}
	if state == Established {
		b.log.Info("session is up", slog.String("peer", e.Address))
	} else {
		b.log.Warn("session is down", slog.String("peer", e.Address), slog.String("reason", e.Reason))
	}
	b.wake()
}

// adopt begins to follow a session that was there before us.
func (b *Backend) adopt(p *api.Peer) {
	address, state := p.GetConf().GetNeighborAddress(), stateFromAPI(p.GetState().GetSessionState())
	if !b.words.follow(address) || state != Established {
		return
	}
	b.observe(address, state)
	if up := p.GetTimers().GetState().GetUptime(); up.IsValid() {
		b.words.upSince(address, up.AsTime())
	}
}
