package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// picture is everything in the node's kernel that a controller might touch,
// one line each, sorted.
func (n *node) picture() (text string, err error) {
	var lines []string
	err = n.ns.Do(func() error {
		for _, part := range []func() ([]string, error){
			pictureRoutes, pictureRules, pictureAddresses, pictureLinks,
			pictureSettings,
		} {
			more, err := part()
			if err != nil {
				return err
			}
			lines = append(lines, more...)
		}
		return nil
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n"), err
}

func pictureRoutes() ([]string, error) {
	var out []string
	// Table 0 in the filter means all tables.
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	for _, r := range routes {
		if r.Protocol != unix.RTPROT_KERNEL {
			out = append(out, "route "+r.String())
		}
	}
	return out, err
}

func pictureRules() ([]string, error) {
	var out []string
	rules, err := netlink.RuleList(netlink.FAMILY_ALL)
	for _, r := range rules {
		out = append(out, fmt.Sprintf("rule %s protocol %d", r, r.Protocol))
	}
	return out, err
}

func pictureAddresses() ([]string, error) {
	var out []string
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() || a.IP.To4() != nil { // the kernel's own fe80:: come and go
			out = append(out, fmt.Sprintf("address %s on %d", a.IPNet, a.LinkIndex))
		}
	}
	return out, err
}

func pictureLinks() ([]string, error) {
	var out []string
	links, err := netlink.LinkList()
	for _, l := range links {
		a := l.Attrs()
		if !strings.HasPrefix(a.Name, "tap-") { // the guests' cables
			out = append(out, fmt.Sprintf("link %s %s up %t", a.Name, l.Type(), a.Flags&net.FlagUp != 0))
		}
	}
	return out, err
}

// pictureSettings reads all settings of forwarding and neighbours.
func pictureSettings() ([]string, error) {
	var out []string
	for _, pattern := range []string{
		"/proc/sys/net/ipv[46]/ip_forward", "/proc/sys/net/ipv[46]/conf/*/*",
		"/proc/sys/net/ipv[46]/neigh/*/*",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			value, err := os.ReadFile(f)
			if strings.Contains(f, "/tap-") || errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EIO) {
				continue // guests', write-only, or not set yet (stable_secret)
			}
			if err != nil {
				return nil, err
			}
			out = append(out, "setting "+f+" "+strings.TrimSpace(string(value)))
		}
	}
	return out, nil
}

// differences are the lines that only one picture has.
func differences(before, after string) string {
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out []string
	for _, l := range was {
		if !slices.Contains(is, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range is {
		if !slices.Contains(was, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}

// routeOn is the only route to an address on a device, in whatever table.
func routeOn(dev string, addr netip.Addr) (netlink.Route, error) {
	l, err := netlink.LinkByName(dev)
	if err != nil {
		return netlink.Route{}, err
	}
	filter := &netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(netip.PrefixFrom(addr, 32))}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, filter,
		netlink.RT_FILTER_TABLE|netlink.RT_FILTER_OIF|netlink.RT_FILTER_DST)
	if err != nil {
		return netlink.Route{}, err
	}
	if len(routes) != 1 {
		return netlink.Route{}, fmt.Errorf("%d routes to %s on %s, want 1", len(routes), addr, dev)
	}
	return routes[0], nil
}
