package observe

import "slices"

// Asked says by what ports were asked for where the database was not read in full
// (ovn_sb_scope: local). Values are never changed.
type Asked struct {
	// Ports are the logical ports that were asked for by name: one that is missing does
	// not exist. Of others it may only have left what was asked for.
	Ports map[string]bool
	// Datapaths are the logical switches of which all ports were asked for.
	Datapaths map[UUID]bool
}

// Gone reports whether a logical port is known not to exist, rather than not to be
// among the rows that were asked for.
func (sb *Southbound) Gone(port string) bool {
	if _, ok := sb.Port(port); ok {
		return false
	}
	return sb.Asked == nil || sb.Asked.Ports[port]
}

// Served lists, by UUID, the logical switches whose ports matter here wherever they are
// bound: those behind a router that has a gateway on the chassis, but for provider networks, whose
// ports are reached through their own nodes. Names are those of the load balancers on
// these switches and routers, sorted.
func (sb *Southbound) Served(chassis string) (switches []UUID, balancers []string) {
	var me UUID
	if c, ok := sb.ChassisByName(chassis); ok {
		me = c.UUID
	}
	routers, provider := map[UUID]bool{}, map[UUID]bool{}
	for p := range sb.Ports.All() {
		switch {
		case p.Type == PortLocalnet:
			provider[p.Datapath] = true
		case p.Type == PortChassisRedirect && !me.IsZero() && p.Chassis == me,
			p.Type == PortL3Gateway && chassis != "" && p.Options["l3gateway-chassis"] == chassis:
			routers[p.Datapath] = true
		}
	}
	served := map[UUID]bool{}
	for lrp := range sb.Ports.All() {
		if !routers[lrp.Datapath] {
			continue
		}
		if lsp, ok := sb.Port(lrp.Options["peer"]); ok && !provider[lsp.Datapath] && !served[lsp.Datapath] {
			served[lsp.Datapath] = true
			switches = append(switches, lsp.Datapath)
		}
	}
	slices.SortFunc(switches, compareUUID)
	for _, lb := range sb.Balancers {
		on, by := sb.BalancerDatapaths(lb)
		here := func(u UUID) bool { return served[u] || routers[u] }
		if lb.Name != "" && (slices.ContainsFunc(on, here) || slices.ContainsFunc(by, here)) {
			balancers = append(balancers, lb.Name)
		}
	}
	slices.Sort(balancers)
	return switches, slices.Compact(balancers)
}

func compareUUID(a, b UUID) int { return slices.Compare(a[:], b[:]) }

// BalancerPort is the neutron:port_name of the port of a load balancer's VIP.
func BalancerPort(balancer string) string { return balancerPort + balancer }
