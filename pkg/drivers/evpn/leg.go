package evpn

import (
	"fmt"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// longestVNI is the largest VNI whose legs have names that people recognise:
// veth-vrf-V must fit into the kernel's 15 bytes.
const longestVNI = 999999

// leg connects a VRF to a provider network (V5). On a flat network it is a veth,
// because the kernel does not let a VRF's own device into Open vSwitch; on a
// VLAN it is an internal port of Open vSwitch with that tag.
type leg struct {
	network *expose.Network
	// dev is the device in the VRF, port the one on the bridge.
	dev, port string
	mac       object.MAC
	links     []object.Link
	ovs       object.OVSPort
	master    object.Master // of a VLAN's port
}

// newLeg only names the parts, which legDevices adds: the names must be known before
// other rules can refer to the leg.
func (p *pass) newLeg(v *vrf, n *expose.Network) *leg {
	if n.VLAN != 0 {
		l := &leg{network: n, mac: macOf(p.vtep, v.vni, "vlan")}
		l.dev = fmt.Sprintf("vlan-%d", v.vni)
		l.port = l.dev
		l.ovs = object.OVSPort{Name: l.dev, Bridge: n.Bridge.Name, Type: object.OVSInternal, Tag: n.VLAN, MAC: l.mac}
		l.master = object.Master{Dev: l.dev, Master: v.dev.Name, Up: true}
		return l
	}
	inside, outside := vethNames(v.vni, "veth-vrf-%d", "vv-%d")
	return p.vethLeg(v.vni, v.dev.Name, n, inside, outside)
}

// vethNames are those of a leg's end that is ours and of the one on the bridge.
func vethNames(vni uint32, inside, short string) (string, string) {
	if vni > longestVNI {
		return fmt.Sprintf(short, vni), fmt.Sprintf("vo-%d", vni)
	}
	return fmt.Sprintf(inside, vni), fmt.Sprintf("veth-ovs-%d", vni)
}

// vethLeg is a leg of two links, each the other's peer.
func (p *pass) vethLeg(vni uint32, master string, n *expose.Network, inside, outside string) *leg {
	l := &leg{network: n, dev: inside, port: outside, mac: macOf(p.vtep, vni, "leg")}
	l.links = []object.Link{
		{Name: inside, Type: object.LinkVeth, Peer: outside, MAC: l.mac, Master: master, Up: true},
		{Name: outside, Type: object.LinkVeth, Peer: inside, MAC: macOf(p.vtep, vni, "ovs"), Up: true},
	}
	l.ovs = object.OVSPort{Name: outside, Bridge: n.Bridge.Name}
	return l
}

// same reports whether a gateway on another network can use the leg: Open vSwitch
// has one port of a name.
func (l *leg) same(n *expose.Network) bool {
	return l.ovs.Bridge == n.Bridge.Name && l.network.VLAN == n.VLAN
}

// keys are those of the parts.
func (l *leg) keys() []object.Key {
	var out []object.Key
	for _, link := range l.links {
		out = append(out, link.Key())
	}
	out = append(out, l.ovs.Key())
	if l.master.Dev != "" {
		out = append(out, l.master.Key())
	}
	return out
}

// device is the key of what makes the device in the VRF.
func (l *leg) device() object.Key {
	if len(l.links) > 0 {
		return l.links[0].Key()
	}
	return l.ovs.Key()
}

// legDevices adds the parts themselves. The device is of no use without the others.
func (p *pass) legDevices(l *leg, why []object.Source) {
	block := l.network.Bridge.Block()
	for _, link := range l.links {
		p.put(link, why, block)
	}
	p.put(l.ovs, why, block)
	if l.master.Dev != "" {
		p.put(l.master, why, block)
	}
	p.parts.Keep(l.device(), slices.DeleteFunc(l.keys(), func(k object.Key) bool { return k == l.device() })...)
}

// onLeg adds what stays for as long as something needs the leg.
func (p *pass) onLeg(l *leg, v object.Value, why []object.Source, block *object.Block) {
	p.put(v, why, block)
	p.parts.Keep(l.device(), v.Key())
}

// leg adds the leg of a router's VRF. On a VLAN nobody else answers for the
// provider network's gateway, so the leg does; on a flat network the bridge does.
func (p *pass) leg(v *vrf, l *leg) {
	block := l.network.Bridge.Block()
	p.legDevices(l, v.why)
	sysctls := append(routingSysctls(l.dev), object.Sysctl{Path: "net/ipv4/conf/" + l.dev + "/send_redirects", Val: "0"})
	answering := l.network.Bridge.Name
	if l.network.VLAN != 0 {
		sysctls = append(sysctls, proxySysctls(l.dev)...)
		answering = l.dev
	}
	for _, s := range sysctls {
		p.onLeg(l, s, v.why, block)
	}
	for _, a := range p.cfg.Expose.ProxyAddrs {
		if a.Network == l.network.Physnet && a.VLAN == l.network.VLAN {
			p.proxy(l, object.ProxyNeigh{Dev: answering, Addr: a.Addr}, v.why, block)
		}
	}
}

// proxy adds an answer for an address of the provider network. On the leg it goes
// with that; on the bridge it answers for what is in the database now, whatever the
// leg does.
func (p *pass) proxy(l *leg, v object.ProxyNeigh, why []object.Source, block *object.Block) {
	if v.Dev == l.dev {
		p.onLeg(l, v, why, block)
		return
	}
	p.put(v, why, block)
}

// proxySysctls let the kernel answer for others at once.
func proxySysctls(dev string) []object.Sysctl {
	return []object.Sysctl{
		{Path: "net/ipv4/conf/" + dev + "/proxy_arp", Val: "1"},
		{Path: "net/ipv4/neigh/" + dev + "/proxy_delay", Val: "0"},
		{Path: "net/ipv6/conf/" + dev + "/proxy_ndp", Val: "1"},
		{Path: "net/ipv6/neigh/" + dev + "/proxy_delay", Val: "0"},
	}
}

// madeOn is a port of ours on a bridge of Open vSwitch, under which what is known of it is noted: each leg
// asks for its own.
type madeOn struct{ bridge, port string }

// madePorts notes the ports that have been made for legs.
func (p *pass) madePorts() {
	p.parts.Part(phaseMade, p.ovsBridges, func() {
		for _, b := range p.ovsBridges {
			for _, made := range b.Made {
				p.parts.Note(madeOn{b.Name, made.Name}, made)
			}
		}
	})
}

// wired says why traffic of the network cannot reach the leg yet, and otherwise
// by which OpenFlow ports it comes and goes.
func (p *pass) wired(l *leg) (in, out uint16, block *object.Block) {
	patch, block := l.network.Patch()
	var made observe.MadePort
	ok := false
	for _, noted := range p.parts.Noted(madeOn{l.ovs.Bridge, l.port}) {
		made, ok = noted.(observe.MadePort), true
	}
	switch {
	case block != nil:
	case !ok:
		block = notWired("port %s is not on bridge %s yet", l.port, l.ovs.Bridge)
	case made.OFPort == 0:
		block = notWired("port %s on %s has no OpenFlow number yet", l.port, l.ovs.Bridge)
	}
	return patch.OFPort, made.OFPort, block
}
