package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Announcements are what the speaker has of ours, and where it leaves.
type Announcements struct {
	// Paths are the paths, and the peers, of ours in the speaker.
	Paths object.Set
	peers []announcedTo
}

type announcedTo struct {
	address string
	as      uint32
	router  netip.Addr
	outlet  outlet
}

// Sent is one path at one neighbour.
type Sent struct {
	Peer string
	// AS and Router are the neighbour's AS number and BGP identifier.
	AS     uint32
	Router netip.Addr
	// NextHop is the one that the path leaves with.
	NextHop netip.Addr
}

// Announcements are what is announced to a neighbour, or to all of them with an empty
// address. Nothing is copied: the set is the mirror's.
func (b *Backend) Announcements(ctx context.Context, peer string) (*Announcements, error) {
	list, err := b.speaker.Peers(ctx, "")
	if err != nil {
		return nil, err
	}
	a := &Announcements{}
	for _, p := range list {
		if address := p.GetConf().GetNeighborAddress(); speaker.IsOurPeer(p) && (peer == "" || peer == address) {
			router, _ := netip.ParseAddr(p.GetState().GetRouterId()) // invalid without a session
			a.peers = append(a.peers, announcedTo{
				address, p.GetConf().GetPeerAsn(), router, outletOf(p, b.speaker.Sessions.Of(address)),
			})
		}
	}
	if peer != "" && len(a.peers) == 0 {
		return nil, fmt.Errorf("peer %.80q is not in the speaker; bgp-ovn bgp peers lists those that are", peer)
	}
	sorting.Sort(a.peers, func(x, y announcedTo) int { return strings.Compare(x.address, y.address) })
	b.mu.Lock()
	defer b.mu.Unlock()
	a.Paths = b.mirror.share()
	return a, nil
}

// Ours are the paths, and the peers, of ours in the speaker, as it was read or changed last.
// Nothing is copied, and the speaker is not asked; it waits for an Apply under way. An error
// says that the speaker is away.
func (b *Backend) Ours() (object.Set, error) {
	if err := b.speaker.Ready(); err != nil {
		return object.Set{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mirror.share(), nil
}

// Neighbours is text that is the same as long as what leaves on the sessions is.
func (a *Announcements) Neighbours() string { return fmt.Sprint(a.peers) }

// Ends are our ends of the sessions that are up, and how many are not.
func (a *Announcements) Ends() (ends []netip.Addr, down int) {
	for _, p := range a.peers {
		if p.outlet.local.IsValid() {
			ends = append(ends, p.outlet.local)
		} else {
			down++
		}
	}
	return ends, down
}

// To appends where a path of ours leaves.
func (a *Announcements) To(v object.Value, to []Sent) []Sent {
	for _, p := range a.peers {
		switch v := v.(type) {
		case object.Path:
			if hop, leaves := p.outlet.hop(v); leaves {
				to = append(to, Sent{p.address, p.as, p.router, hop})
			}
		case object.EVPNPath:
			if !p.outlet.held && slices.Contains(p.outlet.families, object.L2VPNEVPN) {
				to = append(to, Sent{p.address, p.as, p.router, v.NextHop})
			}
		}
	}
	return to
}
