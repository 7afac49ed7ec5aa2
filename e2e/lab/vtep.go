package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// VTEP is the address of the top of rack as an end of VXLAN tunnels. It is made
// by the first [Tor.VRF] or [Tor.Segment].
var VTEP = netip.MustParseAddr("10.255.1.1")

// vxlanPort is the port of RFC 7348.
const vxlanPort = 4789

// Remote is a machine of a tenant behind the top of rack.
type Remote struct {
	*Node
	Addrs []netip.Prefix
	MAC   net.HardwareAddr
}

// VRF is a tenant in the top of rack, as FRR knows it: an L3VNI.
type VRF struct {
	Name string
	VNI  int
	Host *Remote

	tor *Tor
}

// EnableEVPN makes the top of rack a VTEP and activates family l2vpn-evpn on its
// IPv4 sessions. Routes of one chassis are passed on to the others.
func (t *Tor) EnableEVPN(ctx context.Context) error {
	if err := t.addAddrs("lo", netip.PrefixFrom(VTEP, 32)); err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("router bgp %d", TorAS), "address-family l2vpn evpn", "advertise-all-vni"}
	for _, n := range t.neighbours {
		if n.Is4() {
			lines = append(lines, fmt.Sprintf("neighbor %s activate", n))
		}
	}
	return t.Configure(ctx, lines...)
}

// VRF makes a VRF with an L3VNI and a host in each of the subnets, and has FRR
// announce them, with its own AS and the VNI as the route target.
func (t *Tor) VRF(ctx context.Context, name string, vni int, subnets ...netip.Prefix) (*VRF, error) {
	v := &VRF{Name: name, VNI: vni, tor: t}
	if err := t.links(func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		vrf := &netlink.Vrf{LinkAttrs: attrs, Table: uint32(vni)}
		if err := h.LinkAdd(vrf); err != nil {
			return fmt.Errorf("add VRF %s: %w", name, err)
		}
		return h.LinkSetUp(vrf)
	}); err != nil {
		return nil, err
	}
	if err := t.bridgeOver(vni, name); err != nil {
		return nil, err
	}
	var err error
	if v.Host, err = t.remote(name, subnets); err != nil {
		return nil, err
	}
	if err := t.enslave(v.port(), name); err != nil {
		return nil, err
	}
	var gateways []netip.Prefix
	for _, s := range subnets {
		gateways = append(gateways, netip.PrefixFrom(s.Masked().Addr().Next(), s.Bits()))
	}
	// After the enslavement, which flushes IPv6 addresses.
	if err := v.connectSubnets(ctx, gateways); err != nil {
		return nil, err
	}
	if err := v.Host.addDefaults(addrsOf(gateways)...); err != nil {
		return nil, err
	}
	// bgpd imports when it hears of the VNI, and again when it is told what to import.
	// The second time zebra of FRR 8.4 removes the neighbours with the router MACs
	// after it has added them, if all of it comes at once: so the VNI is the last.
	if err := t.Configure(ctx,
		fmt.Sprintf("router bgp %d vrf %s", TorAS, name), "bgp router-id "+VTEP.String(), "no bgp ebgp-requires-policy",
		"address-family ipv4 unicast", "redistribute connected", "exit-address-family",
		"address-family ipv6 unicast", "redistribute connected", "exit-address-family",
		"address-family l2vpn evpn", "advertise ipv4 unicast", "advertise ipv6 unicast",
		fmt.Sprintf("route-target import %d:%d", ChassisAS, vni), "exit-address-family"); err != nil {
		return nil, err
	}
	if err := t.Configure(ctx, "vrf "+name, "vni "+strconv.Itoa(vni), "exit-vrf"); err != nil {
		return nil, err
	}
	return v, t.awaitL3VNI(ctx, vni)
}

// connectSubnets gives the gateways to the host's cable and waits until zebra has
// their subnets. What zebra hears of addresses while it moves the device into the
// VRF may be lost to it: then, and not before it had time, they are told again.
func (v *VRF) connectSubnets(ctx context.Context, gateways []netip.Prefix) error {
	if err := v.tor.addAddrs(v.port(), gateways...); err != nil {
		return err
	}
	looks := 0
	return harness.Await(ctx, "zebra to know the subnets of VRF "+v.Name, func(ctx context.Context) (bool, error) {
		known, err := v.tor.Vtysh(ctx, "show ip route vrf "+v.Name, "show ipv6 route vrf "+v.Name)
		if err != nil && !strings.Contains(known+err.Error(), "not found") {
			return false, err
		}
		missing := slices.DeleteFunc(slices.Clone(gateways), func(g netip.Prefix) bool {
			return strings.Contains(known,
				g.Masked().String())
		})
		if looks++; looks%patientLooks != 0 {
			return len(missing) == 0, nil
		}
		for _, g := range missing {
			if err := v.tor.renewAddr(v.port(), g); err != nil {
				return false, err
			}
		}
		return len(missing) == 0, nil
	})
}

// awaitL3VNI waits until zebra has the L3VNI up.
func (t *Tor) awaitL3VNI(ctx context.Context, vni int) error {
	return harness.Await(ctx, fmt.Sprintf("L3VNI %d to be up in zebra", vni), func(ctx context.Context) (bool, error) {
		out, err := t.Vtysh(ctx, fmt.Sprintf("show evpn vni %d", vni))
		return strings.Contains(out, "State: Up"), err
	})
}

// patientLooks is how often zebra is asked before it is told again.
const patientLooks = 20

// renewAddr takes an address off a link, if it is there, and adds it.
func (n *Node) renewAddr(dev string, addr netip.Prefix) error {
	err := n.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(dev)
		if err != nil {
			return fmt.Errorf("find %s: %w", dev, err)
		}
		if err := h.AddrDel(link, &netlink.Addr{IPNet: ipNet(addr)}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("delete %s from %s: %w", addr, dev, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return n.addAddrs(dev, addr)
}

// port is the top of rack's side of the host's cable.
func (v *VRF) port() string { return v.Host.Name }

// SetVTEP makes the top of rack send the VRF's packets from another address, and
// announce it as the VRF's VTEP.
func (v *VRF) SetVTEP(ctx context.Context, addr netip.Addr) error {
	if err := v.tor.addAddrs("lo", netip.PrefixFrom(addr, 32)); err != nil {
		return err
	}
	_, err := v.tor.Run(ctx, "ip", "link", "set", vxlanName(v.VNI), "type", "vxlan", "local", addr.String())
	return err
}

// Delete takes the VRF, its devices and its host away.
func (v *VRF) Delete(ctx context.Context) error {
	if err := v.tor.Configure(ctx, "vrf "+v.Name, "no vni "+strconv.Itoa(v.VNI), "exit-vrf"); err != nil {
		return err
	}
	// bgpd keeps an instance that it believes to have an L3VNI.
	err := harness.Await(ctx, fmt.Sprintf("bgpd to hear that L3VNI %d is gone", v.VNI),
		func(ctx context.Context) (bool, error) {
			out, err := v.tor.Vtysh(ctx, "show bgp l2vpn evpn vni")
			known := slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
				words := strings.Fields(line) // without the VRF the VNI is of type L2
				return slices.Contains(words, strconv.Itoa(v.VNI)) && slices.Contains(words, "L3")
			})
			return !known, err
		})
	if err != nil {
		return err
	}
	if err := v.tor.Configure(ctx, fmt.Sprintf("no router bgp %d vrf %s", TorAS, v.Name)); err != nil {
		return err
	}
	return v.tor.deleteLinks(v.port(), vxlanName(v.VNI), bridgeName(v.VNI), v.Name)
}

// JoinUnderlay lays a cable from the top of rack into the network of the nodes' tunnels, and leads their packets
// for [VTEP] through it: an Open vSwitch with a datapath of its own sends VXLAN by its bridges alone. It returns a
// function that takes all of it away.
func (t *Tor) JoinUnderlay(ctx context.Context, nodes ...*Chassis) (leave func(context.Context) error, err error) {
	const here, there = "under0", "tor-under0"
	own := netip.AddrFrom4([4]byte{172, 31, 1, 254})
	central := t.lab.Central
	if err := connect(end{node: t.Node, name: here, addrs: []netip.Prefix{netip.PrefixFrom(own, 24)}},
		end{node: central.Node, name: there}, tunnelMTU); err != nil {
		return nil, err
	}
	if err := central.enslave(there, "underlay"); err != nil {
		return nil, err
	}
	if err := t.Do(func() error { return disableChecksumOffload(here) }); err != nil {
		return nil, err
	}
	route := []string{VTEP.String() + "/32", "via", own.String(), "dev", tunnelBridge}
	for _, c := range nodes {
		if _, err := c.Run(ctx, "ip", append([]string{"route", "add"}, route...)...); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		for _, c := range nodes {
			if _, err := c.Run(ctx, "ip", append([]string{"route", "del"}, route...)...); err != nil {
				return err
			}
		}
		return t.deleteLinks(here)
	}, nil
}

// Segment is a switch of a tenant in the top of rack: an L2VNI.
type Segment struct {
	VNI  int
	Host *Remote

	tor *Tor
}

// Segment makes a bridge over an L2VNI with a host in it, and has FRR announce
// its MAC and its IPv4 addresses: of those FRR hears as it has one itself in each of
// their subnets, the last.
func (t *Tor) Segment(ctx context.Context, name string, vni int, addrs ...netip.Prefix) (*Segment, error) {
	s := &Segment{VNI: vni, tor: t}
	if err := t.bridgeOver(vni, ""); err != nil {
		return nil, err
	}
	var err error
	if s.Host, err = t.remote(name, nil); err != nil {
		return nil, err
	}
	s.Host.Addrs = addrs
	if err := s.Host.addAddrs("eth0", addrs...); err != nil {
		return nil, err
	}
	if err := t.enslave(s.Host.Name, bridgeName(vni)); err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if !a.Addr().Is4() {
			continue
		}
		own := lastHost(a)
		if err := t.addAddrs(bridgeName(vni), own); err != nil {
			return nil, err
		}
		if err := s.Host.AwaitPing(ctx, own.Addr()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// lastHost is the last address before the broadcast address of an IPv4 subnet.
func lastHost(p netip.Prefix) netip.Prefix {
	a := p.Addr().As4()
	host := uint32(1)<<(32-p.Bits()) - 1
	last := binary.BigEndian.Uint32(a[:])&^host | (host - 1)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, last))), p.Bits())
}

// Delete takes the segment and its host away.
func (s *Segment) Delete(context.Context) error {
	return s.tor.deleteLinks(s.Host.Name, vxlanName(s.VNI), bridgeName(s.VNI))
}

func bridgeName(vni int) string { return fmt.Sprintf("br%d", vni) }
func vxlanName(vni int) string  { return fmt.Sprintf("vxlan%d", vni) }

// bridgeOver makes the VXLAN device of a VNI and the bridge above it, in a VRF
// unless master is empty.
func (t *Tor) bridgeOver(vni int, master string) error {
	if err := t.addBridge(bridgeName(vni), 1450); err != nil {
		return err
	}
	if err := t.Sysctl("ipv6.conf." + bridgeName(vni) + ".addr_gen_mode=1"); err != nil {
		return err
	}
	err := t.links(func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = vxlanName(vni), 1450
		vxlan := &netlink.Vxlan{LinkAttrs: attrs, VxlanId: vni, SrcAddr: VTEP.AsSlice(), Port: vxlanPort, Learning: false}
		if err := h.LinkAdd(vxlan); err != nil {
			return fmt.Errorf("add VXLAN %d: %w", vni, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.enslave(vxlanName(vni), bridgeName(vni)); err != nil {
		return err
	}
	if master != "" {
		if err := t.enslave(bridgeName(vni), master); err != nil {
			return err
		}
	}
	return t.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(vxlanName(vni))
		if err != nil {
			return err
		}
		if err := h.LinkSetLearning(link, false); err != nil {
			return fmt.Errorf("stop learning on %s: %w", vxlanName(vni), err)
		}
		if err := h.LinkSetBrNeighSuppress(link, true); err != nil {
			return fmt.Errorf("suppress neighbours on %s: %w", vxlanName(vni), err)
		}
		return h.LinkSetUp(link)
	})
}

// remote makes a host with a cable to the top of rack; it is the tenth in each
// of the subnets.
func (t *Tor) remote(name string, subnets []netip.Prefix) (*Remote, error) {
	node, err := newNode(t.lab, "r-"+name)
	if err != nil {
		return nil, err
	}
	mac, err := net.ParseMAC(macFor("remote " + name))
	if err != nil {
		return nil, err
	}
	r := &Remote{Node: node, MAC: mac}
	for _, s := range subnets {
		a := s.Masked().Addr()
		for range 10 {
			a = a.Next()
		}
		r.Addrs = append(r.Addrs, netip.PrefixFrom(a, s.Bits()))
	}
	if err := connect(end{node: node, name: "eth0", mac: mac, addrs: r.Addrs}, end{node: t.Node, name: node.Name},
		1450); err != nil {
		return nil, err
	}
	return r, node.Do(func() error { return disableChecksumOffload("eth0") })
}

func (n *Node) deleteLinks(names ...string) error {
	return n.links(func(h *netlink.Handle) error {
		for _, name := range names {
			link, err := h.LinkByName(name)
			if err != nil {
				return fmt.Errorf("find %s: %w", name, err)
			}
			if err := h.LinkDel(link); err != nil {
				return fmt.Errorf("delete %s: %w", name, err)
			}
		}
		return nil
	})
}
