package observe

import (
	"net/netip"
)

// ProviderSide returns the switch port that belongs to a chassisredirect row
// of a router, by two references in Port_Binding.options:
//
//	cr-lrp --distributed-port--> lrp (router) --peer--> lsp (switch)
//
// Newer releases of OVN make chassisredirect rows for switch ports as well. They
// do not qualify: their distributed-port is not a patch port of their own
// datapath whose chassis-redirect-port leads back to them.
func (sb *Southbound) ProviderSide(cr *PortBinding) (*PortBinding, bool) { return ProviderSide(sb, cr) }

// Ports finds rows of Port_Binding by their logical_port.
type Ports interface {
	Port(name string) (*PortBinding, bool)
}

// ProviderSide is [Southbound.ProviderSide] among other ports than those of a whole database.
func ProviderSide(sb Ports, cr *PortBinding) (*PortBinding, bool) {
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

// GroupDatapaths returns the members of a Logical_DP_Group; a dangling reference has none.
func (sb *Southbound) GroupDatapaths(u UUID) []UUID { return sb.group(u) }
