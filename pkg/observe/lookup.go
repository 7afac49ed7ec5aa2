package observe

import (
	"net/netip"
)

// ProviderSide returns the switch port that belongs to a chassisredirect row
// of a router, by the structure distributed-port -> peer. Rows that OVN makes
// for the switch side of a distributed port do not qualify.
func (sb *Southbound) ProviderSide(cr *PortBinding) (*PortBinding, bool) {
	lrp, ok := sb.Port(cr.Options["distributed-port"])
	if !ok || lrp.Datapath != cr.Datapath || lrp.Type != PortPatch {
		return nil, false
	}
	lsp, ok := sb.Port(lrp.Options["peer"])
	if !ok || lsp.Datapath == cr.Datapath || lrp.Options["chassis-redirect-port"] != cr.LogicalPort {
		return nil, false
	}
	return lsp, true
}

// IsGUA reports whether addr is a globally routable IPv6 unicast address: in
// 2000::/3 but not in the blocks for documentation, protocols and 6to4.
func IsGUA(addr netip.Addr) bool {
	if !globalUnicast.Contains(addr) {
		return false
	}
	for _, not := range notGlobal {
		if not.Contains(addr) {
			return false
		}
	}
	return true
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	notGlobal     = []netip.Prefix{
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"), // documentation
		netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2002::/16"), // protocols, 6to4
	}
)
