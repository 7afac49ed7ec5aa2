package kernel

import (
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// vlanKind is the only type of link that is ever made.
const vlanKind = "vlan"

// linkToRequests writes two requests: the kernel takes an alias only for a
// device that exists. Dying between the two leaves a link without our mark,
// which the ledger knows.
func linkToRequests(q *rtnl.Batch, l object.Link, parent uint32, alias string) {
	linkRequest(q, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, 0, 0, 0)
	q.Text(unix.IFLA_IFNAME, l.Name)
	q.Uint32(unix.IFLA_LINK, parent)
	q.Nest(unix.IFLA_LINKINFO, func() {
		q.Text(unix.IFLA_INFO_KIND, l.Type)
		q.Nest(unix.IFLA_INFO_DATA, func() { q.Uint16(unix.IFLA_VLAN_ID, l.VLAN) })
	})
	linkRequest(q, unix.RTM_SETLINK, 0, 0, adminState(l.Up), unix.IFF_UP)
	q.Text(unix.IFLA_IFNAME, l.Name)
	q.Text(unix.IFLA_IFALIAS, alias)
}

// linkToValue is the inverse of linkToRequests.
func linkToValue(l link, names *links) object.Link {
	parent, _ := names.name(l.parent)
	return object.Link{Name: l.name, Type: l.kind, Parent: parent, VLAN: l.vlan, Up: l.up}
}

// encodeLink creates, sets up or down, or removes a link. What stands under
// the name must be what the change says, or it is somebody else's.
func (b *Backend) encodeLink(q *rtnl.Batch, c object.Change) error {
	have, exists := b.links.named(c.Key().Name)
	if c.Before == nil {
		return b.createLink(q, c.After.(object.Link), have, exists)
	}
	before := c.Before.(object.Link)
	switch {
	case !exists && c.After == nil:
		return nil
	case !exists:
		return b.createLink(q, c.After.(object.Link), have, exists)
	case have.alias != b.marks.Alias && !sameDevice(linkToValue(have, &b.links), before):
		return b.foreign(object.Item{Value: linkToValue(have, &b.links)})
	case c.After == nil:
		linkRequest(q, unix.RTM_DELLINK, 0, have.index, 0, 0)
		return nil
	}
	after := c.After.(object.Link)
	if !sameDevice(linkToValue(have, &b.links), after) {
		// The kernel changes neither parent nor VLAN of a link in place.
		linkRequest(q, unix.RTM_DELLINK, 0, have.index, 0, 0)
		return b.createLink(q, after, link{}, false)
	}
	linkRequest(q, unix.RTM_SETLINK, 0, have.index, adminState(after.Up), unix.IFF_UP)
	q.Text(unix.IFLA_IFALIAS, b.marks.Alias)
	return nil
}

func (b *Backend) createLink(q *rtnl.Batch, want object.Link, have link, exists bool) error {
	if want.Type != vlanKind {
		return fmt.Errorf("links of type %s are not made here", want.Type)
	}
	if exists {
		if value := linkToValue(have, &b.links); have.alias != b.marks.Alias || value != want {
			return b.foreign(object.Item{Value: value, Marked: have.alias == b.marks.Alias})
		}
		return nil
	}
	parent, err := b.links.index(want.Parent)
	if err != nil {
		return err
	}
	linkToRequests(q, want, parent, b.marks.Alias)
	return nil
}

// sameDevice compares all but the admin state.
func sameDevice(a, b object.Link) bool {
	a.Up = b.Up
	return a == b
}
