package kube

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// member is a service that wants a prefix announced.
type member struct {
	service *observe.KubeService
	prefix  netip.Prefix
	attrs   expose.Attributes
	// block is set while the external bridge does not let packets in.
	block *object.Block
	// aggregated says that the prefix was asked for by a policy.
	aggregated bool
}

// services adds the paths of all services. Services come by namespace and name: the first
// that passes gives a prefix its attributes (K-14, K-91).
func (p *pass) services() {
	given := []any{p.name, p.nodeWhy, p.gatewayWhy, p.bridge}
	name := func(s *observe.KubeService) string { return ordered(s.Namespace, s.Name) }
	parts.Rows(p.parts, phaseServices, "", given, p.kube.Services, name, func(s *observe.KubeService) {
		p.problems("Service", s.Text(), s.Problems)
		if p.asks(KindLoadBalancer) || p.asks(KindExternalIP) || p.asks(KindClusterIP) {
			p.Row("Service", s.Text(), func() { p.service(s) })
		}
	})
	parts.Handed(p.parts, phasePrefixes, p.draining(), func(_ string, values []any) {
		var members []member
		for _, v := range values {
			members = addMember(members, v.(member))
		}
		p.announce(members[0].prefix, members)
	})
}

// service hands what one service wants to the prefixes of its addresses.
func (p *pass) service(s *observe.KubeService) {
	policy := p.policyOf(s)
	held := false
	for _, c := range candidates(s) {
		v := p.judge(c)
		if !v.ok() && v.stage != stageFlow {
			held = held || v.hold
			continue
		}
		m := member{service: s, attrs: policy.Attributes}
		if !v.ok() {
			m.block = &object.Block{Code: v.code, Text: v.text}
		}
		m.prefix, m.aggregated = policy.prefix(c.addr)
		p.parts.Hand(phasePrefixes, m.prefix.String(), m)
	}
	if held {
		p.Skip(observe.Skip{
			Table: "Service", Row: s.Text(), Code: observe.SkipUnknown, Hold: true,
			Text: "a load balancer of the gateway router cannot be read, and it may have the address",
		})
	}
}

// addMember adds a service once: one address that gets through suffices.
func addMember(list []member, m member) []member {
	if n := len(list); n > 0 && list[n-1].service == m.service {
		if m.block == nil {
			list[n-1].block = nil
		}
		return list
	}
	return append(list, m)
}

// policyOf is the first policy that matches a service (K-90); the zero value if none does.
func (p *pass) policyOf(s *observe.KubeService) *Policy {
	for i := range p.cfg.Policies {
		if p.cfg.Policies[i].matches(s) {
			return &p.cfg.Policies[i]
		}
	}
	return &Policy{}
}

// prefix is what is announced for an address (K-91).
func (p *Policy) prefix(a netip.Addr) (prefix netip.Prefix, aggregated bool) {
	n := p.Aggregate6
	if a.Is4() {
		n = p.Aggregate4
	}
	if n <= 0 || n >= a.BitLen() {
		return host(a), false
	}
	return netip.PrefixFrom(a, n).Masked(), true
}

// announce adds one path for all that want the prefix.
func (p *pass) announce(prefix netip.Prefix, members []member) {
	first := slices.IndexFunc(members, func(m member) bool { return m.block == nil })
	if first < 0 {
		first = 0
	}
	why := make([]object.Source, 0, min(len(members), sourcesMost))
	add := func(m member) {
		if len(why) < sourcesMost {
			why = append(why, p.Why(ruleOf(m), "Service", m.service.Text()))
		}
	}
	add(members[first])
	for i, m := range members {
		if i == first {
			continue
		}
		add(m)
		if m.attrs != members[first].attrs && m.block == nil {
			p.Skip(observe.Skip{
				Table: "Service", Row: m.service.Text(), Code: observe.SkipOutranked,
				Text: fmt.Sprintf("%s is announced with the attributes that service %s has by its policy", prefix,
					members[first].service.Text()),
			})
		}
	}
	a := members[first].attrs
	x := expose.Announcement{
		Attributes: a, Block: members[first].block, Asked: members[first].aggregated, LastResort: p.draining(),
	}
	p.As(expose.ClassVIP).Announce(prefix, x, why...)
}

// sourcesMost is how many services a path names as its reasons.
const sourcesMost = 16

func ruleOf(m member) string {
	if m.aggregated {
		return "K-91"
	}
	return "K-10"
}
