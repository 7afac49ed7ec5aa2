package ovsport

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ovn-org/libovsdb/ovsdb"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// transaction gathers the operations (RFC 7047 section 5.2) of several changes
// that take effect together or not at all.
type transaction struct {
	tables  vswitch.Tables
	have    map[string]portState
	bridges map[string]string // UUIDs by name
	index   func(name string) (int, error)
	guards  []ovsdb.Operation
	rows    []ovsdb.Operation
	// The changes of Bridge.ports, by the UUID of the bridge.
	enter, leave map[string][]ovsdb.UUID
}

func newTransaction(t vswitch.Tables, have map[string]portState,
	index func(string) (int, error),
) *transaction {
	tx := &transaction{
		tables: t, have: have, index: index, bridges: make(map[string]string),
		enter: map[string][]ovsdb.UUID{}, leave: map[string][]ovsdb.UUID{},
	}
	for uuid, br := range t.Bridges {
		tx.bridges[br.Name] = uuid
	}
	return tx
}

// size grows with every change that has something to do.
func (tx *transaction) size() int { return len(tx.rows) }

// plan adds what the change needs. Deleting what is gone or not ours, and
// creating what is there, needs nothing.
func (tx *transaction) plan(c object.Change) error {
	have, found := tx.have[c.Key().Name]
	// A port of which there is no row is the interface of a bond, never ours.
	unmarked := found && !have.ours
	reclaimed := unmarked && c.Reclaim && c.Before == object.Value(have.value) && have.port != ""
	if c.After == nil {
		if found && (have.ours || reclaimed) {
			tx.remove(have)
		}
		return nil
	}
	want, ok := c.After.(object.OVSPort)
	if !ok {
		return fmt.Errorf("%T is not a port", c.After)
	}
	if err := check(want); err != nil {
		return err
	}
	bridge, ok := tx.bridges[want.Bridge]
	switch {
	case unmarked && !reclaimed:
		return object.Untouched(fmt.Errorf("another owner's port or interface (no external_ids:%s) already exists: %s",
			object.OVSPortMark, have.value.Attrs()))
	case reclaimed && have.value.SamePort(want):
		tx.update(have, want)
		tx.mark(have)
	case found && have.value == want:
	case !ok:
		return fmt.Errorf("bridge %s: %w", want.Bridge, actual.ErrGone)
	case found && have.value.SamePort(want):
		tx.update(have, want)
	default:
		ids, err := idsOf(want, tx.index)
		if err != nil {
			return err
		}
		if found {
			tx.remove(have)
		}
		tx.insert(bridge, want, ids)
	}
	return nil
}

// operations are those of all changes that were planned.
func (tx *transaction) operations() []ovsdb.Operation {
	ops := slices.Concat(tx.guards, tx.rows)
	for _, bridge := range slices.Sorted(maps.Keys(tx.leave)) {
		ops = append(ops, mutatePorts(bridge, ovsdb.MutateOperationDelete, tx.leave[bridge]))
	}
	for _, bridge := range slices.Sorted(maps.Keys(tx.enter)) {
		ops = append(ops, mutatePorts(bridge, ovsdb.MutateOperationInsert, tx.enter[bridge]))
	}
	return ops
}

func mutatePorts(bridge string, how ovsdb.Mutator, ports []ovsdb.UUID) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: vswitch.TableBridge, Where: uuidIs(bridge),
		Mutations: []ovsdb.Mutation{{Column: "ports", Mutator: how, Value: setOf(ports...)}},
	}
}

// insert makes both rows and lets the bridge refer to them: rows to which
// nothing refers do not outlive the transaction.
func (tx *transaction) insert(bridge string, p object.OVSPort, ids ovsdb.OvsMap) {
	// Names of new rows are only known within the transaction.
	port, iface := fmt.Sprintf("port%d", len(tx.rows)), fmt.Sprintf("interface%d", len(tx.rows))
	i := ovsdb.Row{"name": p.Name, "type": p.Type, "external_ids": ids}
	if !p.MAC.IsZero() {
		i["mac"] = p.MAC.String()
	}
	row := ovsdb.Row{"name": p.Name, "interfaces": setOf(ovsdb.UUID{GoUUID: iface}), "external_ids": mark()}
	if p.Tag != 0 {
		row["tag"] = int(p.Tag)
	}
	tx.rows = append(tx.rows,
		ovsdb.Operation{Op: ovsdb.OperationInsert, Table: vswitch.TableInterface, UUIDName: iface, Row: i},
		ovsdb.Operation{Op: ovsdb.OperationInsert, Table: vswitch.TablePort, UUIDName: port, Row: row},
	)
	tx.enter[bridge] = append(tx.enter[bridge], ovsdb.UUID{GoUUID: port})
}

// update changes tag and MAC where they are.
func (tx *transaction) update(have portState, want object.OVSPort) {
	tx.guard(have)
	if have.value.Tag != want.Tag {
		row := ovsdb.Row{"tag": ovsdb.OvsSet{}}
		if want.Tag != 0 {
			row["tag"] = int(want.Tag)
		}
		tx.rows = append(tx.rows, ovsdb.Operation{
			Op: ovsdb.OperationUpdate, Table: vswitch.TablePort,
			Where: uuidIs(have.port), Row: row,
		})
	}
	if have.value.MAC != want.MAC {
		row := ovsdb.Row{"mac": ovsdb.OvsSet{}}
		if !want.MAC.IsZero() {
			row["mac"] = want.MAC.String()
		}
		tx.rows = append(tx.rows, ovsdb.Operation{
			Op: ovsdb.OperationUpdate, Table: vswitch.TableInterface,
			Where: uuidIs(have.iface), Row: row,
		})
	}
}

// mark gives the port our mark again, and leaves what others have in the column.
func (tx *transaction) mark(have portState) {
	tx.rows = append(tx.rows, ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: vswitch.TablePort, Where: uuidIs(have.port),
		Mutations: []ovsdb.Mutation{{Column: "external_ids", Mutator: ovsdb.MutateOperationInsert, Value: mark()}},
	})
}

// remove deletes the port with all of its interfaces.
func (tx *transaction) remove(have portState) {
	tx.guard(have)
	tx.leave[have.bridge] = append(tx.leave[have.bridge], ovsdb.UUID{GoUUID: have.port})
	tx.rows = append(tx.rows, ovsdb.Operation{
		Op: ovsdb.OperationDelete, Table: vswitch.TablePort,
		Where: uuidIs(have.port),
	})
	// Both tables are garbage collected by the server once nothing refers to a
	// row (isRoot false, ovs-vswitchd.conf.db(5)). Deleting them here as well keeps
	// the transaction from depending on that.
	for _, iface := range tx.tables.Ports[have.port].Interfaces {
		tx.rows = append(tx.rows, ovsdb.Operation{
			Op: ovsdb.OperationDelete, Table: vswitch.TableInterface,
			Where: uuidIs(iface),
		})
	}
}

// guard has the whole transaction refused if the port no longer carries what it
// did when it was found to be ours.
// Operation wait with timeout 0 (RFC 7047 section 5.2.6) compares once and fails the
// transaction with "timed out". It is how another client that takes the mark away
// between our read and our write is noticed.
func (tx *transaction) guard(have portState) {
	// The whole column is compared: wait knows == and != for columns, and no
	// "includes" (RFC 7047 section 5.2.6).
	ids := ovsdb.OvsMap{GoMap: map[any]any{}}
	for k, v := range tx.tables.Ports[have.port].ExternalIDs {
		ids.GoMap[k] = v
	}
	now := 0
	tx.guards = append(tx.guards, ovsdb.Operation{
		Op: ovsdb.OperationWait, Table: vswitch.TablePort, Where: uuidIs(have.port), Timeout: &now,
		Columns: []string{"external_ids"}, Until: string(ovsdb.WaitConditionEqual), Rows: []ovsdb.Row{{"external_ids": ids}},
	})
}

func uuidIs(uuid string) []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})}
}

func setOf(refs ...ovsdb.UUID) ovsdb.OvsSet {
	s := ovsdb.OvsSet{}
	for _, r := range refs {
		s.GoSet = append(s.GoSet, r)
	}
	return s
}

func mark() ovsdb.OvsMap {
	return ovsdb.OvsMap{GoMap: map[any]any{object.OVSPortMark: object.OVSPortMarkValue}}
}
