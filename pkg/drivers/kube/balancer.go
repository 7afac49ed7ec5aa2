package kube

import (
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// vip is a key of column vips with the protocol of its row.
type vip struct {
	protocol string
	addr     netip.AddrPort
}

// backing is what rows say of a vip: that it is there, and whether a backend can be used.
type backing struct {
	row    string // the first row that has it, or the first one that has a usable backend
	usable bool
}

// monitored is a backend as a health check names it.
type monitored struct {
	protocol string
	addr     netip.AddrPort
}

// indexBalancers reads the load balancers of the own gateway router (K-15, K-16), and of
// those of other networks (K-5).
func (p *pass) indexBalancers() {
	p.vips, p.others, p.down = map[vip]backing{}, map[vip]string{}, map[monitored]bool{}
	tagged := map[observe.UUID]string{} // gateway routers of other networks
	for _, port := range p.sb.Ports {
		network := port.ExternalIDs[networkID]
		if network != "" && port.Type == observe.PortL3Gateway && strings.HasPrefix(port.LogicalPort, gatewayPort) {
			tagged[port.Datapath] = network
		}
	}
	var own observe.UUID
	if p.gateway.port != nil {
		own = p.gateway.port.Datapath
		delete(tagged, own) // a port of another network that leads into ours does not make it theirs
	}
	for _, m := range p.sb.Monitors {
		if (m.Type == "" || m.Type == "load-balancer") && (m.Status == "offline" || m.Status == "error") {
			if a, err := netip.ParseAddr(m.IP); err == nil && m.Port >= 0 && m.Port <= 65535 {
				p.down[monitored{protocolOf(m.Protocol), netip.AddrPortFrom(a, uint16(m.Port))}] = true
			}
		}
	}
	for _, lb := range p.sb.Balancers { // by name
		here, network := false, ""
		p.eachDatapath(lb, func(u observe.UUID) {
			here = here || !own.IsZero() && u == own
			if n := tagged[u]; n != "" && (network == "" || n < network) {
				network = n
			}
		})
		switch {
		case here:
			p.Row("Load_Balancer", lb.Name, func() { p.readBalancer(lb) })
		case network != "":
			for key := range lb.VIPs {
				if addr, ok := parseKey(key); ok {
					p.others[vip{protocolOf(lb.Protocol), addr}] = network
				}
			}
		}
	}
}

// eachDatapath calls for every datapath that a load balancer is attached to, by whichever
// column. A group that is missing has none (K-61).
func (p *pass) eachDatapath(lb *observe.LoadBalancer, visit func(observe.UUID)) {
	for _, list := range [][]observe.UUID{
		lb.Datapaths, p.sb.GroupDatapaths(lb.Group), p.sb.GroupDatapaths(lb.LSGroup), p.sb.GroupDatapaths(lb.LRGroup),
	} {
		for _, u := range list {
			visit(u)
		}
	}
}

// readBalancer enters the keys of a row.
func (p *pass) readBalancer(lb *observe.LoadBalancer) {
	protocol := protocolOf(lb.Protocol)
	bad := false
	for key, value := range lb.VIPs {
		if isTemplate(key) {
			continue // the node's own addresses, which are nobody's to announce
		}
		addr, ok := parseKey(key)
		if !ok {
			bad = true
			continue
		}
		at := vip{protocol, addr}
		have, seen := p.vips[at]
		if seen && have.usable {
			continue
		}
		usable := p.usable(protocol, value)
		if !seen || usable {
			p.vips[at] = backing{lb.Name, usable}
		}
	}
	if bad {
		p.unreadable = append(p.unreadable, lb.Name)
	}
}

// protocolOf is the protocol of a row; absent is tcp.
func protocolOf(column string) string {
	if column == "" {
		return "tcp"
	}
	return column
}

// isTemplate reports whether a key has a template variable in place of an address.
func isTemplate(key string) bool { return strings.HasPrefix(strings.TrimPrefix(key, "["), "^") }

// parseKey reads IP:PORT, [IP6]:PORT or an address alone, which has port 0.
func parseKey(key string) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(key); err == nil {
		return ap, ap.Addr().Zone() == ""
	}
	bare := key
	if inner, ok := strings.CutPrefix(key, "["); ok {
		if bare, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.AddrPort{}, false
		}
	}
	a, err := netip.ParseAddr(bare)
	return netip.AddrPortFrom(a, 0), err == nil && a.Zone() == ""
}

// usable reports whether a list of backends has one that no health check has found dead.
func (p *pass) usable(protocol, list string) bool {
	if strings.HasPrefix(list, "^") {
		list, _ = p.sb.Template(p.snap.Chassis, list[1:])
	}
	for word := range strings.SplitSeq(list, ",") {
		addr, ok := parseKey(strings.TrimSpace(word))
		if ok && !p.down[monitored{protocol, addr}] {
			return true
		}
	}
	return false
}
