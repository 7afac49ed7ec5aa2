package kernel

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"golang.org/x/sys/unix"
)

// netconfNames are the files below net/ipv4/conf/DEV and net/ipv6/conf/DEV of
// which rtnetlink dumps as well, by attribute.
var netconfNames = map[uint8]map[uint16]string{
	unix.AF_INET: {
		rtnl.NETCONFA_FORWARDING:                  "forwarding",
		rtnl.NETCONFA_RP_FILTER:                   "rp_filter",
		rtnl.NETCONFA_PROXY_NEIGH:                 "proxy_arp",
		rtnl.NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: "ignore_routes_with_linkdown",
	},
	unix.AF_INET6: {
		rtnl.NETCONFA_FORWARDING:                  "forwarding",
		rtnl.NETCONFA_PROXY_NEIGH:                 "proxy_ndp",
		rtnl.NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: "ignore_routes_with_linkdown",
	},
}

// netconfFamily is the family in whose dump a sysctl is; zero if in none.
func netconfFamily(path string) uint8 {
	for _, family := range families {
		rest, ok := strings.CutPrefix(path, confRoot(family))
		dev, setting, one := strings.Cut(rest, "/")
		if !ok || !one || dev == "" {
			continue
		}
		for _, name := range netconfNames[family] {
			if name == setting {
				return family
			}
		}
	}
	return 0
}

// dumpSettings reads the settings that rtnetlink dumps, by the path of the sysctl: a
// few messages in the place of three system calls for each file. A file that is
// not in the answer, of a device that is too new, say, has to be asked itself.
func (b *Backend) dumpSettings(ctx context.Context, family uint8) (map[string]string, error) {
	all := map[string]string{}
	err := b.conn.Dump(ctx, func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETNETCONF, 0, rtnl.NetconfMsg{Family: family})
	}, func() { clear(all) }, func(m rtnl.Message) error {
		return b.settingsFromMessage(m, all)
	})
	if err != nil {
		return nil, fmt.Errorf("read network settings: %w", err)
	}
	return all, nil
}

// settingsFromMessage adds the settings of one device, or of "all" or "default".
func (b *Backend) settingsFromMessage(m rtnl.Message, to map[string]string) error {
	if m.Type != unix.RTM_NEWNETCONF {
		return nil
	}
	h, attrs, err := m.Netconf()
	if err != nil {
		return err
	}
	names := netconfNames[h.Family]
	prefix := ""
	for attrs.Next() {
		if attrs.Type == rtnl.NETCONFA_IFINDEX {
			// It comes before the settings (inet_netconf_fill_devconf).
			prefix = b.confDirectory(h.Family, attrs.Uint32())
			continue
		}
		if name := names[attrs.Type]; name != "" && prefix != "" {
			to[prefix+name] = strconv.Itoa(int(int32(attrs.Uint32())))
		}
	}
	return attrs.Err()
}

// confDirectory is where the settings of a device are; empty if it is unknown.
func (b *Backend) confDirectory(family uint8, index uint32) string {
	var dev string
	switch index {
	case rtnl.NETCONFA_IFINDEX_ALL:
		dev = "all"
	case rtnl.NETCONFA_IFINDEX_DEFAULT:
		dev = "default"
	default:
		if dev, _ = b.links.name(index); dev == "" {
			return ""
		}
	}
	return confRoot(family) + dev + "/"
}

// confRoot is the directory that has one of settings for each device.
func confRoot(family uint8) string {
	if family == unix.AF_INET6 {
		return "net/ipv6/conf/"
	}
	return "net/ipv4/conf/"
}

// settingsOf are the settings among some paths that rtnetlink dumps, if they are so
// many that a dump of all devices costs less than their files. Whatever cannot be
// had this way is left to the files: a kernel without IPv6 has no such dump.
func (b *Backend) settingsOf(ctx context.Context, paths func(yield func(string) bool)) map[string]string {
	count := map[uint8]int{}
	for p := range paths {
		count[netconfFamily(p)]++
	}
	all := map[string]string{}
	for _, f := range families {
		if count[f] <= len(b.links.byIndex)/fileCost {
			continue
		}
		if dumped, err := b.dumpSettings(ctx, f); err == nil {
			maps.Copy(all, dumped)
		}
	}
	return all
}

// fileCost is about how many devices are in a dump for the price of one file.
const fileCost = 4
