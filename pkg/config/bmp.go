package config

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// BMPStation is a monitoring station (RFC 7854).
type BMPStation struct {
	Address netip.Addr
	Port    uint16
	// Policy is which tables it is told of: one of bmpPolicies.
	Policy string
	// Statistics is how often, in seconds, it gets counters; 0 is never.
	Statistics uint16
}

// defaultBMPPort is what most stations listen on; RFC 7854 has no port of its own.
const defaultBMPPort = 11019

// bmpPolicies are GoBGP's.
func bmpPolicies() []string { return []string{"all", "pre-policy", "post-policy", "local-rib"} }

func newStation() BMPStation { return BMPStation{Port: defaultBMPPort, Policy: "all"} }

// stationKeys are those of one element of bgp.bmp.
func stationKeys(s *BMPStation) []key.Key {
	return []key.Key{
		addrKey(&s.Address, "address", "the station's IP address", checkStation).
			Needed("set the station's IP address"),
		key.Number(&s.Port, "port", "its TCP port", key.Range[uint16]{Low: 1, High: 65535, Use: "use 1 to 65535"}),
		key.Parsed(&s.Policy, "policy", "string",
			"what it is told of: what peers announce (pre-policy, post-policy), the best paths with our own (local-rib), or all",
			parseBMPPolicy, func(s string) string { return s }).Offering(bmpPolicies()...),
		key.Number(&s.Statistics, "statistics", "seconds between counters of the sessions; 0 sends none",
			key.Range[uint16]{High: 65535, Use: "use 0 to 65535 seconds"}),
	}
}

func parseBMPPolicy(text string) (string, error) {
	for _, p := range bmpPolicies() {
		if text == p {
			return p, nil
		}
	}
	return "", key.Wrong("use "+key.OneOf(bmpPolicies()), "unknown policy %s", key.Quote(text))
}

// checkStation refuses what nobody can listen on.
func checkStation(a netip.Addr) error {
	if a.IsUnspecified() || a.IsMulticast() {
		return key.Wrong("write the station's own address", "%s is no address of a single node", a)
	}
	return nil
}

// checkStations compares the stations with each other.
func checkStations(s *Settings, r *key.Reading) {
	seen := map[netip.AddrPort]int{}
	for i, b := range s.BGP.BMP {
		at := netip.AddrPortFrom(b.Address, b.Port)
		if first, twice := seen[at]; twice && b.Address.IsValid() {
			r.Report(fmt.Sprintf("bgp.bmp[%d].address", i),
				fmt.Sprintf("duplicate station %s: bgp.bmp[%d] has it already", at, first), "leave one of them out")
		} else {
			seen[at] = i
		}
	}
}
