package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

const ovsSchema = "/usr/share/openvswitch/vswitch.ovsschema"

// listening is true once somebody accepts on a unix socket.
func listening(path string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	}
}

// ovsEnv keeps all OVS and OVN programs to one directory.
func ovsEnv(dir string) []string {
	var env []string
	for _, key := range []string{"RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR"} {
		env = append(env, "OVS_"+key+"="+dir, "OVN_"+key+"="+dir)
	}
	return env
}

func (c *Chassis) file(name string) string { return filepath.Join(c.OVSRunDir, name) }

// declare describes the chassis' daemons.
func (c *Chassis) declare() {
	common := func(name string, more ...string) []string {
		return append(more, "--pidfile="+c.file(name+".pid"), "--log-file="+c.file(name+".log"),
			"--no-chdir", "-vconsole:off")
	}
	c.OVSDB = c.Daemon("ovsdb", listening(c.file("db.sock")), append([]string{
		"ovsdb-server", c.file("conf.db"),
		"--remote=punix:" + c.file("db.sock"),
	}, common("ovsdb", "--unixctl="+c.file("ovsdb.ctl"))...)...)
	c.Vswitchd = c.Daemon("vswitchd", listening(c.file("ovs-vswitchd.lab.ctl")),
		append([]string{"ovs-vswitchd", c.OVSSocket()}, common("vswitchd",
			"--unixctl="+c.file("ovs-vswitchd.lab.ctl"))...)...)
	// It has no --unixctl: its socket has its pid in the name, and ovn-appctl
	// finds that by the pid file in OVN_RUNDIR.
	connected := func(ctx context.Context) (bool, error) {
		out, err := c.ControllerCtl(ctx, "connection-status")
		return strings.TrimSpace(out) == "connected", err
	}
	c.Controller = c.Daemon("ovn-controller", connected,
		append([]string{"ovn-controller", c.OVSSocket()}, common("ovn-controller")...)...)
	c.Controller.crashes = true // 23.03 does, once in hundreds of starts
	c.Controller.leave = func(ctx context.Context) error {
		_, err := c.ControllerCtl(ctx, "exit")
		return err
	}
}

// ControllerCtl gives ovn-controller a command.
func (c *Chassis) ControllerCtl(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, "ovn-appctl", append([]string{"-t", "ovn-controller"}, args...)...)
}

// StopController ends ovn-controller in the orderly way: it takes its Chassis
// row with it, so gateways move at once and ports of the chassis are released.
func (c *Chassis) StopController(ctx context.Context) error { return c.Controller.Stop(ctx) }

// StartController starts ovn-controller and waits until it has read the
// Southbound database.
func (c *Chassis) StartController(ctx context.Context) error { return c.Controller.Start(ctx) }

// RestartSwitch restarts ovs-vswitchd. The bridges' devices stay, with their
// addresses and without a carrier for a while; flows of br-ex are lost.
func (c *Chassis) RestartSwitch(ctx context.Context) error {
	if err := c.Vswitchd.Stop(ctx); err != nil {
		return err
	}
	if err := c.Vswitchd.Start(ctx); err != nil {
		return err
	}
	return c.bringUpBridges(ctx)
}

func (c *Chassis) start(ctx context.Context) error {
	if _, err := c.Run(ctx, "ovsdb-tool", "create", c.file("conf.db"), ovsSchema); err != nil {
		return err
	}
	if err := c.OVSDB.Start(ctx); err != nil {
		return err
	}
	if err := c.Vswitchd.Start(ctx); err != nil {
		return err
	}
	if _, err := c.Vsctl(ctx, c.configuration()...); err != nil {
		return fmt.Errorf("configure: %w\n%s", err, c.Vswitchd.Tail(15))
	}
	if err := c.bringUpBridges(ctx); err != nil {
		return err
	}
	return c.Controller.Start(ctx)
}

// configuration is one ovs-vsctl transaction: everything about the chassis.
func (c *Chassis) configuration() []string {
	ids := map[string]string{
		"system-id":                c.SystemID,
		"hostname":                 c.Hostname,
		"ovn-remote":               c.lab.Central.SBRemote(),
		"ovn-nb-remote":            c.lab.Central.NBRemote(),
		"ovn-encap-type":           "geneve",
		"ovn-encap-ip":             c.TunnelAddr().String(),
		"ovn-bridge":               IntegrationBridge,
		"ovn-bridge-datapath-type": "netdev",
		"ovn-bridge-mappings":      c.Bridges,
	}
	if c.Gateway {
		ids["ovn-cms-options"] = "enable-chassis-as-gw"
	}
	if c.lab.opts.Unnumbered {
		ids["dynamic-routing-port-mapping"] = peerBridges
	}
	args := []string{
		"set", "Open_vSwitch", ".", column("external_ids", ids),
		"other_config:n-handler-threads=1", "other_config:n-revalidator-threads=1",
	}
	for i, b := range c.bridges() {
		args = append(append(args, "--"), c.bridge(i, b)...)
	}
	if c.lab.opts.Unnumbered {
		for i, u := range c.uplinks {
			args = append(args, "--", "add-port", PeerBridge(i), u.Link)
		}
	}
	return append(args, "--", "set", "Bridge", IntegrationBridge, "fail_mode=secure",
		"--", "add-port", tunnelBridge, tunnelLink)
}

// bridges are all bridges of the chassis, in the order of their MAC addresses.
func (c *Chassis) bridges() []string {
	return append([]string{IntegrationBridge, tunnelBridge}, c.ProviderBridges()...)
}

// bridge makes a bridge, the i-th one.
func (c *Chassis) bridge(i int, name string) []string {
	return []string{
		"add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev",
		column("other_config", map[string]string{"hwaddr": c.hwaddr(i).String()}),
	}
}

// AddBridge makes a bridge again that was deleted.
func (c *Chassis) AddBridge(ctx context.Context, name string) error {
	if _, err := c.Vsctl(ctx, c.bridge(slices.Index(c.bridges(), name), name)...); err != nil {
		return err
	}
	return c.bringUpBridges(ctx)
}

// bringUpBridges does what a node's boot does: bridges up, tunnel address on.
func (c *Chassis) bringUpBridges(ctx context.Context) error {
	for _, b := range append([]string{tunnelBridge}, c.ProviderBridges()...) {
		err := harness.Await(ctx, b+" of "+c.Name+" to carry", func(context.Context) (bool, error) {
			return c.bringUp(b)
		})
		if err != nil {
			return err
		}
	}
	return c.addAddrs(tunnelBridge, netip.PrefixFrom(c.TunnelAddr(), 24))
}

// bringUp says whether the link is up and attached: a tap device outlives the
// ovs-vswitchd that made it, without a carrier.
func (c *Chassis) bringUp(name string) (bool, error) {
	up := false
	err := c.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		up = link.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
		return h.LinkSetUp(link)
	})
	return up && err == nil, err
}

// LinkMAC is the address of a link as the kernel knows it.
func (n *Node) LinkMAC(name string) (net.HardwareAddr, error) {
	var mac net.HardwareAddr
	err := n.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		mac = link.Attrs().HardwareAddr
		return nil
	})
	return mac, err
}

// Ofport is the OpenFlow number of an interface, waiting until it has one.
func (c *Chassis) Ofport(ctx context.Context, name string) (int, error) {
	var port int
	err := harness.Await(ctx, "the OpenFlow port of "+name, func(ctx context.Context) (bool, error) {
		out, err := c.Vsctl(ctx, "get", "Interface", name, "ofport")
		if err != nil {
			return false, err
		}
		port, err = strconv.Atoi(strings.TrimSpace(out))
		return err == nil && port > 0, err
	})
	return port, err
}

// AwaitTunnels waits until every tunnel that OVN watches by BFD is up, which is
// when a failover test may begin. It watches those of gateways, and none while
// there is no router with a gateway.
func (c *Chassis) AwaitTunnels(ctx context.Context) error {
	return harness.Await(ctx, c.Name+" to have its tunnels up", func(ctx context.Context) (bool, error) {
		out, err := c.Vsctl(ctx, "--format=csv", "--no-headings", "--columns=name,bfd_status",
			"find", "Interface", "type=geneve", "bfd:enable=true")
		if err != nil {
			return false, err
		}
		for _, tunnel := range strings.Split(strings.TrimSpace(out), "\n") {
			// The comma tells it from remote_state.
			if tunnel != "" && !strings.Contains(tunnel, ", state=up") {
				return false, fmt.Errorf("down: %s", tunnel)
			}
		}
		return true, nil
	})
}
