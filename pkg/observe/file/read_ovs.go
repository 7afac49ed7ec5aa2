package file

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// readOVS reads the tables of one chassis' Open_vSwitch database. Null stays nil:
// the chassis is listed, and has no database.
func (r *reader) readOVS(key string) {
	r.out.OVS[key] = nil
	if r.d.IsNull() {
		r.d.Skip()
		return
	}
	db := &database{
		ports:      make(map[observe.UUID]portRow),
		interfaces: make(map[observe.UUID]interfaceRow),
	}
	where := "ovs " + key
	r.readMembers(where, func(member string) { r.readOVSMember(where+" "+member, member, db) })
	if r.d.Err() == nil {
		r.out.OVS[key] = db.view()
	}
}

// readOVSMember reads one table, or one of the members that only files written
// here have. Where names the member in errors.
func (r *reader) readOVSMember(where, member string, db *database) {
	switch member {
	case "Open_vSwitch":
		r.readRows(where, func() { r.readRow(where, func(c string) { r.readGlobal(c, db) }) })
	case "Bridge":
		r.readRows(where, func() {
			var row bridgeRow
			r.readRow(where, func(c string) { r.readBridge(c, &row) })
			db.bridges = append(db.bridges, row)
		})
	case "Port":
		r.readRows(where, func() {
			var row portRow
			id := r.readRow(where, func(c string) { r.readPort(c, &row) })
			db.ports[id] = row
		})
	case "Interface":
		r.readRows(where, func() {
			var row interfaceRow
			id := r.readRow(where, func(c string) { r.readInterface(c, &row) })
			db.interfaces[id] = row
		})
	case "revision":
		db.revision = r.d.Int()
	case "stale":
		db.stale = r.d.String()
	case "problems":
		r.unmarshal(where, &db.problems)
		db.problemsRead = true
	default:
		r.d.Skip()
	}
}

// readRows reads the rows of a table; row must read one.
func (r *reader) readRows(where string, row func()) {
	for r.d.Open('['); r.d.More(); {
		row()
	}
	r.d.Must(where)
}

// readRow reads a row and returns its UUID, which may come after other columns;
// column must read the value of the column it is given, or skip it. An error
// names the row by its UUID, if that came first, as it does in dumps.
func (r *reader) readRow(where string, column func(name string)) observe.UUID {
	var id observe.UUID
	for r.d.Open('{'); r.d.More(); {
		name := string(r.d.Key())
		if name == "_uuid" {
			text := r.d.String()
			var err error
			if id, err = observe.ParseUUID(text); err != nil {
				r.d.Fail("%s: _uuid: %v", where, err)
			}
			continue
		}
		column(name)
		r.d.Must(where + ": row " + id.String() + ": column " + name)
	}
	r.d.Must(where)
	return id
}

// readGlobal reads a column of Open_vSwitch, a table of one row.
func (r *reader) readGlobal(column string, db *database) {
	if column != "external_ids" {
		r.d.Skip()
		return
	}
	db.externalIDs = r.d.Map()
}

// readBridge reads a column of Bridge.
func (r *reader) readBridge(column string, row *bridgeRow) {
	switch column {
	case "name":
		row.name = r.d.String()
	case "datapath_type":
		row.datapathType = r.d.String()
	case "ports":
		row.ports = wire.ReadUUIDs[observe.UUID](r.d)
	default:
		r.d.Skip()
	}
}

// readPort reads a column of Port.
func (r *reader) readPort(column string, row *portRow) {
	switch column {
	case "name":
		row.name = r.d.String()
	case "interfaces":
		row.interfaces = wire.ReadUUIDs[observe.UUID](r.d)
	case "external_ids":
		ids := r.d.Map()
		row.localnet = ids["ovn-localnet-port"]
		_, row.made = ids[object.OVSPortMark]
	default:
		r.d.Skip()
	}
}

// readInterface reads a column of Interface. The optional columns are sets, and
// OVSDB writes a set of one element as the element (RFC 7047 section 5.1).
func (r *reader) readInterface(column string, row *interfaceRow) {
	switch column {
	case "name":
		row.name = r.d.String()
	case "type":
		row.kind = r.d.String()
	case "mac_in_use":
		for _, mac := range r.d.Strings() {
			row.mac = mac
		}
	case "ofport":
		row.ofport = r.d.Ints()
	case "external_ids":
		row.logical = r.d.Map()["iface-id"]
	default:
		r.d.Skip()
	}
}
