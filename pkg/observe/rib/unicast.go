package rib

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Table is what a speaker has learned, in both of its forms.
type Table struct {
	conn *speaker.Conn
	log  *slog.Logger

	mu sync.Mutex // guards what follows
	// malformed are EVPN paths of neighbours that have been reported.
	malformed map[string]error
}

// TableOf is the table of a speaker. What neighbours announce and cannot be read is
// reported to the logger, once.
func TableOf(conn *speaker.Conn, log *slog.Logger) *Table {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Table{conn: conn, log: log}
}

// WatchLearned notifies of changes; see [speaker.Conn.WatchLearned].
func (t *Table) WatchLearned(ctx context.Context, heard func(speaker.Heard)) (notifies bool, err error) {
	return t.conn.WatchLearned(ctx, heard)
}

// Learned lists the best paths for a prefix, or for everything within it, by
// prefix and next hop. A prefix that originates here is not among them.
//
// Paths that are equally good are found here and not by GoBGP, whose setting
// for it would be another demand on a speaker that is not ours to set up.
func (t *Table) Learned(ctx context.Context, within netip.Prefix, exact bool) ([]observe.LearnedPath, error) {
	if err := t.conn.Ready(); err != nil {
		return nil, fmt.Errorf("list learned paths: %w", err)
	}
	peers, err := t.conn.Peers(ctx, "")
	if err != nil {
		return nil, err
	}
	lookup := &apiutil.LookupPrefix{Prefix: within.String()}
	if !exact {
		lookup.LookupOption = apiutil.LOOKUP_LONGER
	}
	req := apiutil.ListPathRequest{
		TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: speaker.WireFamily(object.FamilyOf(within.Addr())),
		Prefixes: []*apiutil.LookupPrefix{lookup},
	}
	var out []observe.LearnedPath
	sources := sourcesOf(peers)
	err = t.conn.ListPaths(ctx, req, func(paths []*apiutil.Path) { out = append(out, bestOf(paths, sources)...) })
	if err != nil {
		return nil, fmt.Errorf("list learned paths within %s: %w", within, err)
	}
	sorting.Sort(out, compare)
	return out, nil
}

// Sessions counts the neighbours, and those whose sessions are up.
func (t *Table) Sessions(ctx context.Context) (all, up int, err error) {
	peers, err := t.conn.Peers(ctx, "")
	for _, p := range peers {
		if speaker.StateOf(p) == speaker.Established {
			up++
		}
	}
	return len(peers), up, err
}

// bestOf picks the paths that are as good as the first, which is GoBGP's best.
func bestOf(paths []*apiutil.Path, sources sources) []observe.LearnedPath {
	var out []observe.LearnedPath
	var best rank
	for _, p := range paths {
		if speaker.IsLocal(p) {
			return nil // ours is preferred to all others, and comes first
		}
		from := sources.of(p)
		if p.IsNexthopInvalid || p.Withdrawal || from.loops(p) {
			continue
		}
		path, r, ok := learnedOf(p)
		r.external = from.external
		switch {
		case !ok:
		case len(out) == 0:
			best = r // GoBGP lists its best path first
			fallthrough
		case r == best:
			path.Peer = from.name
			out = append(out, path)
		}
	}
	return out
}

// defaultPreference is that of a path without LOCAL_PREF, as in GoBGP. EBGP sessions do
// not carry the attribute (RFC 4271 section 5.1.5).
const defaultPreference = 100

// rank is what two paths must have in common to share the traffic: the steps
// of RFC 4271 section 9.1.2.2 before the next hop's cost, with the length of
// AS_PATH for its contents.
type rank struct {
	external        bool
	preference, med uint32
	length          int
	origin          uint8
}

// learnedOf reads a path. It is not ok without a next hop.
func learnedOf(p *apiutil.Path) (path observe.LearnedPath, r rank, ok bool) {
	if _, path.Prefix, ok = speaker.PrefixOf(p); !ok {
		return path, r, false
	}
	path.Stale = p.Stale
	r = rank{preference: defaultPreference}
	for _, attr := range p.Attrs {
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
			path.NextHop, path.LinkLocal = addrOf(a.Nexthop), linkLocalOf(p, a)
		}
	}
	return path, r, path.NextHop.IsValid() || path.LinkLocal.IsValid()
}

// linkLocalOf is the link-local next hop of a path. GoBGP loses it where the other one is ::,
// as of BIRD on a link without other addresses: it is the neighbour's own address then.
func linkLocalOf(p *apiutil.Path, a *bgp.PathAttributeMpReachNLRI) netip.Addr {
	from := p.PeerAddress
	if !a.LinkLocalNexthop.IsValid() && a.Nexthop.IsUnspecified() && from.Is6() && from.IsLinkLocalUnicast() {
		return from.WithZone("")
	}
	return addrOf(a.LinkLocalNexthop)
}

// addrOf leaves out what is no next hop: FRR sends :: where it has only a
// link-local one.
func addrOf(addr netip.Addr) netip.Addr {
	if addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// source is the neighbour that a path comes from.
type source struct {
	name     string // its address as it is configured
	external bool   // the session is one of EBGP; GoBGP's paths do not carry it
	// own is our AS number towards it, and allowed how often a path may have that.
	own     uint32
	allowed uint8
}

// loops reports whether a path has come to us before (see speaker.AnyOwnAS).
func (s source) loops(p *apiutil.Path) bool { return s.own != 0 && speaker.Loops(p, s.own, s.allowed) }

// sources are the neighbours by their address, and by the same without its zone, which one
// of several link-local neighbours has.
type sources map[string]source

// sourcesOf indexes the neighbours of a listing, once for all of its paths.
func sourcesOf(peers []*api.Peer) sources {
	out := make(sources, len(peers))
	for _, p := range peers {
		from := source{
			name:     p.GetConf().GetNeighborAddress(),
			external: p.GetConf().GetPeerAsn() != p.GetConf().GetLocalAsn(),
			own:      p.GetConf().GetLocalAsn(), allowed: speaker.AllowOwnASOf(p),
		}
		bare, _, _ := strings.Cut(from.name, "%")
		out[bare], out[from.name] = from, from
	}
	return out
}

// of is the neighbour of a path; one that was deleted during the listing has only the
// address of the path.
func (s sources) of(p *apiutil.Path) source {
	if from, ok := s[p.PeerAddress.String()]; ok {
		return from
	}
	bare := p.PeerAddress.WithZone("").String()
	if from, ok := s[bare]; ok {
		return from
	}
	return source{name: bare}
}
