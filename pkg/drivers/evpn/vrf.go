package evpn

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// unreachableMetric is that of the routes that keep a VRF's traffic from falling
// through to the main table: the worst that FRR and the kernel agree on, so that
// any real route is better.
const unreachableMetric = 4278198272

// defaults are the prefixes of the unreachable routes of a VRF (V7).
var defaults = [2]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// overlay is what every VNI has, whether it is routed or bridged:
//
//	   vrf-V            a routed one is in a VRF
//	     |
//	   br-V             its MAC is the router MAC
//	  /    \
//	vxlan-V  leg        the leg of a bridged one; that of a routed one is in the VRF
type overlay struct {
	vni    uint32
	name   string // where parts are ordered by it
	rd     string
	bridge object.Link
	vxlan  object.Link
	// why are the rows that brought the VNI about, and networks the provider networks of which the
	// stations have a part in it.
	why      []object.Source
	networks []*expose.Network
	// imports are route targets and wildcards.
	imports []string
}

// vrf is a routed VNI.
type vrf struct {
	overlay
	table    uint32
	dev      object.Link
	gateways []*gateway
	legs     []*leg // of gateways
	// providers are provider networks in it; a VRF has these or gateways.
	providers []*provider
	// subnets are those behind gateways of E2; nets are their prefixes, and hosts the
	// addresses of router ports in them.
	subnets []*subnet
	nets    []netip.Prefix
	hosts   map[netip.Addr]bool
	// shared are what all paths through a leg need, by family.
	shared map[sharedBy][]object.Key
}

// fresh is a VRF that has been found, with nothing of it derived yet: what is derived is written into
// it, while the found one stays as it is.
func (v *vrf) fresh() *vrf {
	c := *v
	c.nets, c.hosts = nil, map[netip.Addr]bool{}
	c.gateways, c.providers = nil, nil
	for _, gw := range v.gateways {
		g := *gw
		c.gateways = append(c.gateways, &g)
	}
	for _, found := range v.providers {
		pn := *found
		pn.vrf = &c
		c.providers = append(c.providers, &pn)
	}
	c.shared = map[sharedBy][]object.Key{}
	return &c
}

// sharedBy is the key of vrf.shared: paths through one leg differ in their family only.
type sharedBy struct {
	leg  string
	ipv6 bool
}

// newOverlay makes the devices of a VNI. The VXLAN device does not learn, because BGP
// says where MAC addresses are (RFC 7432 section 9), and it suppresses ARP and ND
// requests that the bridge can answer from its neighbours (section 10).
func (p *pass) newOverlay(vni uint32, master string) overlay {
	o := overlay{vni: vni, name: fmt.Sprintf("%08d", vni)}
	br := bridgeName(vni)
	o.bridge = object.Link{Name: br, Type: object.LinkBridge, MAC: macOf(p.vtep, vni, "bridge"), Master: master, Up: true}
	o.vxlan = object.Link{
		Name: fmt.Sprintf("vxlan-%d", vni), Type: object.LinkVXLAN, VNI: vni, Local: p.vtep, Port: p.cfg.Port,
		MAC: macOf(p.vtep, vni, "vxlan"), Master: br, NoLearning: true, Suppress: true, Up: true,
	}
	return o
}

// vrfName fits into the kernel's 15 bytes with the largest VNI, 16777215.
func vrfName(vni uint32) string { return fmt.Sprintf("vrf-%d", vni) }

// newVRF returns the VRF of a VNI, or says why there can be none: its table is
// another owner's.
func (p *pass) newVRF(vni uint32) (*vrf, string) {
	v := &vrf{overlay: p.newOverlay(vni, vrfName(vni))}
	v.table = vni + p.cfg.TableOffset
	v.dev = object.Link{Name: vrfName(vni), Type: object.LinkVRF, Table: v.table, Up: true}
	if why := p.bridgeTaken(vni); why != "" {
		return nil, why
	}
	why := p.tableReserved(v.table)
	if why == "" {
		why = p.tableTaken(v)
	}
	if why != "" {
		return nil, fmt.Sprintf("VNI %d cannot have routing table %d: %s; set evpn.table_offset, on every node alike, "+
			"or choose another VNI", vni, v.table, why)
	}
	return v, ""
}

// bridgeTaken says that the name of a VNI's bridge is that of an Open vSwitch bridge,
// which is the operator's and must be neither taken nor changed.
func (p *pass) bridgeTaken(vni uint32) string {
	name := bridgeName(vni)
	if !slices.Contains(p.bridgeNames(), name) {
		return ""
	}
	return fmt.Sprintf("VNI %d needs a bridge named %s, and Open vSwitch has one of that name: rename that, or choose "+
		"another VNI", vni, name)
}

// bridgeNames are the names of the bridges of Open vSwitch.
func (p *pass) bridgeNames() (names []string) {
	for _, b := range p.ovsBridges {
		names = append(names, b.Name)
	}
	return names
}

// bridgeName is the name of the bridge of a VNI.
func bridgeName(vni uint32) string { return fmt.Sprintf("br-%d", vni) }

// addVRF makes the VRF known.
func (p *pass) addVRF(v *vrf) {
	if p.byVNI[v.vni] == nil {
		p.byVNI[v.vni] = v
		p.vrfs = append(p.vrfs, v)
	}
}

// tableReserved says what a routing table is reserved for. It is not replaced by
// another number, because people look for a VNI's routes under the number they know.
func (p *pass) tableReserved(table uint32) string {
	switch {
	case object.TableReserved(table):
		return "it is reserved by the kernel"
	case table >= p.cfg.Expose.TableMin && table <= p.cfg.Expose.TableMax:
		return fmt.Sprintf("it is in routing.table_range, %d-%d", p.cfg.Expose.TableMin, p.cfg.Expose.TableMax)
	case slices.Contains(p.networks.Tables(), table):
		return "it belongs to a provider bridge"
	default:
		return ""
	}
}

// findVRFDevices lists the VRFs among the devices of the node. Most others are those of VMs, and come and go with them.
func (p *pass) findVRFDevices() []observe.Link {
	if p.host == nil {
		return nil
	}
	return parts.Value(p.parts, phaseDevices, p.host.Links, func() (vrfs []observe.Link) {
		for _, l := range p.host.Links {
			if l.Table != 0 {
				vrfs = append(vrfs, l)
			}
		}
		return vrfs
	})
}

// tableTaken says who has the table of a VRF that is not there yet. Who takes that
// of one that is there is reported only: a stranger must not be able to interrupt a tenant.
func (p *pass) tableTaken(v *vrf) string {
	if p.host == nil {
		return ""
	}
	live := slices.ContainsFunc(p.vrfDevices, func(l observe.Link) bool {
		return l.Name == v.dev.Name && l.Ours && l.Table == v.table
	})
	if !live {
		p.tables = append(p.tables, v.table)
	}
	for _, t := range p.host.Tables {
		if t.ID == v.table && t.Foreign && !live {
			return "it holds another owner's routes"
		}
	}
	for _, l := range p.vrfDevices {
		if l.Table != v.table || l.Name == v.dev.Name {
			continue
		}
		if !live {
			return "it belongs to VRF " + l.Name
		}
		p.reportOf(v.vni, "device", l.Name, observe.SkipConflict,
			"it is a VRF with routing table %d, which is that of %s already: its traffic gets into VNI %d; delete it",
			v.table, v.dev.Name, v.vni)
	}
	return ""
}

// vrf adds a routed VNI: devices (V1 to V3), unreachable defaults (V7), and what
// its gateways lead to.
func (p *pass) vrf(v *vrf) {
	p.shareNeeds(v)
	p.put(v.dev, v.why, nil)
	p.overlay(&v.overlay)
	p.unreachable(v.dev, v.why)
	for _, s := range routingSysctls(v.bridge.Name) {
		p.put(s, v.why, nil)
		p.parts.Keep(v.bridge.Key(), s.Key())
	}
	for _, l := range v.legs {
		p.leg(v, l)
	}
	for _, gw := range v.gateways {
		p.gateway(v, gw)
		p.tenantSubnets(v, gw)
	}
	for _, pn := range v.providers {
		p.providerNetwork(pn)
	}
}

// overlay adds the devices of a VNI. A bridge without its VXLAN device is of no use.
func (p *pass) overlay(o *overlay) {
	p.put(o.bridge, o.why, nil)
	p.put(o.vxlan, o.why, nil)
	p.parts.Keep(o.bridge.Key(), o.vxlan.Key())
}

// unreachable adds the routes that must be there for as long as the VRF is. They
// come before it in every plan, so that it is not what they need.
func (p *pass) unreachable(vrf object.Link, why []object.Source) {
	for _, dst := range defaults {
		route := object.UnreachableRoute(vrf.Table, dst, unreachableMetric)
		p.put(route, why, nil)
		p.parts.Keep(vrf.Key(), route.Key())
	}
}

// routingSysctls let the kernel route between the devices of a VRF. Answers may
// take another way than questions, which strict filtering would drop.
func routingSysctls(dev string) []object.Sysctl {
	return []object.Sysctl{
		{Path: "net/ipv4/conf/" + dev + "/forwarding", Val: "1"},
		{Path: "net/ipv4/conf/" + dev + "/rp_filter", Val: "0"},
		{Path: "net/ipv6/conf/" + dev + "/forwarding", Val: "1"},
	}
}

// shareNeeds finds out once what the paths through each leg need.
func (p *pass) shareNeeds(v *vrf) {
	legs := v.legs
	for _, pn := range v.providers {
		legs = append(slices.Clip(legs), pn.leg)
	}
	for _, l := range legs {
		for _, ipv6 := range []bool{false, true} {
			v.shared[sharedBy{l.dev, ipv6}] = p.pathNeeds(v, l, ipv6)
		}
	}
}

// pathNeeds are what every path of the VNI through that leg needs.
func (p *pass) pathNeeds(v *vrf, l *leg, ipv6 bool) []object.Key {
	needs := []object.Key{v.dev.Key(), v.bridge.Key(), v.vxlan.Key()}
	needs = append(needs, l.keys()...)
	forwarding := forwardingAt(ipv6)
	needs = append(needs, routingSysctls(v.bridge.Name)[forwarding].Key(), routingSysctls(l.dev)[forwarding].Key())
	if p.cfg.Expose.HostSysctls {
		needs = append(needs, expose.Forwarding(ipv6).Key())
	}
	return needs
}

// forwardingAt is the place of a family's forwarding among routingSysctls.
func forwardingAt(ipv6 bool) int {
	if ipv6 {
		return 2
	}
	return 0
}

// keptVRFs keeps VRFs of ours in which nothing is any more, if so configured:
// operators may have put devices of their own into them. What keeps their traffic
// from the main table stays as well.
func (p *pass) keptVRFs() {
	if p.cfg.KeepVRF && p.host != nil {
		p.parts.Part(phaseKept, p.vrfDevices, func() { p.keptVRFsOf(p.vrfDevices) })
	}
}

// keptVRFsOf keeps those of some devices.
func (p *pass) keptVRFsOf(links []observe.Link) {
	for _, l := range links {
		var vni uint32
		if n, err := fmt.Sscanf(l.Name, "vrf-%d", &vni); n != 1 || err != nil || l.Name != vrfName(vni) || l.Table == 0 ||
			!l.Ours {
			continue
		}
		kept := object.Link{Name: l.Name, Type: object.LinkVRF, Table: l.Table, Up: true}
		if p.parts.Has(kept.Key()) {
			continue
		}
		why := []object.Source{p.Why("E4", "device", l.Name)}
		p.Row("device", l.Name, func() {
			p.put(kept, why, nil)
			p.unreachable(kept, why)
		})
	}
}

// addWhy adds reasons that are not there yet.
func (o *overlay) addWhy(why ...object.Source) {
	for _, src := range why {
		if !slices.Contains(o.why, src) {
			o.why = append(o.why, src)
		}
	}
}

// refuse reports a VNI that this node cannot serve, on the row that asks for it.
func (p *pass) refuse(vni uint32, port *observe.PortBinding, text string) {
	p.reportOf(vni, "Port_Binding", port.LogicalPort, observe.SkipDegraded, "%s", text)
}
