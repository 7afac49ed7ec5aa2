package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// segmentMost is how many AS numbers a segment of an AS_PATH holds (RFC 4271 section 4.3).
const segmentMost = 255

// deferred are the peers that have our paths (see release) while GoBGP, which is
// restarting, still sends them nothing: neither changes, which it makes good when the
// restart ends, nor withdrawals, which it then has forgotten. Until then we send both.
func (b *Backend) deferred(ctx context.Context) []*api.Peer {
	var list []*api.Peer
	for _, address := range b.speaker.Sessions.AllReleased() {
		now, err := b.speaker.Peers(ctx, address)
		switch {
		case err != nil:
			b.mirror.doubt = true
		case len(now) == 1 && isRestarting(now[0]):
			list = append(list, now[0])
		default:
			b.speaker.Sessions.Unrelease(address)
		}
	}
	return list
}

// move performs announcements and withdrawals, and makes sure that they leave although
// the speaker is restarting. The errors are by path, as those of MovePaths.
//
// GoBGP withdraws from a restarting peer only what it finds, when it announces
// everything again, in its table and not fit for the peer. So a path that is to go
// is first changed into one that no peer may get: the AS_PATH has their ASes (RFC 4271
// section 9.1.2). Peers that are not restarting are sent the withdrawal at that.
func (b *Backend) move(ctx context.Context, paths []*apiutil.Path) []error {
	peers := b.deferred(ctx)
	if len(peers) == 0 {
		return b.speaker.MovePaths(ctx, paths)
	}
	first := slices.Clone(paths)
	var last []*apiutil.Path
	var of []int
	if going := goingOf(paths); len(going) > 0 {
		barred := bgp.NewPathAttributeAsPath(segments(b.neighbourASes(ctx, peers)))
		for _, i := range going {
			first[i] = bar(paths[i], barred)
			last, of = append(last, paths[i]), append(of, i)
		}
	}
	failed := b.speaker.MovePaths(ctx, first)
	for _, p := range peers {
		address := p.GetConf().GetNeighborAddress()
		if err := b.announceAll(ctx, address); err != nil {
			// Withdrawn now, what goes would stay with the peer until its session ends. It stays
			// barred, is found so by the next read, and is withdrawn by another attempt.
			b.mirror.doubt = true
			b.log.Warn("changes wait for the neighbours' End-of-RIB", slog.String("peer", address), slog.Any("err", err))
			for _, i := range of {
				failed[i] = err
			}
			return failed
		}
	}
	for i, err := range b.speaker.MovePaths(ctx, last) {
		failed[of[i]] = err // whether it was barred before matters no longer
	}
	return failed
}

// goingOf are the withdrawals, by index, after which the path is not announced again.
func goingOf(paths []*apiutil.Path) []int {
	var list []int
	seen := make(map[string]bool, len(paths))
	for i, p := range slices.Backward(paths) {
		key := fmt.Sprint(p.Family, p.Nlri)
		if !seen[key] && p.Withdrawal {
			list = append(list, i)
		}
		seen[key] = true
	}
	slices.Reverse(list)
	return list
}

// bar is the path with an AS_PATH for which peers may not get it.
func bar(p *apiutil.Path, asPath *bgp.PathAttributeAsPath) *apiutil.Path {
	barred := *p
	barred.Withdrawal = false
	barred.Attrs = slices.DeleteFunc(slices.Clone(p.Attrs), func(a bgp.PathAttributeInterface) bool {
		return a.GetType() == bgp.BGP_ATTR_TYPE_AS_PATH
	})
	barred.Attrs = append(barred.Attrs, asPath)
	return &barred
}

// neighbourASes are those of all peers, in order; of the given ones at least.
func (b *Backend) neighbourASes(ctx context.Context, peers []*api.Peer) []uint32 {
	all, err := b.speaker.Peers(ctx, "")
	if err != nil {
		b.mirror.doubt = true
	}
	var list []uint32
	for _, p := range slices.Concat(all, peers) {
		for _, as := range []uint32{p.GetState().GetPeerAsn(), p.GetConf().GetPeerAsn()} {
			if as != 0 {
				list = append(list, as)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// segments are AS numbers as AS_SEQUENCEs.
func segments(ases []uint32) []bgp.AsPathParamInterface {
	var list []bgp.AsPathParamInterface
	for chunk := range slices.Chunk(ases, segmentMost) {
		list = append(list, bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, chunk))
	}
	return list
}
