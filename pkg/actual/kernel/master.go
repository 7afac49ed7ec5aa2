package kernel

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// memberships are the masters of the devices that are asked for.
func (b *Backend) memberships() []object.Item {
	var out []object.Item
	for name := range b.scope.masters {
		l, ok := b.links.named(name)
		if master, in := b.links.name(l.master); ok && in {
			out = append(out, object.Item{Value: object.Master{Dev: name, Master: master, Up: l.up}})
		}
	}
	return out
}

// encodeMaster puts a device into a VRF or bridge, or takes it out if it is still
// where we put it. The device itself is never ours.
func (b *Backend) encodeMaster(q *rtnl.Batch, c object.Change) error {
	device, err := b.links.index(c.Key().Name)
	if c.After == nil {
		in, _ := b.links.name(b.links.byIndex[device].master)
		if gone(err) || in != c.Before.(object.Master).Master {
			return nil
		}
		linkRequest(q, unix.RTM_NEWLINK, 0, device, 0, 0)
		// Index 0 takes it out of whatever master it has (do_set_master), which
		// is why the comparison above comes first.
		q.Uint32(unix.IFLA_MASTER, 0)
		return nil
	}
	if err != nil {
		return err
	}
	m := c.After.(object.Master)
	master, err := b.links.index(m.Master)
	if err != nil {
		return err
	}
	linkRequest(q, unix.RTM_NEWLINK, 0, device, adminState(m.Up), unix.IFF_UP)
	q.Uint32(unix.IFLA_MASTER, master)
	return nil
}
