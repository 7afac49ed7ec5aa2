package lab

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
)

// KubeService is a service with one port of TCP, without node ports.
type KubeService struct {
	Namespace, Name string
	// Cluster and External are its addresses, of one family or of two.
	Cluster, External []netip.Addr
	Port              uint16
	// Local is externalTrafficPolicy: Local.
	Local bool
	// Endpoints are those of each node that are ready.
	Endpoints map[*Chassis][]netip.AddrPort
}

// balancer is a row of Load_Balancer of the Northbound database.
type balancer struct {
	name              string
	vips, options     map[string]string
	switches, routers []string
}

// balancers are the rows of a service on a cluster, as OVN-Kubernetes names and fills them.
func (k *OVNKube) balancers(s *KubeService) []balancer {
	var all []netip.AddrPort
	var switches, routers []string
	for _, c := range k.lab.Chassis {
		all = append(all, s.Endpoints[c]...)
		switches, routers = append(switches, c.Hostname), append(routers, "GR_"+c.Hostname)
	}
	row := func(scope string, addrs []netip.Addr, to []netip.AddrPort) balancer {
		return balancer{
			name: fmt.Sprintf("Service_%s/%s_TCP_%s", s.Namespace, s.Name, scope), vips: s.vips(addrs, to),
			options: map[string]string{
				"event": "false", "hairpin_snat_ip": "169.254.169.5 fd69::5", "neighbor_responder": "none", "reject": "true",
				"skip_snat": "false",
			},
		}
	}
	cluster := row("cluster", append(s.Cluster[:len(s.Cluster):len(s.Cluster)], s.External...), all)
	cluster.switches, cluster.routers = switches, routers
	if !s.Local {
		return []balancer{cluster}
	}
	cluster.vips = s.vips(s.Cluster, all)
	out := []balancer{cluster}
	for _, c := range k.lab.Chassis {
		n, here := c.Hostname, s.Endpoints[c]
		router := row("node_router_"+n, s.External, nil)
		if len(here) > 0 {
			router = row("node_local_router_"+n, s.External, here)
			router.options["skip_snat"] = "true"
		}
		onSwitch := row("node_switch_"+n, s.External, all)
		router.routers, onSwitch.switches = []string{"GR_" + n}, []string{n}
		out = append(out, router, onSwitch)
	}
	return out
}

// vips has the endpoints of its own family for each address.
func (s *KubeService) vips(addrs []netip.Addr, to []netip.AddrPort) map[string]string {
	out := map[string]string{}
	for _, a := range addrs {
		var backends []string
		for _, e := range to {
			if e.Addr().Is4() == a.Is4() {
				backends = append(backends, e.String())
			}
		}
		out[netip.AddrPortFrom(a, s.Port).String()] = strings.Join(backends, ",")
	}
	return out
}

// SetService writes the rows of services in place of those they had, in one transaction.
func (k *OVNKube) SetService(ctx context.Context, list ...*KubeService) error {
	var t transaction
	for n, s := range list {
		k.dropRows(&t, s)
		for i, b := range k.balancers(s) {
			id := fmt.Sprintf("@lb%d_%d", n, i)
			t.add("--id="+id, "create", "Load_Balancer", "name="+strconv.Quote(b.name), "protocol=tcp",
				column("vips", b.vips), column("options", b.options), column("external_ids", map[string]string{
					"k8s.ovn.org/kind": "Service", "k8s.ovn.org/owner": s.Namespace + "/" + s.Name,
				}))
			for _, sw := range b.switches {
				t.add("add", "Logical_Switch", sw, "load_balancer", id)
			}
			for _, r := range b.routers {
				t.add("add", "Logical_Router", r, "load_balancer", id)
			}
		}
	}
	return k.lab.Neutron.commit(ctx, t)
}

// dropRows deletes whatever rows a service may have.
func (k *OVNKube) dropRows(t *transaction, s *KubeService) {
	scopes := []string{"cluster"}
	for _, c := range k.lab.Chassis {
		scopes = append(scopes, "node_router_"+c.Hostname, "node_local_router_"+c.Hostname, "node_switch_"+c.Hostname)
	}
	for _, scope := range scopes {
		t.add("--if-exists", "lb-del", fmt.Sprintf("Service_%s/%s_TCP_%s", s.Namespace, s.Name, scope))
	}
}

// serviceFlows are those of a service on the external bridge with this MAC address and port
// towards OVN, in shared gateway mode, as a dump of the bridge has them.
func serviceFlows(s *KubeService, mac string, patch int) []string {
	var out []string
	for _, v := range s.External {
		cookie := fnv.New64a()
		fmt.Fprintf(cookie, "%s%s%s%d", s.Namespace, s.Name, v, s.Port)
		// Too big, look-up of the address, in, out.
		forms := []string{
			"icmp,in_port=UPLINK,nw_dst=ADDR,icmp_type=3,icmp_code=4 actions=output:OVN",
			"arp,in_port=UPLINK,arp_tpa=ADDR,arp_op=1 actions=LOCAL",
			"tcp,in_port=UPLINK,nw_dst=ADDR,tp_dst=PORT actions=output:OVN",
			"tcp,in_port=OVN,dl_src=MAC,nw_src=ADDR,tp_src=PORT actions=output:UPLINK",
		}
		if v.Is6() {
			forms = []string{
				"icmp6,in_port=UPLINK,ipv6_dst=ADDR,icmp_type=2,icmp_code=0 actions=output:OVN",
				"icmp6,in_port=UPLINK,icmp_type=135,icmp_code=0,nd_target=ADDR actions=LOCAL",
				"tcp6,in_port=UPLINK,ipv6_dst=ADDR,tp_dst=PORT actions=output:OVN",
				"tcp6,in_port=OVN,dl_src=MAC,ipv6_src=ADDR,tp_src=PORT actions=output:UPLINK",
			}
		}
		fill := strings.NewReplacer("UPLINK", strconv.Itoa(uplinkPort), "OVN", strconv.Itoa(patch), "MAC", mac,
			"ADDR", v.String(), "PORT", strconv.Itoa(int(s.Port)))
		for _, form := range forms {
			out = append(out, fmt.Sprintf("cookie=%#x, priority=110,", cookie.Sum64())+fill.Replace(form))
		}
	}
	return out
}

// OpenBridge makes the flows of services on the external bridge of a node.
func (k *OVNKube) OpenBridge(ctx context.Context, c *Chassis, list ...*KubeService) error {
	patch, err := k.PatchPort(ctx, c)
	if err != nil {
		return err
	}
	mac, err := c.LinkMAC(externalBridge)
	if err != nil {
		return err
	}
	var flows []string
	for _, s := range list {
		flows = append(flows, serviceFlows(s, mac.String(), patch)...)
	}
	return c.addFlows(ctx, flows...)
}

// CloseBridge deletes the flows that let packets for a service in.
func (k *OVNKube) CloseBridge(ctx context.Context, c *Chassis, s *KubeService) error {
	for _, v := range s.External {
		match := fmt.Sprintf("tcp,nw_dst=%s,tp_dst=%d", v, s.Port)
		if v.Is6() {
			match = fmt.Sprintf("tcp6,ipv6_dst=%s,tp_dst=%d", v, s.Port)
		}
		if _, err := c.Ofctl(ctx, "del-flows", externalBridge, match); err != nil {
			return err
		}
	}
	return nil
}
