package speaker

import (
	"context"
	"fmt"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// Follow begins to notify the owner of sessions, until Close. Of a speaker in another
// process it also restores the connection when it is lost.
func (c *Conn) Follow(owner Owner) error {
	if c.line != nil {
		go c.stayConnected(owner)
		return nil
	}
	go c.server.backlog.run(c.ctx)
	err := watchPeers(c.ctx, c.server.BgpServer, c.server.backlog, func(address string, state State) {
		if c.ctx.Err() == nil {
			owner.Session(address, state)
		}
	})
	if err != nil {
		c.cancel()
		return fmt.Errorf("watch the sessions: %w", err)
	}
	return nil
}

// watchPeers calls fn with each step of a session, and bounds what waits for the neighbour of one
// that comes up: in time by its send hold timer, in number by its backlog. GoBGP queues events
// without a bound, so that fn may not wait.
func watchPeers(ctx context.Context, s *server.BgpServer, b *backlog, fn func(address string, state State)) error {
	return s.WatchEvent(ctx, server.WatchEventMessageCallbacks{
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, _ time.Time) {
			if e.Type == apiutil.PEER_EVENT_STATE {
				if stateOf(e.Peer.State.SessionState) == Established {
					holdSends(e.Peer)
					b.up(endsOf(e.Peer))
				}
				fn(e.Peer.State.NeighborAddress.String(), stateOf(e.Peer.State.SessionState))
			}
		},
	}, server.WatchPeer())
}

// peersOnly asks a speaker in another process for what watchPeers asks one in this.
func peersOnly() *api.WatchEventRequest {
	return &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}
}

// notify passes an event of another process on if it is a step of a session.
func notify(to Owner, r *api.WatchEventResponse) {
	if e := r.GetPeer(); e.GetType() == api.WatchEventResponse_PeerEvent_TYPE_STATE {
		to.Session(e.GetPeer().GetState().GetNeighborAddress(), StateOf(e.GetPeer()))
	}
}

// Heard is which families an event of WatchLearned was about.
type Heard struct{ Unicast, EVPN bool }

// WatchLearned calls heard after each UPDATE from a neighbour and each change of
// a session, until the context ends. It returns false where the speaker does not
// notify: then it has to be polled. There is no event for the end of a graceful
// restart, when stale paths are removed.
//
// GoBGP's events of best paths hold more, but they come for each of our own paths
// too, of which there may be 100,000.
func (c *Conn) WatchLearned(ctx context.Context, heard func(Heard)) (notifies bool, err error) {
	if c.server == nil {
		return false, nil
	}
	err = c.server.WatchEvent(ctx, server.WatchEventMessageCallbacks{
		OnPathUpdate: func(paths []*apiutil.Path, _ time.Time) { heard(heardIn(paths)) },
		OnPeerUpdate: func(*apiutil.WatchEventMessage_PeerEvent, time.Time) { heard(heardIn(nil)) },
	}, server.WatchPeer(), server.WatchUpdate(false, "", ""))
	if err != nil {
		return false, fmt.Errorf("watch learned paths: %w", err)
	}
	return true, nil
}

// heardIn is what paths are about; none are the event of a session.
func heardIn(paths []*apiutil.Path) (h Heard) {
	for _, p := range paths {
		h.EVPN = h.EVPN || p.Family == bgp.RF_EVPN
		h.Unicast = h.Unicast || p.Family != bgp.RF_EVPN
	}
	if len(paths) == 0 {
		return Heard{Unicast: true, EVPN: true}
	}
	return h
}
