package rib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// LearnedEVPN lists the best path of each EVPN NLRI, by type, route
// distinguisher, MAC, prefix and next hop. NLRIs that originate here are not
// among them, nor are types that are not supported and tunnels that are not VXLAN's.
// What is malformed is left out and logged once.
func (t *Table) LearnedEVPN(ctx context.Context) ([]observe.EVPNRoute, error) {
	if err := t.conn.Ready(); err != nil {
		return nil, fmt.Errorf("list learned EVPN paths: %w", err)
	}
	peers, err := t.conn.Peers(ctx, "")
	if err != nil {
		return nil, err
	}
	req := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: bgp.RF_EVPN}
	var out []observe.EVPNRoute
	bad := make(map[string]error)
	sources := sourcesOf(peers)
	err = t.conn.ListPaths(ctx, req, func(paths []*apiutil.Path) {
		if p := bestRemote(paths, sources); p != nil {
			r, err := learnedEVPNOf(p)
			switch {
			case err == nil:
				r.Peer, r.Rank.External = sources.of(p).name, sources.of(p).external
				out = append(out, r)
			case !errors.Is(err, speaker.ErrOtherType):
				bad[sources.of(p).name+" "+p.Nlri.String()] = err
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list learned EVPN paths: %w", err)
	}
	t.reportMalformed(bad)
	sorting.Sort(out, compareEVPN)
	return out, nil
}

// bestRemote is the path that GoBGP prefers, unless the NLRI originates here.
func bestRemote(paths []*apiutil.Path, sources sources) *apiutil.Path {
	var best *apiutil.Path
	for _, p := range paths {
		if speaker.IsLocal(p) {
			return nil
		}
		if best == nil && !p.IsNexthopInvalid && !p.Withdrawal && !sources.of(p).loops(p) {
			best = p
		}
	}
	return best
}

// reportMalformed logs what was not there the last time.
func (t *Table) reportMalformed(bad map[string]error) {
	t.mu.Lock()
	reported := t.malformed
	t.malformed = bad
	t.mu.Unlock()
	for key, err := range bad {
		if _, before := reported[key]; !before {
			peer, nlri, _ := strings.Cut(key, " ")
			t.log.Warn("EVPN path of a neighbour cannot be read and is not used",
				slog.String("peer", peer), slog.String("nlri", nlri), slog.Any("err", err))
		}
	}
}

// learnedEVPNOf wraps speaker.ErrOtherType around what is none of our business.
func learnedEVPNOf(p *apiutil.Path) (l observe.EVPNRoute, err error) {
	octets, err := speaker.OctetsOf(p)
	if err != nil {
		return l, err
	}
	r, err := speaker.ParseEVPN(octets.NLRI)
	if err != nil {
		return l, err
	}
	a, ok := speaker.ReadEVPNAttributes(octets.Attributes)
	switch {
	case !ok:
		return l, errors.New("malformed attributes, or no next hop")
	case len(a.Tunnels) > 0 && !slices.Contains(a.Tunnels, bgp.TUNNEL_TYPE_VXLAN):
		return l, fmt.Errorf("encapsulation %d: %w", a.Tunnels[0], speaker.ErrOtherType)
	case r.Type == object.EVPNMulticast && !a.HasFlood:
		return l, errors.New("multicast route without a tunnel (RFC 7432 section 11.2)")
	case r.Type == object.EVPNMulticast && a.FloodType != bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL:
		return l, fmt.Errorf("tunnel %d: %w", a.FloodType, speaker.ErrOtherType)
	}
	l = observe.EVPNRoute{
		Type: r.Type, RD: r.RD, EthernetTag: r.Tag, Segment: r.SegmentText(), MAC: r.MAC,
		Prefix: r.Prefix, Gateway: r.Gateway, VNI: r.Label, VNI2: r.Label2, NextHop: a.NextHop,
		Targets: a.Targets, RouterMAC: a.RouterMAC, Mobility: a.Mobility, Sticky: a.Sticky,
		Rank: observe.Rank{Preference: defaultPreference, Origin: a.Origin}, Stale: p.Stale,
	}
	if r.Type == object.EVPNMulticast {
		l.VNI = a.Flood
	}
	readRank(&l.Rank, p.Attrs)
	return l, nil
}

// readRank reads what paths of different NLRIs are compared by.
func readRank(r *observe.Rank, list []bgp.PathAttributeInterface) {
	for _, attr := range list {
		switch a := attr.(type) {
		case *bgp.PathAttributeAsPath:
			for _, segment := range a.Value {
				r.Length += segment.ASLen()
			}
		case *bgp.PathAttributeLocalPref:
			r.Preference = a.Value
		case *bgp.PathAttributeMultiExitDisc:
			r.MED = a.Value
		}
	}
}

// compareEVPN orders routes so that equal tables compare equal, in the order that
// LearnedEVPN documents.
func compareEVPN(a, b observe.EVPNRoute) int {
	return cmp.Or(
		cmp.Compare(a.Type, b.Type),
		strings.Compare(a.RD, b.RD),
		slices.Compare(a.MAC[:], b.MAC[:]),
		a.Prefix.Addr().Compare(b.Prefix.Addr()),
		cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		a.NextHop.Compare(b.NextHop),
		cmp.Compare(a.EthernetTag, b.EthernetTag),
		strings.Compare(a.Peer, b.Peer),
	)
}
