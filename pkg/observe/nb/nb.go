// Package nb is the source of [observe.Northbound]: the few rows of the OVN
// Northbound database (ovn-nb(5)) that hold what the Southbound one does not, which
// is today where routers translate source addresses.
//
// It refuses to read more than a driver asks for, because every node of a fleet
// would read it, and it never writes.
//
// Read next: tables.go for the columns, package ovsdb for the session.
package nb

import (
	"context"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Source keeps the rows of the Northbound database current. It implements
// observe.Source[*observe.Northbound].
type Source = ovsdb.Follower[observe.Northbound]

// Open starts to follow the database; see ovsdb.Follow. Any member or relay of
// the cluster will do.
func Open(ctx context.Context, cfg ovsdb.Config) (*Source, error) {
	return ovsdb.Follow(ctx, Database, cfg)
}

var _ observe.Source[*observe.Northbound] = (*Source)(nil)

// Database is the OVN Northbound database (ovn-nb(5)) as far as it is read.
var Database = &wire.Database[observe.Northbound]{
	Name:  "OVN_Northbound",
	Title: "Northbound",
	// Every release from OVN 22.03 on has these.
	Required: map[string][]string{
		"Logical_Router": {"name", "nat"},
		"NAT":            {"type", "logical_ip"},
	},
	Tables:    []wire.TableOf[observe.Northbound]{routerTable, natTable},
	Head:      head,
	NotSynced: observe.ErrNotSynced,
}

func head(nb *observe.Northbound) wire.Head {
	return wire.Head{
		Revision: &nb.Revision, Stale: &nb.Stale, Tables: &nb.Tables,
		AddBadRow: func(table, row string, err error) {
			nb.BadRows = append(nb.BadRows, &observe.RowError{Table: table, Row: row, Err: err})
		},
	}
}
