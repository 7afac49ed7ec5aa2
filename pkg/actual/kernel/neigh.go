package kernel

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// ndaProtocol is NDA_PROTOCOL, which kernels since 5.2 keep and older ones
// ignore.
const ndaProtocol = 0xc

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
	q.Begin(kind, flags, familyOf(addr), 0, 0, 0)
	q.Header32(device)
	q.Header16(state)
	q.Header16(rtnl.Uint16At([]byte{entry, 0}, 0))
	q.Addr(unix.NDA_DST, addr)
}

// neighToRequest writes n with our protocol.
func neighToRequest(q *rtnl.Batch, kind uint16, flags int, n object.Neigh, device uint32, protocol uint8) {
	state, entry := uint16(unix.NUD_PERMANENT), uint8(0)
	if n.Learned {
		state, entry = unix.NUD_NOARP, unix.NTF_EXT_LEARNED
	}
	neighHeader(q, kind, flags, n.Addr, device, state, entry)
	if kind == unix.RTM_NEWNEIGH {
		q.Bytes(unix.NDA_LLADDR, n.MAC[:]...)
		q.Uint8(ndaProtocol, protocol)
	}
}

// neighbourFromMessage is the inverse of neighHeader.
func neighbourFromMessage(m rtnl.Message, names *links) (n neighbour, ok bool) {
	h, attrs, ok := m.Header(unix.SizeofNdMsg)
	if !ok || h[0] != unix.AF_INET && h[0] != unix.AF_INET6 {
		return n, false
	}
	n.state, n.flags = rtnl.Uint16At(h, 8), h[10]
	for attrs.Next() {
		switch attrs.Type {
		case unix.NDA_DST:
			n.addr = attrs.Addr()
		case unix.NDA_LLADDR:
			n.mac = attrs.Data
		case ndaProtocol:
			n.protocol = attrs.Uint8()
		}
	}
	n.dev, ok = names.name(rtnl.Uint32At(h, 4))
	return n, ok && n.addr.IsValid()
}

// value is the inverse of neighToRequest; false for an entry that the kernel
// has learnt or is looking for.
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
// somebody else has set.
func (b *Backend) encodeNeigh(q *rtnl.Batch, c object.Change) error {
	have, there := b.mirror.set.Get(c.Key())
	if c.After == nil {
		if !there || have.Value != c.Before {
			return nil // ours is gone; what is there now is somebody else's
		}
		device, err := b.links.index(c.Key().Name)
		if gone(err) {
			return nil
		}
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
		q.Begin(unix.RTM_GETNEIGH, 0, family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}, b.neighItem)
	if err != nil {
		return fmt.Errorf("read neighbours: %w", err)
	}
	b.mirror.replace(object.KindNeigh, items)
	return nil
}

func (b *Backend) neighItem(m rtnl.Message) (object.Item, bool) {
	n, ok := neighbourFromMessage(m, &b.links)
	if !ok {
		return object.Item{}, false
	}
	v, ok := n.value()
	ours := n.protocol == b.marks.RouteProtocol || b.ourLink(n.dev)
	return object.Item{Value: v, Marked: ours}, ok && (ours || has(b.scope.devices, n.dev))
}

// noteNeigh takes in a notification. An entry that is no longer permanent is
// as good as gone.
func (b *Backend) noteNeigh(m rtnl.Message) {
	if len(m.Body) > 0 && m.Body[0] == unix.AF_BRIDGE {
		b.noteFDB(m)
		return
	}
	n, ok := neighbourFromMessage(m, &b.links)
	if !ok {
		return
	}
	if n.flags&unix.NTF_PROXY != 0 {
		b.noteProxyNeigh(n, m.Type == unix.RTM_NEWNEIGH)
		return
	}
	if it, ok := b.neighItem(m); ok && m.Type == unix.RTM_NEWNEIGH {
		b.noteItem(it, true)
		return
	}
	b.noteItem(object.Item{Value: object.Neigh{Dev: n.dev, Addr: n.addr}}, false)
}
