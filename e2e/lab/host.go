package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
)

// Host is a machine outside the data centre, behind the top of rack or the spine.
type Host struct {
	*Node
	Addrs []netip.Prefix // IPv4, IPv6
}

func newHost(l *Lab) (*Host, error) {
	node, err := newNode(l, "host")
	if err != nil {
		return nil, err
	}
	h := &Host{Node: node, Addrs: []netip.Prefix{
		netip.MustParsePrefix("198.51.100.10/24"), netip.MustParsePrefix("2001:db8:64::10/64"),
	}}
	gateway := []netip.Prefix{
		netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("2001:db8:64::1/64"),
	}
	behind := l.Tor.Node
	if l.Spine != nil {
		behind = l.Spine.Node
	}
	cable := end{node: node, name: "eth0", addrs: h.Addrs}
	if err := connect(cable, end{node: behind, name: "host", addrs: gateway}, 1500); err != nil {
		return nil, err
	}
	return h, node.addDefaults(addrsOf(gateway)...)
}

// programs are what the lab is made of.
var programs = []string{
	"ip", "ping", "ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ovs-appctl",
	"ovn-northd", "ovn-controller", "ovn-nbctl", "ovn-sbctl", "ovn-appctl", "vtysh", zebraPath, bgpdPath,
}

// checkHost says in one error all that this machine lacks.
func checkHost() error {
	var errs []error
	if os.Geteuid() != 0 {
		errs = append(errs, errors.New("not root"))
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("this machine cannot run a lab: %w", errors.Join(errs...))
	}
	return nil
}
