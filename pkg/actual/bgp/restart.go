package bgp

import (
	"context"
	"log/slog"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// restartPoll is how often a peer that has not come up since our start is
// read, and restartWindow for how long: the neighbours that hold our routes
// while we restart come back at once or not in time. releasePoll and releaseWindow
// are the same for a session of which GoBGP has said that it is up.
const (
	restartPoll   = 5 * time.Millisecond
	restartWindow = 30 * time.Second
	releasePoll   = time.Millisecond
	releaseWindow = 10 * time.Second
)

// keepRestarting makes sure that each of the first peers still gets, when
// its session comes up, an OPEN with the Restart State bit.
//
// GoBGP has one notion of the end of a restart: once every neighbour that is up
// has sent its End-of-RIB, all peers stop being restarting ones, those included
// whose sessions are not up yet. Their OPEN then lacks the Restart State bit and
// the neighbour drops what it kept for us (RFC 4724 section 4.2). Such a peer is
// added again, which it cannot notice: there is no session yet.
func (b *Backend) keepRestarting(peers []object.Peer) {
	ctx, cancel := context.WithTimeout(context.Background(), restartWindow)
	stop := b.unwatch
	b.unwatch = func() {
		cancel()
		stop()
	}
	go func() {
		defer cancel()
		tick := time.NewTicker(restartPoll)
		defer tick.Stop()
		for len(peers) > 0 {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				peers = b.stillRestarting(ctx, peers)
			}
		}
	}()
}

// stillRestarting renews what needs it and returns the peers to read again:
// those that have not come up yet.
func (b *Backend) stillRestarting(ctx context.Context, peers []object.Peer) []object.Peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	var again []object.Peer
	for _, p := range peers {
		have, ours := b.mirror.set.Get(p.Key())
		if !ours || have.Value != p {
			continue // changed or deleted meanwhile: new, and not restarting
		}
		now, err := b.speaker.Peers(ctx, p.Address)
		if err != nil || len(now) != 1 {
			continue
		}
		switch speaker.StateOf(now[0]) {
		case Established:
			continue
		case Idle, Connect, Active:
			if !isRestarting(now[0]) {
				b.renew(ctx, p)
			}
		}
		again = append(again, p)
	}
	return again
}

// renew adds a peer again as a restarting one.
func (b *Backend) renew(ctx context.Context, p object.Peer) {
	peer, err := b.peerToAPI(p, true)
	if err != nil {
		return // it was good when it was added first
	}
	if err = b.dropPeer(ctx, p); err == nil {
		err = b.addPeer(ctx, peer)
	}
	if err != nil {
		b.mirror.doubt = true // the next read finds out what is left
		b.log.Warn("peer could not be renewed during the restart", slog.String("peer", p.Address), slog.Any("err", err))
	}
}

// release announces our paths on a session that has just come up, although GoBGP, which is
// restarting, defers them until every neighbour has sent its End-of-RIB: a second for
// FRR, and up to the whole deferral. A session that is lost before they are sent costs them:
// what a neighbour has marked as stale already, it deletes at the next restart (RFC 4724
// section 4.2), so that a process that dies twice within that time would withdraw all.
// The deferral is for the selection of routes; ours are our own, whatever others announce.
func (b *Backend) release(address string) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseWindow)
	defer cancel()
	tick := time.NewTicker(releasePoll)
	defer tick.Stop()
	for b.speaker.Sessions.Of(address).State == Established {
		now, err := b.speaker.Peers(ctx, address)
		if err != nil || len(now) != 1 || !speaker.IsOurPeer(now[0]) || !isRestarting(now[0]) {
			return
		}
		// The event comes before the state: what is not Established yet takes no paths.
		if speaker.StateOf(now[0]) == Established {
			// Recorded first: what changes from now on has to be sent by us (flushDeferred).
			b.speaker.Sessions.Release(address)
			if err := b.announceAll(ctx, address); err != nil {
				b.speaker.Sessions.Unrelease(address)
				b.log.Warn("paths wait for the neighbours' End-of-RIB", slog.String("peer", address), slog.Any("err", err))
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// announceAll sends everything that the peer is to have, restarting or not.
func (b *Backend) announceAll(ctx context.Context, address string) error {
	return b.speaker.ResetPeer(ctx, &api.ResetPeerRequest{
		Address: address, Soft: true, Direction: api.ResetPeerRequest_DIRECTION_OUT,
	})
}

func isRestarting(p *api.Peer) bool { return p.GetGracefulRestart().GetLocalRestarting() }
