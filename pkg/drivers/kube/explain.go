package kube

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// stageFlow is that of the flow on the external bridge.
const stageFlow = "bridge-flow"

// stages are those of an address of a service, in their order.
var stages = []string{"service", "address", "policy", "endpoints", "node", "SB", stageFlow}

// Explain gives one account for each service that has the address, one if it is an egress
// IP and one if it is in a pod subnet of this node. It follows the same rules as Desired.
func (d *Driver) Explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	p, ok := d.asked(snap)
	if !ok {
		return []reason.Account{{
			What: "address of a cluster",
			Steps: []reason.Step{{
				Stage: "source", Code: CodeNotSynced, Text: "nothing is known of the Kubernetes API",
			}},
			Try: "bgp-ovn status tells why",
		}}
	}
	var out []reason.Account
	for _, s := range p.kube.Services {
		var best *reason.Account
		for _, c := range candidates(s) {
			if c.addr != addr {
				continue
			}
			if a := p.account(c); best == nil || further(a, *best) {
				best = &a
			}
		}
		if best != nil {
			out = append(out, *best)
		}
	}
	out = append(out, p.explainEgress(addr)...)
	out = append(out, p.explainPodSubnet(addr)...)
	if len(out) == 0 {
		out = append(out, p.explainNobody(addr))
	}
	return out
}

// ExplainService gives one account for each address of a service, and those of what it
// has instead of one; none if there is no such service.
func (d *Driver) ExplainService(snap observe.Snapshot, namespace, name string) map[netip.Addr]reason.Account {
	p, ok := d.asked(snap)
	out := map[netip.Addr]reason.Account{}
	if !ok {
		return out
	}
	s, ok := p.kube.Service(namespace, name)
	if !ok {
		return out
	}
	for _, c := range candidates(s) {
		if have, ok := out[c.addr]; !ok || further(p.account(c), have) {
			out[c.addr] = p.account(c)
		}
	}
	if a, ok := p.addressless(s); ok {
		out[netip.Addr{}] = a
	}
	return out
}

// addressless accounts for a service that is to have an ingress address and has none
// (K-11).
func (p *pass) addressless(s *observe.KubeService) (reason.Account, bool) {
	hasIP := func(i observe.KubeIngress) bool { return i.IP.IsValid() }
	if s.Type != "LoadBalancer" || slices.ContainsFunc(s.Ingress, hasIP) {
		return reason.Account{}, false
	}
	a := reason.Account{What: "service " + s.Text()}
	step := reason.Step{Stage: "service", Text: "service " + s.Text() + " has type LoadBalancer", OK: true}
	if !p.asks(KindLoadBalancer) {
		step.OK, step.Code = false, CodeKindOff
		step.Text += ", which kube.advertise does not have"
		a.Steps = []reason.Step{step}
		return a, true
	}
	a.Steps = append(a.Steps, step)
	if len(s.Ingress) > 0 {
		a.Steps = append(a.Steps, reason.Step{
			Stage: "address", Code: CodeHostname, Text: "its ingress has a host name only: " + quoted(s.Ingress[0].Hostname),
		})
		return a, true
	}
	a.Steps = append(a.Steps, reason.Step{
		Stage: "address", Code: CodeNoAddress, Text: "nobody has given it an address yet",
	})
	a.Try = "see whoever assigns addresses: kubectl describe service -n " + s.Namespace + " " + s.Name
	return a, true
}

// further reports whether an account gets further along the chain than another.
func further(a, b reason.Account) bool {
	_, blockedA := a.Blocked()
	_, blockedB := b.Blocked()
	return !blockedA && blockedB || blockedA == blockedB && len(a.Steps) > len(b.Steps)
}

// account tells the chain of one address of a service up to the first link that fails.
func (p *pass) account(c candidate) reason.Account {
	s := c.service
	a := reason.Account{What: fmt.Sprintf("%s of service %s", kindText(c.kind), s.Text())}
	prefix, aggregated := p.policyOf(s).prefix(c.addr)
	if aggregated {
		a.Object = object.NewPath(prefix, p.cfg.Expose.Origin).Key()
	}
	v := p.judge(c)
	for _, stage := range stages {
		if v.stage == stage {
			a.Steps = append(a.Steps, reason.Step{Stage: stage, Text: v.text, Code: v.code})
			a.Try = remedies[v.code]
			return a
		}
		a.Steps = append(a.Steps, reason.Step{Stage: stage, Text: p.good(stage, c, v), OK: true})
	}
	a.Chassis, a.Drained = []string{p.chassisText()}, p.draining()
	return a
}

func (p *pass) chassisText() string {
	if c, ok := p.sb.ChassisByName(p.snap.Chassis); ok {
		return c.Text()
	}
	return p.snap.Chassis
}

func kindText(k Kind) string {
	switch k {
	case KindLoadBalancer:
		return "load balancer address"
	case KindExternalIP:
		return "external IP"
	default:
		return "cluster IP"
	}
}

// good says how a link of the chain holds.
func (p *pass) good(stage string, c candidate, v verdict) string {
	switch stage {
	case "service":
		return fmt.Sprintf("service %s has it, and kube.advertise has %s", c.service.Text(), c.kind)
	case "address":
		return "traffic for it is to be delivered with this address"
	case "policy":
		text := "its load balancer class is ours"
		if prefix, aggregated := p.policyOf(c.service).prefix(c.addr); aggregated {
			text += "; announced as " + prefix.String()
		}
		return text
	case "endpoints":
		all, local := p.endpointsOf(c.service, c.addr)
		return fmt.Sprintf("%d endpoints of its family, %d ready; on this node %d, %d ready", all.All, all.Ready, local.All,
			local.Ready)
	case "node":
		if p.draining() {
			return "node " + p.name + " is cordoned: " + CodeNodeDraining + ", the address is a last resort"
		}
		return "node " + p.name + " may serve"
	case "SB":
		return "load balancer " + v.found.row + " of gateway router GR_" + p.name + " has it with a usable backend"
	default:
		return p.goodFlow(c, v)
	}
}

// goodFlow says which flow lets packets in, or why none is asked for.
func (p *pass) goodFlow(c candidate, v verdict) string {
	text := "none is needed: cluster IPs come in by the host"
	switch {
	case v.flow != nil:
		text = fmt.Sprintf("bridge %s, priority %d, cookie %#x: %s", p.bridge.name, v.flow.Priority, v.flow.Cookie, v.flow)
	case c.kind != KindClusterIP:
		text = CodeNoUplink + ": bridge " + p.bridge.name + " has no uplink port, flows are not asked for"
	}
	if f := p.snap.Flows; v.flow != nil && f != nil && f.Stale != "" {
		text += " (" + CodeUnverified + ": " + f.Stale + ")"
	}
	return text
}

// explainEgress accounts for an egress IP, also for one that only the Southbound database
// knows because the API does not serve them (K-23).
func (p *pass) explainEgress(addr netip.Addr) []reason.Account {
	all := p.egresses()
	if p.asks(KindEgressIP) && p.kube.NoEgressIPs && !p.gateway.has(addr) && p.parts.Told(listed(addr)) {
		return []reason.Account{{What: "egress IP", Try: remedies[CodeCRDMissing], Steps: []reason.Step{{
			Stage: "source", Code: CodeCRDMissing, Text: "nat_addresses of etor-GR_" + p.name + " lists it, but " + noCRD,
		}}}}
	}
	for _, e := range all {
		if e.addr != addr {
			continue
		}
		a := reason.Account{What: "egress IP"}
		if len(e.here) > 0 {
			a.What += " of EgressIP " + strings.Join(e.here, ", ")
		}
		if f := p.egressFault(e); !f.ok() {
			a.Steps, a.Try = []reason.Step{{Stage: f.stage, Text: f.text, Code: f.code}}, remedies[f.code]
			return []reason.Account{a}
		}
		proof := "nat_addresses of etor-GR_" + p.name + " lists it"
		if addr.Is6() {
			proof = CodeEgressUnproven + ": the Southbound database does not show IPv6 egress IPs"
		}
		a.Steps = []reason.Step{
			{Stage: "service", Text: "it is assigned to node " + p.name, OK: true}, {Stage: "SB", Text: proof, OK: true},
		}
		a.Chassis = []string{p.chassisText()}
		return []reason.Account{a}
	}
	return nil
}

// explainPodSubnet accounts for an address in a pod subnet of this node.
func (p *pass) explainPodSubnet(addr netip.Addr) []reason.Account {
	port, f := p.podSubnetFault()
	if port == nil {
		return nil
	}
	for _, have := range port.Addresses {
		for _, prefix := range have.Addrs {
			if !prefix.Contains(addr) {
				continue
			}
			a := reason.Account{
				What:   "address in pod subnet " + prefix.Masked().String(),
				Object: object.NewPath(prefix, p.cfg.Expose.Origin).Key(),
			}
			if !p.asks(KindPodSubnet) {
				f = fault{"service", CodeKindOff, "kube.advertise does not have podsubnet"}
			}
			if !f.ok() {
				a.Steps = []reason.Step{{Stage: f.stage, Text: f.text, Code: f.code}}
				return []reason.Account{a}
			}
			a.Steps = []reason.Step{{Stage: "SB", Text: port.LogicalPort + " has the subnet", OK: true}}
			a.Chassis = []string{p.chassisText()}
			return []reason.Account{a}
		}
	}
	return nil
}

// explainNobody accounts for an address that no service has; a row may have it still.
func (p *pass) explainNobody(addr netip.Addr) reason.Account {
	text := "no service has it"
	if row := p.rowOf(addr); row != "" {
		text += ", but load balancer " + row + " of the Southbound database does: a service was deleted and " +
			"ovnkube-controller has not followed, or the row is not of a service"
	}
	if p.kube.Stale != "" {
		text += " (" + CodeStale + ": " + p.kube.Stale + ")"
	}
	return reason.Account{
		What: "address of no service", Aside: true,
		Steps: []reason.Step{{Stage: "service", Text: text, Code: CodeNoService}},
	}
}

// rowOf is the first load balancer that has an address, one of the own gateway router
// before others.
func (p *pass) rowOf(addr netip.Addr) string {
	best := ""
	for _, lb := range p.sb.Balancers {
		for key := range lb.VIPs {
			at, ok := parseKey(key)
			if !ok || at.Addr() != addr {
				continue
			}
			if b, ok := p.backing(vip{protocolOf(lb.Protocol), at}); ok && (best == "" || b.row < best) {
				best = b.row
			}
		}
	}
	if best != "" {
		return best
	}
	for _, lb := range p.sb.Balancers {
		if slices.Contains(lb.VIPAddrs(), addr) {
			return lb.Name
		}
	}
	return ""
}

// remedies are what to do about a code, where there is something.
var remedies = map[string]string{
	CodeKindOff:            "add its kind to kube.advertise",
	CodeClass:              "add the class to kube.load_balancer_class",
	CodeNoEndpoints:        "kubectl get endpointslices -A: make a pod ready",
	CodeNodeUnknown:        "set kube.node_name to the name of the Node",
	CodeNodeMismatch:       "set kube.node_name to the name of the Node",
	CodeNodeExcluded:       "kubectl label node NODE " + observe.KubeLabelExclude + "-",
	CodeNodeCordoned:       "kubectl uncordon NODE",
	CodeNotInSouthbound:    "see ovnkube-controller on this node: it writes the row",
	CodeNoFlow:             "see ovnkube-node on this node: it makes the flow",
	CodeNoGatewayRouter:    "see ovnkube-controller on this node: it makes the gateway router",
	CodeUnclaimed:          "see ovn-controller on this node: it claims the port",
	CodeSchema:             "upgrade OVN",
	CodeCRDMissing:         "kubectl get crd egressips.k8s.ovn.org; without it take egressip out of kube.advertise",
	CodeNetworkUnavailable: "see who has set the condition: kubectl describe node NODE",
}
