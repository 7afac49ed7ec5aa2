package bgp

import (
	"context"
	"log/slog"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// restartPoll is how often a peer that has not come up since our start is
// read, and restartWindow for how long: the neighbours that hold our routes
// while we restart come back at once or not in time.
const (
	restartPoll   = 5 * time.Millisecond
	restartWindow = 30 * time.Second
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
			if !now[0].GetGracefulRestart().GetLocalRestarting() {
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
