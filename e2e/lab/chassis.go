package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// Names inside every chassis.
const (
	IntegrationBridge = "br-int"
	FabricLink        = "fabric0" // towards the top of rack
	tunnelBridge      = "br-phy"
	tunnelLink        = "under0"
)

// Chassis is one compute or gateway node. Its kernel routes; OVS forwards in
// user space, so an OVS bridge appears to the kernel as a tap device.
//
//	fabric0 --- kernel --- br-ex ~patch~ br-int --- VMs
//	                                       |
//	mgmt0 (OVN databases)                geneve
//	                                       |
//	                     under0 --- br-phy, which must hold the tunnel address
//	                                because tunnels are made in user space too
type Chassis struct {
	*Node
	Index    int    // 1 for hv1
	SystemID string // Chassis.name in the Southbound database
	Hostname string // hv1.lab.example, what Neutron puts into requested-chassis
	Gateway  bool
	Bridges  string // ovn-bridge-mappings

	OVSRunDir string // holds db.sock and the bridges' .mgmt sockets

	Loopback netip.Addr // router id, also routed by the tor
	Addr4    netip.Addr // this side of the fabric link
	Addr6    netip.Addr
	TorAddr4 netip.Addr // the other side
	TorAddr6 netip.Addr
	uplinks  []Uplink

	OVSDB, Vswitchd, Controller *Daemon
}

func newChassis(l *Lab, index int, spec ChassisSpec) (*Chassis, error) {
	if spec.Bridges == "" {
		spec.Bridges = "physnet1:br-ex"
	}
	if l.opts.Unnumbered {
		spec.Bridges += "," + peerBridges
	}
	node, err := newNode(l, fmt.Sprintf("hv%d", index))
	if err != nil {
		return nil, err
	}
	c := &Chassis{
		Node: node, Index: index, Gateway: spec.Gateway, Bridges: spec.Bridges,
		SystemID: uuidFor("chassis " + node.Name), OVSRunDir: node.Dir, Hostname: node.Name + ".lab.example",
		Loopback: netip.AddrFrom4([4]byte{10, 255, 0, byte(index)}),
	}
	node.env = ovsEnv(c.OVSRunDir)
	c.declare()
	return c, c.wire(l)
}

// OVSSocket is the local Open_vSwitch database, to dial from anywhere.
func (c *Chassis) OVSSocket() string { return "unix:" + filepath.Join(c.OVSRunDir, "db.sock") }

// ManagementAddr is the address the OVN databases see.
func (c *Chassis) ManagementAddr() netip.Addr {
	return netip.AddrFrom4([4]byte{172, 31, 0, byte(c.Index)})
}

// TunnelAddr is ovn-encap-ip.
func (c *Chassis) TunnelAddr() netip.Addr {
	return netip.AddrFrom4([4]byte{172, 31, 1, byte(c.Index)})
}

// ProviderBridges lists the bridges of Bridges in order, each once.
func (c *Chassis) ProviderBridges() []string {
	var out []string
	seen := make(map[string]bool)
	for _, mapping := range strings.Split(c.Bridges, ",") {
		_, bridge, ok := strings.Cut(mapping, ":")
		if ok && !seen[bridge] {
			seen[bridge] = true
			out = append(out, bridge)
		}
	}
	return out
}

func (c *Chassis) wire(l *Lab) error {
	mgmt := end{node: c.Node, name: "mgmt0", addrs: []netip.Prefix{netip.PrefixFrom(c.ManagementAddr(), 24)}}
	for _, cable := range []struct {
		here   end
		bridge string
		mtu    int
	}{
		{mgmt, "mgmt", 1500},
		{end{node: c.Node, name: tunnelLink}, "underlay", tunnelMTU},
	} {
		port := fmt.Sprintf("%s-%s", c.Name, cable.here.name)
		if err := connect(cable.here, end{node: l.Central.Node, name: port}, cable.mtu); err != nil {
			return err
		}
		if err := l.Central.enslave(port, cable.bridge); err != nil {
			return err
		}
	}
	if err := c.silence(tunnelLink); err != nil {
		return err
	}
	return c.wireFabric(l)
}

func (c *Chassis) wireFabric(l *Lab) error {
	if err := c.addAddrs("lo", netip.PrefixFrom(c.Loopback, 32)); err != nil {
		return err
	}
	if l.opts.Unnumbered {
		return c.wireUnnumbered(l)
	}
	u := c.uplink(l.Tor, FabricLink, "192.0.2.%d/31", "2001:db8:ff::%x/127")
	c.Addr4, c.Addr6, c.TorAddr4, c.TorAddr6 = u.Addr4, u.Addr6, u.TorAddr4, u.TorAddr6
	if err := c.connectTor(u); err != nil {
		return err
	}
	if l.Tor2 != nil {
		return c.connectTor(c.uplink(l.Tor2, SecondFabricLink, "203.0.113.%d/31", "2001:db8:fe::%x/127"))
	}
	return c.addDefaults(c.TorAddr4, c.TorAddr6)
}

// uplink numbers a cable to a top of rack after the chassis.
func (c *Chassis) uplink(t *Tor, link, four, six string) Uplink {
	low := 2 * (c.Index - 1)
	return Uplink{
		Tor: t, Link: link,
		TorAddr4: prefixf(four, low).Addr(), TorAddr6: prefixf(six, low).Addr(),
		Addr4: prefixf(four, low+1).Addr(), Addr6: prefixf(six, low+1).Addr(),
	}
}

// silence keeps the kernel from taking part on a link that belongs to OVS. The
// kernel datapath would steal the packets; the userspace one only gets copies,
// so without this the kernel answers ARP and ND for all of its own addresses.
func (c *Chassis) silence(link string) error {
	return c.Sysctl(
		"ipv6.conf."+link+".disable_ipv6=1",
		"ipv4.conf."+link+".arp_ignore=8",
		"ipv4.conf."+link+".forwarding=0",
	)
}

// hwaddr is the fixed MAC of a bridge: left to itself, OVS derives it from the
// ports and changes it as they come and go.
func (c *Chassis) hwaddr(bridge int) net.HardwareAddr {
	return net.HardwareAddr{0x0a, 0, 0, 0, byte(c.Index), byte(bridge)}
}

// Vsctl runs one ovs-vsctl and waits until ovs-vswitchd has followed. Commands
// separated by "--" are one transaction.
func (c *Chassis) Vsctl(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, "ovs-vsctl", append([]string{"--db=" + c.OVSSocket(), "--timeout=60"}, args...)...)
}

// Ofctl runs ovs-ofctl, which finds bridges by name in this chassis only.
func (c *Chassis) Ofctl(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, "ovs-ofctl", args...)
}

// SetFabric cuts or mends the link to the top of rack, at the tor's side: the
// chassis sees the carrier go, and keeps its addresses.
func (c *Chassis) SetFabric(up bool) error { return c.SetUplink(c.uplinks[0], up) }

// SetTunnels cuts or mends the chassis' tunnels, which moves its gateways by
// BFD while the node, its databases and its BGP sessions stay.
func (c *Chassis) SetTunnels(up bool) error { return c.SetLink(tunnelLink, up) }
