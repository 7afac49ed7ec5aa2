package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// RouterSpec describes a router.
type RouterSpec struct {
	Name     string
	External *Network     // provider network of the gateway port; nil for none
	Addrs    []netip.Addr // of the gateway port
	Gateways []*Chassis   // where the gateway may live, best first
	SNAT     bool         // hide attached IPv4 subnets behind the first IPv4 address
}

// Router is a Neutron router and its logical router.
type Router struct {
	Name    string
	ID      string
	Spec    RouterSpec
	Gateway *Port // nil without an external network

	neutron *Neutron
	ports   []*Port
}

// LogicalName is the name of the logical router.
func (r *Router) LogicalName() string { return "neutron-" + r.ID }

// GatewayPort is the name of the gateway's router port, "lrp-" and a UUID.
func (r *Router) GatewayPort() string { return "lrp-" + r.Gateway.ID }

// Router makes a router with its gateway.
func (n *Neutron) Router(ctx context.Context, s RouterSpec) (*Router, error) {
	r := &Router{Name: s.Name, ID: uuidFor("router " + s.Name), Spec: s, neutron: n}
	var t transaction
	t.add("lr-add", r.LogicalName())
	t.add("set", "Logical_Router", r.LogicalName(), "enabled=true",
		column("external_ids", map[string]string{
			"neutron:availability_zone_hints": "",
			"neutron:revision_number":         "4", "neutron:router_name": s.Name,
		}),
		column("options", map[string]string{
			"always_learn_from_arp_request": "false",
			"dynamic_neigh_routers":         "true", "mac_binding_age_threshold": "0",
		}))
	if s.External != nil {
		r.Gateway = r.port(s.External, s.Addrs, "network:router_gateway")
		if len(s.Gateways) > 0 {
			r.Gateway.Chassis = s.Gateways[0]
		}
		r.addGateway(&t)
	}
	return r, n.commit(ctx, t)
}

func (r *Router) addGateway(t *transaction) {
	r.addPort(t, r.Gateway, map[string]string{"nat-addresses": "router", "exclude-lb-vips-from-garp": "true"})
	t.add("set", "Logical_Router_Port", r.GatewayPort(),
		column("options", map[string]string{"gateway_mtu": "1442", "reside-on-redirect-chassis": "true"}))
	r.addGroup(t)
	for i, gw := range r.Gateway.gateways() {
		subnet, _ := r.Gateway.Network.subnet(gw)
		t.add(fmt.Sprintf("--id=@default%d", i), "create", "Logical_Router_Static_Route",
			fmt.Sprintf("ip_prefix=%q", anywhere(gw)), fmt.Sprintf("nexthop=%q", gw),
			column("external_ids", map[string]string{
				"neutron:is_ext_gw":       "true",
				"neutron:is_static_route": "true", "neutron:subnet_id": subnet.ID,
			}))
		t.add("add", "Logical_Router", r.LogicalName(), "static_routes", fmt.Sprintf("@default%d", i))
	}
}

// addGroup gives the gateway its HA chassis group.
func (r *Router) addGroup(t *transaction) {
	members := r.addMembers(t)
	t.add("--id=@group", "create", "HA_Chassis_Group", "name="+r.LogicalName(), members,
		column("external_ids", map[string]string{"neutron:availability_zone_hints": "", "neutron:router_id": r.ID}))
	t.add("set", "Logical_Router_Port", r.GatewayPort(), "ha_chassis_group=@group")
}

// addMembers makes the group's rows, the best with the highest priority, and
// returns the column that holds them.
func (r *Router) addMembers(t *transaction) string {
	ids := make([]string, len(r.Spec.Gateways))
	for i, c := range r.Spec.Gateways {
		ids[i] = fmt.Sprintf("@ha%d", i)
		t.add("--id="+ids[i], "create", "HA_Chassis", "chassis_name="+strconv.Quote(c.SystemID),
			fmt.Sprintf("priority=%d", len(ids)-i))
	}
	return "ha_chassis=[" + strings.Join(ids, ",") + "]"
}

// Prefer changes where the gateway may live, best first. It moves at once.
func (r *Router) Prefer(ctx context.Context, gateways ...*Chassis) error {
	r.Spec.Gateways = gateways
	var t transaction
	members := r.addMembers(&t)
	t.add("set", "HA_Chassis_Group", r.LogicalName(), members)
	return r.neutron.commit(ctx, t)
}

// AwaitGateway waits until the gateway lives on a chassis.
func (r *Router) AwaitGateway(ctx context.Context, on *Chassis) error {
	return r.neutron.nb.awaitBound(ctx, "cr-"+r.GatewayPort(), on)
}

// Attach adds the router to a tenant network as its gateway. As in Neutron
// each IPv4 subnet has a port of its own and all IPv6 subnets share one.
func (r *Router) Attach(ctx context.Context, n *Network) error {
	var t transaction
	var six []netip.Addr
	for _, s := range n.Subnets {
		if !s.Gateway.Is4() {
			six = append(six, s.Gateway)
			continue
		}
		r.addPort(&t, r.port(n, []netip.Addr{s.Gateway}, "network:router_interface"), nil)
		if r.Spec.SNAT {
			r.addSNAT(&t, s)
		}
	}
	if six != nil {
		p := r.port(n, six, "network:router_interface")
		r.addPort(&t, p, nil)
		t.add("set", "Logical_Router_Port", "lrp-"+p.ID, column("ipv6_ra_configs", map[string]string{
			"address_mode": "slaac", "mtu": strconv.Itoa(n.MTU), "send_periodic": "true",
		}))
	}
	return r.neutron.commit(ctx, t)
}

func (r *Router) addSNAT(t *transaction, s Subnet) {
	for _, a := range r.Spec.Addrs {
		if a.Is4() {
			t.add("lr-nat-add", r.LogicalName(), "snat", a.String(), s.CIDR.String())
			return
		}
	}
}

// Delete removes the router, its ports and its floating IPs.
func (r *Router) Delete(ctx context.Context) error {
	t := transaction{"lr-del", r.LogicalName()}
	for _, p := range r.ports {
		t.add("--if-exists", "lsp-del", p.ID)
	}
	if err := r.neutron.commit(ctx, t); err != nil || r.Gateway == nil {
		return err
	}
	// Apart: within one transaction the port still counts as a reference.
	return r.neutron.commit(ctx, transaction{"ha-chassis-group-del", r.LogicalName()})
}

// port is one of the router's, not written yet.
func (r *Router) port(n *Network, addrs []netip.Addr, owner string) *Port {
	name := fmt.Sprintf("router %s %s %s", r.Name, n.Name, addrs[0])
	return &Port{
		Name: name, ID: uuidFor("port " + name), Network: n, MAC: macFor(name), Addrs: addrs,
		DeviceID: r.ID, owner: owner,
	}
}

// addPort writes both halves of a router's port.
func (r *Router) addPort(t *transaction, p *Port, options map[string]string) {
	lrp := "lrp-" + p.ID
	var networks, subnets []string
	for _, c := range p.prefixes() {
		networks = append(networks, c.String())
		s, _ := p.Network.subnet(c.Addr())
		subnets = append(subnets, s.ID)
	}
	t.add(append([]string{"lrp-add", r.LogicalName(), lrp, p.MAC}, networks...)...)
	t.add("set", "Logical_Router_Port", lrp, column("external_ids", map[string]string{
		"neutron:is_ext_gw":       pythonBool(p == r.Gateway),
		"neutron:network_name":    p.Network.Switch(),
		"neutron:revision_number": "3",
		"neutron:router_name":     r.LogicalName(),
		"neutron:subnet_ids":      strings.Join(subnets, " "),
	}))
	all := map[string]string{"router-port": lrp}
	for k, v := range options {
		all[k] = v
	}
	r.ports = append(r.ports, p)
	t.add("lsp-add", p.Network.Switch(), p.ID)
	t.add("set", "Logical_Switch_Port", p.ID, "type=router", "addresses=router", "enabled=true",
		column("external_ids", p.externalIDs()), column("options", all))
}

// pythonBool is how Neutron writes a truth value.
func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
