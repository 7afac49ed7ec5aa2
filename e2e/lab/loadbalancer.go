package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// LoadBalancerSpec describes an OVN load balancer as Octavia's OVN provider
// makes it, with one TCP listener.
type LoadBalancerSpec struct {
	Name    string
	Network *Network // of the VIP: a provider network or a tenant one
	VIP     netip.Addr
	Port    uint16
	Members []netip.AddrPort // none: it stays unattached and unknown to the Southbound database
	// Switches and Router are what it is attached to: the members' networks
	// and the router between.
	Switches []*Network
	Router   *Router
	// VIPOwner makes the VIP port as newer providers do, with device_owner
	// ovn-lb:vip, for which Neutron does not empty the addresses.
	VIPOwner bool
}

// LoadBalancer is an OVN load balancer and its VIP port, which is never bound.
type LoadBalancer struct {
	Name string
	ID   string // name of the row
	Port *Port
	Spec LoadBalancerSpec

	neutron *Neutron
}

// LoadBalancer makes a load balancer.
func (n *Neutron) LoadBalancer(ctx context.Context, s LoadBalancerSpec) (*LoadBalancer, error) {
	lb := &LoadBalancer{Name: s.Name, ID: uuidFor("load balancer " + s.Name), Spec: s, neutron: n}
	name := "vip " + s.Name
	lb.Port = &Port{
		Name: name, ID: uuidFor("port " + name), Network: s.Network, MAC: macFor(name),
		Addrs: []netip.Addr{s.VIP}, label: "ovn-lb-vip-" + lb.ID,
	}
	if _, err := s.Network.subnet(s.VIP); err != nil {
		return nil, err
	}
	var t transaction
	t.add("lsp-add", s.Network.Switch(), lb.Port.ID)
	if s.VIPOwner {
		lb.Port.owner, lb.Port.DeviceID = "ovn-lb:vip", "lb-"+lb.ID
		t.add("set", "Logical_Switch_Port", lb.Port.ID, strset("addresses", lb.Port.addresses()))
	}
	// Otherwise no addresses: Neutron leaves ARP for the VIP to the load balancer.
	t.add("set", "Logical_Switch_Port", lb.Port.ID, "enabled=true",
		strset("port_security", lb.Port.addresses()), column("external_ids", lb.Port.externalIDs()))
	lb.add(&t, s)
	return lb, n.commit(ctx, t)
}

func (lb *LoadBalancer) add(t *transaction, s LoadBalancerSpec) {
	vip := netip.AddrPortFrom(s.VIP, s.Port).String()
	ids := map[string]string{
		"enabled": "True", "neutron:vip": s.VIP.String(), "neutron:vip_port_id": lb.Port.ID,
		"octavia:healthmonitors": "[]",
	}
	if s.Router != nil {
		ids["lr_ref"] = s.Router.LogicalName()
	}
	t.add("--id=@lb", "create", "Load_Balancer", "name="+lb.ID, "protocol=tcp",
		"selection_fields=[ip_dst,ip_src,tp_dst,tp_src]", column("external_ids", ids),
		column("vips", map[string]string{vip: lb.members()}))
	if len(s.Members) == 0 {
		return
	}
	for _, n := range s.Switches {
		t.add("add", "Logical_Switch", n.Switch(), "load_balancer", "@lb")
	}
	if s.Router != nil {
		t.add("add", "Logical_Router", s.Router.LogicalName(), "load_balancer", "@lb")
	}
}

// Float gives the VIP a floating IP as Neutron and Octavia do together: a NAT
// row that stays centralised, because the VIP's port is never bound, and a
// second VIP of the balancer.
func (lb *LoadBalancer) Float(ctx context.Context, addr netip.Addr) (*FloatingIP, error) {
	f, err := lb.neutron.FloatingIP(ctx, lb.Spec.Router, lb.Port, addr, false)
	if err != nil {
		return nil, err
	}
	return f, lb.neutron.commit(ctx, transaction{
		"set", "Load_Balancer", lb.ID,
		fmt.Sprintf("vips:%q=%q", netip.AddrPortFrom(addr, lb.Spec.Port), lb.members()),
		fmt.Sprintf("external_ids:%q=%q", "neutron:vip_fip", addr),
	})
}

func (lb *LoadBalancer) members() string {
	members := make([]string, len(lb.Spec.Members))
	for i, m := range lb.Spec.Members {
		members[i] = m.String()
	}
	return strings.Join(members, ",")
}

// Delete removes the load balancer and its VIP port.
func (lb *LoadBalancer) Delete(ctx context.Context) error {
	err := lb.neutron.commit(ctx, transaction{"lb-del", lb.ID, "--", "lsp-del", lb.Port.ID})
	if err != nil {
		return fmt.Errorf("delete load balancer %s: %w", lb.Name, err)
	}
	return nil
}
