package wire

import "github.com/bgp-ovn/bgp-ovn/pkg/observe"

// Northbound is the OVN Northbound database (ovn-nb(5)): the little of it that
// the Southbound one does not say and that a driver asks for.
var Northbound = &Database[observe.Northbound]{
	Name:  "OVN_Northbound",
	Title: "Northbound",
	Required: map[string][]string{
		"Logical_Router": {"name", "nat"},
		"NAT":            {"type", "logical_ip"},
	},
	Head: func(nb *observe.Northbound) Head { return Head{&nb.Revision, &nb.Stale, &nb.Tables, &nb.BadRows} },
	tables: func() []part[observe.Northbound] {
		return []part[observe.Northbound]{newPart(routerSpec), newPart(natSpec)}
	},
}

var routerSpec = &spec[observe.Northbound, observe.LogicalRouter]{
	name: "Logical_Router",
	id:   func(r *observe.LogicalRouter) *observe.UUID { return &r.UUID },
	key:  func(*observe.LogicalRouter) string { return "" },
	list: func(nb *observe.Northbound) *[]*observe.LogicalRouter { return &nb.Routers },
	columns: []column[observe.LogicalRouter]{
		text("name", func(r *observe.LogicalRouter) *string { return &r.Name }),
		refs("nat", func(r *observe.LogicalRouter) *[]observe.UUID { return &r.NAT }),
	},
}

var natSpec = &spec[observe.Northbound, observe.NAT]{
	name: "NAT",
	id:   func(n *observe.NAT) *observe.UUID { return &n.UUID },
	key:  func(*observe.NAT) string { return "" },
	list: func(nb *observe.Northbound) *[]*observe.NAT { return &nb.NATs },
	columns: []column[observe.NAT]{
		text("type", func(n *observe.NAT) *string { return &n.Type }),
		text("logical_ip", func(n *observe.NAT) *string { return &n.LogicalIP }),
		text("external_ip", func(n *observe.NAT) *string { return &n.ExternalIP }),
	},
}
