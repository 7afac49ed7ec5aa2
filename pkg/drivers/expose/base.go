package expose

import (
	"strconv"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Base adds what exists as soon as a bridge is mapped, even with nothing
// exposed (family B): the bridge up, its address, its settings, a VLAN device
// for each tagged localnet, and the flows of every patch port that exists.
func (e *Exposer) Base(ns *Networks) {
	e.Bridges(ns, "R0")
	for _, n := range ns.localnets {
		why := []object.Source{e.Why("R0", "Port_Binding", n.Localnet)}
		if n.VLAN != 0 && ns.devices[n.Dev] == n.Bridge {
			link := object.Link{Name: n.Dev, Type: "vlan", Parent: n.Bridge.Name, VLAN: n.VLAN, Up: true}
			e.add(link, why, n.block)
			e.device(link.Key(), n.Bridge, int(n.VLAN%256), why)
		}
		if n.wiredBlock() == nil {
			e.add(n.flows[0], why, nil)
			e.add(n.flows[1], why, nil)
		}
		for _, p := range e.opts.ProxyAddrs {
			if p.Network == n.Physnet && p.VLAN == n.VLAN {
				e.add(object.ProxyNeigh{Dev: n.Dev, Addr: p.Addr}, why, n.block)
			}
		}
	}
}

// Bridges adds the part of Base that is about the bridges themselves and the
// node, for drivers that take traffic from OVN in another way than by the flows
// of Base. rule is the driver's own name for it.
func (e *Exposer) Bridges(ns *Networks, rule string) {
	for _, b := range ns.bridges {
		why := []object.Source{e.Why(rule, "Bridge", b.Name)}
		dev := object.Device{Name: b.Name, Up: true}
		e.add(dev, why, b.block)
		e.device(dev.Key(), b, b.Position, why)
	}
	if e.opts.HostSysctls && len(ns.bridges) > 0 {
		why := []object.Source{e.Why(rule, "Open_vSwitch", "ovn-bridge-mappings")}
		for _, s := range []object.Sysctl{forwarding[0], forwarding[1], {Path: "net/ipv4/conf/all/rp_filter", Val: "0"}} {
			e.add(s, why, nil)
			for _, b := range ns.bridges {
				e.out.Keep(object.Device{Name: b.Name}.Key(), s.Key())
			}
		}
	}
}

// device adds addresses (B2, B5) and settings (B3) of one device of a bridge, which
// stay for as long as something needs the device.
func (e *Exposer) device(dev object.Key, b *Bridge, number int, why []object.Source) {
	var of []object.Value
	for _, addr := range addrs4and6(b.Position, number) {
		of = append(of, object.Address{Dev: dev.Name, Prefix: addr})
	}
	for _, s := range deviceSysctls(dev.Name) {
		of = append(of, s)
	}
	for _, v := range of {
		e.add(v, why, b.block)
		e.out.Keep(dev, v.Key())
	}
}

// deviceSysctls let the kernel answer for the provider gateway at once and
// send traffic back out of the device it came from.
func deviceSysctls(dev string) []object.Sysctl {
	set := func(path string, val int) object.Sysctl {
		return object.Sysctl{Path: path, Val: strconv.Itoa(val)}
	}
	return []object.Sysctl{
		set("net/ipv4/conf/"+dev+"/proxy_arp", 1),
		set("net/ipv4/conf/"+dev+"/rp_filter", 0),
		set("net/ipv4/conf/"+dev+"/send_redirects", 0),
		// With the kernel's default of 0.8 s at most the first packet of a VM
		// whose ARP entry is cold took 54 to 740 ms on a real OVN, with 0 it
		// took 0.6 ms.
		set("net/ipv4/neigh/"+dev+"/proxy_delay", 0),
		set("net/ipv6/conf/"+dev+"/proxy_ndp", 1),
		set("net/ipv6/neigh/"+dev+"/proxy_delay", 0),
	}
}

// PortSkip reports the unreadable parts of a row, once a row.
func PortSkip(p *observe.PortBinding) []observe.Skip {
	var out []observe.Skip
	for _, text := range p.Problems {
		out = append(out, observe.Skip{
			Table: "Port_Binding", Row: p.LogicalPort, Code: observe.SkipUnreadable, Text: text, Hold: true,
		})
	}
	return out
}
