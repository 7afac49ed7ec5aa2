package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// gateway is what guests are told; no machine has the address, the nodes'
// kernels answer for it.
var gateway = netip.MustParseAddr("172.24.4.1")

// guest is a VM: a namespace behind a node's bridge that answers datagrams to
// UDP port 7 with its name in front. It has the address by which the world
// knows it; for a floating IP that is what OVN's translation would lead to.
type guest struct {
	name string
	port string // its logical port
	mac  string
	addr netip.Addr
	node *node

	ns   *namespace
	echo net.PacketConn
}

func newGuest(n *node, name string, number byte, addr string) (*guest, error) {
	g := &guest{
		name: name, node: n, addr: netip.MustParseAddr(addr),
		port: fmt.Sprintf("3c6e0b8a-9c15-424a-9d32-0000000000%02x", number),
		mac:  fmt.Sprintf("fa:16:3e:00:00:%02x", number),
	}
	var err error
	if g.ns, err = newNamespace(); err != nil {
		return nil, err
	}
	if err := g.ns.Do(g.plug); err != nil {
		return nil, errors.Join(err, g.close())
	}
	if err := n.attach(g.tap()); err != nil {
		return nil, errors.Join(err, g.close())
	}
	go g.answer()
	return g, nil
}

func (g *guest) tap() string { return "tap-" + g.name }

func (g *guest) plug() error {
	mac, err := net.ParseMAC(g.mac)
	if err != nil {
		return err
	}
	if err := cable(end{"eth0", netip.PrefixFrom(g.addr, 24)}, g.tap(), g.node.ns.fd); err != nil {
		return err
	}
	l, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetHardwareAddr(l, mac); err != nil {
		return fmt.Errorf("set the MAC of %s: %w", g.name, err)
	}
	if err := defaultRoute(gateway); err != nil {
		return err
	}
	g.echo, err = net.ListenPacket("udp4", ":7")
	return err
}

func (g *guest) answer() {
	buf := make([]byte, 512)
	for {
		n, from, err := g.echo.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		// A datagram that is lost is what the story looks for.
		_, _ = g.echo.WriteTo([]byte(g.name+" "+string(buf[:n])), from)
	}
}

// close ends the guest; its cable goes with its namespace.
func (g *guest) close() error {
	if g.echo != nil {
		if err := g.echo.Close(); err != nil {
			return err
		}
	}
	return g.ns.close()
}
