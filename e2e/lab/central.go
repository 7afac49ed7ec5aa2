package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// Central is the OVN control plane, and the switches of the management and
// tunnel networks that every chassis hangs on.
type Central struct {
	*Node
	Addr netip.Addr // on the management network

	Northbound, Southbound, Northd *Daemon
}

// Ports of the two databases, as everywhere.
const (
	nbPort = 6641
	sbPort = 6642
)

// tunnelMTU leaves room for geneve around a full-sized packet.
const tunnelMTU = 1600

func newCentral(l *Lab) (*Central, error) {
	node, err := newNode(l, "central")
	if err != nil {
		return nil, err
	}
	c := &Central{Node: node, Addr: netip.MustParseAddr("172.31.0.254")}
	node.env = ovsEnv(node.Dir)
	if err := node.addBridge("mgmt", 1500); err != nil {
		return nil, err
	}
	if err := node.addBridge("underlay", tunnelMTU); err != nil {
		return nil, err
	}
	c.declare()
	return c, node.addAddrs("mgmt", netip.PrefixFrom(c.Addr, 24))
}

func (c *Central) declare() {
	c.Northbound = c.server("nb", nbPort)
	c.Southbound = c.server("sb", sbPort)
	c.Northd = c.Daemon("northd", nil, "ovn-northd",
		"--ovnnb-db="+c.nbSocket(), "--ovnsb-db="+c.sbSocket(),
		"--pidfile="+c.Dir+"/northd.pid", "--unixctl="+c.Dir+"/northd.ctl", "--log-file="+c.Dir+"/northd.log",
		"-vconsole:off")
}

func (c *Central) server(name string, port int) *Daemon {
	file := func(suffix string) string { return filepath.Join(c.Dir, name+suffix) }
	return c.Daemon(name, listening(file(".sock")), "ovsdb-server", file(".db"),
		"--remote=punix:"+file(".sock"), fmt.Sprintf("--remote=ptcp:%d:%s", port, c.Addr),
		"--pidfile="+file(".pid"), "--unixctl="+file(".ctl"), "--log-file="+file(".log"), "-vconsole:off")
}

func (c *Central) start(ctx context.Context) error {
	for _, name := range []string{"nb", "sb"} {
		schema := c.lab.opts.OVN + "/usr/share/ovn/ovn-" + name + ".ovsschema"
		if _, err := c.Run(ctx, "ovsdb-tool", "create", filepath.Join(c.Dir, name+".db"), schema); err != nil {
			return err
		}
	}
	for _, d := range []*Daemon{c.Northbound, c.Southbound, c.Northd} {
		if err := d.Start(ctx); err != nil {
			return err
		}
	}
	_, err := c.Nbctl(ctx, "--wait=sb", "init")
	return err
}

// Deregister deletes the row of a chassis and what hangs on it, as an operator does with
// ovn-sbctl chassis-del. Its ovn-controller registers again at once.
func (c *Central) Deregister(ctx context.Context, hv *Chassis) error {
	_, err := c.Sbctl(ctx, "chassis-del", hv.SystemID)
	return err
}

// RebuildSouthbound replaces the Southbound database by an empty one, which ovn-northd
// and the chassis fill again.
func (c *Central) RebuildSouthbound(ctx context.Context) error {
	if err := c.Southbound.Stop(ctx); err != nil {
		return err
	}
	file := filepath.Join(c.Dir, "sb.db")
	if err := os.Remove(file); err != nil {
		return err
	}
	if _, err := c.Run(ctx, "ovsdb-tool", "create", file, c.lab.opts.OVN+"/usr/share/ovn/ovn-sb.ovsschema"); err != nil {
		return err
	}
	return c.Southbound.Start(ctx)
}

func (c *Central) nbSocket() string { return "unix:" + c.Dir + "/nb.sock" }
func (c *Central) sbSocket() string { return "unix:" + c.Dir + "/sb.sock" }

// NBSocket reaches the Northbound database from any namespace of this machine.
func (c *Central) NBSocket() string { return c.nbSocket() }

// SBSocket reaches the Southbound database from any namespace of this machine.
func (c *Central) SBSocket() string { return c.sbSocket() }

// NBRemote is the Northbound database as the chassis see it.
func (c *Central) NBRemote() string { return fmt.Sprintf("tcp:%s:%d", c.Addr, nbPort) }

// SBRemote is the Southbound database as the chassis see it.
func (c *Central) SBRemote() string { return fmt.Sprintf("tcp:%s:%d", c.Addr, sbPort) }

// Nbctl runs one ovn-nbctl. Several commands separated by "--" are one process
// and one transaction.
func (c *Central) Nbctl(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, "ovn-nbctl", append([]string{"--db=" + c.nbSocket(), "--timeout=60"}, args...)...)
}

// Sbctl runs one ovn-sbctl.
func (c *Central) Sbctl(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, "ovn-sbctl", append([]string{"--db=" + c.sbSocket(), "--timeout=60"}, args...)...)
}

// Sync returns once every chassis works with the present Northbound content.
// It hangs until its deadline if a registered chassis does not answer.
func (c *Central) Sync(ctx context.Context) error {
	_, err := c.Nbctl(ctx, "--wait=hv", "sync")
	return err
}

// awaitChassis waits until n chassis are registered.
func (c *Central) awaitChassis(ctx context.Context, n int) error {
	return harness.Await(ctx, fmt.Sprintf("%d chassis in the Southbound database", n),
		func(ctx context.Context) (bool, error) {
			out, err := c.Sbctl(ctx, "--bare", "--columns=hostname", "list", "Chassis")
			have := len(strings.Fields(out))
			if err == nil && have < n {
				err = fmt.Errorf("have %d", have)
			}
			return have >= n, err
		})
}

// BoundTo is the system-id of the chassis that holds a logical port in the
// Southbound database, empty if none does.
func (c *Central) BoundTo(ctx context.Context, logicalPort string) (string, error) {
	out, err := c.Sbctl(ctx, "--bare", "--columns=chassis", "find", "Port_Binding", "logical_port="+
		strconv.Quote(logicalPort))
	row := strings.TrimSpace(out)
	if err != nil || row == "" {
		return "", err
	}
	out, err = c.Sbctl(ctx, "--if-exists", "get", "Chassis", row, "name")
	return strings.Trim(strings.TrimSpace(out), `"`), err
}

// awaitBound waits until a chassis holds a logical port.
func (c *Central) awaitBound(ctx context.Context, logicalPort string, by *Chassis) error {
	return harness.Await(ctx, fmt.Sprintf("%s to be bound to %s", logicalPort, by.Name),
		func(ctx context.Context) (bool, error) {
			have, err := c.BoundTo(ctx, logicalPort)
			if err == nil && have != by.SystemID {
				err = fmt.Errorf("it is bound to %q", have)
			}
			return err == nil, err
		})
}
