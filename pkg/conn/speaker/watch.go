package speaker

import (
	"context"
	"fmt"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Follow begins to notify the owner of sessions, until Close. Of a speaker in another
// process it also restores the connection when it is lost.
func (c *Conn) Follow(owner Owner) error {
	if c.line != nil {
		go c.stayConnected(owner)
		return nil
	}
	// GoBGP queues events without a bound, so that nothing here may wait.
	err := c.server.WatchEvent(c.ctx, watchPeers(), func(r *api.WatchEventResponse) {
		if c.ctx.Err() == nil {
			notify(owner, r)
		}
	})
	if err != nil {
		c.cancel()
		return fmt.Errorf("watch the sessions: %w", err)
	}
	return nil
}

func watchPeers() *api.WatchEventRequest {
	return &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}
}

// listener is notified of sessions.
type listener interface {
	Session(address string, state State)
}

// notify passes an event on if it is a step of a session.
func notify(to listener, r *api.WatchEventResponse) {
	e := r.GetPeer()
	if e.GetType() != api.WatchEventResponse_PeerEvent_STATE {
		return
	}
	state := e.GetPeer().GetState()
	to.Session(state.GetNeighborAddress(), StateOf(e.GetPeer()))
}

// Heard is which families an event of WatchLearned was about.
type Heard struct{ Unicast, EVPN bool }

// watcher is a form of speaker that notifies of changes to its tables.
type watcher interface {
	WatchEvent(context.Context, *api.WatchEventRequest, func(*api.WatchEventResponse)) error
}

// WatchLearned calls heard after each UPDATE from a neighbour and each change of
// a session, until the context ends. It returns false where the speaker does not
// notify: then it has to be polled. There is no event for the end of a graceful
// restart, when stale paths are removed.
//
// GoBGP's events of best paths hold more, but they come for each of our own paths
// too, of which there may be 100,000.
func (c *Conn) WatchLearned(ctx context.Context, heard func(Heard)) (notifies bool, err error) {
	w, ok := c.Calls.(watcher)
	if !ok {
		return false, nil
	}
	req := &api.WatchEventRequest{
		Peer: &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
			{Type: api.WatchEventRequest_Table_Filter_ADJIN},
		}},
	}
	err = w.WatchEvent(ctx, req, func(r *api.WatchEventResponse) { heard(heardIn(r.GetTable().GetPaths())) })
	if err != nil {
		return false, fmt.Errorf("watch learned paths: %w", err)
	}
	return true, nil
}

// heardIn is what paths are about; none are the event of a session.
func heardIn(paths []*api.Path) (h Heard) {
	for _, p := range paths {
		family, _ := FamilyFromAPI(p.GetFamily())
		h.EVPN = h.EVPN || family == object.L2VPNEVPN
		h.Unicast = h.Unicast || family != object.L2VPNEVPN
	}
	if len(paths) == 0 {
		return Heard{Unicast: true, EVPN: true}
	}
	return h
}
