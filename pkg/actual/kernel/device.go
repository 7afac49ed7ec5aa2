package kernel

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// linkRequest begins a request about a device; change is the mask of the flags
// that are to be set.
// The kernel leaves flags outside of the mask as they are; a mask of 0 with
// any flag set means all of them (rtnl_dev_combine_flags in net/core/rtnetlink.c).
func linkRequest(q *rtnl.Batch, kind uint16, flags int, index, set, change uint32) {
	q.Begin(kind, flags, rtnl.IfInfoMsg{Index: index, Flags: set, Change: change})
}

// adminState is IFF_UP or nothing.
func adminState(up bool) uint32 {
	if up {
		return unix.IFF_UP
	}
	return 0
}

func deviceFromLink(l link) object.Device { return object.Device{Name: l.name, Up: l.up} }

// encodeDevice sets the admin state. A device is never made and never removed.
func (b *Backend) encodeDevice(q *rtnl.Batch, c object.Change) error {
	if c.After == nil {
		return errNeverDeleted
	}
	d := c.After.(object.Device)
	index, ok := b.links.byName[d.Name]
	if !ok {
		return fmt.Errorf("device %s does not exist; create it, or the Open vSwitch bridge that it comes with: %w",
			d.Name, actual.ErrGone)
	}
	linkRequest(q, unix.RTM_NEWLINK, 0, index, adminState(d.Up), unix.IFF_UP)
	return nil
}

// readDevices derives the values of kinds Device, Link and Master from the table of
// links: devices asked for, links with our alias, and whatever exists where a
// link of ours is wanted.
func (b *Backend) readDevices(context.Context) error {
	var devices, ours []object.Item
	for name := range b.scope.admin {
		if l, ok := b.links.named(name); ok {
			devices = append(devices, object.Item{Value: deviceFromLink(l)})
		}
	}
	for _, l := range b.links.byIndex {
		marked := l.alias == b.marks.Alias
		if marked || has(b.scope.links, l.name) {
			it := object.Item{Value: linkToValue(l, &b.links), Marked: marked}
			if !marked {
				it.Found = &object.Found{Deviates: fmt.Sprintf("alias %q", l.alias)}
			}
			ours = append(ours, it)
		}
	}
	b.mirror.replace(object.KindDevice, devices)
	b.mirror.replace(object.KindLink, ours)
	b.mirror.replace(object.KindMaster, b.memberships())
	return nil
}
