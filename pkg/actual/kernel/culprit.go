package kernel

import (
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// culprits remember who changed what is ours, by the ports in notifications. What we
// write ourselves causes none, so that it costs nothing.
type culprits struct {
	owners rtnl.Owners
	// own is the port of our own requests, and port that of the notification which is
	// being applied.
	own, port uint32
	// by is who changed an object since we wrote it.
	by map[object.Key]string
	// losses are what happened last to devices that takes objects along, by device and
	// family: the address that goes takes those of its own family.
	losses map[place]loss
}

// place is a device and whether it is about IPv6 there.
type place struct {
	device string
	six    bool
}

// loss is something that happened to a device, because of which the kernel drops objects
// that are on it.
type loss struct {
	what, by string
	at       time.Time
}

const (
	// mostCulprits bounds what is remembered; beyond it is forgotten, which costs names.
	mostCulprits = 20_000
	// lossCounts is how long what happened to a device explains what is missing on it.
	lossCounts = 30 * time.Second
	theKernel  = "the kernel"
)

// blame notes that whoever caused the present notification changed an object.
func (c *culprits) blame(k object.Key) {
	if c.by == nil || len(c.by) >= mostCulprits {
		c.by = map[object.Key]string{}
	}
	c.by[k] = c.owners.Of(c.port)
}

// lost notes what happened to a device. What the kernel does itself follows from what
// happened before, and explains nothing then.
func (c *culprits) lost(at place, what string) {
	if c.losses == nil || len(c.losses) >= mostCulprits {
		c.losses = map[place]loss{}
	}
	now := time.Now()
	if last, ok := c.losses[at]; ok && c.port == 0 && now.Sub(last.at) < lossCounts {
		return
	}
	c.losses[at] = loss{what, c.owners.Of(c.port), now}
}

// addressWent says of an address what may explain that other objects are missing.
func addressWent(a object.Address) string { return "address " + a.Prefix.String() + " went" }

// lostDevice notes, for both families, that a device went, or went down.
func (c *culprits) lostDevice(now link, gone bool) {
	what := "device " + now.name + " lost its carrier"
	switch {
	case gone:
		what = "device " + now.name + " was deleted"
	case !now.up:
		what = "device " + now.name + " went down"
	}
	for _, six := range []bool{false, true} {
		delete(c.losses, place{now.name, six}) // it says more than what came of it
		c.lost(place{now.name, six}, what)
	}
}

// forget forgets who changed objects that we are about to write.
func (c *culprits) forget(changes []object.Change) {
	if len(c.by) == 0 {
		return
	}
	for _, change := range changes {
		delete(c.by, change.Key())
	}
}

var _ actual.Witness = (*Backend)(nil)

// ChangedBy names the process whose request changed an object, or says that the kernel
// did and why.
func (b *Backend) ChangedBy(v object.Value) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	by := b.culprits.by[v.Key()]
	if by != "" && by != theKernel {
		return by
	}
	six := v.Key().Prefix.Addr().Is6()
	l, ok := b.culprits.losses[place{deviceOf(v), six}]
	if a, is := v.(object.Address); is && six && (!ok || l.what == addressWent(a)) {
		// inet6_ifa_notify in net/ipv6/addrconf.c sends every message as the kernel's own.
		return ""
	}
	explained := ok && time.Since(l.at) <= lossCounts && !v.Key().Kind.IsSetting()
	if v.Key().Kind == object.KindFDB && !explained {
		// So are all of entries of forwarding databases: fdb_notify in net/bridge/br_fdb.c and
		// vxlan_fdb_notify in drivers/net/vxlan.
		return ""
	}
	if !explained {
		return by
	}
	by = theKernel + ", when " + l.what
	if l.by != "" && l.by != theKernel {
		by += ", by " + l.by
	}
	return by
}
