package kernel

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// parts names portions of the mirror that are read together.
type parts uint

const (
	partLinks   parts = 1 << iota // the table of links, which gives names to indexes
	partDevices                   // values of kinds Device, Link and Master, derived from it
	partSysctls
	partAddresses
	partNeighs
	partProxies
	partFDB
	partRoutes
	partRules
	everything = partRules<<1 - 1
	onDevices  = partSysctls | partAddresses | partNeighs | partProxies | partFDB
)

// partOf is the part in which values of a kind are.
func partOf(k object.Kind) parts {
	switch k {
	case object.KindDevice, object.KindLink, object.KindMaster:
		return partDevices
	case object.KindSysctl:
		return partSysctls
	case object.KindAddress:
		return partAddresses
	case object.KindNeigh:
		return partNeighs
	case object.KindProxyNeigh:
		return partProxies
	case object.KindFDB:
		return partFDB
	case object.KindRoute:
		return partRoutes
	case object.KindRule:
		return partRules
	default:
		return 0
	}
}

// mirror is what the kernel holds, as far as it is of interest. There may be
// 100,000 routes, so what has been handed out is copied only when it must
// change, and only the kind concerned.
type mirror struct {
	set object.Set
	// others are the protocols of routes that are not ours, also of those
	// that exist beside ours under the same key.
	others map[object.Key]uint8
	// multiple are the keys under which the FIB had several entries when it was
	// last read. IPv4 allows that by NLM_F_APPEND, IPv6 for next hops that it
	// does not join to one multipath route, such as those without a gateway
	// (rt6_qualify_for_ecmp in include/net/ip6_route.h).
	multiple map[object.Key]struct{}
	// devs are the devices that routes have ever been seen on.
	devs map[string]struct{}
	dev  string // the last one that was added to devs
}

func newMirror() mirror {
	return mirror{others: make(map[object.Key]uint8), devs: make(map[string]struct{})}
}

// borrow returns the set as it is now.
func (m *mirror) borrow() object.Set { return m.set.Clone() }

// put stores an item and reports whether that changed anything.
func (m *mirror) put(it object.Item) bool {
	k := it.Value.Key()
	if m.shows(k, it) {
		return false
	}
	m.set.Put(it)
	if r, ok := it.Value.(object.Route); ok {
		m.onDevices(r)
	}
	return true
}

// onDevices notes every device of a route.
func (m *mirror) onDevices(r object.Route) {
	if r.Hops.Empty() {
		m.onDevice(r.Dev)
		return
	}
	for _, h := range r.NextHops() {
		m.onDevice(h.Dev)
	}
}

// onDevice notes that there may be routes on a device.
func (m *mirror) onDevice(name string) {
	if name != m.dev {
		m.dev = name
		m.devs[name] = struct{}{}
	}
}

func (m *mirror) shows(k object.Key, it object.Item) bool {
	have, ok := m.set.Get(k)
	return ok && have.SameFound(it)
}

// remove takes a key out and reports whether it was there.
func (m *mirror) remove(k object.Key) bool {
	if !m.set.Has(k) {
		return false
	}
	m.set.Remove(k)
	return true
}

// replace makes items the only ones of a kind. When they are what is there,
// nothing is touched, so that an unchanged set stays the very same.
func (m *mirror) replace(kind object.Kind, items []object.Item) {
	var fresh object.Set
	same := true
	for _, it := range items {
		k := it.Value.Key()
		// Two objects of the kernel may share a key; ours is the one to show.
		if have, twice := fresh.Get(k); twice && have.Marked {
			continue
		}
		fresh.Put(it)
		same = same && m.shows(k, it)
	}
	if !same || fresh.LenOf(kind) != m.set.LenOf(kind) {
		m.set.Exchange(kind, fresh)
	}
}
