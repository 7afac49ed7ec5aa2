package kernel

import (
	"iter"
	"maps"
	"slices"
	"unsafe"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// scope is how far beyond our own marks the caller is interested: what a
// [actual.Focus] has, reduced to tables, devices and paths.
type scope struct {
	focus actual.Focus
	// tables are those in which everybody's routes and rules are read.
	tables map[uint32]struct{}
	// devices are those whose addresses and neighbours are read, and whose
	// coming and going is reported.
	devices map[string]struct{}
	// admin are the devices whose admin state is asked for, links those that
	// are wanted as ours.
	admin, links map[string]struct{}
	// masters are devices whose master is asked for, fdb those whose forwarding
	// entries are.
	masters, fdb map[string]struct{}
	sysctls      map[string]struct{}
	// metrics are those of wanted routes beside the main table, metric the last one that was
	// added. There are very few.
	metrics map[uint32]struct{}
	metric  uint32
}

func newScope() scope {
	return scope{
		tables:  make(map[uint32]struct{}),
		devices: make(map[string]struct{}),
		admin:   make(map[string]struct{}),
		links:   make(map[string]struct{}),
		masters: make(map[string]struct{}),
		fdb:     make(map[string]struct{}),
		sysctls: make(map[string]struct{}),
		metrics: make(map[uint32]struct{}),
	}
}

// widen adds a focus and returns the parts for which more must be read
// than before. It only ever grows, apart from a complete read, which begins
// again: what is read too much is merely not ours. So only what has changed is looked at.
func (s *scope) widen(f actual.Focus) parts {
	if s.tables == nil || f.Complete {
		*s = newScope()
	} else if sameFocus(s.focus, f) {
		return 0
	}
	before := s.focus.Want
	s.focus = f
	var grown parts
	for k, it := range changed(f.Want, before) {
		grown |= s.add(k)
		if r, ok := it.Value.(object.Route); ok {
			grown |= s.addRoute(r)
		}
	}
	for _, k := range f.Owned {
		grown |= s.add(k)
	}
	return grown
}

// changed yields what is wanted now and was not before, or not so.
func changed(want, before object.Set) iter.Seq2[object.Key, object.Item] {
	if before.Len() == 0 {
		return want.All()
	}
	return func(yield func(object.Key, object.Item) bool) {
		for k := range want.Differ(before) {
			if it, ok := want.Get(k); ok && !yield(k, it) {
				return
			}
		}
	}
}

// addRoute adds the devices of a route. In the main table they are those of
// others, which only the route asks for.
func (s *scope) addRoute(r object.Route) (grown parts) {
	const perDevice = partAddresses | partNeighs | partProxies
	if r.Table != object.TableMain && (r.Metric != s.metric || len(s.metrics) == 0) {
		s.metric = r.Metric
		s.metrics[r.Metric] = struct{}{}
	}
	switch {
	case r.Unreachable:
		return 0
	case r.Table != object.TableMain && r.Hops.Empty():
		return grow(s.devices, r.Dev, perDevice)
	}
	for _, h := range r.NextHops() {
		grown |= grow(s.devices, h.Dev, perDevice)
		if r.Table == object.TableMain {
			grown |= grow(s.admin, h.Dev, partDevices)
		}
	}
	return grown
}

// add adds one key and returns the parts that it makes wider.
func (s *scope) add(k object.Key) parts {
	const perDevice = partAddresses | partNeighs | partProxies
	switch k.Kind {
	case object.KindRoute, object.KindRule:
		return grow(s.tables, k.Num, partRoutes|partRules)
	case object.KindAddress, object.KindNeigh, object.KindProxyNeigh:
		return grow(s.devices, k.Name, perDevice)
	case object.KindDevice:
		return grow(s.admin, k.Name, partDevices) | grow(s.devices, k.Name, perDevice)
	case object.KindLink:
		return grow(s.links, k.Name, partDevices) | grow(s.devices, k.Name, perDevice)
	case object.KindMaster:
		return grow(s.masters, k.Name, partDevices) | grow(s.devices, k.Name, perDevice)
	case object.KindFDB:
		return grow(s.fdb, k.Name, partFDB)
	case object.KindSysctl:
		return grow(s.sysctls, k.Name, partSysctls)
	default:
		return 0
	}
}

// subscription is what decides which notifications come in.
type subscription struct {
	tables     int
	forwarding bool
}

func (s *scope) subscribed() subscription { return subscription{len(s.tables), len(s.fdb) > 0} }

func grow[K comparable](set map[K]struct{}, k K, p parts) parts {
	if _, ok := set[k]; ok {
		return 0
	}
	set[k] = struct{}{}
	return p
}

func has[K comparable, V any](set map[K]V, k K) bool {
	_, ok := set[k]
	return ok
}

func (s *scope) tableList() []uint32 { return slices.Sorted(maps.Keys(s.tables)) }

// wants reports whether a key is in the focus as wanted.
func (s *scope) wants(k object.Key) bool { return s.focus.Want.Has(k) }

// wantsBeside reports whether a route that is not wanted matters to those that are: it is to
// the same destination with another metric, so that one of the two has no effect, or it is a
// default route. The main table is everybody's.
func (s *scope) wantsBeside(r object.Route) bool {
	switch {
	case r.Table == object.TableMain:
		return false
	case r.Dst.Bits() == 0:
		return true
	}
	for metric := range s.metrics {
		if metric != r.Metric && s.wants(r.KeyAt(metric)) {
			return true
		}
	}
	return false
}

// sameFocus reports whether two focuses are the very same data. Neither sets
// nor lists that have been handed on are changed, so identity is enough, and it
// is what makes an idle round free of going through 100,000 intents.
func sameFocus(a, b actual.Focus) bool {
	return a.Want.Same(b.Want) &&
		unsafe.SliceData(a.Owned) == unsafe.SliceData(b.Owned) && len(a.Owned) == len(b.Owned)
}
