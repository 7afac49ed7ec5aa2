package wire

import "github.com/bgp-ovn/bgp-ovn/pkg/observe"

// Database describes one of OVN's databases as far as it is read here. DB holds
// the rows of one revision of it.
type Database[DB any] struct {
	// Name is what servers call it.
	Name string
	// Title is what people call it.
	Title string
	// Required are the columns, by table, without which nothing useful can be
	// derived. Every release from OVN 22.03 on has them.
	Required map[string][]string
	// Head is what a DB says of its rows as a whole.
	Head func(*DB) Head
	// tables makes an empty table for each that is read, in the order in which
	// they are written to files.
	tables func() []part[DB]
}

// Head points to the fields that the rows of every database have.
type Head struct {
	Revision *uint64
	Stale    *string
	Tables   *[]string
	BadRows  *[]*observe.RowError
}

// Southbound is the OVN Southbound database (ovn-sb(5)).
var Southbound = &Database[observe.Southbound]{
	Name:  "OVN_Southbound",
	Title: "Southbound",
	Required: map[string][]string{
		"Chassis":          {"name"},
		"Datapath_Binding": {"external_ids"},
		"Port_Binding":     {"logical_port", "type", "datapath", "chassis", "mac", "options", "external_ids"},
	},
	Head: func(sb *observe.Southbound) Head { return Head{&sb.Revision, &sb.Stale, &sb.Tables, &sb.BadRows} },
	tables: func() []part[observe.Southbound] {
		return []part[observe.Southbound]{
			newPart(globalSpec), newPart(chassisSpec), newPart(encapSpec), newPart(datapathSpec),
			newPart(portSpec), newPart(balancerSpec), newPart(dpGroupSpec), newPart(haGroupSpec),
			newPart(haChassisSpec), newPart(gwChassisSpec),
		}
	},
}
