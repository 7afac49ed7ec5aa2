package bgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// LearnedPath is one of the best paths that neighbours announce for a prefix.
type LearnedPath struct {
	Prefix netip.Prefix
	// NextHop is NEXT_HOP or that of MP_REACH_NLRI, of either family (RFC 8950).
	NextHop netip.Addr
	// LinkLocal is the second next hop of RFC 2545 section 3, if there is one.
	LinkLocal netip.Addr
	// Peer is the neighbour's address as it is configured.
	Peer string
	// Stale is set while graceful restart keeps the path (RFC 4724 section 4.2).
	Stale bool
}

// Learned lists the best paths for a prefix, or for everything within it, by
// prefix and next hop. A prefix that originates here is not among them.
//
// Paths that are equally good are found here and not by GoBGP, whose setting
// for it would be another demand on a speaker that is not ours to set up.
func (b *Backend) Learned(ctx context.Context, within netip.Prefix, exact bool) ([]LearnedPath, error) {
	if err := b.speaker.ready(); err != nil {
		return nil, fmt.Errorf("list learned paths: %w", err)
	}
	peers, err := b.listPeers(ctx, &api.ListPeerRequest{})
	if err != nil {
		return nil, err
	}
	look := &api.TableLookupPrefix{Prefix: within.String()}
	if !exact {
		look.Type = api.TableLookupPrefix_LONGER
	}
	req := &api.ListPathRequest{
		TableType: api.TableType_GLOBAL, Family: familyToAPI(object.FamilyOf(within.Addr())),
		Prefixes: []*api.TableLookupPrefix{look}, EnableOnlyBinary: true,
	}
	var out []LearnedPath
	sources := sourcesOf(peers)
	err = b.speaker.ListPath(ctx, req, func(d *api.Destination) { out = append(out, bestOf(d, sources)...) })
	if err := whole(ctx, err); err != nil {
		return nil, fmt.Errorf("list learned paths within %s: %w", within, err)
	}
	slices.SortFunc(out, compareLearned)
	return out, nil
}

func compareLearned(a, b LearnedPath) int {
	if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
		return c
	}
	if a.Prefix.Bits() != b.Prefix.Bits() {
		return a.Prefix.Bits() - b.Prefix.Bits()
	}
	if c := a.NextHop.Compare(b.NextHop); c != 0 {
		return c
	}
	return strings.Compare(a.Peer, b.Peer)
}

// Sessions counts the neighbours, and those whose sessions are up.
func (b *Backend) Sessions(ctx context.Context) (all, up int, err error) {
	peers, err := b.listPeers(ctx, &api.ListPeerRequest{})
	for _, p := range peers {
		if stateFromAPI(p.GetState().GetSessionState()) == Established {
			up++
		}
	}
	return len(peers), up, err
}

// watcher is a speaker that tells of changes.
type watcher interface {
	WatchEvent(context.Context, *api.WatchEventRequest, func(*api.WatchEventResponse)) error
}

// Heard is what an event of WatchLearned was about.
type Heard struct{ Unicast, EVPN bool }

// WatchLearned calls heard after each UPDATE from a neighbour and each change of
// a session, until the context ends. It returns false where the speaker does not
// tell: then it has to be asked. Nothing is said of the end of a graceful
// restart, when stale paths go.
//
// GoBGP's events of best paths would say more, but for each of our own paths
// too, of which there may be 100,000.
func (b *Backend) WatchLearned(ctx context.Context, heard func(Heard)) (bool, error) {
	w, ok := b.speaker.(watcher)
	if !ok {
		return false, nil
	}
	req := &api.WatchEventRequest{
		Peer: &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
			{Type: api.WatchEventRequest_Table_Filter_ADJIN},
		}},
	}
	err := w.WatchEvent(ctx, req, func(r *api.WatchEventResponse) { heard(heardIn(r.GetTable().GetPaths())) })
	if err != nil {
		return false, fmt.Errorf("watch learned paths: %w", err)
	}
	return true, nil
}

// heardIn is what paths are about; none are the event of a session.
func heardIn(paths []*api.Path) (h Heard) {
	for _, p := range paths {
		family, _ := familyFromAPI(p.GetFamily())
		h.EVPN = h.EVPN || family == object.L2VPNEVPN
		h.Unicast = h.Unicast || family != object.L2VPNEVPN
	}
	if len(paths) == 0 {
		return Heard{Unicast: true, EVPN: true}
	}
	return h
}

// bestOf picks the paths that are as good as the first, which is GoBGP's best.
func bestOf(d *api.Destination, sources sources) []LearnedPath {
	var out []LearnedPath
	var best rank
	for _, p := range d.Paths {
		if p.NeighborIp == localSource {
			return nil // ours is better than anybody's, and comes first
		}
		if p.IsNexthopInvalid || p.IsWithdraw {
			continue
		}
		path, r, ok := learnedFromAPI(p)
		from := sources.of(p)
		r.external = from.external
		switch {
		case !ok:
		case len(out) == 0:
			best = r
			fallthrough
		case r == best:
			path.Peer = from.name
			out = append(out, path)
		}
	}
	return out
}

// rank is what two paths must have in common to share the traffic: the steps
// of RFC 4271 section 9.1.2.2 before the next hop's cost, with the length of
// AS_PATH for its contents.
type rank struct {
	external        bool
	preference, med uint32
	length          int
	origin          uint8
}

func learnedFromAPI(p *api.Path) (path LearnedPath, r rank, ok bool) {
	family, ok := familyFromAPI(p.Family)
	if !ok {
		return path, r, false
	}
	if path.Prefix, ok = prefixOf(family, p.NlriBinary); !ok {
		return path, r, false
	}
	path.Stale = p.Stale
	r = rank{preference: 100}
	for _, raw := range p.PattrsBinary {
		attr, err := bgp.GetPathAttribute(raw)
		if err != nil || attr.DecodeFromBytes(raw) != nil {
			continue
		}
		switch a := attr.(type) {
		case *bgp.PathAttributeOrigin:
			r.origin = a.Value
		case *bgp.PathAttributeAsPath:
			for _, segment := range a.Value {
				r.length += segment.ASLen()
			}
		case *bgp.PathAttributeLocalPref:
			r.preference = a.Value
		case *bgp.PathAttributeMultiExitDisc:
			r.med = a.Value
		case *bgp.PathAttributeNextHop:
			path.NextHop = addrOf(a.Value)
		case *bgp.PathAttributeMpReachNLRI:
			path.NextHop, path.LinkLocal = addrOf(a.Nexthop), addrOf(a.LinkLocalNexthop)
		}
	}
	return path, r, path.NextHop.IsValid() || path.LinkLocal.IsValid()
}

// addrOf leaves out what is no next hop: FRR sends :: where it has only a
// link-local one.
func addrOf(ip net.IP) netip.Addr {
	addr, ok := netip.AddrFromSlice(ip)
	if !ok || addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// source is the neighbour that a path comes from.
type source struct {
	name     string // its address as it is configured
	external bool   // the session is one of EBGP; GoBGP's paths do not say so
}

// sources are the neighbours by the address that paths have, without the zone.
type sources map[string]source

func sourcesOf(peers []*api.Peer) sources {
	out := make(sources, len(peers))
	for _, p := range peers {
		bare, _, _ := strings.Cut(p.GetConf().GetNeighborAddress(), "%")
		out[bare] = source{
			name:     p.GetConf().GetNeighborAddress(),
			external: p.GetConf().GetPeerAsn() != p.GetConf().GetLocalAsn(),
		}
	}
	return out
}

func (s sources) of(p *api.Path) source {
	if from, ok := s[p.NeighborIp]; ok {
		return from
	}
	return source{name: p.NeighborIp}
}
