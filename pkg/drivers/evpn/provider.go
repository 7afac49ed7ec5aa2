package evpn

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// provider is a provider network in a VRF (method vrf): the kernel is the router
// on it, with the same MAC and gateway addresses on every node, and what is on
// this node of it is announced address by address.
type provider struct {
	cfg     NetworkConfig
	network *expose.Network
	leg     *leg
	exports object.Words
	why     []object.Source
	// at is its place among the networks of its VRF.
	at int
	// What follows is known once the VRF is derived: the port by which the network's traffic comes, 0 if there is
	// none, the flows that hand that to the leg, by family, and what is in the way of announcements.
	vrf   *vrf
	in    uint16
	flows [2]object.Flow
	block *object.Block
}

// inVRF is a network that is in its VRF: what is on it asks for the provider that is noted under this.
type inVRF struct{ localnet string }

// provider puts a configured network into the VRF of its VNI, as soon as
// something of it is on this node.
func (p *pass) provider(c NetworkConfig, n *expose.Network) {
	localnet := localnetOf(p.parts, n)
	if !p.parts.Told(stationOn{n.Localnet}) {
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
	pn := &provider{cfg: c, network: n, exports: c.exports(p.cfg.AS), at: len(v.providers)}
	pn.why = []object.Source{p.why("P1", localnet), p.Why("P1", "configuration", c.row())}
	pn.leg = p.providerLeg(v, n)
	p.addVRF(v)
	v.addWhy(pn.why...)
	v.networks = append(v.networks, n)
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

// providerNetwork adds the leg of a provider network.
func (p *pass) providerNetwork(pn *provider) {
	p.legDevices(pn.leg, pn.why)
	block := pn.network.Bridge.Block()
	for _, s := range append(routingSysctls(pn.leg.dev), proxySysctls(pn.leg.dev)...) {
		p.onLeg(pn.leg, s, pn.why, block)
	}
	for _, a := range legAddresses(pn) {
		p.onLeg(pn.leg, object.Address{Dev: pn.leg.dev, Prefix: a}, pn.why, block)
	}
	p.providerFlows(pn)
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
func (p *pass) providerFlows(pn *provider) {
	pn.in, _, pn.block = p.wired(pn.leg)
	for i, proto := range []string{"ip", "ipv6"} {
		pn.flows[i] = object.Flow{
			Bridge: pn.network.Bridge.Name, Priority: p.cfg.Expose.FlowPriority, Cookie: p.cfg.Expose.Cookie,
			Match: fmt.Sprintf("%s,in_port=%d", proto, pn.in), Actions: "mod_dl_dst:" + pn.leg.mac.String() + ",NORMAL",
		}
		if pn.in != 0 {
			p.onLeg(pn.leg, pn.flows[i], pn.why, pn.block)
		}
	}
}

// providers adds what is on provider networks (P2) and behind them (P3), prefix by prefix: stations and
// tenant ports hand the ways to their addresses to the prefixes.
func (p *pass) providers(vrfs []*vrf) {
	parts.Handed(p.parts, phaseProviderStations, nil, func(_ string, values []any) {
		on, at := handedStation(values)
		for _, pn := range p.parts.Noted(inVRF{on}) {
			for _, addr := range at.addrs {
				p.hand(way{pn: pn.(*provider), prefix: hostPrefix(addr), mac: at.mac, port: at.port, why: at.why})
			}
		}
	})
	p.providerTenants(vrfs)
	parts.Handed(p.parts, phaseProviderPrefixes, nil, func(_ string, values []any) {
		var ways []way
		for _, v := range values {
			ways = append(ways, v.(way))
		}
		p.providerPrefix(ways)
	})
}

// way is what a prefix of a VRF may lead to: a station on a provider network, or a gateway on it.
type way struct {
	pn     *provider
	prefix netip.Prefix
	mac    object.MAC // of the station
	via    netip.Addr // of the gateway
	// subnet is the place of what is behind a gateway, and port the first that has the MAC or the address.
	subnet int
	port   string
	why    []object.Source
}

// hand hands a way to the prefix of the VRF.
func (p *pass) hand(w way) {
	p.parts.Hand(phaseProviderPrefixes, w.pn.vrf.name+" "+w.prefix.String(), w)
}

// compare is the order of ways, of which the first counts: that of the networks in the configuration, what
// is on a network before what is behind it, and that of the ports.
func (w way) compare(o way) int {
	return cmp.Or(cmp.Compare(w.pn.at, o.pn.at), cmp.Compare(w.subnet, o.subnet), strings.Compare(w.port, o.port),
		bytes.Compare(w.mac[:], o.mac[:]))
}

// providerPrefix adds one prefix of a VRF, to which there may be several ways.
func (p *pass) providerPrefix(ways []way) {
	sorting.Stable(ways, way.compare)
	rows := func() (out []object.Source) {
		for _, w := range ways {
			out = append(out, w.why...)
		}
		return out
	}
	p.Part(fmt.Sprintf("VNI %d", ways[0].pn.vrf.vni), rows, func() {
		for _, w := range ways {
			if w.via.IsValid() {
				p.providerTenant(w)
			} else {
				p.providerAddress(w)
			}
		}
	})
}

// providerAddress adds one address on the network: its route, its neighbour,
// because OVN need not answer the kernel, and its announcement.
func (p *pass) providerAddress(w way) {
	block := w.pn.network.Bridge.Block()
	neigh := object.Neigh{Dev: w.pn.leg.dev, Addr: w.prefix.Addr(), MAC: w.mac}
	if !p.put(neigh, w.why, block) {
		return // another port has the address already
	}
	route := object.NewRoute(w.pn.vrf.table, w.prefix, w.pn.leg.dev, netip.Addr{})
	if p.put(route, w.why, block) {
		p.parts.Keep(route.Key(), neigh.Key())
		p.providerPath(w, neigh.Key(), route.Key())
	}
}

// providerPath announces a prefix of the network. The flow is needed first: without it
// what the fabric sends would be delivered, and the replies would not come back.
func (p *pass) providerPath(w way, after ...object.Key) {
	v, pn, ipv6 := w.pn.vrf, w.pn, w.prefix.Addr().Is6()
	if pn.in != 0 {
		flow := pn.flows[0]
		if ipv6 {
			flow = pn.flows[1]
		}
		after = append(after, flow.Key())
	}
	p.putItem(object.Item{
		Value: object.EVPNPath{
			Type: object.EVPNPrefix, RD: v.rd, Prefix: w.prefix, VNI: v.vni, NextHop: p.vtep, Targets: pn.exports,
			RouterMAC: v.bridge.MAC, Origin: p.cfg.Expose.Origin,
		},
		Why: w.why, Block: pn.block, Shared: v.shared[sharedBy{pn.leg.dev, ipv6}], After: after,
	})
}
