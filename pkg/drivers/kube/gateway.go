package kube

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// networkID is the key by which ports of other networks than the default one are tagged.
const networkID = "k8s.ovn.org/network"

// gatewayPort is what the names of ports begin with that lead from a gateway router to
// the outside.
const gatewayPort = "rtoe-GR_"

// gateway is the gateway router of this node (K-1).
type gateway struct {
	// port is rtoe-GR_<node>; nil if there is none.
	port *observe.PortBinding
	// mismatch is the node whose gateway router this chassis has instead (K-3).
	mismatch string
}

func (gateway) name(node string) string { return gatewayPort + node }

// has reports whether an address is one of the node's own.
func (g gateway) has(a netip.Addr) bool {
	if g.port == nil {
		return false
	}
	for _, have := range g.port.Addresses {
		for _, prefix := range have.Addrs {
			if prefix.Addr() == a {
				return true
			}
		}
	}
	return false
}

// findGateway finds the gateway router of the default network.
func (p *pass) findGateway() gateway {
	port, ok := p.sb.Port(gatewayPort + p.name)
	if ok && port.Type == observe.PortL3Gateway && port.ExternalIDs[networkID] == "" {
		return gateway{port: port}
	}
	for _, port := range p.gatewayPorts() { // by name: the first one is named
		if port.ExternalIDs[networkID] == "" && p.snap.Chassis != "" &&
			port.Options["l3gateway-chassis"] == p.snap.Chassis {
			return gateway{mismatch: strings.TrimPrefix(port.LogicalPort, gatewayPort)}
		}
	}
	return gateway{}
}

// gatewayPorts are those that lead from gateway routers to the outside, of all nodes and networks.
func (p *pass) gatewayPorts() []*observe.PortBinding {
	return p.parts.Select(gatewayPort, func(port *observe.PortBinding) bool {
		return port.Type == observe.PortL3Gateway && strings.HasPrefix(port.LogicalPort, gatewayPort)
	})
}

// bound reports whether a port is bound to this node.
func (p *pass) bound(port *observe.PortBinding) bool { return !p.me.IsZero() && port.Chassis == p.me }

// claimFault is what keeps back all that enters through the gateway router (K-2, K-4).
func (p *pass) claimFault() fault {
	g := p.gateway.port
	switch {
	case g == nil:
		return fault{"SB", CodeNoGatewayRouter, "the Southbound database has no port " + gatewayPort + p.name +
			" of the default network"}
	case p.me.IsZero(): // K-60: see ready
		return fault{"SB", CodeUnclaimed, "the Southbound database has no Chassis row of " + p.snap.Chassis +
			": what is announced stays"}
	case !p.bound(g):
		text := g.LogicalPort + " is bound to no chassis"
		if other := p.sb.ChassisName(g.Chassis); other != "" {
			text = g.LogicalPort + " is bound to chassis " + other
		}
		return fault{"SB", CodeUnclaimed, text}
	default:
		return fault{}
	}
}

// gatewayFault is claimFault for addresses of services, which need load balancers too
// (K-18).
func (p *pass) gatewayFault() fault {
	if f := p.claimFault(); !f.ok() {
		return f
	}
	if p.sb.LacksColumn(observe.ColumnLRGroup) {
		return fault{"SB", CodeSchema, "the Southbound schema has no " + observe.ColumnLRGroup +
			": upgrade OVN to 23.09 or later"}
	}
	return fault{}
}

// bridge is the external bridge, by which packets for services come in.
type bridge struct {
	// name is empty if no localnet port of the node's external switch is mapped.
	name string
	// there says that Open vSwitch has the bridge, and uplink that it has a port that
	// leads out of the node.
	there, uplink bool
	// inside are in_port values of packets that come from OVN or from the node.
	inside map[string]bool
	// local says that the host translates for services: the gateway mode is local or is
	// not known.
	local bool
	// known says that its flows have been read.
	known bool
}

// noUplink reports that nothing can be asked of the flows (K-17).
func (b bridge) noUplink() bool { return b.local && b.there && !b.uplink }

// findBridge finds the bridge to which the localnet port of the external switch maps.
func (p *pass) findBridge() bridge {
	localnets := p.parts.Select(observe.PortLocalnet, func(port *observe.PortBinding) bool {
		return port.Type == observe.PortLocalnet
	})
	local := p.node == nil || p.node.GatewayMode != "shared"
	given := []any{p.name, local, localnets, p.sb.Datapaths, p.snap.OVS.Mappings, p.snap.OVS.Bridges}
	b := parts.Value(p.parts, phaseBridge, given, func() bridge {
		return p.bridgeOf(p.externalLocalnet(localnets), local)
	})
	if p.snap.Flows != nil && b.name != "" {
		_, b.known = p.snap.Flows.Bridges[b.name]
	}
	return b
}

// bridgeFlows are the flows of the external bridge.
func (p *pass) bridgeFlows() []observe.BridgeFlow {
	if !p.bridge.known {
		return nil
	}
	return p.snap.Flows.Bridges[p.bridge.name]
}

func (p *pass) bridgeOf(localnet *observe.PortBinding, local bool) bridge {
	b := bridge{local: local}
	if localnet == nil {
		return b
	}
	i := slices.IndexFunc(p.snap.OVS.Mappings, func(m observe.BridgeMapping) bool {
		return m.Network == localnet.Options["network_name"]
	})
	if i < 0 {
		return b
	}
	b.name = p.snap.OVS.Mappings[i].Bridge
	b.inside = map[string]bool{"LOCAL": true, "65534": true}
	ovs, ok := p.snap.OVS.Bridge(b.name)
	b.there, b.uplink = ok, len(ovs.Uplinks) > 0
	for _, patch := range ovs.Patches {
		b.inside[patch.Name] = true
		if patch.OFPort != 0 {
			b.inside[strconv.Itoa(int(patch.OFPort))] = true
		}
	}
	return b
}

// externalLocalnet is the localnet port of ext_<node>, which is the switch on the other
// side of the gateway router's port to the outside.
func (p *pass) externalLocalnet(localnets []*observe.PortBinding) *observe.PortBinding {
	want := "ext_" + p.name
	datapaths := map[observe.UUID]bool{}
	for _, d := range p.sb.Datapaths {
		if d.Name() == want {
			datapaths[d.UUID] = true
		}
	}
	if etor, ok := p.parts.Port("etor-GR_" + p.name); ok {
		datapaths[etor.Datapath] = true
	}
	for _, port := range localnets { // by name: the first of several
		if datapaths[port.Datapath] {
			return port
		}
	}
	return nil
}

// passes reports whether a flow lets packets from outside go on to who serves them.
func (b bridge) passes(f observe.BridgeFlow) bool { return !b.inside[f.InPort] && !f.Drops() }

// fault is gate 2: whether packets for an address that come in by the bridge go on to OVN
// or, in local mode, to the host (K-17). Ports are those that passed gate 1, and flows gives the flows to
// an address.
func (b bridge) fault(addr netip.Addr, ports []observe.KubePort, flows func(netip.Addr) []observe.BridgeFlow) (
	fault, *observe.BridgeFlow,
) {
	const stage = stageFlow
	switch {
	case b.noUplink():
		return fault{}, nil
	case b.name == "":
		return fault{stage, CodeNoFlow, "no localnet port of the external switch is mapped to a bridge of this node"}, nil
	case !b.known:
		return fault{stage, CodeUnverified, "the flows of bridge " + b.name + " have not been read"}, nil
	}
	list := flows(addr)
	for i, f := range list {
		lookup := (f.Protocol == "arp" || f.Protocol == "nd") && b.local
		serves := lookup || slices.Contains(ports, observe.KubePort{Protocol: f.Protocol, Port: f.Port})
		if serves && b.passes(f) {
			return fault{}, &list[i]
		}
	}
	what := "no flow of table 0 of bridge " + b.name + " lets packets to " + addr.String() + " in"
	for i, port := range ports {
		if i == 4 {
			what += ", ..."
			break
		}
		sep := ", "
		if i == 0 {
			sep = " on "
		}
		what += sep + port.Protocol + "/" + strconv.Itoa(int(port.Port))
	}
	return fault{stage, CodeNoFlow, what + ": ovnkube-node has not made it"}, nil
}
