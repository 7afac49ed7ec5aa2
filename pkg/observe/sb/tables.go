package sb

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// chassisTable has the nodes. Column nb_cfg is left out on purpose: every hypervisor writes it, and N
// agents that hear of N writes are N*N notifications.
var chassisTable = &wire.Table[observe.Southbound, observe.Chassis]{
	Name: "Chassis",
	ID:   func(c *observe.Chassis) *wire.UUID { return (*wire.UUID)(&c.UUID) },
	Key:  func(c *observe.Chassis) string { return c.Name },
	List: func(sb *observe.Southbound) *[]*observe.Chassis { return &sb.Chassis },
	Columns: []wire.Column[*observe.Chassis]{
		wire.Text("name", func(c *observe.Chassis) *string { return &c.Name }),
		wire.Text("hostname", func(c *observe.Chassis) *string { return &c.Hostname }),
		wire.Mapping("other_config", func(c *observe.Chassis) *map[string]string { return &c.OtherConfig }),
		wire.Mapping("external_ids", func(c *observe.Chassis) *map[string]string { return &c.ExternalIDs }),
	},
}

// encapTable has the addresses at which chassis end their tunnels: VTEPs, for EVPN.
var encapTable = &wire.Table[observe.Southbound, observe.Encap]{
	Name: "Encap",
	ID:   func(e *observe.Encap) *wire.UUID { return (*wire.UUID)(&e.UUID) },
	Key:  func(e *observe.Encap) string { return e.ChassisName },
	List: func(sb *observe.Southbound) *[]*observe.Encap { return &sb.Encaps },
	Columns: []wire.Column[*observe.Encap]{
		wire.Text("chassis_name", func(e *observe.Encap) *string { return &e.ChassisName }),
		wire.Text("type", func(e *observe.Encap) *string { return &e.Type }),
		wire.Address("ip", func(e *observe.Encap) *netip.Addr { return &e.IP }),
	},
}

// datapathTable has logical switches and routers; type is there since OVN 25.09.
var datapathTable = &wire.Table[observe.Southbound, observe.Datapath]{
	Name: "Datapath_Binding",
	ID:   func(d *observe.Datapath) *wire.UUID { return (*wire.UUID)(&d.UUID) },
	Key:  (*observe.Datapath).Name,
	List: func(sb *observe.Southbound) *[]*observe.Datapath { return &sb.Datapaths },
	Columns: []wire.Column[*observe.Datapath]{
		wire.Integer("tunnel_key", func(d *observe.Datapath) *int { return &d.TunnelKey }),
		wire.Text("type", func(d *observe.Datapath) *string { return &d.Type }),
		wire.Mapping("external_ids", func(d *observe.Datapath) *map[string]string { return &d.ExternalIDs }),
	},
}

// portTable has the ports, by far the most rows. A column that changes often and contains
// nothing about reachability, such as the encap, would make every node work for
// nothing.
var portTable = &wire.Table[observe.Southbound, observe.PortBinding]{
	Name:   "Port_Binding",
	ID:     func(p *observe.PortBinding) *wire.UUID { return (*wire.UUID)(&p.UUID) },
	Key:    func(p *observe.PortBinding) string { return p.LogicalPort },
	Long:   func(sb *observe.Southbound) *rowlist.List[*observe.PortBinding] { return &sb.Ports },
	Finish: parseAddresses,
	Columns: []wire.Column[*observe.PortBinding]{
		wire.Text("logical_port", func(p *observe.PortBinding) *string { return &p.LogicalPort }),
		wire.Text("type", func(p *observe.PortBinding) *string { return &p.Type }),
		wire.Reference("datapath", func(p *observe.PortBinding) *observe.UUID { return &p.Datapath }),
		wire.Integer("tunnel_key", func(p *observe.PortBinding) *int { return &p.TunnelKey }),
		wire.Reference("chassis", func(p *observe.PortBinding) *observe.UUID { return &p.Chassis }),
		wire.References("additional_chassis", func(p *observe.PortBinding) *[]observe.UUID { return &p.AdditionalChassis }),
		wire.Reference("requested_chassis", func(p *observe.PortBinding) *observe.UUID { return &p.RequestedChassis }),
		// The text of both is kept and parsed in Finish, once for a row that changed.
		macColumn(),
		natColumn(),
		wire.IsFalse("up", func(p *observe.PortBinding) *bool { return &p.Down }),
		// The tag of a localnet or container port, 1 to 4094; absent is 0.
		wire.VLAN("tag", func(p *observe.PortBinding) *uint16 { return &p.Tag }),
		wire.Text("parent_port", func(p *observe.PortBinding) *string { return &p.ParentPort }),
		wire.Text("virtual_parent", func(p *observe.PortBinding) *string { return &p.VirtualParent }),
		wire.Mapping("options", func(p *observe.PortBinding) *map[string]string { return &p.Options }),
		wire.Mapping("external_ids", func(p *observe.PortBinding) *map[string]string { return &p.ExternalIDs }),
		wire.Reference("ha_chassis_group", func(p *observe.PortBinding) *observe.UUID { return &p.HAGroup }),
		wire.References("gateway_chassis", func(p *observe.PortBinding) *[]observe.UUID { return &p.GWChassis }),
	},
}

// balancerTable has load balancers. Which datapaths they are attached to is in up
// to four columns, depending on the release; those that a schema lacks stay empty.
var balancerTable = &wire.Table[observe.Southbound, observe.LoadBalancer]{
	Name: "Load_Balancer",
	ID:   func(l *observe.LoadBalancer) *wire.UUID { return (*wire.UUID)(&l.UUID) },
	Key:  func(l *observe.LoadBalancer) string { return l.Name },
	List: func(sb *observe.Southbound) *[]*observe.LoadBalancer { return &sb.Balancers },
	Columns: []wire.Column[*observe.LoadBalancer]{
		wire.Text("name", func(l *observe.LoadBalancer) *string { return &l.Name }),
		wire.Mapping("vips", func(l *observe.LoadBalancer) *map[string]string { return &l.VIPs }),
		wire.Text("protocol", func(l *observe.LoadBalancer) *string { return &l.Protocol }),
		wire.Mapping("options", func(l *observe.LoadBalancer) *map[string]string { return &l.Options }),
		wire.Mapping("external_ids", func(l *observe.LoadBalancer) *map[string]string { return &l.ExternalIDs }),
		wire.References("datapaths", func(l *observe.LoadBalancer) *[]observe.UUID { return &l.Datapaths }),
		wire.Reference("datapath_group", func(l *observe.LoadBalancer) *observe.UUID { return &l.Group }),
		wire.Reference("ls_datapath_group", func(l *observe.LoadBalancer) *observe.UUID { return &l.LSGroup }),
		wire.Reference("lr_datapath_group", func(l *observe.LoadBalancer) *observe.UUID { return &l.LRGroup }),
	},
}

// dpGroupTable has sets of datapaths that balancers share. OVN rewrites them in place: the
// row of a balancer does not change when its datapaths do.
var dpGroupTable = &wire.Table[observe.Southbound, observe.DatapathGroup]{
	Name: "Logical_DP_Group",
	ID:   func(g *observe.DatapathGroup) *wire.UUID { return (*wire.UUID)(&g.UUID) },
	Key:  func(*observe.DatapathGroup) string { return "" },
	List: func(sb *observe.Southbound) *[]*observe.DatapathGroup { return &sb.DPGroups },
	Columns: []wire.Column[*observe.DatapathGroup]{
		wire.References("datapaths", func(g *observe.DatapathGroup) *[]observe.UUID { return &g.Datapaths }),
	},
}

// haChassisTable has the candidates of a group, each with its priority.
var haChassisTable = &wire.Table[observe.Southbound, observe.HAChassis]{
	Name: "HA_Chassis",
	ID:   func(h *observe.HAChassis) *wire.UUID { return (*wire.UUID)(&h.UUID) },
	Key:  func(*observe.HAChassis) string { return "" },
	List: func(sb *observe.Southbound) *[]*observe.HAChassis { return &sb.HAChassis },
	Columns: []wire.Column[*observe.HAChassis]{
		wire.Reference("chassis", func(h *observe.HAChassis) *observe.UUID { return &h.Chassis }),
		wire.Integer("priority", func(h *observe.HAChassis) *int { return &h.Priority }),
	},
}

// haGroupTable has the groups of gateways that take over from one another.
var haGroupTable = &wire.Table[observe.Southbound, observe.HAChassisGroup]{
	Name: "HA_Chassis_Group",
	ID:   func(h *observe.HAChassisGroup) *wire.UUID { return (*wire.UUID)(&h.UUID) },
	Key:  func(h *observe.HAChassisGroup) string { return h.Name },
	List: func(sb *observe.Southbound) *[]*observe.HAChassisGroup { return &sb.HAGroups },
	Columns: []wire.Column[*observe.HAChassisGroup]{
		wire.Text("name", func(h *observe.HAChassisGroup) *string { return &h.Name }),
		wire.References("ha_chassis", func(h *observe.HAChassisGroup) *[]observe.UUID { return &h.Members }),
	},
}

// gwChassisTable has the candidates of a gateway port, the older form of groups.
var gwChassisTable = &wire.Table[observe.Southbound, observe.GatewayChassis]{
	Name: "Gateway_Chassis",
	ID:   func(g *observe.GatewayChassis) *wire.UUID { return (*wire.UUID)(&g.UUID) },
	Key:  func(g *observe.GatewayChassis) string { return g.Name },
	List: func(sb *observe.Southbound) *[]*observe.GatewayChassis { return &sb.GWChassis },
	Columns: []wire.Column[*observe.GatewayChassis]{
		wire.Text("name", func(g *observe.GatewayChassis) *string { return &g.Name }),
		wire.Reference("chassis", func(g *observe.GatewayChassis) *observe.UUID { return &g.Chassis }),
		wire.Integer("priority", func(g *observe.GatewayChassis) *int { return &g.Priority }),
	},
}

// templateTable has the values of template variables in load balancers, a row a chassis.
var templateTable = &wire.Table[observe.Southbound, observe.TemplateVars]{
	Name: "Chassis_Template_Var",
	ID:   func(t *observe.TemplateVars) *wire.UUID { return (*wire.UUID)(&t.UUID) },
	Key:  func(t *observe.TemplateVars) string { return t.Chassis },
	List: func(sb *observe.Southbound) *[]*observe.TemplateVars { return &sb.Templates },
	Columns: []wire.Column[*observe.TemplateVars]{
		wire.Text("chassis", func(t *observe.TemplateVars) *string { return &t.Chassis }),
		wire.Mapping("variables", func(t *observe.TemplateVars) *map[string]string { return &t.Variables }),
	},
}

// monitorTable has the health checks of backends of load balancers. The address is kept
// as text: one that cannot be parsed belongs to no backend.
var monitorTable = &wire.Table[observe.Southbound, observe.ServiceMonitor]{
	Name: "Service_Monitor",
	ID:   func(m *observe.ServiceMonitor) *wire.UUID { return (*wire.UUID)(&m.UUID) },
	Key:  func(m *observe.ServiceMonitor) string { return m.IP },
	List: func(sb *observe.Southbound) *[]*observe.ServiceMonitor { return &sb.Monitors },
	Columns: []wire.Column[*observe.ServiceMonitor]{
		wire.Text("ip", func(m *observe.ServiceMonitor) *string { return &m.IP }),
		wire.Integer("port", func(m *observe.ServiceMonitor) *int { return &m.Port }),
		wire.Text("protocol", func(m *observe.ServiceMonitor) *string { return &m.Protocol }),
		wire.Text("type", func(m *observe.ServiceMonitor) *string { return &m.Type }),
		wire.Text("status", func(m *observe.ServiceMonitor) *string { return &m.Status }),
		wire.Text("logical_port", func(m *observe.ServiceMonitor) *string { return &m.LogicalPort }),
	},
}
