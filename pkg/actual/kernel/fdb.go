package kernel

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// fdbToRequest writes an entry in one of the three forms of [object.FDB]. Those
// of a VXLAN device are permanent, those of a bridge are what a control plane has
// learnt, which the bridge does not age.
// NTF_SELF addresses the database of the device itself, NTF_MASTER that of the bridge
// above it (rtnl_fdb_add in net/core/rtnetlink.c). VXLAN refuses other states than
// permanent and reachable, and an entry without NDA_DST (vxlan_fdb_add,
// vxlan_fdb_parse); a bridge does not age NTF_EXT_LEARNED (br_fdb_cleanup).
func fdbToRequest(q *rtnl.Batch, kind uint16, flags int, d object.FDB, device uint32) {
	entry, state := uint8(unix.NTF_SELF), uint16(unix.NUD_PERMANENT)
	switch {
	case !d.Dst.IsValid():
		entry, state = unix.NTF_MASTER|unix.NTF_EXT_LEARNED, unix.NUD_REACHABLE
	case d.MAC.IsZero():
		state |= unix.NUD_NOARP // as bridge(8) has it, by which ovn-controller knows it
	case d.Learned:
		entry |= unix.NTF_EXT_LEARNED
	}
	q.Begin(kind, flags, rtnl.NdMsg{Family: unix.AF_BRIDGE, Index: device, State: state, Flags: entry})
	q.Bytes(unix.NDA_LLADDR, d.MAC[:]...)
	if d.Dst.IsValid() {
		q.Addr(unix.NDA_DST, d.Dst)
	}
	if d.SrcVNI != 0 {
		q.Uint32(unix.NDA_SRC_VNI, d.SrcVNI)
	}
}

// fdbFromMessage is the inverse of fdbToRequest; false for entries of other forms:
// what a bridge has learnt from traffic, and the addresses of its ports.
func fdbFromMessage(m rtnl.Message, names *links) (d object.FDB, ok bool, err error) {
	h, attrs, err := m.Neigh()
	if err != nil || h.Family != unix.AF_BRIDGE {
		return d, false, err
	}
	plain := true
	for attrs.Next() {
		switch attrs.Type {
		case unix.NDA_LLADDR:
			if len(attrs.Data) == len(d.MAC) {
				d.MAC = object.MAC(attrs.Data)
			}
		case unix.NDA_DST:
			d.Dst = attrs.Addr()
		case unix.NDA_SRC_VNI:
			d.SrcVNI = attrs.Uint32()
		case unix.NDA_VLAN, unix.NDA_VNI, unix.NDA_PORT, unix.NDA_IFINDEX:
			plain = false
		}
	}
	self := h.Flags&unix.NTF_SELF != 0
	switch {
	case self:
		plain = plain && d.Dst.IsValid() && h.State&unix.NUD_PERMANENT != 0
		d.Learned = h.Flags&unix.NTF_EXT_LEARNED != 0 && !d.MAC.IsZero()
	default:
		plain = plain && h.Flags&unix.NTF_EXT_LEARNED != 0 && !d.MAC.IsZero()
		d.Dst = netip.Addr{}
	}
	d.Dev, ok = names.name(h.Index)
	return d, ok && plain, attrs.Err()
}

// encodeFDB writes one change. A flooding entry is one of many under the same MAC
// and so appended.
// VXLAN takes NLM_F_APPEND for the all-zero and for multicast addresses only, and
// refuses to replace those (vxlan_fdb_update_existing in drivers/net/vxlan).
func (b *Backend) encodeFDB(q *rtnl.Batch, c object.Change) error {
	have, there := b.mirror.set.Get(c.Key())
	device, err := b.links.index(c.Key().Name)
	if c.After == nil {
		if gone(err) || !there || have.Value != c.Before {
			return nil // ours is gone; what is there now is another owner's
		}
		fdbToRequest(q, unix.RTM_DELNEIGH, 0, c.Before.(object.FDB), device)
		return nil
	}
	if err != nil {
		return err
	}
	d := c.After.(object.FDB)
	flags := unix.NLM_F_CREATE | unix.NLM_F_EXCL
	switch {
	case there && have.Value == c.After:
		return nil
	case there && !have.Marked && have.Value != c.Before:
		return b.foreign(have)
	case there:
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	case d.MAC.IsZero():
		flags = unix.NLM_F_CREATE | unix.NLM_F_APPEND
	case !d.Dst.IsValid():
		flags = unix.NLM_F_CREATE // takes over what the bridge has learnt from traffic
	}
	fdbToRequest(q, unix.RTM_NEWNEIGH, flags, d, device)
	return nil
}

// readFDB reads nothing where no entry is in focus and no bridge is ours: another
// bridge of the node may have 100,000 entries.
func (b *Backend) readFDB(ctx context.Context) error {
	var items []object.Item
	if len(b.scope.fdb) > 0 || b.ourVXLAN() {
		err := b.conn.Dump(ctx, func(q *rtnl.Batch) {
			q.Begin(unix.RTM_GETNEIGH, 0, rtnl.NdMsg{Family: unix.AF_BRIDGE})
		}, func() { items = nil }, func(m rtnl.Message) error {
			it, ok, err := b.fdbItem(m)
			if ok {
				items = append(items, it)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read forwarding databases: %w", err)
		}
	}
	b.mirror.replace(object.KindFDB, items)
	return nil
}

func (b *Backend) ourVXLAN() bool {
	for _, l := range b.links.byIndex {
		if l.kind == object.LinkVXLAN && l.alias == b.marks.Alias {
			return true
		}
	}
	return false
}

func (b *Backend) fdbItem(m rtnl.Message) (object.Item, bool, error) {
	d, ok, err := fdbFromMessage(m, &b.links)
	if !ok || err != nil {
		return object.Item{}, false, err
	}
	ours := b.ourLink(d.Dev)
	return object.Item{Value: d, Marked: ours}, ours || has(b.scope.fdb, d.Dev), nil
}

func (b *Backend) fdbChanged(m rtnl.Message) error {
	it, ok, err := b.fdbItem(m)
	if ok && err == nil {
		b.itemChanged(it, m.Type == unix.RTM_NEWNEIGH)
	}
	return err
}
