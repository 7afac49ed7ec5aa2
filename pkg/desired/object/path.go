package object

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Family is a BGP address family (AFI and SAFI, RFC 4760).
type Family uint8

// The families that paths may belong to. Their names are those of RFC 4760
// practice: ipv4-unicast, ipv6-unicast, l2vpn-evpn.
const (
	IPv4Unicast Family = iota + 1
	IPv6Unicast
	L2VPNEVPN // RFC 7432: paths of kind EVPNPath
)

// FamilyOf is the unicast family of an address.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4Unicast
	}
	return IPv6Unicast
}

// ParseFamily reads a family's name.
func ParseFamily(s string) (Family, error) {
	for _, f := range []Family{IPv4Unicast, IPv6Unicast, L2VPNEVPN} {
		if f.String() == s {
			return f, nil
		}
	}
	return 0, fmt.Errorf("unknown address family %q: use ipv4-unicast, ipv6-unicast or l2vpn-evpn", s)
}

// String returns the family's name.
func (f Family) String() string {
	switch f {
	case IPv4Unicast:
		return "ipv4-unicast"
	case IPv6Unicast:
		return "ipv6-unicast"
	case L2VPNEVPN:
		return "l2vpn-evpn"
	default:
		return fmt.Sprintf("family(%d)", uint8(f))
	}
}

// MarshalText is String for JSON.
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Origin is the ORIGIN attribute (RFC 4271 section 5.1.1).
type Origin uint8

// The values of ORIGIN, numbered as on the wire.
const (
	OriginIGP Origin = iota
	OriginEGP
	OriginIncomplete
)

// String returns the origin's name.
func (o Origin) String() string {
	switch o {
	case OriginIGP:
		return "igp"
	case OriginEGP:
		return "egp"
	default:
		return "incomplete"
	}
}

// MarshalText is String for JSON.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// KindPath is a unicast BGP path that originates here.
const KindPath Kind = 13

var pathKind = kindOf[Path](traits{
	kind: KindPath, name: "path", key: pathKey, readKey: readPathKey, parse: parsePath,
	path: true, exported: true, marked: true, coexists: true, listed: true,
	oneHost: func(k Key) bool { return k.Prefix.IsSingleIP() },
})

// Path is one unicast BGP path that originates in our speaker.
type Path struct {
	Family Family       `json:"family"`
	Prefix netip.Prefix `json:"prefix"`
	// NextHop is the NEXT_HOP to send; the zero value stands for self: the
	// speaker puts in the local address of each session.
	NextHop NextHop `json:"next_hop"`
	Origin  Origin  `json:"origin"`
	// Communities are COMMUNITIES (RFC 1997), see CommunitiesOf.
	Communities Words `json:"communities,omitzero"`
	// LargeCommunities are LARGE_COMMUNITY (RFC 8092), see LargeCommunitiesOf.
	LargeCommunities Words `json:"large_communities,omitzero"`
	// MED is MULTI_EXIT_DISC (RFC 4271 section 5.1.4).
	MED Metric `json:"med,omitzero"`
	// LocalPref is LOCAL_PREF (RFC 4271 section 5.1.5), for IBGP neighbours
	// only.
	LocalPref Metric `json:"local_pref,omitzero"`
	// Prepend are numbers that AS_PATH begins with at us (RFC 4271 section 5.1.2): EBGP
	// adds our own to them. IBGP neighbours take our own AS for a loop.
	Prepend Prepend `json:"prepend,omitzero"`
}

// Prepend is one AS number, several times.
type Prepend struct {
	AS    uint32 `json:"as"`
	Times uint8  `json:"times"`
}

// String prints the numbers as AS_PATH has them.
func (p Prepend) String() string {
	return strings.TrimSuffix(strings.Repeat(strconv.FormatUint(uint64(p.AS), 10)+",", int(p.Times)), ",")
}

// MostPrepended is how often a number may be prepended.
const MostPrepended = 10

// GracefulShutdown is the community of what will be withdrawn soon (RFC 8326).
const GracefulShutdown = "65535:0"

// LastResort is what a path gets, beside the community, so that neighbours prefer any other.
type LastResort struct {
	// Prepend is for EBGP neighbours that do not heed the community.
	Prepend Prepend
	// LocalPref asks for LOCAL_PREF 0, for IBGP neighbours. It must not be where an EBGP
	// neighbour may return our own paths: our speaker would prefer these, withdraw ours, and
	// announce them again once they are gone, for ever.
	LocalPref bool
}

// defaultLocalPref is what a path counts as that has no LOCAL_PREF.
const defaultLocalPref = 100

// Lowered is the path as a last resort: neighbours prefer any other one (RFC 8326).
func (p Path) Lowered(by LastResort) Value {
	by.lower(&p.Communities, &p.LocalPref, &p.Prepend)
	return p
}

// lower makes a last resort of a path that has these attributes.
func (r LastResort) lower(communities *Words, localPref *Metric, prepend *Prepend) {
	*communities = WordsOf(append(communities.List(), GracefulShutdown)...)
	if r.LocalPref {
		*localPref = MetricOf(0)
	} else if localPref.Value > defaultLocalPref { // no IBGP neighbour is to prefer it to others
		*localPref = Metric{}
	}
	if r.Prepend.Times > 0 {
		*prepend = r.Prepend
	}
}

// NextHop is an address or, as the zero value, self.
type NextHop struct{ netip.Addr }

// String prints the address or the word self.
func (n NextHop) String() string {
	if !n.IsValid() {
		return "self"
	}
	return n.Addr.String()
}

// MarshalText is String for JSON.
func (n NextHop) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// NewPath is the path for prefix with ourselves as next hop.
func NewPath(prefix netip.Prefix, origin Origin) Path {
	return Path{Family: FamilyOf(prefix.Addr()), Prefix: prefix.Masked(), Origin: origin}
}

// Key is family and prefix (the NLRI).
func (p Path) Key() Key { return Key{Kind: KindPath, Num: uint32(p.Family), Prefix: p.Prefix} }

func pathKey(k Key) string { return Family(k.Num).String() + " " + k.Prefix.String() }

func readPathKey(f *fields) Key {
	family, err := ParseFamily(f.word())
	if err != nil && f.err == nil {
		f.err = err
	}
	return Key{Num: uint32(family), Prefix: f.prefix()}
}

// Attrs prints the path attributes.
func (p Path) Attrs() string {
	text := "next-hop " + p.NextHop.String() + " origin " + p.Origin.String()
	if !p.Communities.Empty() {
		text += " communities " + p.Communities.String()
	}
	if !p.LargeCommunities.Empty() {
		text += " large-communities " + p.LargeCommunities.String()
	}
	if p.MED.Set {
		text += " med " + p.MED.String()
	}
	if p.LocalPref.Set {
		text += " local-pref " + p.LocalPref.String()
	}
	if p.Prepend.Times > 0 {
		text += " prepend " + p.Prepend.String()
	}
	return text
}

// DependsOn is empty: what a path stands on is up to the driver.
func (p Path) DependsOn() []Key { return nil }

func parsePath(f *fields) (Value, error) {
	var p Path
	var err error
	if p.Family, err = ParseFamily(f.word()); err != nil && f.err == nil {
		f.err = err
	}
	p.Prefix = f.prefix()
	if hop := f.wordAfter("next-hop"); hop != "self" && f.err == nil {
		p.NextHop.Addr, f.err = netip.ParseAddr(hop)
	}
	f.literal("origin")
	p.Origin = f.origin()
	for f.more() {
		switch w := f.word(); w {
		case "communities":
			p.Communities = f.checked(CommunitiesOf)
		case "large-communities":
			p.LargeCommunities = f.checked(LargeCommunitiesOf)
		case "med":
			p.MED = MetricOf(uint32(f.number(32)))
		case "local-pref":
			p.LocalPref = MetricOf(uint32(f.number(32)))
		case "prepend":
			p.Prepend = f.prepend()
		default:
			return nil, f.unknown(w)
		}
	}
	return p, f.err
}

// prepend reads one AS number, several times.
func (f *fields) prepend() Prepend {
	list := strings.Split(f.word(), ",")
	as, err := strconv.ParseUint(list[0], 10, 32)
	same := !slices.ContainsFunc(list, func(s string) bool { return s != list[0] })
	if f.err == nil && (err != nil || as == 0 || !same || len(list) > MostPrepended) {
		f.err = fmt.Errorf("prepend: want the same AS number up to %d times, such as 64999,64999", MostPrepended)
	}
	return Prepend{AS: uint32(as), Times: uint8(min(len(list), MostPrepended))}
}

// checked reads a comma separated list.
func (f *fields) checked(of func(...string) (Words, error)) Words {
	list := strings.Split(f.word(), ",")
	if f.err != nil {
		return Words{}
	}
	var w Words
	w, f.err = of(list...)
	return w
}
