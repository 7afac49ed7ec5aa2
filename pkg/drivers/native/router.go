package native

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The keys by which OVN steers dynamic routing, in Port_Binding.options and
// Datapath_Binding.external_ids.
const (
	optRouting     = "dynamic-routing"
	optMaintain    = "dynamic-routing-maintain-vrf"
	optPortName    = "dynamic-routing-port-name"
	optVRFName     = "dynamic-routing-vrf-name"
	optVRFID       = "dynamic-routing-vrf-id"
	optLocalOnly   = "dynamic-routing-redistribute-local-only"
	optNoLearning  = "dynamic-routing-no-learning"
	optNextHop4    = "dynamic-routing-v4-prefix-nexthop"
	optNextHop6    = "dynamic-routing-v6-prefix-nexthop"
	optRedirect    = "routing-protocol-redirect"
	optAdvertise   = "dynamic-routing-advertise"
	tableDatapath  = "Datapath_Binding"
	deviceNameMost = 15 // IFNAMSIZ without the terminator
)

// lrp is a port of a router, with what its own row and that of its chassisredirect port
// say.
type lrp struct {
	name string
	// row is nil where a chassisredirect port names one that does not exist.
	row *observe.PortBinding
	// dynamic is the row by which the port is bound here: itself or its chassisredirect
	// port. Nil for a port that is not bound here.
	dynamic *observe.PortBinding
	// portName is dynamic-routing-port-name, and device what it leads to; empty if it
	// leads nowhere.
	portName, device string
	noLearning       bool
}

// router is a logical router that is active here (N-10).
type router struct {
	name     string
	datapath *observe.Datapath
	table    uint32
	vrf      string
	// maintained says that ovn-controller makes the VRF.
	maintained bool
	bound      []*lrp // by name
	// filters says that some port of the router has a port name, filtered that a bound
	// one has.
	filters, filtered bool
	// onRedirect says that sessions run on its redirect port.
	onRedirect bool
}

// truth is how OVN reads an option that is false by default (smap_get_bool).
func truth(options map[string]string, key string) bool {
	return strings.EqualFold(options[key], "true")
}

// findRouters finds the routers that are active here, and where they are in each other's way.
func (p *pass) findRouters() {
	dynamic := p.parts.Select(optRouting, func(port *observe.PortBinding) bool { return truth(port.Options, optRouting) })
	named := p.parts.Select(optPortName, func(port *observe.PortBinding) bool { return port.Options[optPortName] != "" })
	given := []any{p.me, p.ovs, p.peerDevices(), p.sb.Datapaths, dynamic, named}
	p.routers = parts.Value(p.parts, phaseRouters, given, func() []*router { return p.activeRouters(dynamic, named) })
	given = []any{p.routers, p.release, p.exporting()}
	p.stopped = parts.Value(p.parts, phaseConflicts, given, p.tableConflicts)
}

// activeRouters are the routers that are active here (N-10, N-11), by name. dynamic are the ports that
// make them so where they are bound, and named those with a port name.
func (p *pass) activeRouters(dynamic, named []*observe.PortBinding) (routers []*router) {
	byDatapath := map[observe.UUID]*router{}
	for _, d := range dynamic {
		if !p.resident(d) {
			continue
		}
		r := byDatapath[d.Datapath]
		if r == nil {
			if r = p.newRouter(d.Datapath); r == nil {
				continue
			}
			byDatapath[d.Datapath] = r
			routers = append(routers, r)
		}
		r.addBound(p, d)
	}
	for _, r := range routers {
		slices.SortFunc(r.bound, func(a, b *lrp) int { return strings.Compare(a.name, b.name) })
	}
	slices.SortFunc(routers, (*router).compare)
	for _, port := range named {
		if r := byDatapath[port.Datapath]; r != nil {
			r.filters = true
		}
	}
	for _, r := range routers {
		r.settle(p)
	}
	return routers
}

// compare is the order of routers.
func (r *router) compare(o *router) int {
	return cmp.Or(strings.Compare(r.name, o.name), observe.CompareUUID(r.datapath.UUID, o.datapath.UUID))
}

// newRouter makes the router of a datapath; nil if it is none, or not asked for.
func (p *pass) newRouter(u observe.UUID) *router {
	d, ok := p.sb.Datapath(u)
	if !ok || d.Type == "logical-switch" || d.ExternalIDs["logical-switch"] != "" {
		return nil
	}
	name := cmp.Or(d.ExternalIDs["name"], d.UUID.String())
	if len(p.cfg.Routers) > 0 && !slices.Contains(p.cfg.Routers, name) {
		return nil
	}
	return &router{name: name, datapath: d}
}

// addBound adds the port that is bound here by row d.
func (r *router) addBound(p *pass, d *observe.PortBinding) {
	port := &lrp{name: d.LogicalPort, row: d, dynamic: d}
	if d.Type == observe.PortChassisRedirect {
		port.name = d.Options["distributed-port"]
		port.row, _ = p.parts.Port(port.name)
	}
	if slices.ContainsFunc(r.bound, func(o *lrp) bool { return o.name == port.name }) {
		return
	}
	r.bound = append(r.bound, port)
}

// option is the value of a key at the row that is bound or at the port itself.
func (l *lrp) option(key string) string {
	if v := l.dynamic.Options[key]; v != "" || l.row == nil {
		return v
	}
	return l.row.Options[key]
}

// either reports whether a key is true at one of the two rows.
func (l *lrp) either(key string) bool {
	return truth(l.dynamic.Options, key) || l.row != nil && truth(l.row.Options, key)
}

// settle reads what the options say of a router whose bound ports are known.
func (r *router) settle(p *pass) {
	r.table = tableOf(r.datapath)
	for _, port := range r.bound {
		port.noLearning = port.either(optNoLearning)
		port.portName = port.option(optPortName)
		port.device, _ = p.namedDevice(port.portName)
		r.maintained = r.maintained || port.either(optMaintain)
		r.filtered = r.filtered || port.portName != ""
		if name := port.option(optVRFName); r.vrf == "" && len(name) <= deviceNameMost {
			r.vrf = name
		}
	}
	if r.vrf == "" {
		r.vrf = fmt.Sprintf("ovnvrf%d", r.table)
	}
	r.onRedirect = p.onRedirectPort(r)
}

// tableOf is dynamic-routing-vrf-id if that is a number of a table, else the tunnel key.
func tableOf(d *observe.Datapath) uint32 {
	if n, err := strconv.ParseUint(strings.TrimSpace(d.ExternalIDs[optVRFID]), 10, 32); err == nil && n > 0 {
		return uint32(n)
	}
	return uint32(max(d.TunnelKey, 0))
}

// namedDevice is the device that a port name leads to: that of the mapping, else the
// interface of the logical port of that name, which counts only while it is bound here.
func (p *pass) namedDevice(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	dev, ok := p.ovs.RoutingDevice(name)
	if !ok || slices.ContainsFunc(p.ovs.RoutingPorts, func(m observe.PortMapping) bool { return m.Name == name }) {
		return dev, ok
	}
	if port, exists := p.parts.Port(name); exists && !p.resident(port) {
		return "", false
	}
	return dev, true
}

// The tables that ovn-controller refuses, and those that it refuses before several
// routers may share one.
const (
	tableUnspec  = 0
	tableCompat  = 252 // RT_TABLE_COMPAT
	tableDefault = 253
	tableMain    = object.TableMain
	tableLocal   = 255
	tableHighest = 1<<32 - 1
)

// reserved reports whether ovn-controller refuses a routing table.
func (p *pass) reserved(table uint32) bool {
	switch table {
	case tableUnspec, tableCompat, tableLocal, tableHighest:
		return true
	case tableDefault, tableMain:
		return !p.release.sharesTables()
	default:
		return false
	}
}

// tableConflicts stops learning where a table is refused or not a router's own (N-37).
func (p *pass) tableConflicts() map[*router]string {
	stopped := map[*router]string{}
	byTable, exporting := p.byTable(), p.exporting()
	for _, r := range p.routers {
		sharing := byTable[r.table]
		switch {
		case p.reserved(r.table):
			stopped[r] = fmt.Sprintf("routing table %d of router %s is reserved: ovn-controller refuses it; "+
				"set %s to another number", r.table, r.name, optVRFID)
		case object.TableReserved(r.table):
			stopped[r] = fmt.Sprintf("routing table %d of router %s is the node's own: nothing is put there; "+
				"set %s to another number", r.table, r.name, optVRFID)
		case len(sharing) > 1 && !(p.release.sharesTables() && exporting[r.table] <= 1):
			var names []string
			for _, o := range sharing {
				names = append(names, o.name)
			}
			stopped[r] = fmt.Sprintf("routers %s have the same routing table %d: ovn-controller serves one of them; "+
				"give each its own %s", strings.Join(names, ", "), r.table, optVRFID)
		}
	}
	return stopped
}

// byTable are the routers by table.
func (p *pass) byTable() map[uint32][]*router {
	out := map[uint32][]*router{}
	for _, r := range p.routers {
		out[r.table] = append(out[r.table], r)
	}
	return out
}

// exporting counts the routers that have something to announce, of each table that several have.
func (p *pass) exporting() map[uint32]int {
	out := map[uint32]int{}
	for table, routers := range p.byTable() {
		for _, r := range routers {
			if len(routers) > 1 && slices.ContainsFunc(p.sb.Advertised, func(a *observe.AdvertisedRoute) bool {
				return a.Datapath == r.datapath.UUID
			}) {
				out[table]++
			}
		}
	}
	return out
}

// names lists the names of ports.
func names(ports []*lrp) string {
	var out []string
	for _, l := range ports {
		out = append(out, l.name)
	}
	return strings.Join(out, ", ")
}
