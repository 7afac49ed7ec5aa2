package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// Node is one namespace of the lab and what can be done in it.
type Node struct {
	Name  string // hv1
	Netns string // name of its namespace: bo12ab-hv1
	Dir   string // for its files

	lab *Lab
	ns  netns.NsHandle
	env []string // KEY=VALUE, on top of our own environment
}

func newNode(l *Lab, name string) (*Node, error) {
	n := &Node{Name: name, Netns: l.ID + "-" + name, lab: l}
	var err error
	if n.Dir, err = l.subdir(name); err != nil {
		return nil, err
	}
	if n.ns, err = newNamespace(n.Netns); err != nil {
		return nil, err
	}
	l.remember(n)
	return n, n.links(func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		return h.LinkSetUp(lo)
	})
}

// NetnsPath is the file that stands for the node's namespace.
func (n *Node) NetnsPath() string { return harness.NamespacePath(n.Netns) }

// Env lists what the node's programs find in their environment beyond ours.
func (n *Node) Env() []string { return n.env }

// Command prepares a program in the node's namespace and environment, through
// "ip netns exec", so that /sys is the namespace's too. The caller starts it;
// what still runs when the lab closes is killed. See also [Node.Daemon].
func (n *Node) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.Netns, name}, args...)...)
	cmd.Env = append(os.Environ(), n.env...)
	return cmd
}

// longestCommand bounds what an error repeats: a transaction for OVN has pages.
const longestCommand = 300

// Run runs a program in the node to its end and returns its output.
func (n *Node) Run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := harness.WithPatience(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), n.env...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := n.lab.starter.Start(n.ns, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		line := strings.Join(append([]string{name}, args...), " ")
		if len(line) > longestCommand {
			line = line[:longestCommand] + "..."
		}
		return out.String(), fmt.Errorf("%s: %s: %w: %s", n.Name, line, err, strings.TrimSpace(stderr.String()))
	}
	return out.String(), nil
}

// Do calls f on a thread inside the namespace, for netlink, sockets and
// /proc/sys. Goroutines that f starts are not inside.
func (n *Node) Do(f func() error) error { return harness.Inside(n.ns, f) }

// Sysctl sets values, each KEY=VALUE without the leading "net.".
func (n *Node) Sysctl(settings ...string) error {
	return n.Do(func() error { return writeSysctls(settings) })
}

// links calls f with a netlink handle in the namespace.
func (n *Node) links(f func(*netlink.Handle) error) error {
	h, err := netlink.NewHandleAt(n.ns)
	if err != nil {
		return fmt.Errorf("%s: netlink: %w", n.Name, err)
	}
	defer h.Close()
	if err := f(h); err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	return nil
}

// SetLink brings a link up or down.
func (n *Node) SetLink(name string, up bool) error {
	return n.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		if up {
			return h.LinkSetUp(link)
		}
		return h.LinkSetDown(link)
	})
}

// addAddrs gives a link its addresses, which it may have already.
func (n *Node) addAddrs(dev string, addrs ...netip.Prefix) error {
	return n.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(dev)
		if err != nil {
			return fmt.Errorf("find %s: %w", dev, err)
		}
		for _, a := range addrs {
			if err := h.AddrReplace(link, &netlink.Addr{IPNet: ipNet(a)}); err != nil {
				return fmt.Errorf("add %s to %s: %w", a, dev, err)
			}
		}
		return nil
	})
}

// AddRoute adds a route to the main table.
func (n *Node) AddRoute(dst netip.Prefix, via netip.Addr) error {
	return n.links(func(h *netlink.Handle) error {
		if err := h.RouteAdd(route(dst, via)); err != nil {
			return fmt.Errorf("add route %s via %s: %w", dst, via, err)
		}
		return nil
	})
}

// DeleteRoute removes what AddRoute added.
func (n *Node) DeleteRoute(dst netip.Prefix, via netip.Addr) error {
	return n.links(func(h *netlink.Handle) error {
		if err := h.RouteDel(route(dst, via)); err != nil {
			return fmt.Errorf("delete route %s via %s: %w", dst, via, err)
		}
		return nil
	})
}

// addDefaults adds a default route for each gateway's family.
func (n *Node) addDefaults(gateways ...netip.Addr) error {
	for _, g := range gateways {
		if err := n.AddRoute(anywhere(g), g); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) remember(n *Node) {
	l.daemons.mu.Lock()
	defer l.daemons.mu.Unlock()
	l.nodes = append(l.nodes, n)
}

// closeNodes lets go of the namespaces: an open handle keeps one alive, links
// and all, although it has no name any more.
func (l *Lab) closeNodes() error {
	l.daemons.mu.Lock()
	defer l.daemons.mu.Unlock()
	var errs []error
	for _, n := range l.nodes {
		errs = append(errs, n.close())
	}
	return errors.Join(errs...)
}

func (n *Node) close() error {
	if !n.ns.IsOpen() {
		return nil
	}
	return n.ns.Close()
}
