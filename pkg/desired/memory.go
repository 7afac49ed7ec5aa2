package desired

import (
	"reflect"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Again is implemented by drivers that derive in parts, of which only those run again that have
// to do with what has changed.
type Again interface {
	Driver
	// DesiredAgain comes to what Desired does. m is what the last call of the same driver has
	// found out, with whatever snapshot.
	DesiredAgain(m *parts.Memory, snap observe.Snapshot, out *object.Set) []observe.Skip
}

// Memory is what the last [Memory.Compute] found out. The zero value knows nothing, nil never
// does. It must not be used by two at a time.
type Memory struct {
	drivers map[string]remembered
	guards  Guards
	// guard is that of the last time if it blocked nothing, passed what it let pass, and host the one
	// that it was made of.
	guard  *Guard
	passed object.Set
	host   *observe.Host
}

// remembered is what is known of a driver, from each of the questions that it is asked. Without a
// memory all are nil.
type remembered struct {
	driver                 Driver
	parts, tables, watched *parts.Memory
}

// of is what is known of a driver, which is a driver for as long as it is the very same.
func (m *Memory) of(d Driver) remembered {
	if m == nil || !reflect.TypeOf(d).Comparable() {
		return remembered{}
	}
	known, ok := m.drivers[d.Name()]
	if !ok || known.driver != d {
		if m.drivers == nil {
			m.drivers = map[string]remembered{}
		}
		known = remembered{d, new(parts.Memory), new(parts.Memory), new(parts.Memory)}
		m.drivers[d.Name()] = known
	}
	return known
}
