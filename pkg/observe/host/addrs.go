package host

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// loopback is the index of device lo in every network namespace.
const loopback = 1

// address is one address of the device with that index.
type address struct {
	index int
	addr  netip.Addr
	net   netip.Prefix
	// hostOnly is set on a host prefix (/32, /128), through which nothing is connected.
	hostOnly bool
}

// readAddrs reads all addresses again. The caller holds mu, or is alone.
func (s *Source) readAddrs(ctx context.Context) error {
	fresh := make(map[address]int)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		var rows []address
		err := s.conn.Dump(ctx, func(q *rtnl.Batch) {
			q.Begin(unix.RTM_GETADDR, 0, rtnl.IfAddrMsg{Family: family})
		}, func() { rows = nil }, func(m rtnl.Message) error {
			a, ok, err := addressFromMessage(m)
			if ok && err == nil {
				rows = append(rows, a)
			}
			return err
		})
		if err != nil {
			s.lost = true
			return fmt.Errorf("read addresses: %w", err)
		}
		for _, a := range rows {
			fresh[a] = s.nextPosition
			s.nextPosition++
		}
	}
	s.addrs = fresh
	return nil
}

func (s *Source) addressChanged(m rtnl.Message) error {
	a, ok, err := addressFromMessage(m)
	switch {
	case !ok || err != nil:
		return err
	case m.Type == unix.RTM_NEWADDR:
		// RTM_NEWADDR comes again for an address that has changed its lifetime or
		// flags, which is no reason to move it to the end.
		if _, there := s.addrs[a]; !there { // the kernel, too, puts a new one behind the others
			s.addrs[a] = s.nextPosition
			s.nextPosition++
		}
	default:
		delete(s.addrs, a)
	}
	return nil
}

// addresses lists them by device, family, and in the kernel's order, in which an
// address that is added does not become the first one, without those of devices
// that are not in the table of links, and without host prefixes but those of lo and of the device
// of our VTEP. The caller holds mu.
func (s *Source) addresses() []observe.DeviceAddress {
	var out []observe.DeviceAddress
	known := slices.Collect(maps.Keys(s.addrs))
	sorting.Sort(known, func(a, b address) int { return cmp.Compare(s.addrs[a], s.addrs[b]) })
	for _, a := range known {
		if l, ok := s.links[a.index]; ok && (!a.hostOnly || l.Name == s.cfg.VTEP) {
			out = append(out, observe.DeviceAddress{Dev: l.Name, Addr: a.addr, Net: a.net})
		}
	}
	sorting.Stable(out, func(a, b observe.DeviceAddress) int {
		return cmp.Or(cmp.Compare(a.Dev, b.Dev), cmp.Compare(a.Addr.BitLen(), b.Addr.BitLen()))
	})
	return out
}

// addressFromMessage returns false for link-local addresses, which every device
// has.
// IFA_ADDRESS is the address itself on most devices and the far end of a
// point-to-point link, whose near end is then IFA_LOCAL; IPv6 has IFA_LOCAL only
// there (inet_fill_ifaddr in net/ipv4/devinet.c, inet6_fill_ifaddr in
// net/ipv6/addrconf.c). The prefix length belongs to IFA_ADDRESS.
func addressFromMessage(m rtnl.Message) (a address, ok bool, err error) {
	h, attrs, err := m.Addr()
	if err != nil {
		return a, false, err
	}
	a.index = int(h.Index)
	var peer netip.Addr
	for attrs.Next() {
		switch attrs.Type {
		case unix.IFA_LOCAL:
			a.addr = attrs.Addr()
		case unix.IFA_ADDRESS:
			peer = attrs.Addr()
		}
	}
	if err := attrs.Err(); err != nil || !peer.IsValid() {
		return a, false, err
	}
	if !a.addr.IsValid() { // IPv6, where there is no other end
		a.addr = peer
	}
	reach, err := rtnl.Prefix(peer, h.PrefixLen)
	a.net = reach.Masked()
	a.hostOnly = a.net.IsSingleIP() && peer == a.addr && a.index != loopback
	return a, !a.addr.IsLinkLocalUnicast(), err
}
