package sb

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// advertisedTable has what ovn-northd wants routers to announce (OVN 25.03). It is read
// in full in every scope: whether a row concerns this node depends on ports.
var advertisedTable = &wire.Table[observe.Southbound, observe.AdvertisedRoute]{
	Name: observe.TableAdvertisedRoute,
	ID:   func(r *observe.AdvertisedRoute) *wire.UUID { return (*wire.UUID)(&r.UUID) },
	Key:  func(*observe.AdvertisedRoute) string { return "" },
	List: func(sb *observe.Southbound) *[]*observe.AdvertisedRoute { return &sb.Advertised },
	Columns: []wire.Column[*observe.AdvertisedRoute]{
		wire.Reference("datapath", func(r *observe.AdvertisedRoute) *observe.UUID { return &r.Datapath }),
		wire.Reference("logical_port", func(r *observe.AdvertisedRoute) *observe.UUID { return &r.LogicalPort }),
		wire.Text("ip_prefix", func(r *observe.AdvertisedRoute) *string { return &r.Prefix }),
		wire.Reference("tracked_port", func(r *observe.AdvertisedRoute) *observe.UUID { return &r.Tracked }),
	},
}

// learnedTable has what ovn-controllers found in kernel tables (OVN 25.03). It is read
// for comparison only: a row of ours would be deleted by ovn-controller's next run.
var learnedTable = &wire.Table[observe.Southbound, observe.LearnedRoute]{
	Name: observe.TableLearnedRoute,
	ID:   func(r *observe.LearnedRoute) *wire.UUID { return (*wire.UUID)(&r.UUID) },
	Key:  func(*observe.LearnedRoute) string { return "" },
	List: func(sb *observe.Southbound) *[]*observe.LearnedRoute { return &sb.Learned },
	Columns: []wire.Column[*observe.LearnedRoute]{
		wire.Reference("datapath", func(r *observe.LearnedRoute) *observe.UUID { return &r.Datapath }),
		wire.Reference("logical_port", func(r *observe.LearnedRoute) *observe.UUID { return &r.LogicalPort }),
		wire.Text("ip_prefix", func(r *observe.LearnedRoute) *string { return &r.Prefix }),
		wire.Text("nexthop", func(r *observe.LearnedRoute) *string { return &r.NextHop }),
	},
}

// macTable has the addresses on switches with a VNI (OVN 26.03).
var macTable = &wire.Table[observe.Southbound, observe.AdvertisedMAC]{
	Name: observe.TableAdvertisedMAC,
	ID:   func(r *observe.AdvertisedMAC) *wire.UUID { return (*wire.UUID)(&r.UUID) },
	Key:  func(*observe.AdvertisedMAC) string { return "" },
	List: func(sb *observe.Southbound) *[]*observe.AdvertisedMAC { return &sb.MACs },
	Columns: []wire.Column[*observe.AdvertisedMAC]{
		wire.Reference("datapath", func(r *observe.AdvertisedMAC) *observe.UUID { return &r.Datapath }),
		wire.Reference("logical_port", func(r *observe.AdvertisedMAC) *observe.UUID { return &r.LogicalPort }),
		wire.Text("ip", func(r *observe.AdvertisedMAC) *string { return &r.IP }),
		wire.Text("mac", func(r *observe.AdvertisedMAC) *string { return &r.MAC }),
	},
}
