package kube

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// listed is the fact that nat_addresses of the gateway router's external port has an address, and
// that its guard holds here (K-20).
type listed netip.Addr

// findListed tells what is listed.
func (p *pass) findListed() {
	port, ok := p.parts.Port("etor-GR_" + p.name)
	if !ok {
		return
	}
	for _, s := range expose.PortSkip(port) {
		p.Skip(s)
	}
	for _, nat := range port.NAT {
		if nat.Resident != "" {
			if guard, ok := p.parts.Port(nat.Resident); !ok || !p.bound(guard) {
				continue
			}
		}
		for _, a := range nat.Addrs {
			p.parts.Tell(listed(a))
		}
	}
}

// egress is an egress IP with the objects that have it.
type egress struct {
	addr netip.Addr
	// here are the names of EgressIPs that assign it to this node, and there the node
	// that others assign it to.
	here  []string
	there string
}

// assigned is an egress IP that an EgressIP assigns to a node.
type assigned struct {
	item observe.KubeEgress
	by   string // the EgressIP
}

// eachEgress calls for the egress IPs of all nodes. Node addresses are none (K-21).
func (p *pass) eachEgress(visit func(*egress)) {
	if p.asks(KindEgressIP) {
		p.parts.Part(phaseListed, []any{p.name, p.me}, p.findListed)
	}
	name := func(e *observe.KubeEgressIP) string { return e.Name }
	parts.Rows(p.parts, phaseEgressIPs, "", p.gateway, p.kube.EgressIPs, name, func(e *observe.KubeEgressIP) {
		p.problems("EgressIP", e.Name, e.Problems)
		for _, item := range e.Items {
			if !p.gateway.has(item.IP) {
				p.parts.Hand(phaseEgress, item.IP.String(), assigned{item, e.Name})
			}
		}
	})
	given := []any{p.name, p.nodeWhy, p.claimFault()}
	parts.Handed(p.parts, phaseEgress, given, func(_ string, values []any) {
		x := &egress{}
		for _, v := range values {
			a := v.(assigned)
			x.addr = a.item.IP
			if a.item.Node != p.name {
				x.there = a.item.Node
			} else if !slices.Contains(x.here, a.by) {
				x.here = append(x.here, a.by)
			}
		}
		visit(x)
	})
}

// egresses are the egress IPs of all nodes, by address.
func (p *pass) egresses() (out []*egress) {
	p.eachEgress(func(e *egress) { out = append(out, e) })
	slices.SortFunc(out, func(a, b *egress) int { return a.addr.Compare(b.addr) })
	return out
}

// egressFault is the chain of an egress IP (K-20, K-22). Drains and exclusions are not on
// it (K-85).
func (p *pass) egressFault(e *egress) fault {
	switch {
	case !p.asks(KindEgressIP):
		return fault{"service", CodeKindOff, "it is an egress IP, which kube.advertise does not have"}
	case p.nodeWhy.code == CodeNodeUnknown || p.nodeWhy.code == CodeNodeMismatch:
		return p.nodeWhy
	}
	if f := p.claimFault(); !f.ok() {
		return f
	}
	switch {
	case len(e.here) == 0:
		return fault{"SB", CodeEgressOther, "it is assigned to node " + quoted(e.there)}
	case e.addr.Is4() && !p.parts.Told(listed(e.addr)):
		return fault{"SB", CodeNotInSouthbound, "nat_addresses of etor-GR_" + p.name + " does not list it: it selects no " +
			"pod yet, or is on a secondary interface"}
	default:
		return fault{}
	}
}

// egressIPs adds the paths of egress IPs.
func (p *pass) egressIPs() {
	to := p.As(expose.ClassFIP)
	p.eachEgress(func(e *egress) {
		if !p.egressFault(e).ok() {
			return
		}
		rule := "K-20"
		if e.addr.Is6() {
			rule = "K-22"
			p.Skip(observe.Skip{
				Table: "EgressIP", Row: e.here[0], Code: CodeEgressUnproven,
				Text: e.addr.String() + " is announced because it is assigned to this node: the Southbound database does not " +
					"show IPv6 egress IPs",
			})
		}
		var why []object.Source
		for _, name := range e.here[:min(len(e.here), sourcesMost)] {
			why = append(why, p.Why(rule, "EgressIP", name))
		}
		to.Announce(host(e.addr), expose.Announcement{}, why...)
	})
}

// podSubnetFault is the chain of the pod subnets (K-30), and the port that has them. Drains
// and exclusions are not on it (K-85).
func (p *pass) podSubnetFault() (*observe.PortBinding, fault) {
	port, ok := p.parts.Port("rtos-" + p.name)
	switch {
	case !ok || port.Type != observe.PortPatch:
		return nil, fault{"SB", CodeNotInSouthbound, "the Southbound database has no router port rtos-" + p.name}
	case p.nodeWhy.code == CodeNodeUnknown || p.nodeWhy.code == CodeNodeMismatch:
		return port, p.nodeWhy
	}
	if cr, ok := p.parts.Port("cr-rtos-" + p.name); ok && !p.bound(cr) {
		return port, fault{"SB", CodeUnclaimed, "cr-rtos-" + p.name + " is not bound to this chassis"}
	}
	return port, fault{}
}

// podSubnets adds the paths of the node's pod subnets.
func (p *pass) podSubnets() {
	port, f := p.podSubnetFault()
	if port != nil {
		for _, s := range expose.PortSkip(port) {
			p.Skip(s)
		}
	}
	if !f.ok() {
		return
	}
	to := p.As(expose.ClassSubnet)
	why := p.Why("K-30", "Port_Binding", port.LogicalPort)
	for _, a := range port.Addresses {
		for _, prefix := range a.Addrs {
			to.Announce(prefix.Masked(), expose.Announcement{Asked: true}, why)
		}
	}
}
