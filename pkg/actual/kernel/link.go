package kernel

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// linkToValue is a link of the table as a value. Of a type that we do not make
// it has the type and the master alone.
func linkToValue(l link, names *links) object.Link {
	v := object.Link{Name: l.name, Type: l.kind, Up: l.up}
	v.Master, _ = names.name(l.master)
	switch l.kind {
	case object.LinkVLAN:
		v.Parent, _ = names.name(l.parent)
		v.VLAN = l.vlan
	case object.LinkVRF:
		v.Table = l.table
	case object.LinkBridge:
		v.MAC = l.mac
	case object.LinkVXLAN:
		v.VNI, v.Local, v.Port, v.MAC = l.vni, l.local, l.port, l.mac
		v.NoLearning, v.Suppress = !l.learning && !l.portLearning, l.suppress
	case object.LinkVeth:
		v.Peer, _ = names.name(l.parent)
		v.MAC = l.mac
		v.NoLearning, v.Suppress = l.bridgePort && !l.portLearning, l.suppress
	}
	return v
}

// applyLinks makes the changes of links in two runs: first what makes or removes
// devices, then what is set on those that exist. Changes that need each other
// never come together, so each master is there before its ports.
func (b *Backend) applyLinks(ctx context.Context, changes []object.Change, errs []error) {
	w := linkWriter{b: b, ctx: ctx, changes: changes, errs: errs, made: map[string]int{}, making: true}
	for i, c := range changes {
		w.errs[i] = w.begin(i, c)
	}
	w.flush()
	w.making = false
	for i, c := range changes {
		if c.After != nil && w.errs[i] == nil {
			if w.errs[i] = w.byFailed(i, c.Key().Name); w.errs[i] == nil {
				w.errs[i] = w.set(i, c.After.(object.Link))
			}
		}
	}
	w.flush()
	// What happened to devices happened to what is on them: a device that
	// changes its VRF loses its routes and IPv6 addresses, without a notification.
	// The VRF driver sets it down and up for that (cycle_netdev in
	// drivers/net/vrf.c).
	b.stale |= partLinks | partDevices | partRoutes | onDevices
}

// linkWriter collects requests about links and knows for which change each is.
type linkWriter struct {
	b       *Backend
	ctx     context.Context //nolint:containedctx // it lives as long as one call
	changes []object.Change
	errs    []error
	owners  []int
	made    map[string]int // by which change a device was made, both ends of a veth
	making  bool           // in the first run
}

// begin writes what makes or removes a device. What exists under the name must
// be what the change says, or it is another owner's.
func (w *linkWriter) begin(i int, c object.Change) error {
	have, exists := w.b.links.named(c.Key().Name)
	ours := exists && have.alias == w.b.marks.Alias
	value := linkToValue(have, &w.b.links)
	switch {
	case !exists && c.After == nil:
		return nil
	case c.After == nil:
		if !ours && !value.SameDevice(c.Before.(object.Link)) {
			return w.b.foreign(object.Item{Value: value})
		}
		return w.remove(i, have)
	}
	after := c.After.(object.Link)
	expected := ours
	if before, ok := c.Before.(object.Link); ok && exists {
		expected = expected || value.SameDevice(before)
	}
	switch {
	case exists && !expected:
		return w.b.foreign(object.Item{Value: value})
	case exists && value.SameDevice(after), w.byPeer(after):
		return nil // set does the rest
	case exists && c.Before == nil:
		return w.b.foreign(object.Item{Value: value, Marked: true})
	case exists:
		// The planner replaces such links; whoever asks for a change all the
		// same gets it.
		if err := w.remove(i, have); err != nil {
			return err
		}
	}
	w.made[after.Name] = i
	if _, made := w.made[after.Peer]; after.Peer != "" && !made {
		w.made[after.Peer] = i
	}
	return w.create(i, after)
}

// byPeer says that the change for the other end of a veth has made this one.
func (w *linkWriter) byPeer(l object.Link) bool {
	_, made := w.made[l.Name]
	return made
}

// byFailed says that a device was not made, because the change for the other end of the veth was
// refused.
func (w *linkWriter) byFailed(i int, name string) error {
	if by, made := w.made[name]; made && by != i && object.IsUntouched(w.errs[by]) {
		return object.Untouched(fmt.Errorf("its other end was not made: %w", w.errs[by]))
	}
	return nil
}

func (w *linkWriter) remove(i int, l link) error {
	linkRequest(&w.b.batch, unix.RTM_DELLINK, 0, l.index, 0, 0)
	w.own(i)
	return nil
}

// create makes a device without a mark, because the kernel takes an alias only
// for one that exists: dying before it is set leaves a link that the ledger knows.
// An IFLA_IFALIAS in the request that creates a device is ignored: rtnl_create_link
// in net/core/rtnetlink.c does not read it.
func (w *linkWriter) create(i int, l object.Link) error {
	master, err := w.master(l)
	if err != nil {
		return err
	}
	if err := w.b.linkToRequest(&w.b.batch, l, master.index); err != nil {
		return err
	}
	w.own(i)
	return nil
}

// master is the device above a link, none if it has none.
func (w *linkWriter) master(l object.Link) (link, error) {
	if l.Master == "" {
		return link{}, nil
	}
	index, err := w.b.links.index(l.Master)
	return w.b.links.byIndex[index], err
}

// own enters the owner of the request that was begun last, and sends what has
// been collected when it is much.
func (w *linkWriter) own(i int) {
	w.owners = append(w.owners, i)
	if w.b.batch.Full() {
		w.flush()
	}
}

func (w *linkWriter) flush() {
	batch := &w.b.batch
	err := w.b.conn.Execute(w.ctx, batch, func(at int, err *rtnl.Error) {
		i := w.owners[at]
		outcome := outcome(w.changes[i], err)
		if w.making && w.changes[i].Before == nil {
			outcome = object.Untouched(outcome) // there was one request, to make it
		}
		if outcome != nil && w.errs[i] == nil {
			w.errs[i] = outcome
		}
	})
	for _, i := range w.owners {
		if err != nil {
			w.errs[i] = fmt.Errorf("outcome unknown: %w", err)
		}
	}
	w.owners = w.owners[:0]
	batch.Reset()
}

// set writes mark, MAC, master, port settings and admin state. The device is
// named, because one that has just been made has an index that is not in the table of links yet.
// Each request causes a notification to all listeners of rtnetlink, so none repeats what creation
// has said already.
func (w *linkWriter) set(i int, l object.Link) error {
	q := &w.b.batch
	master, err := w.master(l)
	if err != nil {
		return err
	}
	by, made := w.made[l.Name]
	created := made && by == i
	// First and alone: whatever else may fail, it bears our mark.
	linkNamed(q, l.Name, 0, 0)
	q.Text(unix.IFLA_IFALIAS, w.b.marks.Alias)
	w.own(i)
	if l.Peer != "" && (created || !made) {
		linkNamed(q, l.Peer, 0, 0)
		q.Text(unix.IFLA_IFALIAS, w.b.marks.Alias)
		w.own(i)
	}
	silent := l.Type == object.LinkBridge || l.Type == object.LinkVXLAN || l.Type == object.LinkDummy
	if !created || silent {
		linkNamed(q, l.Name, 0, 0)
		if !l.MAC.IsZero() && !created {
			q.Bytes(unix.IFLA_ADDRESS, l.MAC[:]...)
		}
		if l.Type != object.LinkVLAN && l.Type != object.LinkVRF && !created {
			q.Uint32(unix.IFLA_MASTER, master.index)
		}
		if silent {
			noAutomaticAddress(q)
		}
		w.own(i)
	}
	linkNamed(q, l.Name, adminState(l.Up), unix.IFF_UP)
	// Settings of a port exist only while it is one, so these come after the
	// master: the kernel hands them to the master there is (rtnl_changelink).
	if master.kind == object.LinkBridge {
		end := q.Nest(unix.IFLA_LINKINFO)
		q.Text(unix.IFLA_INFO_SLAVE_KIND, object.LinkBridge)
		inner := q.Nest(unix.IFLA_INFO_SLAVE_DATA)
		q.Uint8(unix.IFLA_BRPORT_LEARNING, boolByte(!l.NoLearning))
		q.Uint8(unix.IFLA_BRPORT_NEIGH_SUPPRESS, boolByte(l.Suppress))
		inner()
		end()
	}
	w.own(i)
	return nil
}

func boolByte(v bool) uint8 {
	if v {
		return 1
	}
	return 0
}

// linkNamed begins a request about a device that is there.
func linkNamed(q *rtnl.Batch, name string, set, change uint32) {
	linkRequest(q, unix.RTM_NEWLINK, 0, 0, set, change)
	q.Text(unix.IFLA_IFNAME, name)
}

// noAutomaticAddress keeps the kernel from giving the device an IPv6 link-local
// address: on a bridge over a VXLAN it would be announced
// to hosts that are not there.
// The mode is to be set while the device is down: the address is made when it comes
// up (addrconf_dev_config in net/ipv6/addrconf.c).
func noAutomaticAddress(q *rtnl.Batch) {
	end := q.Nest(unix.IFLA_AF_SPEC)
	inner := q.Nest(unix.AF_INET6)
	q.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, rtnl.IN6_ADDR_GEN_MODE_NONE)
	inner()
	end()
}

// linkToRequest writes what makes the device.
func (b *Backend) linkToRequest(q *rtnl.Batch, l object.Link, master uint32) error {
	var parent uint32
	switch l.Type {
	case object.LinkVLAN:
		var err error
		if parent, err = b.links.index(l.Parent); err != nil {
			return err
		}
	case object.LinkVRF, object.LinkBridge, object.LinkVXLAN, object.LinkVeth, object.LinkDummy:
	default:
		return fmt.Errorf("links of type %q are not supported", l.Type)
	}
	linkRequest(q, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, 0, 0, 0)
	q.Text(unix.IFLA_IFNAME, l.Name)
	if parent != 0 {
		q.Uint32(unix.IFLA_LINK, parent)
	}
	if !l.MAC.IsZero() {
		q.Bytes(unix.IFLA_ADDRESS, l.MAC[:]...)
	}
	if master != 0 && l.Type != object.LinkVLAN && l.Type != object.LinkVRF {
		q.Uint32(unix.IFLA_MASTER, master)
	}
	end := q.Nest(unix.IFLA_LINKINFO)
	q.Text(unix.IFLA_INFO_KIND, l.Type)
	inner := q.Nest(unix.IFLA_INFO_DATA)
	linkData(q, l)
	inner()
	end()
	return nil
}

// linkData writes IFLA_INFO_DATA, which each type has of its own.
func linkData(q *rtnl.Batch, l object.Link) {
	switch l.Type {
	case object.LinkVLAN:
		q.Uint16(unix.IFLA_VLAN_ID, l.VLAN)
	case object.LinkVRF:
		q.Uint32(unix.IFLA_VRF_TABLE, l.Table)
	case object.LinkVXLAN:
		q.Uint32(unix.IFLA_VXLAN_ID, l.VNI)
		kind := uint16(unix.IFLA_VXLAN_LOCAL)
		if l.Local.Is6() {
			kind = unix.IFLA_VXLAN_LOCAL6
		}
		q.Addr(kind, l.Local)
		// One of the few numbers of rtnetlink in network byte order. Without
		// it the kernel takes 8472, its own choice from before RFC 7348.
		q.Uint16BE(unix.IFLA_VXLAN_PORT, l.Port)
		q.Uint8(unix.IFLA_VXLAN_LEARNING, 0)
	case object.LinkVeth:
		// The nest has a struct ifinfomsg before its attributes, as a
		// message has (veth_newlink in drivers/net/veth.c).
		peer := q.Nest(rtnl.VETH_INFO_PEER)
		q.Header(rtnl.IfInfoMsg{})
		q.Text(unix.IFLA_IFNAME, l.Peer)
		peer()
	}
}
