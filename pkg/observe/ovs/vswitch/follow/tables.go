package follow

import (
	"github.com/ovn-org/libovsdb/cache"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs/vswitch"
)

// Tables are the rows of one moment, by UUID. They are shared with the cache
// of libovsdb, which replaces rows and never changes them; nobody may.
type Tables struct {
	// Moment grows with every reading of one session: of two, the greater one is
	// the newer one.
	Moment uint64
	// Root is nil in what Session.Select returns.
	Root       *vswitch.Root
	Bridges    map[string]*vswitch.Bridge
	Ports      map[string]*vswitch.Port
	Interfaces map[string]*vswitch.Interface
}

func readTables(c *cache.TableCache) Tables {
	t := Tables{
		Bridges:    rowsOf[vswitch.Bridge](c, vswitch.TableBridge),
		Ports:      rowsOf[vswitch.Port](c, vswitch.TablePort),
		Interfaces: rowsOf[vswitch.Interface](c, vswitch.TableInterface),
	}
	for _, row := range rowsOf[vswitch.Root](c, vswitch.TableRoot) {
		t.Root = row
	}
	return t
}

func rowsOf[T any](c *cache.TableCache, table string) map[string]*T {
	rows := c.Table(table).RowsShallow()
	out := make(map[string]*T, len(rows))
	for uuid, row := range rows {
		if typed, ok := any(row).(*T); ok {
			out[uuid] = typed
		}
	}
	return out
}

// Dangling reports whether a row refers to one that is not there. The server
// never lets that happen, so the rest of the transaction is still to come.
func (t Tables) Dangling() bool {
	for _, b := range t.Bridges {
		for _, uuid := range b.Ports {
			if t.Ports[uuid] == nil {
				return true
			}
		}
	}
	for _, p := range t.Ports {
		for _, uuid := range p.Interfaces {
			if t.Interfaces[uuid] == nil {
				return true
			}
		}
	}
	return false
}

// InterfaceOf returns the interface that has the port's name, which is the
// only one unless the port is a bond; nil if its row is missing.
func (t Tables) InterfaceOf(port *vswitch.Port) *vswitch.Interface {
	for _, uuid := range port.Interfaces {
		if i := t.Interfaces[uuid]; i != nil && i.Name == port.Name {
			return i
		}
	}
	return nil
}
