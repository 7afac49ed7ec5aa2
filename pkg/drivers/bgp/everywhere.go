package bgp

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Everywhere lists the addresses of VMs, floating IPs and gateways (R1, R2, R4 and R5) that
// the rows place on any chassis, sorted and each once: what the nodes of a cloud announce
// together, if all are configured as this one is. Which chassis has an address is not in it.
// What the export filter keeps back is left out, and so is what sits on a chassis that says
// that it does not reach the physical network.
//
// It costs one pass over the rows for all nodes together. Tenant networks, load balancers
// and gateway routers are left out: several rows decide about each of these, or several
// nodes announce one.
func (d *Driver) Everywhere(sb *observe.Southbound) []netip.Prefix {
	e := everywhere{cfg: d.cfg, sb: sb, reached: expose.Reach(sb, d.cfg.Expose.Reserved)}
	for port := range sb.Ports.All() {
		switch port.Type {
		case observe.PortVIF, observe.PortVirtual:
			e.providerPort(port)
		case observe.PortPatch:
			e.floatingIPs(port)
		case observe.PortChassisRedirect:
			e.gateway(port)
		}
	}
	slices.SortFunc(e.out, object.ComparePrefix)
	return slices.Compact(e.out)
}

// everywhere is one pass.
type everywhere struct {
	cfg     Config
	sb      *observe.Southbound
	reached func(network, chassis observe.UUID) bool
	out     []netip.Prefix
}

func (e *everywhere) add(addr netip.Addr) {
	if p := netip.PrefixFrom(addr, addr.BitLen()); e.cfg.Expose.Export.Passes(p) {
		e.out = append(e.out, p)
	}
}

func (e *everywhere) providerPort(port *observe.PortBinding) {
	if port.Chassis.IsZero() || port.Down || !e.reached(port.Datapath, port.Chassis) {
		return
	}
	addrs := portAddrs(port)
	if len(addrs) == 0 && port.Unknown && e.cfg.UnknownMACFromCIDRs {
		addrs = cidrAddrs(port)
	}
	for _, a := range addrs {
		e.add(a)
	}
}

func (e *everywhere) floatingIPs(port *observe.PortBinding) {
	for _, nat := range port.NAT {
		guard, ok := e.sb.Port(nat.Resident)
		if !ok || guard.Chassis.IsZero() || !e.reached(port.Datapath, guard.Chassis) {
			continue
		}
		if guard.Down && (guard.Type == observe.PortVIF || guard.Type == observe.PortVirtual) {
			continue
		}
		for _, a := range nat.Addrs {
			e.add(a)
		}
	}
}

func (e *everywhere) gateway(port *observe.PortBinding) {
	if port.Chassis.IsZero() || port.Down {
		return
	}
	lsp, ok := e.sb.ProviderSide(port)
	if !ok || !e.reached(lsp.Datapath, port.Chassis) {
		return
	}
	for _, el := range port.Addresses {
		for _, prefix := range el.Addrs {
			e.add(prefix.Addr())
		}
	}
}
