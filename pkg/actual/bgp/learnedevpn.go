package bgp

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// LearnedEVPN is the best path that neighbours announce for an EVPN NLRI. The
// fields are those of observe.EVPNRoute.
type LearnedEVPN struct {
	Type        object.EVPNType
	RD          string
	EthernetTag uint32
	// Segment is ten octets with colons, empty for none.
	Segment string
	MAC     object.MAC
	Prefix  netip.Prefix
	Gateway netip.Addr
	// VNI is the first label, for a multicast route that of its tunnel; VNI2 is
	// the second one of a MAC/IP route.
	VNI, VNI2 uint32
	NextHop   netip.Addr
	Targets   object.Words
	RouterMAC object.MAC
	Mobility  object.Metric
	Sticky    bool

	// What paths of different NLRIs are compared by: LOCAL_PREF or 100, the
	// length of AS_PATH, ORIGIN, MULTI_EXIT_DISC or 0, and whether it came over
	// EBGP.
	Preference uint32
	Length     int
	Origin     object.Origin
	MED        uint32
	External   bool

	// Peer is the neighbour's address as it is configured.
	Peer string
	// Stale is set while graceful restart keeps the path (RFC 4724 section 4.2).
	Stale bool
}

// LearnedEVPN lists the best path of each EVPN NLRI, by type, route
// distinguisher, MAC, prefix and next hop. NLRIs that originate here are not
// among them, nor are types that are not known and tunnels that are not VXLAN's.
// What is malformed is left out and said once.
func (b *Backend) LearnedEVPN(ctx context.Context) ([]LearnedEVPN, error) {
	if err := b.speaker.ready(); err != nil {
		return nil, fmt.Errorf("list learned EVPN paths: %w", err)
	}
	peers, err := b.listPeers(ctx, &api.ListPeerRequest{})
	if err != nil {
		return nil, err
	}
	req := &api.ListPathRequest{TableType: api.TableType_GLOBAL, Family: familyToAPI(object.L2VPNEVPN), EnableOnlyBinary: true}
	var out []LearnedEVPN
	bad := make(map[string]error)
	sources := sourcesOf(peers)
	err = b.speaker.ListPath(ctx, req, func(d *api.Destination) {
		if p := bestRemote(d); p != nil {
			r, err := learnedEVPNFromAPI(p)
			switch {
			case err == nil:
				r.Peer, r.External = sources.of(p).name, sources.of(p).external
				out = append(out, r)
			case !errors.Is(err, errOtherType):
				bad[sources.of(p).name+" "+hex.EncodeToString(p.NlriBinary)] = err
			}
		}
	})
	if err := whole(ctx, err); err != nil {
		return nil, fmt.Errorf("list learned EVPN paths: %w", err)
	}
	b.sayMalformed(bad)
	slices.SortFunc(out, compareEVPN)
	return out, nil
}

// bestRemote is the path that GoBGP prefers, unless the NLRI originates here.
func bestRemote(d *api.Destination) *api.Path {
	var best *api.Path
	for _, p := range d.Paths {
		if p.NeighborIp == localSource {
			return nil
		}
		if best == nil && !p.IsNexthopInvalid && !p.IsWithdraw {
			best = p
		}
	}
	return best
}

// sayMalformed logs what was not there the last time.
func (b *Backend) sayMalformed(bad map[string]error) {
	b.mu.Lock()
	known := b.malformed
	b.malformed = bad
	b.mu.Unlock()
	for key, err := range bad {
		if _, said := known[key]; !said {
			peer, nlri, _ := strings.Cut(key, " ")
			b.log.Warn("EVPN path of a neighbour is left out", slog.String("peer", peer), slog.String("nlri", nlri), slog.Any("err", err))
		}
	}
}

// learnedEVPNFromAPI wraps errOtherType around what is none of our business.
func learnedEVPNFromAPI(p *api.Path) (l LearnedEVPN, err error) {
	r, err := parseEVPN(p.NlriBinary)
	if err != nil {
		return l, err
	}
	a, ok := readEVPNAttrs(p.PattrsBinary)
	switch {
	case !ok:
		return l, errors.New("malformed attributes, or no next hop")
	case len(a.tunnels) > 0 && !slices.Contains(a.tunnels, bgp.TUNNEL_TYPE_VXLAN):
		return l, fmt.Errorf("encapsulation %d: %w", a.tunnels[0], errOtherType)
	case r.kind == object.EVPNMulticast && !a.hasFlood:
		return l, errors.New("multicast route without a tunnel (RFC 7432 section 11.2)")
	case r.kind == object.EVPNMulticast && a.floodType != bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL:
		return l, fmt.Errorf("tunnel %d: %w", a.floodType, errOtherType)
	}
	l = LearnedEVPN{
		Type: r.kind, RD: r.rd, EthernetTag: r.tag, Segment: r.segmentText(), MAC: r.mac, Prefix: r.prefix, Gateway: r.gateway,
		VNI: r.label, VNI2: r.label2, NextHop: a.hop, Targets: a.targets, RouterMAC: a.routerMAC, Mobility: a.mobility, Sticky: a.sticky,
		Preference: 100, Origin: a.origin, Stale: p.Stale,
	}
	if r.kind == object.EVPNMulticast {
		l.VNI = a.flood
	}
	return l, l.readRank(p.PattrsBinary)
}

func (l *LearnedEVPN) readRank(list [][]byte) error {
	for _, raw := range list {
		kind, _, _ := attribute(raw)
		if kind != bgp.BGP_ATTR_TYPE_AS_PATH && kind != bgp.BGP_ATTR_TYPE_LOCAL_PREF && kind != bgp.BGP_ATTR_TYPE_MULTI_EXIT_DISC {
			continue
		}
		attr, err := bgp.GetPathAttribute(raw)
		if err == nil {
			err = attr.DecodeFromBytes(raw)
		}
		if err != nil {
			return fmt.Errorf("attribute %d: %w", kind, err)
		}
		switch a := attr.(type) {
		case *bgp.PathAttributeAsPath:
			for _, segment := range a.Value {
				l.Length += segment.ASLen()
			}
		case *bgp.PathAttributeLocalPref:
			l.Preference = a.Value
		case *bgp.PathAttributeMultiExitDisc:
			l.MED = a.Value
		}
	}
	return nil
}

func compareEVPN(a, b LearnedEVPN) int {
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
