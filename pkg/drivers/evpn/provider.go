package evpn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// provider is a provider network in a VRF (method vrf): the kernel is the router
// on it, with the same MAC and gateway addresses on every node, and what is on
// this node of it is announced address by address.
type provider struct {
	cfg      NetworkConfig
	network  *expose.Network
	leg      *leg
	exports  object.Words
	stations []*station
	why      []object.Source
}

// provider puts a configured network into the VRF of its VNI, as soon as
// something of it is on this node.
func (p *pass) provider(c NetworkConfig, n *expose.Network) {
	localnet := localnetOf(p.parts, n)
	stations := p.stations[n.Localnet]
	if len(stations) == 0 {
		return
	}
	v := p.byVNI[c.VNI]
	if v == nil {
		var problem string
		if v, problem = p.newVRF(c.VNI); problem != "" {
			p.refuse(c.VNI, localnet, problem)
			return
		}
	}
	for _, other := range v.providers {
		if other.network.VLAN == n.VLAN {
			p.reportOf(c.VNI, "Port_Binding", localnet.LogicalPort, observe.SkipConflict,
				"VNI %d has %s with VLAN %d already: a VLAN can be in it once; give the network a VNI of its own",
				c.VNI, other.network.Localnet, n.VLAN)
			return
		}
	}
	pn := &provider{cfg: c, network: n, exports: c.exports(p.cfg.AS), stations: stations}
	pn.why = []object.Source{p.why("P1", localnet), p.Why("P1", "configuration", c.row())}
	pn.leg = p.providerLeg(v, n)
	p.addVRF(v)
	v.addWhy(pn.why...)
	v.addStations(stations)
	v.providers = append(v.providers, pn)
	if v.rd == "" {
		v.rd = c.RD
	}
	for _, t := range c.imports() {
		if !slices.Contains(v.imports, t) {
			v.imports = append(v.imports, t)
		}
	}
}

// providerLeg is a veth with a tag on the bridge and the network's anycast MAC in
// the VRF.
func (p *pass) providerLeg(v *vrf, n *expose.Network) *leg {
	id := shortID(n.Localnet)
	l := p.vethLeg(v.vni, v.dev.Name, n, "vrf"+id, "ovs"+id)
	l.mac = anycastMAC(v.vni, n.VLAN)
	l.links[0].MAC = l.mac
	l.links[1].MAC = macOf(p.vtep, v.vni, "ovs "+id)
	l.ovs.Tag = n.VLAN
	return l
}

// shortID is what names of devices have of a localnet: the beginning of the UUID
// that Neutron puts into it, as the predecessor does, or of a hash.
func shortID(localnet string) string {
	id := strings.TrimPrefix(localnet, "provnet-")
	if _, err := observe.ParseUUID(id); err == nil {
		return id[:11]
	}
	sum := sha256.Sum256([]byte(localnet))
	return hex.EncodeToString(sum[:])[:11]
}

// anycastMAC is the same on every node: 02, the VNI and the VLAN.
func anycastMAC(vni uint32, vlan uint16) object.MAC {
	return object.MAC{2, byte(vni >> 16), byte(vni >> 8), byte(vni), byte(vlan >> 8), byte(vlan)}
}

// linkLocal is the address that belongs to an anycast MAC.
func linkLocal(m object.MAC) netip.Prefix {
	a := [16]byte{0xfe, 0x80}
	copy(a[10:], m[:])
	return netip.PrefixFrom(netip.AddrFrom16(a), 64)
}

// providerNetwork adds the leg of a provider network and all that is on this node.
func (p *pass) providerNetwork(v *vrf, pn *provider) {
	p.legDevices(pn.leg, pn.why)
	block := pn.network.Bridge.Block()
	for _, s := range append(routingSysctls(pn.leg.dev), proxySysctls(pn.leg.dev)...) {
		p.onLeg(pn.leg, s, pn.why, block)
	}
	for _, a := range legAddresses(pn) {
		p.onLeg(pn.leg, object.Address{Dev: pn.leg.dev, Prefix: a}, pn.why, block)
	}
	flows := p.providerFlows(pn)
	for _, at := range pn.stations {
		for _, addr := range at.addrs {
			p.providerAddress(v, pn, at, addr, flows)
		}
	}
	for _, gw := range p.providerGateways(pn) {
		p.providerTenants(v, pn, gw, flows)
	}
}

// legAddresses are the gateway addresses first, because the kernel prefers the
// first as a source, then ones that are there without any.
func legAddresses(pn *provider) []netip.Prefix {
	var out []netip.Prefix
	for _, gw := range pn.cfg.Gateways {
		out = append(out, hostPrefix(gw))
	}
	own := expose.Addresses(int(pn.network.VLAN), int(pn.network.VLAN))
	return append(out, own[0], own[1], linkLocal(pn.leg.mac))
}

// providerFlows hand what comes from the network's ports to the leg.
func (p *pass) providerFlows(pn *provider) [2]object.Flow {
	var out [2]object.Flow
	in, _, block := pn.leg.wired()
	for i, proto := range []string{"ip", "ipv6"} {
		out[i] = object.Flow{
			Bridge: pn.network.Bridge.Name, Priority: p.cfg.Expose.FlowPriority, Cookie: p.cfg.Expose.Cookie,
			Match: fmt.Sprintf("%s,in_port=%d", proto, in), Actions: "mod_dl_dst:" + pn.leg.mac.String() + ",NORMAL",
		}
		if in != 0 {
			p.onLeg(pn.leg, out[i], pn.why, block)
		}
	}
	return out
}

// providerAddress adds one address on the network: its route, its neighbour,
// because OVN need not answer the kernel, and its announcement.
func (p *pass) providerAddress(v *vrf, pn *provider, at *station, addr netip.Addr, flows [2]object.Flow) {
	block := pn.network.Bridge.Block()
	neigh := object.Neigh{Dev: pn.leg.dev, Addr: addr, MAC: at.mac}
	if !p.put(neigh, at.why, block) {
		return // another port has the address already
	}
	route := object.NewRoute(v.table, hostPrefix(addr), pn.leg.dev, netip.Addr{})
	if p.put(route, at.why, block) {
		p.parts.Keep(route.Key(), neigh.Key())
		p.providerPath(v, pn, route.Dst, at.why, flows, neigh.Key(), route.Key())
	}
}

// providerPath announces a prefix of the network. The flow is needed first: without it
// what the fabric sends would be delivered, and the replies would not come back.
func (p *pass) providerPath(v *vrf, pn *provider, prefix netip.Prefix, why []object.Source, flows [2]object.Flow,
	after ...object.Key,
) {
	in, _, block := pn.leg.wired()
	if in != 0 {
		flow := flows[0]
		if prefix.Addr().Is6() {
			flow = flows[1]
		}
		after = append(after, flow.Key())
	}
	p.putItem(object.Item{
		Value: object.EVPNPath{
			Type: object.EVPNPrefix, RD: v.rd, Prefix: prefix, VNI: v.vni, NextHop: p.vtep, Targets: pn.exports,
			RouterMAC: v.bridge.MAC, Origin: p.cfg.Expose.Origin,
		},
		Why: why, Block: block, Shared: v.shared[sharedBy{pn.leg.dev, prefix.Addr().Is6()}], After: after,
	})
}

// providerGateways are the routers' gateways on the network that are on this node.
func (p *pass) providerGateways(pn *provider) []*observe.PortBinding {
	if !p.cfg.TenantNetworks && !p.cfg.TenantGUA {
		return nil
	}
	var out []*observe.PortBinding
	for _, port := range p.redirects {
		if !p.live(port) {
			continue
		}
		if lsp, ok := observe.ProviderSide(p.parts, port); ok && lsp.Datapath == pn.network.Datapath {
			out = append(out, port)
		}
	}
	return out
}

// providerTenants adds the tenant networks behind a gateway on the network: as
// subnets, or the router's address and each port by itself.
func (p *pass) providerTenants(v *vrf, pn *provider, gw *observe.PortBinding, flows [2]object.Flow) {
	for _, lrp := range p.parts.On(gw.Datapath) {
		lsp, ok := p.interfacePort(lrp)
		if !ok || p.networks.IsProvider(lsp.Datapath) {
			continue
		}
		if annotated(lsp) { // it is in a VPN of its own, even if that cannot be read
			p.annotationOf(lsp) // which is reported
			continue
		}
		p.reportProblems(lrp)
		for _, prefix := range lrpPrefixes(lrp) {
			via, _, ok := (&gateway{port: gw}).via(prefix.Addr())
			if !ok || !p.allowed(prefix.Addr(), lsp) {
				continue
			}
			why := []object.Source{p.why("P3", lrp), p.whyHere("P2", gw)}
			wired := func(dst netip.Prefix, why []object.Source) {
				route := object.NewRoute(v.table, dst, pn.leg.dev, via)
				neigh := object.Neigh{Dev: pn.leg.dev, Addr: via}.Key()
				if p.put(route, why, pn.network.Bridge.Block()) {
					p.parts.Keep(route.Key(), neigh)
					p.providerPath(v, pn, route.Dst, why, flows, neigh, route.Key())
				}
			}
			if p.cfg.SubnetMethod {
				wired(prefix.Masked(), why)
				v.nets = append(v.nets, prefix.Masked())
				v.hosts[prefix.Addr()] = true
				p.providerTenantPorts(lsp.Datapath, prefix, why,
					func(host netip.Prefix, _ []object.Source) { v.hosts[host.Addr()] = true })
				continue
			}
			wired(hostPrefix(prefix.Addr()), why)
			p.providerTenantPorts(lsp.Datapath, prefix, why, wired)
		}
	}
}

// providerTenantPorts calls wired for each tenant address in the subnet. Ports that are
// bound elsewhere count too, because their traffic goes through the gateway here.
func (p *pass) providerTenantPorts(network observe.UUID, subnet netip.Prefix, why []object.Source,
	wired func(netip.Prefix, []object.Source),
) {
	for _, port := range p.parts.On(network) {
		for _, addr := range tenantAddrs(port) {
			if subnet.Contains(addr) && p.allowed(addr, port) {
				wired(hostPrefix(addr), append([]object.Source{listing(object.ListsOwn, p.why("P3", port))}, why...))
			}
		}
	}
}

// lrpPrefixes are the networks of a router port, from Port_Binding column mac, unmasked.
func lrpPrefixes(lrp *observe.PortBinding) []netip.Prefix {
	var out []netip.Prefix
	for _, el := range lrp.Addresses {
		out = append(out, el.Addrs...)
	}
	return out
}

// allowed applies the tenant filters to an address: which families, and which
// address scopes, of the switch port that carries the scope.
func (p *pass) allowed(addr netip.Addr, port *observe.PortBinding) bool {
	if !p.cfg.TenantNetworks && !observe.IsGUA(addr) {
		return false
	}
	if len(p.cfg.AddressScopes) == 0 {
		return true
	}
	key := "neutron:subnet_pool_addr_scope6"
	if addr.Is4() {
		key = "neutron:subnet_pool_addr_scope4"
	}
	scope := port.ExternalIDs[key]
	return scope != "" && slices.Contains(p.cfg.AddressScopes, scope)
}
