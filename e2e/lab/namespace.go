package lab

import (
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netns"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// newNamespace makes a named namespace with quick IPv6 and forwarding on.
func newNamespace(name string) (netns.NsHandle, error) {
	ns, err := harness.NewNamespace(name)
	if err != nil {
		return ns, err
	}
	return ns, harness.Inside(ns, func() error { return writeSysctls(baseSysctls) })
}

// baseSysctls hold in every namespace, also for links that are yet to come.
// Duplicate address detection would keep IPv6 addresses unusable for a second.
var baseSysctls = []string{
	"ipv4.ip_forward=1",
	"ipv4.conf.all.rp_filter=0",
	"ipv4.conf.default.rp_filter=0",
	"ipv6.conf.all.disable_ipv6=0",
	"ipv6.conf.default.disable_ipv6=0",
	"ipv6.conf.all.accept_dad=0",
	"ipv6.conf.default.accept_dad=0",
	"ipv6.conf.default.dad_transmits=0",
	"ipv6.conf.default.accept_ra=0",
	"ipv6.conf.all.forwarding=1",
	"ipv6.conf.default.forwarding=1",
}

// writeSysctls writes KEY=VALUE below net in the thread's namespace.
func writeSysctls(settings []string) error {
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		path := "/proc/sys/net/" + strings.ReplaceAll(key, ".", "/")
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return fmt.Errorf("set net.%s: %w", s, err)
		}
	}
	return nil
}
