package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/ovn-org/libovsdb/model"
	"github.com/vishvananda/netlink"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
)

const (
	bridge       = "br-ex"
	uplink       = "fabric0"
	physnet      = "physnet1"
	localnetPort = "provnet-8d1c2f0e"
)

// node is a compute node: a namespace with a cable to the router, a bridge for
// guests and its own Open_vSwitch database. Its controller is in controller.go.
type node struct {
	name   string
	index  int
	dir    string
	bin    string
	ns     *namespace
	ovs    *database
	addr   netip.Addr // on the fabric
	router netip.Addr // the other end

	controller *process
}

// newNode makes a node. The bridge is up, because the controller does not bring
// it down again, and has no address.
func newNode(ctx context.Context, index int, dir, bin, sbRemote string) (*node, error) {
	n := &node{
		name: fmt.Sprintf("cmp-%d", index+1), index: index, bin: bin,
		router: netip.AddrFrom4([4]byte{192, 0, 2, byte(2 * index)}),
		addr:   netip.AddrFrom4([4]byte{192, 0, 2, byte(2*index + 1)}),
	}
	n.dir = filepath.Join(dir, n.name)
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		return nil, err
	}
	if err := n.wire(); err != nil {
		return nil, fmt.Errorf("wire %s: %w", n.name, err)
	}
	var err error
	if n.ovs, err = serve(ctx, filepath.Join(n.dir, "ovs.sock"), vswitch.Model(), vswitch.Schema()); err != nil {
		return nil, err
	}
	if _, err := n.ovs.insert(ctx, n.switchRows(sbRemote)...); err != nil {
		return nil, err
	}
	return n, n.configure()
}

func (n *node) wire() (err error) {
	here, err := currentNamespace()
	if err != nil {
		return err
	}
	if n.ns, err = newNamespace(); err != nil {
		return err
	}
	err = n.ns.Do(func() error {
		if err := checkSettings(); err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.HardwareAddr = bridge, n.mac()
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return fmt.Errorf("make bridge %s: %w", bridge, err)
		}
		if err := linkUp(bridge); err != nil {
			return err
		}
		if err := cable(end{uplink, netip.PrefixFrom(n.addr, 31)}, n.name, here); err != nil {
			return err
		}
		return defaultRoute(n.router)
	})
	if err != nil {
		return err
	}
	return end{n.name, netip.PrefixFrom(n.router, 31)}.configure()
}

// mac is that of the bridge. A bridge without one of its own takes that of the
// first port, and the database would be wrong.
func (n *node) mac() []byte { return []byte{2, 0, 0, 0, byte(n.index + 1), 1} }

// switchRows is what ovs-vsctl and ovs-vswitchd would have written: the bridge
// and on it the patch port that leads to OVN.
func (n *node) switchRows(sbRemote string) []model.Model {
	one, mac, patch := 1, fmt.Sprintf("02:00:00:00:%02x:01", n.index+1), "patch-"+localnetPort+"-to-br-int"
	return []model.Model{
		&vswitch.Root{UUID: "root", ExternalIDs: map[string]string{
			"system-id": n.name, "ovn-remote": sbRemote, "ovn-bridge-mappings": physnet + ":" + bridge,
			"ovn-encap-ip": n.addr.String(),
		}},
		&vswitch.Interface{UUID: "i1", Name: bridge, Type: "internal", MACInUse: &mac},
		&vswitch.Interface{UUID: "i2", Name: patch, Type: "patch", OFPort: &one},
		&vswitch.Port{UUID: "p1", Name: bridge, Interfaces: []string{"i1"}},
		&vswitch.Port{
			UUID: "p2", Name: patch, Interfaces: []string{"i2"},
			ExternalIDs: map[string]string{"ovn-localnet-port": localnetPort},
		},
		&vswitch.Bridge{UUID: "b", Name: bridge, Ports: []string{"p1", "p2"}},
	}
}

// attach makes a guest's cable part of the bridge.
func (n *node) attach(tap string) error {
	return n.ns.Do(func() error {
		br, err := netlink.LinkByName(bridge)
		if err != nil {
			return err
		}
		l, err := netlink.LinkByName(tap)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetMaster(l, br); err != nil {
			return fmt.Errorf("attach %s to %s: %w", tap, bridge, err)
		}
		return linkUp(tap)
	})
}

// close is safe on a node that is half made. What the controller has applied
// goes with the namespace.
func (n *node) close() {
	if n.controller != nil {
		_ = n.controller.Process.Kill() // it may have ended
		<-n.controller.ended
	}
	if n.ns != nil {
		_ = n.ns.close()
	}
	if n.ovs != nil {
		n.ovs.close()
	}
}

// configure writes the controller's configuration.
func (n *node) configure() error {
	lines := []string{
		"state: " + n.path("state.db"),
		"socket: " + n.path("control.sock"),
		"ovsdb_connection: " + n.ovs.remote,
		"routing: {tables_files: []}",
		"flows: {manage: false}",
		"bgp:",
		fmt.Sprintf("  as: %d", nodeAS),
		"  listen: {port: -1}",
		"  graceful_restart: {restart_time: 60}",
		fmt.Sprintf("  peers: [{address: %s, as: %d, families: [ipv4-unicast], hold_time: 9}]", n.router, routerAS),
	}
	return os.WriteFile(n.path("bgp-ovn.yaml"), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

func (n *node) path(name string) string { return filepath.Join(n.dir, name) }
