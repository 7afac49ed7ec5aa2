package kube

import (
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// What parts note, by these keys and by vip: so much of the databases and of the API as the part of a
// service asks for, and derives again when that changes.
type (
	// attachedBy is a group of datapaths, of which attached is noted.
	attachedBy observe.UUID
	// vipElsewhere is a vip of the gateway router of another network, whose name is noted.
	vipElsewhere vip
	// unreadable has the rows of the own gateway router that have a key which cannot be parsed: an
	// address that is not found may stand there.
	unreadable struct{}
	// templates are the rows of Chassis_Template_Var.
	templates struct{}
	// sliceOf is a service by namespace and name, of which each slice is noted.
	sliceOf [2]string
	// flowsTo is a destination on the external bridge, with the flows to it.
	flowsTo netip.Addr
)

// index notes what may be asked for: see [parts.Pass.Note].
func (p *pass) index() {
	p.indexBalancers()
	p.parts.Part(phaseFlows, p.bridgeFlows(), func() {
		to := map[netip.Addr][]observe.BridgeFlow{}
		for _, f := range p.bridgeFlows() {
			to[f.Dst] = append(to[f.Dst], f)
		}
		for _, f := range p.bridgeFlows() {
			if list := to[f.Dst]; list != nil {
				p.parts.Note(flowsTo(f.Dst), list)
				delete(to, f.Dst)
			}
		}
	})
	name := func(s *observe.KubeSlice) string { return ordered(s.Namespace, s.Name) }
	parts.Rows(p.parts, phaseSlices, "", nil, p.kube.Slices, name, func(s *observe.KubeSlice) {
		p.problems("EndpointSlice", s.Namespace+"/"+s.Name, s.Problems)
		p.parts.Note(sliceOf{s.Namespace, s.Service}, s)
	})
}

// ordered is a name for two texts: names are ordered as the pairs are.
func ordered(first, second string) string {
	return strings.ReplaceAll(first, "\x00", "\x00\x01") + "\x00\x00" + second
}

// backing is what the load balancers of the own gateway router say of a vip (K-15): the first row
// that has a usable backend counts, or else the first one.
func (p *pass) backing(at vip) (best backing, ok bool) {
	for _, noted := range p.parts.Noted(at) {
		if b := noted.(backing); !ok || b.usable && !best.usable {
			best, ok = b, true
		}
	}
	return best, ok
}

// elsewhere is the network whose gateway router has a vip; empty if none has (K-5).
func (p *pass) elsewhere(at vip) string {
	noted := p.parts.Noted(vipElsewhere(at))
	if len(noted) == 0 {
		return ""
	}
	return noted[len(noted)-1].(string)
}

// unreadable is the first row of the own gateway router with a key that cannot be parsed; empty if all
// can.
func (p *pass) unreadable() string {
	noted := p.parts.Noted(unreadable{})
	if len(noted) == 0 {
		return ""
	}
	return noted[0].(string)
}

// slicesOf are the slices of a service, by name.
func (p *pass) slicesOf(s *observe.KubeService) (out []*observe.KubeSlice) {
	for _, noted := range p.parts.Noted(sliceOf(s.Key())) {
		out = append(out, noted.(*observe.KubeSlice))
	}
	return out
}

// flowsTo are the flows of the external bridge to an address.
func (p *pass) flowsTo(a netip.Addr) []observe.BridgeFlow {
	noted := p.parts.Noted(flowsTo(a))
	if len(noted) == 0 {
		return nil
	}
	return noted[0].([]observe.BridgeFlow)
}
