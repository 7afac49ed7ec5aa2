package kernel

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// neighbour is an entry as the kernel reports it.
type neighbour struct {
	dev      string
	addr     netip.Addr
	mac      []byte
	state    uint16
	flags    uint8
	protocol uint8
}

// neighHeader begins a request with struct ndmsg.
func neighHeader(q *rtnl.Batch, kind uint16, flags int, addr netip.Addr, device uint32, state uint16, entry uint8) {
	q.Begin(kind, flags, rtnl.NdMsg{Family: rtnl.FamilyOf(addr), Index: device, State: state, Flags: entry})
	q.Addr(unix.NDA_DST, addr)
}

// neighToRequest writes n with our protocol.
// Garbage collection spares NUD_PERMANENT and NTF_EXT_LEARNED (neigh_update_gc_list
// in net/core/neighbour.c), so neither form ages; both are NUD_VALID, so a bridge
// with neigh_suppress answers for them. NDA_PROTOCOL is there since Linux 5.0.
func neighToRequest(q *rtnl.Batch, kind uint16, flags int, n object.Neigh, device uint32, protocol uint8) {
	state, entry := uint16(unix.NUD_PERMANENT), uint8(0)
	if n.Learned {
		state, entry = unix.NUD_NOARP, unix.NTF_EXT_LEARNED
	}
	neighHeader(q, kind, flags, n.Addr, device, state, entry)
	if kind == unix.RTM_NEWNEIGH {
		q.Bytes(unix.NDA_LLADDR, n.MAC[:]...)
		q.Uint8(rtnl.NDA_PROTOCOL, protocol)
	}
}

// neighbourFromMessage is the inverse of neighHeader; false for families that we
// make no neighbours of, and for a device that is not in the table of links yet.
func neighbourFromMessage(m rtnl.Message, names *links) (n neighbour, ok bool, err error) {
	h, attrs, err := m.Neigh()
	if err != nil || h.Family != unix.AF_INET && h.Family != unix.AF_INET6 {
		return n, false, err
	}
	n.state, n.flags = h.State, h.Flags
	for attrs.Next() {
		switch attrs.Type {
		case unix.NDA_DST:
			n.addr = attrs.Addr()
		case unix.NDA_LLADDR:
			n.mac = attrs.Data
		case rtnl.NDA_PROTOCOL:
			n.protocol = attrs.Uint8()
		}
	}
	n.dev, ok = names.name(h.Index)
	return n, ok && n.addr.IsValid(), attrs.Err()
}

// value is the inverse of neighToRequest; false for an entry that the kernel
// has learnt or is looking for.
// An entry whose resolution has not ended has no NDA_LLADDR (neigh_fill_info).
func (n neighbour) value() (object.Neigh, bool) {
	v := object.Neigh{Dev: n.dev, Addr: n.addr}
	v.Learned = n.state&unix.NUD_NOARP != 0 && n.flags&unix.NTF_EXT_LEARNED != 0
	if n.state&unix.NUD_PERMANENT == 0 && !v.Learned || n.flags&unix.NTF_PROXY != 0 || len(n.mac) != len(v.MAC) {
		return v, false
	}
	v.MAC = object.MAC(n.mac)
	return v, true
}

// encodeNeigh replaces whatever the kernel has learnt itself (an entry in
// state FAILED would refuse a plain create), but no permanent entry that
// another owner has set.
// NLM_F_EXCL refuses with EEXIST in any state (neigh_add in net/core/neighbour.c).
func (b *Backend) encodeNeigh(q *rtnl.Batch, c object.Change) error {
	have, there := b.mirror.set.Get(c.Key())
	if c.After == nil {
		if !there || have.Value != c.Before {
			return nil // ours is gone; what is there now is another owner's
		}
		device, err := b.links.index(c.Key().Name)
		if gone(err) {
			return nil
		}
		// The kernel selects by device and address alone (neigh_delete): the
		// comparison above is all that protects the entry of another owner.
		neighToRequest(q, unix.RTM_DELNEIGH, 0, c.Before.(object.Neigh), device, 0)
		return nil
	}
	n := c.After.(object.Neigh)
	device, err := b.links.index(n.Dev)
	if err != nil {
		return err
	}
	if there && have.Value == c.After && c.Before == nil {
		return nil
	}
	if there && !have.Marked && have.Value != c.Before {
		return b.foreign(have)
	}
	neighToRequest(q, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, n, device, b.marks.RouteProtocol)
	return nil
}

func (b *Backend) readNeighs(ctx context.Context) error {
	items, err := b.dumpItems(ctx, func(q *rtnl.Batch, family uint8) {
		q.Begin(unix.RTM_GETNEIGH, 0, rtnl.NdMsg{Family: family})
	}, func(m rtnl.Message) (object.Item, bool, error) {
		n, ok, err := neighbourFromMessage(m, &b.links)
		if !ok || err != nil {
			return object.Item{}, false, err
		}
		it, ok := b.neighItem(n)
		return it, ok, nil
	})
	if err != nil {
		return fmt.Errorf("read neighbours: %w", err)
	}
	b.mirror.replace(object.KindNeigh, items)
	return nil
}

func (b *Backend) neighItem(n neighbour) (object.Item, bool) {
	v, ok := n.value()
	it := object.Item{Value: v}
	it.Marked, it.Found = b.owner(n.protocol, n.dev)
	if !v.Learned && n.protocol != b.marks.RouteProtocol && b.isBridge(n.dev) {
		it.Marked = false // ovn-controller's: all of ours there are learnt from others
	}
	return it, ok && (it.Marked || has(b.scope.devices, n.dev))
}

func (b *Backend) isBridge(dev string) bool {
	l, ok := b.links.named(dev)
	return ok && l.kind == object.LinkBridge
}

// owner tells of an object with that protocol on a device whether it is ours, and what
// else there is to tell. Protocol 0 is no owner: older kernels know no other, and most
// programs give none.
func (b *Backend) owner(protocol uint8, dev string) (ours bool, found *object.Found) {
	if protocol == b.marks.RouteProtocol {
		return true, nil
	}
	if protocol != 0 {
		found = &protocols[protocol]
	}
	return b.ourLink(dev), found
}

// neighChanged applies a notification. An entry that is no longer permanent is
// as good as gone.
func (b *Backend) neighChanged(m rtnl.Message) error {
	h, _, err := m.Neigh()
	if err != nil {
		return err
	}
	if h.Family == unix.AF_BRIDGE { // forwarding entries have the same type of message
		return b.fdbChanged(m)
	}
	n, ok, err := neighbourFromMessage(m, &b.links)
	if !ok || err != nil {
		return err
	}
	there := m.Type == unix.RTM_NEWNEIGH
	if n.flags&unix.NTF_PROXY != 0 {
		b.proxyNeighChanged(n, there)
		return nil
	}
	if it, ok := b.neighItem(n); ok && there {
		b.itemChanged(it, true)
		return nil
	}
	b.itemChanged(object.Item{Value: object.Neigh{Dev: n.dev, Addr: n.addr}}, false)
	return nil
}
