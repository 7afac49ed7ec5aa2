package wire

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// spec is what we keep of a table of database DB, whose rows are T: a line a
// column of the schema (ovn-sb(5), ovn-nb(5)). Columns that a server's schema
// lacks are not asked for.
type spec[DB, T any] struct {
	name    string
	columns []column[T]
	id      func(*T) *observe.UUID
	// key is what rows are sorted by, before their UUID.
	key func(*T) string
	// list is where the rows go in a DB. Where there is no such place, get makes
	// rows of a DB and set is the reverse.
	list func(*DB) *[]*T
	get  func(*DB) []*T
	set  func(*DB, []*T)
	// finish fills in fields that follow from columns; may be nil.
	finish func(*T)
}

// Chassis.nb_cfg is not here on purpose: every hypervisor writes it, and N
// agents that hear of N writes are N*N notifications.
var chassisSpec = &spec[observe.Southbound, observe.Chassis]{
	name: "Chassis",
	id:   func(c *observe.Chassis) *observe.UUID { return &c.UUID },
	key:  func(c *observe.Chassis) string { return c.Name },
	list: func(sb *observe.Southbound) *[]*observe.Chassis { return &sb.Chassis },
	columns: []column[observe.Chassis]{
		text("name", func(c *observe.Chassis) *string { return &c.Name }),
		text("hostname", func(c *observe.Chassis) *string { return &c.Hostname }),
		mapping("other_config", func(c *observe.Chassis) *map[string]string { return &c.OtherConfig }),
		mapping("external_ids", func(c *observe.Chassis) *map[string]string { return &c.ExternalIDs }),
	},
}

var encapSpec = &spec[observe.Southbound, observe.Encap]{
	name: "Encap",
	id:   func(e *observe.Encap) *observe.UUID { return &e.UUID },
	key:  func(e *observe.Encap) string { return e.ChassisName },
	list: func(sb *observe.Southbound) *[]*observe.Encap { return &sb.Encaps },
	columns: []column[observe.Encap]{
		text("chassis_name", func(e *observe.Encap) *string { return &e.ChassisName }),
		text("type", func(e *observe.Encap) *string { return &e.Type }),
		address("ip", func(e *observe.Encap) *netip.Addr { return &e.IP }),
	},
}

var datapathSpec = &spec[observe.Southbound, observe.Datapath]{
	name: "Datapath_Binding",
	id:   func(d *observe.Datapath) *observe.UUID { return &d.UUID },
	key:  (*observe.Datapath).Name,
	list: func(sb *observe.Southbound) *[]*observe.Datapath { return &sb.Datapaths },
	columns: []column[observe.Datapath]{
		integer("tunnel_key", func(d *observe.Datapath) *int { return &d.TunnelKey }),
		text("type", func(d *observe.Datapath) *string { return &d.Type }),
		mapping("external_ids", func(d *observe.Datapath) *map[string]string { return &d.ExternalIDs }),
	},
}

var portSpec = &spec[observe.Southbound, observe.PortBinding]{
	name:   "Port_Binding",
	id:     func(p *observe.PortBinding) *observe.UUID { return &p.UUID },
	key:    func(p *observe.PortBinding) string { return p.LogicalPort },
	list:   func(sb *observe.Southbound) *[]*observe.PortBinding { return &sb.Ports },
	finish: parseAddresses,
	columns: []column[observe.PortBinding]{
		text("logical_port", func(p *observe.PortBinding) *string { return &p.LogicalPort }),
		text("type", func(p *observe.PortBinding) *string { return &p.Type }),
		ref("datapath", func(p *observe.PortBinding) *observe.UUID { return &p.Datapath }),
		integer("tunnel_key", func(p *observe.PortBinding) *int { return &p.TunnelKey }),
		ref("chassis", func(p *observe.PortBinding) *observe.UUID { return &p.Chassis }),
		refs("additional_chassis", func(p *observe.PortBinding) *[]observe.UUID { return &p.AdditionalChassis }),
		ref("requested_chassis", func(p *observe.PortBinding) *observe.UUID { return &p.RequestedChassis }),
		macColumn(),
		natColumn(),
		denied("up", func(p *observe.PortBinding) *bool { return &p.Down }),
		vlan("tag", func(p *observe.PortBinding) *uint16 { return &p.Tag }),
		text("parent_port", func(p *observe.PortBinding) *string { return &p.ParentPort }),
		text("virtual_parent", func(p *observe.PortBinding) *string { return &p.VirtualParent }),
		mapping("options", func(p *observe.PortBinding) *map[string]string { return &p.Options }),
		mapping("external_ids", func(p *observe.PortBinding) *map[string]string { return &p.ExternalIDs }),
		ref("ha_chassis_group", func(p *observe.PortBinding) *observe.UUID { return &p.HAGroup }),
		refs("gateway_chassis", func(p *observe.PortBinding) *[]observe.UUID { return &p.GWChassis }),
	},
}

var balancerSpec = &spec[observe.Southbound, observe.LoadBalancer]{
	name: "Load_Balancer",
	id:   func(l *observe.LoadBalancer) *observe.UUID { return &l.UUID },
	key:  func(l *observe.LoadBalancer) string { return l.Name },
	list: func(sb *observe.Southbound) *[]*observe.LoadBalancer { return &sb.Balancers },
	columns: []column[observe.LoadBalancer]{
		text("name", func(l *observe.LoadBalancer) *string { return &l.Name }),
		mapping("vips", func(l *observe.LoadBalancer) *map[string]string { return &l.VIPs }),
		text("protocol", func(l *observe.LoadBalancer) *string { return &l.Protocol }),
		mapping("options", func(l *observe.LoadBalancer) *map[string]string { return &l.Options }),
		mapping("external_ids", func(l *observe.LoadBalancer) *map[string]string { return &l.ExternalIDs }),
		refs("datapaths", func(l *observe.LoadBalancer) *[]observe.UUID { return &l.Datapaths }),
		ref("datapath_group", func(l *observe.LoadBalancer) *observe.UUID { return &l.Group }),
		ref("ls_datapath_group", func(l *observe.LoadBalancer) *observe.UUID { return &l.LSGroup }),
		ref("lr_datapath_group", func(l *observe.LoadBalancer) *observe.UUID { return &l.LRGroup }),
	},
}

var dpGroupSpec = &spec[observe.Southbound, observe.DatapathGroup]{
	name: "Logical_DP_Group",
	id:   func(g *observe.DatapathGroup) *observe.UUID { return &g.UUID },
	key:  func(*observe.DatapathGroup) string { return "" },
	list: func(sb *observe.Southbound) *[]*observe.DatapathGroup { return &sb.DPGroups },
	columns: []column[observe.DatapathGroup]{
		refs("datapaths", func(g *observe.DatapathGroup) *[]observe.UUID { return &g.Datapaths }),
	},
}

var haChassisSpec = &spec[observe.Southbound, observe.HAChassis]{
	name: "HA_Chassis",
	id:   func(h *observe.HAChassis) *observe.UUID { return &h.UUID },
	key:  func(*observe.HAChassis) string { return "" },
	list: func(sb *observe.Southbound) *[]*observe.HAChassis { return &sb.HAChassis },
	columns: []column[observe.HAChassis]{
		ref("chassis", func(h *observe.HAChassis) *observe.UUID { return &h.Chassis }),
		integer("priority", func(h *observe.HAChassis) *int { return &h.Priority }),
	},
}

var haGroupSpec = &spec[observe.Southbound, observe.HAChassisGroup]{
	name: "HA_Chassis_Group",
	id:   func(h *observe.HAChassisGroup) *observe.UUID { return &h.UUID },
	key:  func(h *observe.HAChassisGroup) string { return h.Name },
	list: func(sb *observe.Southbound) *[]*observe.HAChassisGroup { return &sb.HAGroups },
	columns: []column[observe.HAChassisGroup]{
		text("name", func(h *observe.HAChassisGroup) *string { return &h.Name }),
		refs("ha_chassis", func(h *observe.HAChassisGroup) *[]observe.UUID { return &h.Members }),
	},
}

var gwChassisSpec = &spec[observe.Southbound, observe.GatewayChassis]{
	name: "Gateway_Chassis",
	id:   func(g *observe.GatewayChassis) *observe.UUID { return &g.UUID },
	key:  func(g *observe.GatewayChassis) string { return g.Name },
	list: func(sb *observe.Southbound) *[]*observe.GatewayChassis { return &sb.GWChassis },
	columns: []column[observe.GatewayChassis]{
		text("name", func(g *observe.GatewayChassis) *string { return &g.Name }),
		ref("chassis", func(g *observe.GatewayChassis) *observe.UUID { return &g.Chassis }),
		integer("priority", func(g *observe.GatewayChassis) *int { return &g.Priority }),
	},
}
