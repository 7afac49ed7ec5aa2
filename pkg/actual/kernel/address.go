package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// addressToRequest writes a with our protocol. IPv6 addresses skip duplicate
// address detection: every node has the same ones on its provider bridges, and
// where the bridges share a segment all but the first would stay unusable.
// Both attributes carry the address: IPv4 takes IFA_LOCAL (rtm_to_ifaddr in
// net/ipv4/devinet.c), IPv6 takes IFA_ADDRESS and would read a different IFA_LOCAL
// as the near end of a point-to-point link (extract_addr in net/ipv6/addrconf.c).
// IFA_PROTO is there since Linux 5.18; older kernels ignore it, and the ledger alone
// has which addresses are ours.
func addressToRequest(q *rtnl.Batch, kind uint16, flags int, a object.Address, device uint32, protocol uint8) {
	q.Begin(kind, flags, rtnl.IfAddrMsg{
		Family:    rtnl.FamilyOf(a.Prefix.Addr()),
		PrefixLen: uint8(a.Prefix.Bits()),
		Scope:     unix.RT_SCOPE_UNIVERSE,
		Index:     device,
	})
	q.Addr(unix.IFA_LOCAL, a.Prefix.Addr())
	q.Addr(unix.IFA_ADDRESS, a.Prefix.Addr())
	// A delete selects by address and prefix length alone (inet_rtm_deladdr): the
	// kernel does not compare protocols, so that ownership is decided before.
	if kind == unix.RTM_DELADDR {
		return
	}
	if a.Prefix.Addr().Is6() {
		q.Uint32(unix.IFA_FLAGS, unix.IFA_F_NODAD)
	}
	q.Uint8(rtnl.IFA_PROTO, protocol)
}

// address is an address with its owner.
type address struct {
	object.Address
	protocol uint8
	// ends is set on one with a lifetime, which we never give.
	ends bool
}

// addressFromMessage is the inverse of addressToRequest; false for an address
// of a device that is not in the table of links yet.
func addressFromMessage(m rtnl.Message, names *links) (a address, ok bool, err error) {
	h, attrs, err := m.Addr()
	if err != nil {
		return a, false, err
	}
	var local, address netip.Addr
	for attrs.Next() {
		switch attrs.Type {
		case unix.IFA_LOCAL:
			local = attrs.Addr()
		case unix.IFA_ADDRESS:
			address = attrs.Addr()
		case rtnl.IFA_PROTO:
			a.protocol = attrs.Uint8()
		case unix.IFA_CACHEINFO: // struct ifa_cacheinfo: preferred and valid time, all bits are for ever
			a.ends = len(attrs.Data) >= 8 && binary.NativeEndian.Uint64(attrs.Data) != 1<<64-1
		}
	}
	if !local.IsValid() { // IPv6 without a peer
		local = address
	}
	if err := attrs.Err(); err != nil {
		return a, false, err
	}
	a.Prefix, err = rtnl.Prefix(local, h.PrefixLen)
	a.Dev, ok = names.name(h.Index)
	return a, ok, err
}

func (b *Backend) encodeAddress(q *rtnl.Batch, c object.Change) error {
	if c.After == nil {
		a := c.Before.(object.Address)
		device, err := b.links.index(a.Dev)
		if gone(err) {
			return nil
		}
		addressToRequest(q, unix.RTM_DELADDR, 0, a, device, 0)
		return nil
	}
	a := c.After.(object.Address)
	device, err := b.links.index(a.Dev)
	if err != nil {
		return err
	}
	flags := unix.NLM_F_CREATE | unix.NLM_F_EXCL
	if c.Before != nil {
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE // its lifetime, or its protocol
	}
	addressToRequest(q, unix.RTM_NEWADDR, flags, a, device, b.marks.RouteProtocol)
	return nil
}

func (b *Backend) readAddresses(ctx context.Context) error {
	items, err := b.dumpItems(ctx, func(q *rtnl.Batch, family uint8) {
		q.Begin(unix.RTM_GETADDR, 0, rtnl.IfAddrMsg{Family: family})
	}, func(m rtnl.Message) (object.Item, bool, error) {
		a, ok, err := addressFromMessage(m, &b.links)
		if !ok || err != nil {
			return object.Item{}, false, err
		}
		it, ok := b.addressItem(a)
		return it, ok, nil
	})
	if err != nil {
		return fmt.Errorf("read addresses: %w", err)
	}
	b.mirror.replace(object.KindAddress, items)
	return nil
}

func (b *Backend) addressChanged(m rtnl.Message) error {
	a, ok, err := addressFromMessage(m, &b.links)
	if !ok || err != nil {
		return err
	}
	if it, ok := b.addressItem(a); ok {
		b.itemChanged(it, m.Type == unix.RTM_NEWADDR)
	}
	if m.Type == unix.RTM_DELADDR {
		b.culprits.lost(place{a.Dev, a.Prefix.Addr().Is6()}, addressWent(a.Address))
		b.addressGone(a.Dev, a.Prefix.Addr(), true)
	}
	return nil
}

// addressGone handles what the kernel does without a notification: with the last IPv4
// address of a device it drops all IPv4 routes and neighbours there, and with
// any address the routes that prefer it as their source.
// The first is fib_disable_ip in net/ipv4/fib_frontend.c, the second
// fib_sync_down_addr in net/ipv4/fib_semantics.c: both flush without RTM_DELROUTE.
func (b *Backend) addressGone(dev string, addr netip.Addr, report bool) {
	if addr.Is4() && (has(b.mirror.devs, dev) || has(b.scope.devices, dev)) {
		b.invalidate(partRoutes|partNeighs, report)
	}
}

// addressItem leaves out link-local IPv6 addresses that are not wanted: the
// kernel makes one for every device, on ours too, and needs it.
func (b *Backend) addressItem(a address) (object.Item, bool) {
	ours := a.protocol == b.marks.RouteProtocol
	automatic := a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast()
	if automatic && !ours && !b.scope.wants(a.Key()) {
		return object.Item{}, false
	}
	it := object.Item{Value: a.Address}
	it.Marked, it.Found = b.owner(a.protocol, a.Dev)
	if a.ends {
		it.Found = &object.Found{Deviates: "a lifetime"}
	}
	return it, it.Marked || has(b.scope.devices, a.Dev)
}

// ourLink reports whether the device of that name is ours, and with it what
// is on it.
func (b *Backend) ourLink(name string) bool {
	l, ok := b.links.named(name)
	return ok && l.alias == b.marks.Alias
}
