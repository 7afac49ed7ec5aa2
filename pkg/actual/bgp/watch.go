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
func (b *Backend) watch(hook func(PeerEvent)) error {
	ctx, cancel := context.WithCancel(context.Background())
	b.unwatch = cancel
	req := &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}
	err := b.speaker.WatchEvent(ctx, req, func(r *api.WatchEventResponse) {
		e := r.GetPeer()
		if ctx.Err() != nil || e.GetType() != api.WatchEventResponse_PeerEvent_STATE {
			return
		}
		state := e.GetPeer().GetState()
		b.observe(state.GetNeighborAddress(), stateFromAPI(state.GetSessionState()), hook)
	})
	if err != nil {
		cancel()
		return fmt.Errorf("watch the sessions: %w", err)
	}
	return nil
}

// observe passes one step on. Only a session that came up or went down wakes
// the loop: one that fails to connect steps every few seconds.
func (b *Backend) observe(address string, state State, hook func(PeerEvent)) {
	e, flipped, known := b.words.enter(address, state)
	if !known {
		return
	}
	if hook != nil {
		hook(e)
	}
	if !flipped {
		return
	}
	if state == Established {
		b.log.Info("session is up", slog.String("peer", e.Address))
	} else {
		b.log.Warn("session is down", slog.String("peer", e.Address), slog.String("reason", e.Reason))
	}
	select {
	case b.changed <- struct{}{}:
	default:
	}
}
