package bgp

import (
	"context"
	"errors"
	"fmt"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// applyPeer adds, changes or removes one neighbour.
func (b *Backend) applyPeer(ctx context.Context, c object.Change, p object.Peer, restarting bool) error {
	have, exists := b.mirror.set.Get(p.Key())
	switch {
	case c.After == nil && c.Reclaim && !exists:
		return b.dropReclaimed(ctx, p)
	case c.After == nil && !exists, c.After != nil && exists && have.Value == c.After && have.Deviates() == "":
		return nil
	case c.After == nil:
		return b.deletePeer(ctx, have.Value.(object.Peer))
	}
	if p.Password != "" && b.noPassword != nil {
		return b.noPassword
	}
	peer, err := b.peerToAPI(p, restarting && !exists)
	if err != nil {
		return err
	}
	switch {
	case exists:
		err = b.changePeer(ctx, have.Value.(object.Peer), p, peer)
	case c.Reclaim:
		err = b.reclaimPeer(ctx, c.Before.(object.Peer), p, peer)
	default:
		err = b.addPeer(ctx, peer)
	}
	if err != nil {
		return err
	}
	b.mirror.put(p)
	return nil
}

func (b *Backend) addPeer(ctx context.Context, peer *api.Peer) error {
	b.speaker.Sessions.Follow(peer.Conf.NeighborAddress)
	if err := b.speaker.AddPeer(ctx, &api.AddPeerRequest{Peer: peer}); err != nil {
		b.speaker.Sessions.Forget(peer.Conf.NeighborAddress)
		return fmt.Errorf("add the peer: %w", err)
	}
	b.running = true
	return nil
}

// ourPeer reads a peer before it is changed or deleted. One that another owner has
// put in place of ours is an error; one that is gone is nil.
func (b *Backend) ourPeer(ctx context.Context, address string) (*api.Peer, error) {
	now, err := b.speaker.Peers(ctx, address)
	if err != nil || len(now) == 0 {
		return nil, err
	}
	if !speaker.IsOurPeer(now[0]) {
		b.mirror.doubt = true
		return nil, fmt.Errorf("peer %s in the speaker belongs to another owner (no bgp-ovn description); "+
			"remove it there or from the configuration", address)
	}
	return now[0], nil
}

// changePeer updates a peer, under its session if possible. Once a prefix limit was
// exceeded GoBGP never tries to connect again, whatever the limit is changed to: such a
// peer is replaced.
func (b *Backend) changePeer(ctx context.Context, have, want object.Peer, peer *api.Peer) error {
	now, err := b.ourPeer(ctx, want.Address)
	if err != nil {
		return err
	}
	if overLimit(now) && speaker.StateOf(now) != Established {
		return b.replacePeer(ctx, now, have, peer)
	}
	if err := b.updatePeer(ctx, want, peer); err != nil || !isDisabled(now) {
		return err
	}
	if err := b.speaker.EnablePeer(ctx, &api.EnablePeerRequest{Address: want.Address}); err != nil {
		return fmt.Errorf("enable the peer, which somebody had shut: %w", err)
	}
	return nil
}

// reclaimPeer gives a peer our description again, if it is still what the caller knows
// to be ours without it.
func (b *Backend) reclaimPeer(ctx context.Context, before, want object.Peer, peer *api.Peer) error {
	if err := b.stillUnmarked(ctx, before); err != nil {
		return err
	}
	if err := b.updatePeer(ctx, want, peer); err != nil {
		return err
	}
	b.speaker.Sessions.Follow(want.Address)
	b.mirror.others.Remove(want.Key())
	b.running = true
	return nil
}

// dropReclaimed deletes a peer that has lost our description.
func (b *Backend) dropReclaimed(ctx context.Context, before object.Peer) error {
	if err := b.stillUnmarked(ctx, before); err != nil {
		return err
	}
	if err := b.dropPeer(ctx, before); err != nil {
		return err
	}
	b.mirror.others.Remove(before.Key())
	return nil
}

// stillUnmarked is an error unless the speaker has the peer just as it was read.
func (b *Backend) stillUnmarked(ctx context.Context, before object.Peer) error {
	now, err := b.speaker.Peers(ctx, before.Address)
	if err != nil {
		return err
	}
	if len(now) != 1 || peerFromAPI(now[0]) != before {
		b.mirror.doubt = true
		return fmt.Errorf("peer %s was changed in the speaker meanwhile", before.Address)
	}
	return nil
}

// overLimit reports whether the session was shut down because the neighbour exceeded
// its prefix limit.
func overLimit(p *api.Peer) bool {
	return p.GetState().GetAdminState() == api.PeerState_ADMIN_STATE_PFX_CT
}

func (b *Backend) replacePeer(ctx context.Context, now *api.Peer, have object.Peer, peer *api.Peer) error {
	peer.GracefulRestart.LocalRestarting = now.GetGracefulRestart().GetLocalRestarting()
	if err := b.deletePeer(ctx, have); err != nil {
		return err
	}
	return b.addPeer(ctx, peer)
}

// updatePeer changes a peer. GoBGP does it by removing and adding if the OPEN
// changes; when the second half fails the peer is gone, so the next read asks.
// It also reports an error when the connection went away under a change that
// it has made; hence the second read.
func (b *Backend) updatePeer(ctx context.Context, want object.Peer, peer *api.Peer) error {
	_, err := b.speaker.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: peer})
	if err == nil {
		return nil
	}
	now, lost := b.speaker.Peers(ctx, want.Address)
	if lost == nil && len(now) == 1 && peerFromAPI(now[0]) == want {
		return nil
	}
	b.mirror.doubt = true
	return fmt.Errorf("change the peer: %w", err)
}

// deletePeer removes a neighbour. GoBGP leaves its password on the listening
// sockets, where it would refuse the same neighbour without one; only an
// update takes it off. The update sets the peer administratively down, so that
// it does not come up in between.
func (b *Backend) deletePeer(ctx context.Context, p object.Peer) error {
	now, err := b.ourPeer(ctx, p.Address)
	if err != nil {
		return err
	}
	if now != nil {
		if err := b.dropPeer(ctx, p); err != nil {
			b.mirror.doubt = true
			return err
		}
	}
	b.speaker.Sessions.Forget(p.Address)
	b.mirror.remove(p.Key())
	return nil
}

func (b *Backend) dropPeer(ctx context.Context, p object.Peer) error {
	if p.Password != "" {
		p.Password = ""
		peer, err := b.peerToAPI(p, false)
		if err != nil {
			return err
		}
		peer.Conf.AdminDown = true
		if err := b.updatePeer(ctx, p, peer); err != nil {
			return fmt.Errorf("remove the password: %w", err)
		}
	}
	if err := b.speaker.DeletePeer(ctx, &api.DeletePeerRequest{Address: p.Address}); err != nil {
		return fmt.Errorf("delete the peer: %w", err)
	}
	return nil
}

// withdraw takes everything of ours out of a speaker that goes on without us,
// peers first: their sessions end, and with them what was announced.
func (b *Backend) withdraw(ctx context.Context) error {
	if err := b.refresh(ctx); err != nil {
		return err
	}
	var changes []object.Change
	for _, kind := range []object.Kind{object.KindPeer, object.KindPath, object.KindEVPN} {
		for _, it := range b.mirror.set.SortedOf(kind) {
			changes = append(changes, object.Change{Before: it.Value})
		}
	}
	return errors.Join(b.apply(ctx, changes)...)
}
