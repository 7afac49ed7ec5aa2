package nb

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// routerTable has the routers; NAT refers to rows of natTable.
var routerTable = &wire.Table[observe.Northbound, observe.LogicalRouter]{
	Name: "Logical_Router",
	ID:   func(r *observe.LogicalRouter) *wire.UUID { return (*wire.UUID)(&r.UUID) },
	Key:  func(*observe.LogicalRouter) string { return "" },
	List: func(nb *observe.Northbound) *[]*observe.LogicalRouter { return &nb.Routers },
	Columns: []wire.Column[*observe.LogicalRouter]{
		wire.Text("name", func(r *observe.LogicalRouter) *string { return &r.Name }),
		wire.References("nat", func(r *observe.LogicalRouter) *[]observe.UUID { return &r.NAT }),
	},
}

// natTable has what they translate: the type is the direction.
var natTable = &wire.Table[observe.Northbound, observe.NAT]{
	Name: "NAT",
	ID:   func(n *observe.NAT) *wire.UUID { return (*wire.UUID)(&n.UUID) },
	Key:  func(*observe.NAT) string { return "" },
	List: func(nb *observe.Northbound) *[]*observe.NAT { return &nb.NATs },
	Columns: []wire.Column[*observe.NAT]{
		wire.Text("type", func(n *observe.NAT) *string { return &n.Type }),
		wire.Text("logical_ip", func(n *observe.NAT) *string { return &n.LogicalIP }),
		wire.Text("external_ip", func(n *observe.NAT) *string { return &n.ExternalIP }),
	},
}
