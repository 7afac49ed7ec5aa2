// Package kube is the driver k8s_ovn_bgp_driver: services of Kubernetes on
// OVN-Kubernetes, announced by the nodes that can serve them.
//
// The Kubernetes API says what should be announced. The Southbound database and the
// flows of the external bridge say whether this node can serve it. An address is
// announced only while all agree; whatever is missing is named. The rules, K-1 to K-93,
// are those of docs/kubernetes-rules.md.
//
// It refuses to allocate addresses, to answer ARP, to wire anything in the kernel (the
// network plugin has done that) and to write into the API. It holds no timers: how far
// the drain of a cordoned node is comes with the snapshot.
//
// Read next: pass.derive, then judge.go for the chain from a service to its path, in the
// order in which explain.go tells it; index.go for where that finds what it asks for.
package kube

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Name is the driver's name in the configuration.
const Name = "k8s_ovn_bgp_driver"

// Kind is what can be announced.
type Kind string

// The kinds, in the order in which they are listed.
const (
	KindLoadBalancer Kind = "loadbalancer"
	KindExternalIP   Kind = "externalip"
	KindClusterIP    Kind = "clusterip"
	KindEgressIP     Kind = "egressip"
	KindPodSubnet    Kind = "podsubnet"
)

// Kinds returns all of them.
func Kinds() []Kind {
	return []Kind{KindLoadBalancer, KindExternalIP, KindClusterIP, KindEgressIP, KindPodSubnet}
}

// Config are the driver's options.
type Config struct {
	// NodeName is the name of the own Node; empty takes that which the source follows, or
	// else the host name of the own chassis.
	NodeName string
	// Classes are the load balancer classes that are ours, "" for services without one;
	// none is any.
	Classes []string
	// Advertise are the kinds to announce.
	Advertise []Kind
	// Policies give services their attributes; the first that matches counts.
	Policies []Policy
	// KeepCordoned says that a cordon has no effect (on_cordon: keep).
	KeepCordoned bool
	// Expose are the options of the common driver API.
	Expose expose.Options
}

// Policy gives attributes to the services that it matches.
type Policy struct {
	// Namespaces are those of the services; none is any.
	Namespaces []string
	// Selector is what the labels of the services match; the zero value is any.
	Selector Selector
	// Attributes are the path attributes.
	expose.Attributes
	// Aggregate4 and Aggregate6 are the lengths of the prefixes that are announced in
	// place of the address; 0 is the address itself.
	Aggregate4, Aggregate6 int
}

func (p *Policy) matches(s *observe.KubeService) bool {
	return (len(p.Namespaces) == 0 || slices.Contains(p.Namespaces, s.Namespace)) && p.Selector.Matches(s.Labels)
}

// Driver implements desired.Driver.
type Driver struct{ cfg Config }

// New returns the driver.
func New(cfg Config) *Driver {
	if len(cfg.Advertise) == 0 {
		cfg.Advertise = []Kind{KindLoadBalancer}
	}
	return &Driver{cfg}
}

// Name is k8s_ovn_bgp_driver.
func (d *Driver) Name() string { return Name }

// Desired adds the paths of what this node is to announce.
func (d *Driver) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	return d.DesiredAgain(nil, snap, out)
}

// DesiredAgain implements [desired.Again].
func (d *Driver) DesiredAgain(m *parts.Memory, snap observe.Snapshot, out *object.Set) []observe.Skip {
	p := d.newPass(m, snap, out)
	p.derive()
	p.parts.End()
	return p.Skips()
}

// The phases of a pass, in their order.
const (
	phaseBridge     = "bridge"
	phaseNetworks   = "networks"
	phaseMonitors   = "monitors"
	phaseTemplates  = "templates"
	phaseGroups     = "groups"
	phaseBalancers  = "balancers"
	phaseFlows      = "flows"
	phaseSlices     = "slices"
	phaseServices   = "services"
	phasePrefixes   = "prefixes"
	phaseListed     = "listed"
	phaseEgressIPs  = "egress IPs"
	phaseEgress     = "egress"
	phasePodSubnets = "pod subnets"
)

var phases = []string{
	phaseBridge, phaseNetworks, phaseMonitors, phaseTemplates, phaseGroups, phaseBalancers, phaseFlows, phaseSlices,
	phaseServices, phasePrefixes, phaseListed, phaseEgressIPs, phaseEgress, phasePodSubnets,
}

// pass is one run over one snapshot.
type pass struct {
	*expose.Exposer
	parts   *parts.Pass
	cfg     Config
	snap    observe.Snapshot
	sb      *observe.Southbound
	kube    *observe.Kube
	me      observe.UUID // our Chassis row; zero if it is missing
	name    string       // of our Node
	node    *observe.KubeNode
	gateway gateway
	bridge  bridge
	// nodeWhy and gatewayWhy are what keeps all addresses of services back on this node.
	nodeWhy, gatewayWhy fault
}

// fault is what is in the way of an address: nothing, if code is empty.
type fault struct{ stage, code, text string }

func (f fault) ok() bool { return f.code == "" }

// newPass finds out what holds for all services.
func (d *Driver) newPass(m *parts.Memory, snap observe.Snapshot, out *object.Set) *pass {
	begun := parts.Begin(m, snap, out, phases...)
	p := &pass{
		Exposer: expose.In(Name, d.cfg.Expose, begun), parts: begun, cfg: d.cfg, snap: snap, sb: snap.SB, kube: snap.Kube,
	}
	if c, ok := snap.SB.ChassisByName(snap.Chassis); ok {
		p.me, p.name = c.UUID, c.Hostname
	}
	if p.kube == nil {
		return p
	}
	if p.kube.NodeName != "" {
		p.name = p.kube.NodeName
	}
	if d.cfg.NodeName != "" {
		p.name = d.cfg.NodeName
	}
	p.node, _ = p.kube.Node(p.name)
	p.gateway = p.findGateway()
	p.bridge = p.findBridge()
	p.nodeWhy, p.gatewayWhy = p.nodeFault(), p.gatewayFault()
	return p
}

// asked prepares a pass that answers a question about some addresses, with all that may be asked for;
// false while nothing is known of the API.
func (d *Driver) asked(snap observe.Snapshot) (*pass, bool) {
	p := d.newPass(nil, snap, new(object.Set))
	if p.kube == nil {
		return p, false
	}
	p.index()
	return p, true
}

// asks reports whether a kind is to be announced.
func (p *pass) asks(kind Kind) bool { return slices.Contains(p.cfg.Advertise, kind) }

// derive goes through all rules.
func (p *pass) derive() {
	if !p.ready() {
		return
	}
	p.report()
	p.index()
	p.services()
	p.egressIPs()
	if p.asks(KindPodSubnet) {
		p.parts.Part(phasePodSubnets, []any{p.name, p.me, p.nodeWhy}, p.podSubnets)
	}
}

// ready reports whether the snapshot says enough to derive anything. If not, what is
// announced stays.
func (p *pass) ready() bool {
	hold := func(code, table, text string) bool {
		p.Skip(observe.Skip{Table: table, Code: code, Text: text, Driver: Name, Hold: true})
		return false
	}
	switch {
	case p.kube == nil:
		return hold(CodeNotSynced, "", "nothing is known of the Kubernetes API: the snapshot has no member kube")
	case p.me.IsZero():
		return hold(observe.SkipUnknown, "", "the Southbound database has no Chassis row of "+p.snap.Chassis+
			": what is announced stays")
	case p.node == nil && (p.kube.NoNode || p.kube.NodeName == ""):
		// K-80: until a Node of that name has been seen once.
		return hold(CodeNodeUnknown, "", p.nodeWhy.text)
	default:
		return true
	}
}

// report tells what holds for all addresses, once.
func (p *pass) report() {
	if p.kube.Stale != "" {
		p.tell("Kubernetes API", "", CodeStale, p.kube.Stale+"; nothing is withdrawn for that reason")
	}
	if p.asks(KindEgressIP) && p.kube.NoEgressIPs {
		p.tell("Kubernetes API", "EgressIP", CodeCRDMissing, noCRD)
	}
	if !p.nodeWhy.ok() {
		p.tell("Node", p.name, p.nodeWhy.code, p.nodeWhy.text)
	} else if p.draining() {
		p.tell("Node", p.name, CodeNodeDraining, "the node is cordoned: its service addresses are a last resort, "+
			"and are withdrawn after kube.drain_time")
	}
	if !p.gatewayWhy.ok() {
		p.tell("Port_Binding", p.gateway.name(p.name), p.gatewayWhy.code, p.gatewayWhy.text)
	}
	if f := p.snap.Flows; f != nil && f.Stale != "" {
		p.tell("Bridge", p.bridge.name, CodeUnverified, "flows: "+f.Stale+"; they count as they were last")
	}
	if p.bridge.noUplink() {
		p.tell("Bridge", p.bridge.name, CodeNoUplink, "the external bridge has no uplink port: flows are not asked for")
	}
}

// tell reports something without holding anything.
func (p *pass) tell(table, row, code, text string) {
	p.Skip(observe.Skip{Table: table, Row: row, Code: code, Text: text})
}

// problems reports the fields of an object of the API that could not be read.
func (p *pass) problems(table, row string, list []string) {
	for _, text := range list {
		p.tell(table, row, observe.SkipUnreadable, text)
	}
}

// noCRD is what is wrong where there are no egress IPs to be had.
const noCRD = "the API does not serve egressips.k8s.ovn.org"

// draining reports whether service addresses are a last resort.
func (p *pass) draining() bool { return p.state() == observe.NodeDraining }

// state is how far the drain is that a cordon began (K-83, K-84). Where nobody has
// followed the node, it was cordoned before we began.
func (p *pass) state() observe.NodeState {
	switch {
	case p.cfg.KeepCordoned || p.node == nil:
		return observe.NodeActive
	case p.kube.NodeState != "":
		return p.kube.NodeState
	case p.node.Unschedulable:
		return observe.NodeDrained
	default:
		return observe.NodeActive
	}
}

// nodeFault is what keeps all service addresses of this node back (K-3, K-80 to K-86).
func (p *pass) nodeFault() fault {
	bad := func(code, text string) fault { return fault{"node", code, text} }
	switch {
	case p.node == nil:
		return bad(CodeNodeUnknown, "the API has no Node named "+quoted(p.name)+
			"; kube.node_name, NODE_NAME or the host name of the chassis must be that of the Node")
	case p.gateway.mismatch != "":
		return bad(CodeNodeMismatch, "this chassis has the gateway router of node "+quoted(p.gateway.mismatch)+", not of "+
			quoted(p.name)+"; correct kube.node_name")
	case p.node.Excluded:
		return bad(CodeNodeExcluded, "the node has the label "+observe.KubeLabelExclude)
	case p.node.NetworkUnavailable:
		return bad(CodeNetworkUnavailable, "the node has the condition NetworkUnavailable")
	case p.state() == observe.NodeDrained:
		return bad(CodeNodeCordoned, "the node is cordoned, and its drain time has passed")
	default:
		return fault{}
	}
}

// quoted shortens what may be of any length.
func quoted(name string) string {
	if len(name) > 253 { // the longest name of a Node
		name = strings.ToValidUTF8(name[:253], "") + "..."
	}
	return `"` + name + `"`
}

// host is the host route of an address.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
