package kube

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// candidate is an address that a service has, as one kind.
type candidate struct {
	service *observe.KubeService
	kind    Kind
	addr    netip.Addr
	// mode is ipMode of an ingress address.
	mode string
}

// candidates are the addresses of a service, each once for each kind (K-10, K-11).
func candidates(s *observe.KubeService) []candidate {
	var out []candidate
	add := func(c candidate) {
		for i := range out {
			if out[i].kind == c.kind && out[i].addr == c.addr {
				if !isVIP(out[i].mode) { // one entry that is to be served suffices
					out[i].mode = c.mode
				}
				return
			}
		}
		out = append(out, c)
	}
	for _, in := range s.Ingress {
		if in.IP.IsValid() {
			add(candidate{s, KindLoadBalancer, in.IP, in.Mode})
		}
	}
	for _, a := range s.ExternalIPs {
		add(candidate{service: s, kind: KindExternalIP, addr: a})
	}
	for _, a := range s.ClusterIPs {
		add(candidate{service: s, kind: KindClusterIP, addr: a})
	}
	return out
}

// isVIP reports whether traffic for an ingress address is to be delivered with it.
func isVIP(mode string) bool { return mode == "" || mode == "VIP" }

// verdict is what became of a candidate.
type verdict struct {
	// fault is the first link that fails; of stageFlow it blocks, of any
	// other it keeps the address from being wanted.
	fault
	// found is what the Southbound database has of the address; flow is the flow that lets
	// packets in, nil where none is asked for.
	found gate1
	flow  *observe.BridgeFlow
	// hold says that what was announced before must stay: a row cannot be read.
	hold bool
}

// judge goes along the chain from the service to its path, to the first link that fails.
func (p *pass) judge(c candidate) verdict {
	for _, f := range []fault{
		p.kindFault(c), addressFault(c), p.classFault(c), p.endpointFault(c), p.nodeWhy, p.gatewayWhy,
	} {
		if !f.ok() {
			return verdict{fault: f}
		}
	}
	v := verdict{}
	v.found = p.gate1(c)
	if v.fault, v.hold = p.gate1Fault(c, v.found); !v.ok() {
		return v
	}
	if c.kind != KindClusterIP { // these come in by another way
		v.fault, v.flow = p.bridge.fault(c.addr, v.found.ports, p.flowsTo)
	}
	return v
}

// kindFault is the stage service: whether addresses of this kind are announced.
func (p *pass) kindFault(c candidate) fault {
	s := c.service
	switch {
	case c.kind == KindLoadBalancer && s.Type != "LoadBalancer":
		return fault{"service", CodeKindOff, fmt.Sprintf("service %s has type %s; its status still has an ingress address",
			s.Text(), s.Type)}
	case !p.asks(c.kind):
		return fault{"service", CodeKindOff, fmt.Sprintf("it is an address of kind %s of service %s, which kube.advertise "+
			"does not have", c.kind, s.Text())}
	default:
		return fault{}
	}
}

// addressFault is the stage address (K-11).
func addressFault(c candidate) fault {
	if isVIP(c.mode) {
		return fault{}
	}
	return fault{"address", CodeProxy, "the ingress has ipMode " + quoted(c.mode) + ": its load balancer answers itself"}
}

// classFault is the stage policy (K-12).
func (p *pass) classFault(c candidate) fault {
	if c.kind != KindLoadBalancer || len(p.cfg.Classes) == 0 || slices.Contains(p.cfg.Classes, c.service.Class) {
		return fault{}
	}
	return fault{"policy", CodeClass, "the service has load balancer class " + quoted(c.service.Class) +
		", which kube.load_balancer_class does not have"}
}

// endpointsOf counts the endpoints of a service for the family of an address: all of
// them, and those on this node.
func (p *pass) endpointsOf(s *observe.KubeService, a netip.Addr) (all, local observe.KubeEndpoints) {
	for _, slice := range p.slicesOf(s) {
		slice.Count(a, p.name, &all, &local)
	}
	return all, local
}

// isLocal reports whether only endpoints on this node count for a kind of address.
func isLocal(c candidate) bool {
	if c.kind == KindClusterIP {
		return c.service.InternalLocal
	}
	return c.service.ExternalLocal
}

// endpointFault is the stage endpoints (K-13).
func (p *pass) endpointFault(c candidate) fault {
	all, local := p.endpointsOf(c.service, c.addr)
	anywhere := all.Served(c.service.PublishNotReady)
	switch {
	case !isLocal(c) && anywhere || isLocal(c) && local.Served(c.service.PublishNotReady):
		return fault{}
	case isLocal(c) && anywhere:
		return fault{"endpoints", CodeNoLocalEndpoints, fmt.Sprintf(
			"the traffic policy is Local, and none of the %d endpoints that serve is on node %s", all.Ready+all.Serving, p.name)}
	default:
		return fault{"endpoints", CodeNoEndpoints, fmt.Sprintf(
			"%d endpoints of its family, none of which is ready, or terminating and serving", all.All)}
	}
}

// gate1 is what the Southbound database has of an address.
type gate1 struct {
	// ports are those of the service that have a usable backend.
	ports []observe.KubePort
	// row is a load balancer that has one of these ports, or any port of the service.
	row string
	// there says that a row has the address with a port of the service.
	there bool
}

// gate1 looks for the ports of a service among the load balancers of the gateway router
// (K-15).
func (p *pass) gate1(c candidate) gate1 {
	var g gate1
	for _, port := range c.service.Ports {
		b, ok := p.backing(vip{port.Protocol, netip.AddrPortFrom(c.addr, port.Port)})
		if !ok {
			continue
		}
		if !g.there || b.usable && len(g.ports) == 0 {
			g.row = b.row
		}
		g.there = true
		if b.usable {
			g.ports = append(g.ports, port)
		}
	}
	return g
}

// gate1Fault is the stage SB for one address. It holds what was announced where a row
// that may have the address cannot be read (K-16).
func (p *pass) gate1Fault(c candidate, g gate1) (f fault, hold bool) {
	switch {
	case len(g.ports) > 0:
		return fault{}, false
	case g.there:
		return fault{"SB", CodeNoBackend, "load balancer " + g.row + " has " + c.addr.String() +
			" without a backend that can be used"}, false
	}
	for _, port := range c.service.Ports {
		if network := p.elsewhere(vip{port.Protocol, netip.AddrPortFrom(c.addr, port.Port)}); network != "" {
			text := "only a gateway router of network " + network + " has " + c.addr.String()
			return fault{"SB", CodeOtherNetwork, text}, false
		}
	}
	text := "no load balancer of gateway router GR_" + p.name + " has " + c.addr.String() + " with a port of the service"
	row := p.unreadable()
	if row != "" {
		text += "; " + row + " has a key that cannot be parsed, which may be it"
	}
	return fault{"SB", CodeNotInSouthbound, text}, row != ""
}
