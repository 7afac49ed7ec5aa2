package kube

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Listing is what the driver makes of every service and egress IP of a cluster.
type Listing struct {
	// Node is the name of the own Node, and State how far it is taken out of service.
	Node  string
	State observe.NodeState
	// Code and Text say what keeps all service addresses of this node back; empty if
	// nothing does.
	Code, Text string
	Services   []ServiceState
	EgressIPs  []AddressState
}

// ServiceState is a service with what becomes of its addresses.
type ServiceState struct {
	Service   *observe.KubeService
	Addresses []AddressState
}

// AddressState is what becomes of an address by the rules; whether its path is there is
// not the driver's to know.
type AddressState struct {
	// Addr is invalid of a service that is to have an address and has none.
	Addr netip.Addr
	Kind Kind
	// Names are those of the EgressIPs that assign it.
	Names []string
	// Path is what is announced of it: the address itself, or an aggregate.
	Path netip.Prefix
	// Stage, Code and Text are the first link that fails, as explanations have them; empty
	// if none does.
	Stage, Code, Text string
	// Nodes are those with an endpoint that serves, or those that an egress IP is
	// assigned to.
	Nodes []string
}

// List judges everything once. It follows the same rules as Desired and Explain. Nothing
// is known (ok is false) while the snapshot has no objects of the API.
func (d *Driver) List(snap observe.Snapshot) (out Listing, ok bool) {
	p, ok := d.asked(snap)
	if !ok {
		return out, false
	}
	out = Listing{Node: p.name, State: p.state()}
	for _, f := range []fault{p.gatewayWhy, p.nodeWhy} {
		if !f.ok() {
			out.Code, out.Text = f.code, f.text
		}
	}
	for _, s := range p.kube.Services {
		out.Services = append(out.Services, p.listService(s))
	}
	for _, e := range p.egresses() {
		f := p.egressFault(e)
		a := AddressState{
			Addr: e.addr, Kind: KindEgressIP, Names: e.here, Path: host(e.addr), Stage: f.stage, Code: f.code, Text: f.text,
		}
		if len(e.here) > 0 {
			a.Nodes = append(a.Nodes, p.name)
		}
		if e.there != "" {
			a.Nodes = append(a.Nodes, e.there)
		}
		out.EgressIPs = append(out.EgressIPs, a)
	}
	return out, true
}

func (p *pass) listService(s *observe.KubeService) ServiceState {
	out := ServiceState{Service: s}
	if a, ok := p.addressless(s); ok {
		step, _ := a.Blocked()
		out.Addresses = append(out.Addresses, AddressState{
			Kind: KindLoadBalancer, Stage: step.Stage, Code: step.Code, Text: step.Text,
		})
	}
	for _, c := range candidates(s) {
		v := p.judge(c)
		path, _ := p.policyOf(s).prefix(c.addr)
		out.Addresses = append(out.Addresses, AddressState{
			Addr: c.addr, Kind: c.kind, Path: path, Stage: v.stage, Code: v.code, Text: v.text, Nodes: p.nodesOf(c),
		})
	}
	return out
}

// nodesOf are the nodes with an endpoint that serves an address, if all of them could.
func (p *pass) nodesOf(c candidate) []string {
	var out []string
	all, _ := p.endpointsOf(c.service, c.addr)
	for _, slice := range p.slicesOf(c.service) {
		if !slice.Has(c.addr) {
			continue
		}
		for _, e := range slice.Endpoints {
			serves := e.Ready || all.Ready == 0 && e.Serving && e.Terminating || c.service.PublishNotReady
			if serves && e.Node != "" {
				out = append(out, e.Node)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Missing accounts for a service that is to have an address and has none (K-11); ok is
// false if it has one, or there is no such service.
func (d *Driver) Missing(snap observe.Snapshot, namespace, name string) (a reason.Account, ok bool) {
	a, ok = d.ExplainService(snap, namespace, name)[netip.Addr{}]
	return a, ok
}

// ThisNode reports whether a link of the chain is one that holds on every node that serves
// the address: if it fails, something on this node is not as the API has it. Those before
// it are choices of the cluster or of the configuration.
func ThisNode(stage string) bool {
	return stage != "" && (!slices.Contains(stages, stage) || stage == "SB" || stage == stageFlow)
}
