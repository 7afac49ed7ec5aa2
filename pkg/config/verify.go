package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// Verify is the key bgp.verify.
type Verify struct {
	// Hold is how long an announced prefix may be missing at a looking point before that is a
	// problem.
	Hold time.Duration
	// RouterID is our BGP identifier on sessions with looking points; invalid takes one that
	// is made of the speaker's.
	RouterID netip.Addr
	// Points are the looking points, in the order of the file.
	Points []LookingPoint
}

// LookingPoint is a router that sends everything it has, to compare with what we sent.
type LookingPoint struct {
	// Address is the router's, with a zone if it is link-local.
	Address  string
	AS       uint32
	Port     uint16
	Password string
	// LocalAddress is our end; invalid leaves it to the kernel. LocalAS is the AS that we say
	// is ours; 0 is bgp.as.
	LocalAddress netip.Addr
	LocalAS      uint32
	// BMPPort is our port on which the router's BMP session (RFC 7854) is accepted, in place of
	// a BGP session with it; 0 for a BGP session.
	BMPPort uint16
	// Covering says that a shorter prefix counts as found.
	Covering bool
	// Ignore are attributes that the fabric may change, separated by commas.
	Ignore string
}

// Ignored are the attributes of Ignore.
func (p LookingPoint) Ignored() []string {
	return strings.FieldsFunc(p.Ignore, func(r rune) bool { return r == ',' })
}

const defaultVerifyHold = 30 * time.Second

// verifyKeys are those of bgp.verify.
func verifyKeys(v *Verify) []key.Key {
	return []key.Key{
		key.Elements(&v.Points, "bgp.verify.points", "point",
			"a looking point: a router that sends everything it has, to compare with what we sent, as address=...,as=..."+
				"[,port=...][,password=...][,local_address=...][,local_as=...][,bmp_port=...]"+
				"[,covering][,ignore=a+b]; may be repeated",
			func() LookingPoint { return LookingPoint{Port: defaultPeerPort} }, pointKeys, nil).Reloads(),
		key.Seconds(&v.Hold, "bgp.verify.hold",
			"seconds that an announced prefix may be missing at a looking point before that is a problem",
			key.Range[int64]{Low: 5, High: key.MaxSeconds, Use: "use 5 seconds or more"}).Reloads(),
		addrKey(&v.RouterID, "bgp.verify.router_id",
			"our BGP identifier on sessions with looking points (default: bgp.router_id with one bit changed)",
			checkRouterID).Reloads(),
	}
}

// pointKeys are those of one element of bgp.verify.points.
func pointKeys(p *LookingPoint) []key.Key {
	ignore := key.Listed(&p.Ignore, "ignore",
		"attributes that the fabric may change: any of "+strings.Join(verifyAttributes(), ", "), parseAttribute,
		func(list []string) string { return strings.Join(list, ",") },
		func(string) []string { return p.Ignored() })
	return []key.Key{
		key.Parsed(&p.Address, "address", "string", "the router's IP address", parseNeighbour,
			func(s string) string { return s }).Needed("set the router's IP address"),
		key.Parsed(&p.AS, "as", "int", "its autonomous system number", ParseAS, printUint32).
			Needed("set the router's autonomous system number"),
		key.Number(&p.Port, "port", "its TCP port", key.Range[uint16]{Low: 1, High: 65535, Use: "use 1 to 65535"}),
		key.Text(&p.Password, "password", "TCP MD5 key (RFC 2385), up to 80 bytes; never printed", checkPassword).Hide(),
		key.Parsed(&p.Password, "password_file", "string",
			"file that holds the password and nothing else, which not everybody may read; read at the start and by reload",
			readPassword, func(string) string { return "" }).Hide(),
		addrKey(&p.LocalAddress, "local_address", "our end of the session; needed if the router is a peer, too", checkLocal).
			Or("the kernel's choice"),
		key.Parsed(&p.LocalAS, "local_as", "int", "the autonomous system number that we say is ours", ParseAS,
			func(as uint32) string {
				if as == 0 {
					return ""
				}
				return printUint32(as)
			}).Or("bgp.as"),
		key.Number(&p.BMPPort, "bmp_port",
			"our TCP port on which the router's BMP session is accepted (RFC 7854), in place of a BGP session with it; 0 for "+
				"a BGP session", key.Range[uint16]{Low: 0, High: 65535, Use: "use 0 to 65535"}),
		key.Bool(&p.Covering, "covering", "a shorter prefix that contains ours counts as found: the fabric summarises"),
		ignore.Or("none").Offering(verifyAttributes()...),
	}
}

// verifyAttributes are those that are compared, as package verify names them.
func verifyAttributes() []string {
	return []string{
		"as-path", "next-hop", "origin", "med", "local-pref", "communities", "large-communities", "route-targets", "vni",
		"router-mac", "encapsulation",
	}
}

func parseAttribute(text string) (string, error) {
	for _, a := range verifyAttributes() {
		if text == a {
			return a, nil
		}
	}
	return "", key.Wrong("use "+key.OneOf(verifyAttributes()), "unknown attribute %s", key.Quote(text))
}

// checkPoints compares the looking points with each other and with the neighbours. A router
// tells sessions apart by their two addresses: a second session between the same two would
// end the first one, which forwards traffic.
func checkPoints(s *Settings, r *key.Reading) {
	seen, places := map[string]int{}, r.Places()
	for i, p := range s.BGP.Verify.Points {
		at := fmt.Sprintf("bgp.verify.points[%d]", i)
		if first, twice := seen[p.Address]; twice && p.Address != "" {
			r.Report(at+".address", fmt.Sprintf("duplicate looking point %s: bgp.verify.points[%d] has it already", p.Address,
				first), "leave one of them out")
		} else {
			seen[p.Address] = i
		}
		checkSecretOnce(p.Address, p.Password, at, places, r)
		remote, err := netip.ParseAddr(p.Address)
		if err == nil && p.LocalAddress.IsValid() && (p.LocalAddress.Is4() != remote.Is4() || remote.Zone() != "") {
			r.Report(at+".local_address", fmt.Sprintf("no session from %s reaches %s", p.LocalAddress, p.Address),
				"write an address of the same family, or leave it out")
		}
		for j, other := range s.BGP.Verify.Points[:i] {
			if p.BMPPort != 0 && other.BMPPort == p.BMPPort && other.Address != p.Address {
				r.Report(at+".bmp_port", fmt.Sprintf("bgp.verify.points[%d] has port %d already", j, p.BMPPort),
					"use another port")
			}
		}
		for j, peer := range s.BGP.Peers {
			if peer.Address != p.Address || p.Address == "" || p.BMPPort != 0 {
				continue
			}
			switch {
			case !p.LocalAddress.IsValid():
				r.Report(at+".address", fmt.Sprintf("%s is a peer (bgp.peers[%d]): a second session from the same address "+
					"would end the one with the peer", p.Address, j),
					"set local_address to another address of this node, and configure that one as a neighbour there")
			case p.LocalAddress == peer.LocalAddress:
				r.Report(at+".local_address", fmt.Sprintf("bgp.peers[%d] has the same: this session would end the one with "+
					"the peer", j), "use another address of this node")
			}
		}
	}
}
