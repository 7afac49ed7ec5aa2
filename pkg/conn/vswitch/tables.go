package vswitch

import (
	"github.com/ovn-org/libovsdb/cache"
)

// Tables are the rows of one moment, by UUID. They are shared with the cache
// of libovsdb, which replaces rows and never changes them; no user may.
type Tables struct {
	// Moment grows with every reading of one session: of two, the greater one is
	// the newer one.
	Moment uint64
	// Root is nil in what Session.Select returns.
	Root       *Root
	Bridges    map[string]*Bridge
	Ports      map[string]*Port
	Interfaces map[string]*Interface
}

func readTables(c *cache.TableCache) Tables {
	t := Tables{
		Bridges:    rowsOf[Bridge](c, TableBridge),
		Ports:      rowsOf[Port](c, TablePort),
		Interfaces: rowsOf[Interface](c, TableInterface),
	}
	for _, row := range rowsOf[Root](c, TableRoot) {
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
func (t Tables) InterfaceOf(port *Port) *Interface {
	for _, uuid := range port.Interfaces {
		if i := t.Interfaces[uuid]; i != nil && i.Name == port.Name {
			return i
		}
	}
	return nil
}
