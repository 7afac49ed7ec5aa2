package bgp

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	// countedMost bounds what is listed for a count: GoBGP's one loop does nothing else
	// meanwhile.
	countedMost = 50_000
	// settled is how long after an UPDATE is counted its paths are surely listed.
	settled = time.Second
)

// loops counts what neighbours send back to us: GoBGP takes it for accepted, see
// [speaker.AnyOwnAS]. It is listed again only once the neighbour has sent something.
type loops struct {
	mu    sync.Mutex
	known map[received]counted
}

// received is one family of a neighbour after so many of its UPDATE messages.
type received struct {
	address         string
	family          object.Family
	up              int64 // since when, in seconds since 1970
	updates         uint64
	received, taken uint64
	allowed         uint8
}

// counted is what came out, and when that state was seen first and listed last.
type counted struct {
	n            uint64
	seen, listed time.Time
}

// count is how many paths of a family that a neighbour announces have our own AS more
// often than they may.
func (l *loops) count(ctx context.Context, conn *speaker.Conn, p *api.Peer, f FamilyState) uint64 {
	if f.Received == 0 || f.Received > countedMost {
		return 0
	}
	s := received{
		p.GetConf().GetNeighborAddress(), f.Family, p.GetTimers().GetState().GetUptime().GetSeconds(),
		p.GetState().GetMessages().GetReceived().GetUpdate(), f.Received, f.Accepted, speaker.AllowOwnASOf(p),
	}
	now := time.Now()
	l.mu.Lock()
	c, ok := l.known[s]
	l.mu.Unlock()
	if ok && c.listed.Sub(c.seen) > settled {
		return c.n
	}
	if !ok {
		c.seen = now
	}
	c.n, c.listed = 0, now
	own := p.GetConf().GetLocalAsn()
	err := conn.ListPaths(ctx, apiutil.ListPathRequest{
		TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: s.address, Family: speaker.WireFamily(f.Family),
	}, func(paths []*apiutil.Path) {
		for _, path := range paths {
			if speaker.Loops(path, own, s.allowed) {
				c.n++
			}
		}
	})
	if err != nil {
		return 0 // the neighbour was deleted meanwhile, or the next call tells that the speaker is away
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = map[received]counted{}
	}
	maps.DeleteFunc(l.known, func(o received, _ counted) bool { return o.address == s.address && o.family == s.family })
	l.known[s] = c
	return c.n
}

// keep forgets neighbours that are no more.
func (l *loops) keep(peers []PeerState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.known, func(s received, _ counted) bool {
		return !slices.ContainsFunc(peers, func(p PeerState) bool { return p.Address == s.address })
	})
}
