package kernel

import (
	"errors"
	"fmt"
	"net"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// vlanKind is the only type of link that is ever made.
const vlanKind = "vlan"

// linkToNetlink is l for the netlink library, which writes links: there are
// few of them, and nothing is gained by writing them in batches.
func linkToNetlink(l object.Link, parent uint32) *netlink.Vlan {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = l.Name, int(parent)
	if l.Up {
		attrs.Flags = net.FlagUp
	}
	return &netlink.Vlan{LinkAttrs: attrs, VlanId: int(l.VLAN), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
}

// linkToValue is the inverse of linkToNetlink, from the table of links.
func linkToValue(l link, names *links) object.Link {
	parent, _ := names.name(l.parent)
	return object.Link{Name: l.name, Type: l.kind, Parent: parent, VLAN: l.vlan, Up: l.up}
}

// applyLinks makes the changes one by one; each sees what the one before has
// led to.
func (b *Backend) applyLinks(changes []object.Change, errs []error) {
	for i, c := range changes {
		err := b.applyLink(c)
		var errno unix.Errno
		if errors.As(err, &errno) {
			err = outcome(c, &rtnl.Error{Errno: errno})
		}
		errs[i] = err
		b.drain()
	}
}

// applyLink creates, sets up or down, or removes a link. What stands under the
// name must be what the change says, or it is somebody else's.
func (b *Backend) applyLink(c object.Change) error {
	have, exists := b.links.named(c.Key().Name)
	switch {
	case !exists && c.After == nil:
		return nil
	case !exists || c.Before == nil:
		return b.createLink(c.After.(object.Link), have, exists)
	}
	value := linkToValue(have, &b.links)
	if have.alias != b.marks.Alias && !sameDevice(value, c.Before.(object.Link)) {
		return b.foreign(object.Item{Value: value})
	}
	device := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: have.name, Index: int(have.index)}}
	if c.After == nil {
		return b.rare.LinkDel(device)
	}
	after := c.After.(object.Link)
	if !sameDevice(value, after) {
		// The kernel changes neither parent nor VLAN of a link in place.
		if err := b.rare.LinkDel(device); err != nil {
			return err
		}
		return b.createLink(after, link{}, false)
	}
	if err := b.rare.LinkSetAlias(device, b.marks.Alias); err != nil {
		return err
	}
	if after.Up {
		return b.rare.LinkSetUp(device)
	}
	return b.rare.LinkSetDown(device)
}

// createLink makes a link and marks it. The kernel takes an alias only for a
// device that exists: dying between the two leaves a link without our mark,
// which the ledger knows.
func (b *Backend) createLink(want object.Link, have link, exists bool) error {
	if want.Type != vlanKind {
		return fmt.Errorf("links of type %s are not made here", want.Type)
	}
	if exists {
		value := linkToValue(have, &b.links)
		ours := have.alias == b.marks.Alias
		if ours && value == want {
			return nil
		}
		return b.foreign(object.Item{Value: value, Marked: ours})
	}
	parent, err := b.links.index(want.Parent)
	if err != nil {
		return err
	}
	device := linkToNetlink(want, parent)
	if err := b.rare.LinkAdd(device); err != nil {
		return err
	}
	if err := b.rare.LinkSetAlias(device, b.marks.Alias); err != nil {
		return errors.Join(fmt.Errorf("mark %s as ours: %w", want.Name, err), b.rare.LinkDel(device))
	}
	return nil
}

// sameDevice compares all but the admin state.
func sameDevice(a, b object.Link) bool {
	a.Up = b.Up
	return a == b
}
