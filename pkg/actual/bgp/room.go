package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/bits"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// GoBGP compares a prefix limit with all that a neighbour has sent. Many routers, FRR
// among them, send our own paths back to us, and a node that announces as many as the
// limit allows would end its own sessions. So GoBGP's limit is the configured one and
// room for our own paths, which is made before they are announced.
//
// Changing a limit does not touch the session (updateNeighbor in GoBGP's server.go), but
// each change is a call for each peer and a line in its log. Hence room is a power of
// two, and taken back only when it has been too large for a while: a neighbour takes its
// time to withdraw what we have withdrawn.

const (
	// roomUnused is by how many times room may exceed what it is for.
	roomUnused = 4
	// roomKept is how long it may do so, at least.
	roomKept = 10 * time.Minute
)

// room is what the limits of our peers allow beyond the configured ones.
type room struct {
	// of each family; one that is missing is 0.
	of map[object.Family]uint32
	// usedAt is when this much was needed last.
	usedAt map[object.Family]time.Time
}

// roomFor is the room for so many paths.
func roomFor(paths int) uint32 {
	if paths <= 0 {
		return 0
	}
	return uint32(1) << min(28, bits.Len32(uint32(min(paths, math.MaxInt32))-1))
}

// limitWith is the limit that GoBGP gets; no limit is none.
func limitWith(limit, room uint32) uint32 {
	if limit == 0 || limit > math.MaxUint32-room {
		return limit
	}
	return limit + room
}

// families are those that paths of ours can have.
func families() []object.Family {
	return []object.Family{object.IPv4Unicast, object.IPv6Unicast, object.L2VPNEVPN}
}

// makeRoom raises the limits of the peers where what is about to be announced needs it.
// What cannot be raised is tried again with the next paths.
func (b *Backend) makeRoom(ctx context.Context) {
	next, now, grows := map[object.Family]uint32{}, time.Now(), false
	for _, f := range families() {
		need := roomFor(b.mirror.announced(f))
		next[f] = max(need, b.room.of[f])
		grows = grows || need > b.room.of[f]
		if need*roomUnused > b.room.of[f] {
			b.room.used(f, now)
		}
	}
	if grows {
		b.setRoom(ctx, next)
	}
}

// giveRoomBack lowers the limits where most of the room has not been used for long. A
// neighbour that still has more than the lower limit allows keeps it.
func (b *Backend) giveRoomBack(ctx context.Context) {
	next, shrinks := map[object.Family]uint32{}, false
	for _, f := range families() {
		next[f] = b.room.of[f]
		need := roomFor(b.mirror.announced(f))
		if need*roomUnused <= next[f] && next[f] > 0 && time.Since(b.room.usedAt[f]) >= b.roomKept {
			next[f], shrinks = need, true
		}
	}
	if !shrinks {
		return
	}
	peers, err := b.speaker.Peers(ctx, "")
	if err != nil {
		return // the next change asks again
	}
	for _, p := range peers {
		for _, af := range p.GetAfiSafis() {
			f, ok := speaker.FamilyFromAPI(af.GetConfig().GetFamily())
			limit := speaker.PrefixLimitOf(af)
			if ok && limit != 0 && af.GetState().GetReceived() > uint64(limitWith(limit, next[f])) {
				next[f] = b.room.of[f]
			}
		}
	}
	b.setRoom(ctx, next)
}

// setRoom changes the limits of our peers. One that has exceeded its limit stays as it
// is: it comes back when its configuration changes.
func (b *Backend) setRoom(ctx context.Context, next map[object.Family]uint32) {
	before := b.room.of
	b.room.of = next
	for _, it := range b.mirror.set.SortedOf(object.KindPeer) {
		p, ok := it.Value.(object.Peer)
		if !ok || p.PrefixLimit == 0 {
			continue
		}
		if err := b.setLimits(ctx, p); err != nil {
			b.room.of = before
			b.log.Warn("prefix limit of a peer could not be changed: it may lose its session over paths of ours "+
				"that it sends back", slog.String("peer", p.Address), slog.Any("err", err))
		}
	}
}

func (b *Backend) setLimits(ctx context.Context, p object.Peer) error {
	now, err := b.ourPeer(ctx, p.Address)
	if err != nil || now == nil || overLimit(now) {
		return err
	}
	peer, err := b.peerToAPI(p, false)
	if err != nil {
		return err
	}
	if err := b.updatePeer(ctx, p, peer); err != nil {
		return fmt.Errorf("set the prefix limit: %w", err)
	}
	return nil
}

// used notes that most of the room of a family is needed.
func (r *room) used(f object.Family, now time.Time) {
	if r.usedAt == nil {
		r.usedAt = map[object.Family]time.Time{}
	}
	r.usedAt[f] = now
}

// found takes over the room that peers of ours have in a speaker: the least, because
// what one lacks has to be made.
func (r *room) found(peers []*api.Peer) {
	least := map[object.Family]uint32{}
	for _, p := range peers {
		if !speaker.IsOurPeer(p) || overLimit(p) {
			continue
		}
		for _, af := range p.GetAfiSafis() {
			f, ok := speaker.FamilyFromAPI(af.GetConfig().GetFamily())
			limit, has := speaker.PrefixLimitOf(af), af.GetPrefixLimits().GetMaxPrefixes()
			if !ok || limit == 0 || has == math.MaxUint32 {
				continue
			}
			have := has - min(has, limit)
			if known, seen := least[f]; !seen || have < known {
				least[f] = have
			}
		}
	}
	for f := range r.of {
		if _, seen := least[f]; !seen {
			least[f] = r.of[f] // no peer has it: one that comes gets as much
		}
	}
	r.of = least
}
