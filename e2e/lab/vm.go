package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// VM is a guest: a namespace with one port of a logical switch.
type VM struct {
	*Node
	Port    *Port
	Chassis *Chassis
	Tap     string // its end on br-int, named as Nova does
}

// PlugVM does what Nova does when a guest starts: it plugs a port into br-int
// and waits until OVN reports it up, which needs the port to be bound to this
// chassis (see [PortSpec] and [Port.Move]).
func (c *Chassis) PlugVM(ctx context.Context, p *Port) (*VM, error) {
	node, err := newNode(c.lab, "vm-"+p.Name+"-"+c.Name)
	if err != nil {
		return nil, err
	}
	vm := &VM{Node: node, Port: p, Chassis: c, Tap: "tap" + p.ID[:11]}
	if err := vm.plug(ctx); err != nil {
		return nil, fmt.Errorf("plug %s into %s: %w", p.Name, c.Name, err)
	}
	return vm, nil
}

func (v *VM) plug(ctx context.Context) error {
	mac, err := net.ParseMAC(v.Port.MAC)
	if err != nil {
		return err
	}
	nic := end{node: v.Node, name: "eth0", mac: mac, addrs: v.Port.prefixes()}
	if err := connect(end{node: v.Chassis.Node, name: v.Tap}, nic, v.Port.Network.MTU); err != nil {
		return err
	}
	if err := v.Chassis.silence(v.Tap); err != nil {
		return err
	}
	// The kernel leaves checksums to the "hardware", and the userspace datapath
	// is none: TCP and UDP would be dropped by whoever looks.
	if err := v.Do(func() error { return disableChecksumOffload("eth0") }); err != nil {
		return err
	}
	if err := v.addDefaults(v.Port.gateways()...); err != nil {
		return err
	}
	ids := map[string]string{
		"iface-id": v.Port.ID, "attached-mac": v.Port.MAC, "iface-status": "active",
		"vm-uuid": v.Port.DeviceID,
	}
	if _, err := v.Chassis.Vsctl(ctx, "add-port", IntegrationBridge, v.Tap,
		"--", "set", "Interface", v.Tap, column("external_ids", ids)); err != nil {
		return err
	}
	return v.Port.AwaitUp(ctx)
}

// Unplug does what Nova does when a guest ends.
func (v *VM) Unplug(ctx context.Context) error {
	_, err := v.Chassis.Vsctl(ctx, "--if-exists", "del-port", IntegrationBridge, v.Tap)
	if err != nil {
		return fmt.Errorf("unplug %s: %w", v.Name, err)
	}
	if err := v.dropNIC(); err != nil {
		return err
	}
	return errors.Join(harness.RemoveNamespace(v.NetnsPath()), v.close())
}

// LinkUp brings the guest's end of its cable up again, with what went along with it: IPv6
// addresses and default routes.
func (v *VM) LinkUp(context.Context) error {
	if err := v.SetLink("eth0", true); err != nil {
		return err
	}
	for _, p := range v.Port.prefixes() {
		if p.Addr().Is6() {
			if err := v.addAddrs("eth0", p); err != nil {
				return err
			}
		}
	}
	return v.addDefaults(v.Port.gateways()...)
}

// dropNIC removes the cable at once; with its namespace it would go only when
// the kernel gets round to it, and the name could not be used again till then.
func (v *VM) dropNIC() error {
	return v.links(func(h *netlink.Handle) error {
		nic, err := h.LinkByName("eth0")
		if err != nil {
			return err
		}
		return h.LinkDel(nic)
	})
}

// Announce sends gratuitous ARP for an address that the guest took over, which
// is how a parent of a virtual port claims it.
func (v *VM) Announce(addr netip.Addr) error {
	mac, err := net.ParseMAC(v.Port.MAC)
	if err != nil {
		return err
	}
	return v.Do(func() error { return sendGratuitousARP("eth0", mac, addr) })
}

// gratuitousARP is a broadcast ARP request of an address for itself.
func gratuitousARP(mac net.HardwareAddr, addr netip.Addr) []byte {
	frame := make([]byte, 0, 42)
	frame = append(frame, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	frame = append(frame, mac...)
	frame = append(frame, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1)
	frame = append(append(frame, mac...), addr.AsSlice()...)
	frame = append(frame, 0, 0, 0, 0, 0, 0)
	return append(frame, addr.AsSlice()...)
}

func sendGratuitousARP(dev string, mac net.HardwareAddr, addr netip.Addr) error {
	link, err := net.InterfaceByName(dev)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	to := &unix.SockaddrLinklayer{Ifindex: link.Index, Halen: 6}
	return unix.Sendto(fd, gratuitousARP(mac, addr), 0, to)
}
