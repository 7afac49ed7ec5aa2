package bgp

import (
	"context"
	"fmt"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Apply performs the changes in order. What is as wanted already costs no call
// and sends nothing.
//
// The order between paths and peers is the planner's, and it matters after a
// restart: GoBGP sends the End-of-RIB as soon as a session is up, and the
// neighbour then drops what it has not been told again (RFC 4724 section 4.2).
// All paths must be in before the first peer is.
func (b *Backend) Apply(ctx context.Context, changes []object.Change) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]error, len(changes))
	restarting := !b.running
	enc := encoder{}
	for i, c := range changes {
		if out[i] = ctx.Err(); out[i] != nil {
			continue
		}
		switch v := valueOf(c).(type) {
		case object.Path:
			out[i] = b.applyPath(ctx, c, v, &enc)
		case object.Peer:
			out[i] = b.applyPeer(ctx, c, v, restarting)
		default:
			out[i] = fmt.Errorf("the speaker holds no %s", c.Key().Kind)
		}
	}
	return out
}

func valueOf(c object.Change) object.Value {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// applyPath announces or withdraws one path. An update is the same call as a
// create: a second announcement replaces the first (RFC 4271 section 3.1).
func (b *Backend) applyPath(ctx context.Context, c object.Change, p object.Path, enc *encoder) error {
	have, exists := b.mirror.set.Get(p.Key())
	switch {
	case c.After == nil && !exists, c.After != nil && exists && have.Value == c.After:
		return nil
	case c.After == nil:
		return b.deletePath(ctx, have.Value.(object.Path), enc)
	}
	path, err := enc.toAPI(p)
	if err != nil {
		return err
	}
	if exists && losesHop(have.Value.(object.Path), p) {
		if err := b.deletePath(ctx, have.Value.(object.Path), enc); err != nil {
			return err
		}
	}
	if _, err := b.speaker.AddPath(ctx, &api.AddPathRequest{TableType: api.TableType_GLOBAL, Path: path}); err != nil {
		return fmt.Errorf("add the path: %w", err)
	}
	b.mirror.put(p)
	return nil
}

// losesHop reports whether an update stops an IPv6 path from going to IPv4
// sessions (see exportPolicy). GoBGP asks the policy whether it has announced
// the path before, with the new next hop, and then withdraws nothing.
func losesHop(have, want object.Path) bool {
	return want.Family == object.IPv6Unicast && have.NextHop.IsValid() && !want.NextHop.IsValid()
}

func (b *Backend) deletePath(ctx context.Context, have object.Path, enc *encoder) error {
	path, err := enc.toAPI(have)
	if err != nil {
		return err
	}
	if err := deletePath(ctx, b.speaker, path); err != nil {
		return fmt.Errorf("withdraw the path: %w", err)
	}
	b.mirror.remove(have.Key())
	return nil
}

// applyPeer adds, changes or removes one neighbour.
func (b *Backend) applyPeer(ctx context.Context, c object.Change, p object.Peer, restarting bool) error {
	have, exists := b.mirror.set.Get(p.Key())
	switch {
	case c.After == nil && !exists, c.After != nil && exists && have.Value == c.After:
		return nil
	case c.After == nil:
		return b.deletePeer(ctx, have.Value.(object.Peer))
	}
	if p.Password != "" && b.keyless != nil {
		return b.keyless
	}
	peer, err := peerToAPI(p, b.deferral, restarting && !exists)
	if err != nil {
		return err
	}
	if exists {
		err = b.changePeer(ctx, have.Value.(object.Peer), p, peer)
	} else {
		err = b.addPeer(ctx, peer)
	}
	if err != nil {
		return err
	}
	b.mirror.put(p)
	return nil
}

func (b *Backend) addPeer(ctx context.Context, peer *api.Peer) error {
	b.words.follow(peer.Conf.NeighborAddress)
	if err := b.speaker.AddPeer(ctx, &api.AddPeerRequest{Peer: peer}); err != nil {
		b.words.forget(peer.Conf.NeighborAddress)
		return fmt.Errorf("add the peer: %w", err)
	}
	b.running = true
	return nil
}

// changePeer updates a peer, under its session if possible. While GoBGP tries
// to connect it goes on with the TTL that it began with, for ever if the
// neighbour drops that. Where there is no session to lose the peer is replaced.
func (b *Backend) changePeer(ctx context.Context, have, want object.Peer, peer *api.Peer) error {
	if have.TTLSecurity != want.TTLSecurity || have.Multihop != want.Multihop {
		now, err := b.listPeers(ctx, &api.ListPeerRequest{Address: want.Address})
		if err != nil {
			return err
		}
		if len(now) == 1 && stateFromAPI(now[0].GetState().GetSessionState()) != Established {
			peer.GracefulRestart.LocalRestarting = now[0].GetGracefulRestart().GetLocalRestarting()
			return b.replacePeer(ctx, have, peer)
		}
	}
	return b.updatePeer(ctx, want, peer)
}

func (b *Backend) replacePeer(ctx context.Context, have object.Peer, peer *api.Peer) error {
	if err := b.deletePeer(ctx, have); err != nil {
		return err
	}
	return b.addPeer(ctx, peer)
}

// updatePeer changes a peer. GoBGP does it by removing and adding if the OPEN
// changes; when the second half fails the peer is gone, so the next read asks.
// It also reports an error when the connection went away under a change that
// it has made; hence the second look.
func (b *Backend) updatePeer(ctx context.Context, want object.Peer, peer *api.Peer) error {
	_, err := b.speaker.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: peer})
	if err == nil {
		return nil
	}
	now, lost := b.listPeers(ctx, &api.ListPeerRequest{Address: want.Address})
	if lost == nil && len(now) == 1 && peerFromAPI(now[0]) == want {
		return nil
	}
	b.mirror.doubt = true
	return fmt.Errorf("change the peer: %w", err)
}

// deletePeer removes a neighbour. GoBGP leaves its password on the listening
// sockets, where it would shut out the same neighbour without one; only an
// update takes it off. The update sets the peer administratively down, so that
// it does not come up in between.
func (b *Backend) deletePeer(ctx context.Context, p object.Peer) error {
	if p.Password != "" {
		p.Password = ""
		peer, err := peerToAPI(p, b.deferral, false)
		if err != nil {
			return err
		}
		peer.Conf.AdminDown = true
		if err := b.updatePeer(ctx, p, peer); err != nil {
			return fmt.Errorf("take back the password: %w", err)
		}
	}
	if err := b.speaker.DeletePeer(ctx, &api.DeletePeerRequest{Address: p.Address}); err != nil {
		b.mirror.doubt = true
		return fmt.Errorf("delete the peer: %w", err)
	}
	b.words.forget(p.Address)
	b.mirror.remove(p.Key())
	return nil
}
