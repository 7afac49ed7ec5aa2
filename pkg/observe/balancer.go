package observe

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// balancerPort is the prefix of neutron:port_name by which Octavia's OVN
// provider marks the port of a VIP; the balancer's UUID follows.
const balancerPort = "ovn-lb-vip-"

// IsBalancerVIP reports whether this is the port that Octavia's OVN provider
// keeps for the VIP of a load balancer: never bound, address only in
// neutron:cidrs, named after the balancer. Newer releases keep the MAC.
func (p *PortBinding) IsBalancerVIP() bool {
	return p.Type == PortVIF && p.Chassis.IsZero() && p.BalancerName() != ""
}

// BalancerName is the name of the load balancer whose VIP port this is, which
// is Load_Balancer.name; empty for other ports.
func (p *PortBinding) BalancerName() string {
	name, ok := strings.CutPrefix(p.ExternalIDs["neutron:port_name"], balancerPort)
	if !ok {
		return ""
	}
	return name
}

// BalancerDatapaths returns the logical switches and routers that a balancer
// is attached to, whichever generation of columns the schema has. A group of
// the middle generation may hold both; only the newest one tells them apart.
func (sb *Southbound) BalancerDatapaths(lb *LoadBalancer) (switches, routers []UUID) {
	for _, set := range [][]UUID{sb.group(lb.LSGroup), sb.group(lb.Group), lb.Datapaths} {
		if len(set) > 0 {
			switches = set
			break
		}
	}
	return switches, sb.group(lb.LRGroup)
}

// group returns the members of a Logical_DP_Group; a dangling reference has
// none.
func (sb *Southbound) group(u UUID) []UUID {
	if u.IsZero() {
		return nil
	}
	i, ok := slices.BinarySearchFunc(sb.DPGroups, u, func(g *DatapathGroup, want UUID) int {
		return bytes.Compare(g.UUID[:], want[:])
	})
	if !ok {
		return nil
	}
	return sb.DPGroups[i].Datapaths
}

// VIPAddrs are the addresses of column vips, sorted, each once.
func (lb *LoadBalancer) VIPAddrs() []netip.Addr {
	var out []netip.Addr
	for vip := range lb.VIPs {
		if a, ok := VIPAddr(vip); ok {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// VIPAddr is the address of a key of column vips: ADDRESS:PORT, or an address alone for
// all ports.
func VIPAddr(vip string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(vip); err == nil {
		return ap.Addr(), true
	}
	a, err := netip.ParseAddr(strings.Trim(vip, "[]"))
	return a, err == nil
}
