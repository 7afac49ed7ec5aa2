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

// Messages and attributes of linux/netconf.h that the unix package lacks.
const (
	rtmDelNetconf = unix.RTM_NEWNETCONF + 1 // RTM_DELNETCONF
	rtmGetNetconf = unix.RTM_GETNETCONF

	netconfIndex = 1 // NETCONFA_IFINDEX
	netconfAll   = ^uint32(0)
	netconfNew   = ^uint32(1) // NETCONFA_IFINDEX_DEFAULT
)

// netconfNames are the files below net/ipv4/conf/DEV and net/ipv6/conf/DEV of
// which rtnetlink tells as well, by attribute.
var netconfNames = map[uint8]map[uint16]string{
	unix.AF_INET:  {2: "forwarding", 3: "rp_filter", 5: "proxy_arp", 6: "ignore_routes_with_linkdown"},
	unix.AF_INET6: {2: "forwarding", 5: "proxy_ndp", 6: "ignore_routes_with_linkdown"},
}

// netconfFamily is the family in whose dump a sysctl is; zero if in none.
func netconfFamily(path string) uint8 {
	words := strings.Split(path, "/")
	if len(words) != 5 || words[0] != "net" || words[2] != "conf" {
		return 0
	}
	family := map[string]uint8{"ipv4": unix.AF_INET, "ipv6": unix.AF_INET6}[words[1]]
	for _, name := range netconfNames[family] {
		if name == words[4] {
			return family
		}
	}
	return 0
}

// dumpSettings reads what rtnetlink tells of settings, by the path of the sysctl: a
// few messages in the place of three system calls for each file. A file that is
// not in the answer, of a device that is too new, say, has to be asked itself.
func (b *Backend) dumpSettings(ctx context.Context, family uint8) (map[string]string, error) {
	all := map[string]string{}
	err := b.conn.Dump(ctx, func(q *rtnl.Batch) {
		q.Begin(rtmGetNetconf, 0, family, 0, 0, 0)
	}, func() { clear(all) }, func(m rtnl.Message) error {
		b.settingsFromMessage(m, all)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read network settings: %w", err)
	}
	return all, nil
}

// settingsFromMessage adds the settings of one device, or of "all" or "default".
func (b *Backend) settingsFromMessage(m rtnl.Message, to map[string]string) {
	header, attrs, ok := m.Header(4)
	if !ok || m.Type != unix.RTM_NEWNETCONF {
		return
	}
	names := netconfNames[header[0]]
	prefix := ""
	for attrs.Next() {
		if attrs.Type == netconfIndex {
			prefix = b.confDirectory(header[0], attrs.Uint32())
			continue
		}
		if name := names[attrs.Type]; name != "" && prefix != "" {
			to[prefix+name] = strconv.Itoa(int(int32(attrs.Uint32())))
		}
	}
}

// confDirectory is where the settings of a device are; empty if it is unknown.
func (b *Backend) confDirectory(family uint8, index uint32) string {
	var dev string
	switch index {
	case netconfAll:
		dev = "all"
	case netconfNew:
		dev = "default"
	default:
		if dev, _ = b.links.name(index); dev == "" {
			return ""
		}
	}
	if family == unix.AF_INET6 {
		return "net/ipv6/conf/" + dev + "/"
	}
	return "net/ipv4/conf/" + dev + "/"
}

// settingsOf are the settings among some paths that rtnetlink tells of, if they are so
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
		if told, err := b.dumpSettings(ctx, f); err == nil {
			maps.Copy(all, told)
		}
	}
	return all
}

// fileCost is about how many devices are in a dump for the price of one file.
const fileCost = 4
