// Package sb is the source of [observe.Southbound]: which tables and columns of
// the OVN Southbound database are read (ovn-sb(5)), and how they become rows.
//
// It refuses to know how a database is reached and kept in step with: that is
// package ovsdb, which in turn knows no table.
//
// Read next: tables.go for the columns, addresses.go for what OVN packs into one
// of them, package ovsdb for the session.
package sb

import (
	"context"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Source keeps the rows of the Southbound database current. It implements
// observe.Source[*observe.Southbound].
type Source = ovsdb.Follower[observe.Southbound]

// Open starts to follow the database; see ovsdb.Follow. Any member or relay of
// the cluster will do.
func Open(ctx context.Context, cfg ovsdb.Config) (*Source, error) {
	return ovsdb.Follow(ctx, Database, cfg)
}

var _ observe.Source[*observe.Southbound] = (*Source)(nil)

// Database is the OVN Southbound database (ovn-sb(5)) as far as it is read.
var Database = &wire.Database[observe.Southbound]{
	Name:  "OVN_Southbound",
	Title: "Southbound",
	// Every release from OVN 22.03 on has these. Other columns are read where the schema
	// of the server has them.
	Required: map[string][]string{
		"Chassis":          {"name"},
		"Datapath_Binding": {"external_ids"},
		"Port_Binding":     {"logical_port", "type", "datapath", "chassis", "mac", "options", "external_ids"},
	},
	Tables: []wire.TableOf[observe.Southbound]{
		globalTable, chassisTable, encapTable, datapathTable, portTable,
		balancerTable, dpGroupTable, haGroupTable, haChassisTable, gwChassisTable,
		templateTable, monitorTable,
		advertisedTable, learnedTable, macTable,
	},
	Noted:     []string{observe.ColumnLRGroup},
	Head:      head,
	NotSynced: observe.ErrNotSynced,
}

// head is where the wire package puts what concerns no single row. A row that cannot be
// read goes to BadRows and is missing from its table; the others stay.
func head(sb *observe.Southbound) wire.Head {
	return wire.Head{
		Revision: &sb.Revision, Stale: &sb.Stale, Tables: &sb.Tables, Lacks: &sb.Lacks,
		AddBadRow: func(table, row string, err error) {
			sb.BadRows = append(sb.BadRows, &observe.RowError{Table: table, Row: row, Err: err})
		},
	}
}
