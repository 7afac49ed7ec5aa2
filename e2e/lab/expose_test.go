package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// expose does by hand on one chassis, for a flat network on br-ex, what bgp-ovn
// does: it proves that a lab lets that work. It is undone after the test.
func expose(t *testing.T, c *lab.Chassis, n *lab.Network, addrs ...netip.Addr) {
	t.Helper()
	sh(t, c, "ip addr add 169.254.1.1/32 dev br-ex", "ip addr del 169.254.1.1/32 dev br-ex")
	sh(t, c, "ip addr add fd53:d91e:400:7f17::1:1/128 dev br-ex", "ip addr del fd53:d91e:400:7f17::1:1/128 dev br-ex")
	harness.Check(t, c.Sysctl("ipv4.conf.br-ex.proxy_arp=1", "ipv6.conf.br-ex.proxy_ndp=1",
		"ipv4.neigh.br-ex.proxy_delay=0", "ipv6.neigh.br-ex.proxy_delay=0"))
	t.Cleanup(func() { harness.Check(t, c.Sysctl("ipv4.conf.br-ex.proxy_arp=0", "ipv6.conf.br-ex.proxy_ndp=0")) })
	for _, s := range n.Subnets {
		if !s.Gateway.Is4() {
			sh(t, c, fmt.Sprintf("ip -6 neigh add proxy %s dev br-ex", s.Gateway),
				fmt.Sprintf("ip -6 neigh del proxy %s dev br-ex", s.Gateway))
		}
	}
	exposeFlows(t, c, n)
	for _, f := range []string{"-4", "-6"} {
		sh(t, c, "ip "+f+" rule add pref 32000 lookup 201", "ip "+f+" rule del pref 32000 lookup 201")
	}
	for _, a := range addrs {
		sh(t, c, fmt.Sprintf("ip route add %s dev br-ex table 201", a), fmt.Sprintf("ip route del %s dev br-ex table 201", a))
		dst, via := netip.PrefixFrom(a, a.BitLen()), c.Addr4
		if a.Is6() {
			via = c.Addr6
		}
		harness.Check(t, shared.Tor.AddRoute(dst, via))
		t.Cleanup(func() { harness.Check(t, shared.Tor.DeleteRoute(dst, via)) })
	}
}

// exposeFlows hands what leaves OVN towards the network to the kernel.
func exposeFlows(t *testing.T, c *lab.Chassis, n *lab.Network) {
	t.Helper()
	port := harness.Must(c.Ofport(testContext(t), n.PatchPort()))(t)
	mac, err := c.LinkMAC("br-ex")
	harness.Check(t, err)
	for _, proto := range []string{"ip", "ipv6"} {
		sh(t, c, fmt.Sprintf("ovs-ofctl add-flow br-ex cookie=999,priority=900,%s,in_port=%d,actions=mod_dl_dst:%s,NORMAL",
			proto, port, mac), "")
	}
	t.Cleanup(func() { sh(t, c, "ovs-ofctl del-flows br-ex cookie=999/-1", "") })
}

// sh runs a command on a chassis, and another one after the test.
func sh(t *testing.T, c *lab.Chassis, command, undo string) {
	t.Helper()
	words := strings.Fields(command)
	// Cleanups run when the test's own context is over.
	out, err := c.Command(context.WithoutCancel(t.Context()), words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %s: %v: %s", c.Name, command, err, out)
	}
	if undo != "" {
		t.Cleanup(func() { sh(t, c, undo, "") })
	}
}
