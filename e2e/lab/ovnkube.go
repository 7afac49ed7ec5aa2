package lab

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
)

// OVNKube writes what OVN-Kubernetes does: Northbound rows of its central mode, and flows of
// the external bridge in shared gateway mode. Rules K-15 and K-17 of
// docs/kubernetes-rules.md say what the product reads of it.
//
// The external bridge of a node is br-ex, with the cable to the top of rack as its uplink:
// the addresses of the node are on the bridge, as OVN-Kubernetes has them.
type OVNKube struct {
	lab *Lab
}

// The ports of br-ex.
const (
	externalBridge = "br-ex"
	uplinkPort     = 1
)

// StartIn starts a program that was prepared elsewhere in the node. It ends with the lab.
func (n *Node) StartIn(cmd *exec.Cmd) error {
	cmd.Env = append(cmd.Environ(), n.env...)
	return n.lab.starter.Start(n.ns, cmd)
}

// OVNKube makes a cluster of all chassis: their routers and switches, and the external
// bridges.
func (l *Lab) OVNKube(ctx context.Context) (*OVNKube, error) {
	k := &OVNKube{lab: l}
	var t transaction
	t.add("lr-add", "ovn_cluster_router")
	t.add("ls-add", "join")
	t.router("join", "ovn_cluster_router", "rtoj-ovn_cluster_router", "jtor-ovn_cluster_router", "0a:58:64:40:00:01",
		"100.64.0.1/16")
	for _, c := range l.Chassis {
		if err := k.bridge(ctx, c); err != nil {
			return nil, fmt.Errorf("external bridge of %s: %w", c.Name, err)
		}
		if err := k.node(&t, c); err != nil {
			return nil, err
		}
	}
	return k, l.Neutron.commit(ctx, t)
}

// router connects a switch to a router.
func (t *transaction) router(sw, router, port, peer, mac, network string) {
	t.add("lrp-add", router, port, mac, network)
	t.add("lsp-add", sw, peer)
	t.add("set", "Logical_Switch_Port", peer, "type=router", "addresses=router", column("options",
		map[string]string{"router-port": port}))
}

// PodSubnet is that of a node.
func (k *OVNKube) PodSubnet(c *Chassis) netip.Prefix { return prefixf("10.244.%d.0/24", c.Index) }

// node adds the switch and the gateway router of a node.
func (k *OVNKube) node(t *transaction, c *Chassis) error {
	mac, err := c.LinkMAC(externalBridge)
	if err != nil {
		return err
	}
	tor, err := c.lab.Tor.LinkMAC(c.Name)
	if err != nil {
		return err
	}
	n, gr, join := c.Hostname, "GR_"+c.Hostname, fmt.Sprintf("100.64.0.%d", c.Index+1)
	t.add("ls-add", n)
	t.router(n, "ovn_cluster_router", "rtos-"+n, "stor-"+n, fmt.Sprintf("0a:58:0a:f4:%02x:01", c.Index),
		fmt.Sprintf("10.244.%d.1/24", c.Index))
	t.add("lr-add", gr)
	t.add("set", "Logical_Router", gr, column("options", map[string]string{
		"chassis": c.SystemID, "lb_force_snat_ip": "router_ip", "always_learn_from_arp_request": "false",
	}))
	t.router("join", gr, "rtoj-"+gr, "jtor-"+gr, fmt.Sprintf("0a:58:64:40:00:%02x", c.Index+1), join+"/16")
	t.add("ls-add", "ext_"+n)
	t.router("ext_"+n, gr, "rtoe-"+gr, "etor-"+gr, mac.String(), netip.PrefixFrom(c.Addr4, 31).String())
	t.add("set", "Logical_Router_Port", "rtoe-"+gr, "external_ids:gateway-physical-ip=yes")
	t.add("lsp-add", "ext_"+n, "br-ex_"+n)
	t.add("set", "Logical_Switch_Port", "br-ex_"+n, "type=localnet", "addresses=unknown", "options:network_name=physnet1")
	t.add("lr-route-add", gr, "0.0.0.0/0", c.TorAddr4.String(), "rtoe-"+gr)
	t.add("lr-route-add", gr, "10.244.0.0/16", "100.64.0.1")
	t.add("--policy=src-ip", "lr-route-add", "ovn_cluster_router", k.PodSubnet(c).String(), join)
	t.add("create", "Static_MAC_Binding", "logical_port=rtoe-"+gr, "ip="+c.TorAddr4.String(),
		"mac="+strconv.Quote(tor.String()), "override_dynamic_mac=true")
	return nil
}

// bridge makes the cable to the top of rack the uplink of the external bridge.
func (k *OVNKube) bridge(ctx context.Context, c *Chassis) error {
	if err := c.silence(FabricLink); err != nil {
		return err
	}
	mac, err := c.LinkMAC(externalBridge)
	if err != nil {
		return err
	}
	for _, line := range []string{
		"ip addr flush dev " + FabricLink,
		"ip addr add " + netip.PrefixFrom(c.Addr4, 31).String() + " dev " + externalBridge,
		"ip link set " + externalBridge + " up",
		"ip route replace default via " + c.TorAddr4.String(),
		"ovs-vsctl --db=" + c.OVSSocket() + " add-port " + externalBridge + " " + FabricLink +
			fmt.Sprintf(" -- set Interface %s ofport_request=%d", FabricLink, uplinkPort),
	} {
		words := strings.Fields(line)
		if _, err := c.Run(ctx, words[0], words[1:]...); err != nil {
			return err
		}
	}
	// What is no service goes to the node and comes from it. In real life conntrack tells
	// what comes back to OVN.
	return c.flows(ctx,
		fmt.Sprintf("priority=10,in_port=%d,dl_dst=%s,actions=LOCAL", uplinkPort, mac),
		fmt.Sprintf("priority=9,in_port=%d,actions=LOCAL", uplinkPort),
		fmt.Sprintf("priority=10,in_port=LOCAL,actions=output:%d", uplinkPort),
	)
}

// flows adds flows to the external bridge.
func (c *Chassis) flows(ctx context.Context, list ...string) error {
	for _, f := range list {
		if _, err := c.Ofctl(ctx, "add-flow", externalBridge, f); err != nil {
			return err
		}
	}
	return nil
}

// PatchPort is the number of the port of the external bridge that leads to OVN; 0 while
// there is none.
func (k *OVNKube) PatchPort(ctx context.Context, c *Chassis) (int, error) {
	out, err := c.Vsctl(ctx, "--if-exists", "get", "Interface", "patch-br-ex_"+c.Hostname+"-to-"+IntegrationBridge,
		"ofport")
	if err != nil || strings.TrimSpace(out) == "" {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

// Pod starts a pod on a node.
func (k *OVNKube) Pod(ctx context.Context, name string, c *Chassis, addr netip.Addr) (*VM, error) {
	id := "default_" + name
	subnet := Subnet{CIDR: k.PodSubnet(c), Gateway: k.PodSubnet(c).Addr().Next()}
	p := &Port{
		Name: name, ID: id, MAC: macFor("pod " + name), Addrs: []netip.Addr{addr}, Chassis: c,
		DeviceID: uuidFor("pod " + name),
		Network:  &Network{Name: c.Hostname, MTU: 1400, Subnets: []Subnet{subnet}, neutron: k.lab.Neutron},
	}
	var t transaction
	t.add("lsp-add", c.Hostname, id)
	t.add("set", "Logical_Switch_Port", id, strset("addresses", p.addresses()),
		column("options", map[string]string{"requested-chassis": c.Hostname}),
		column("external_ids", map[string]string{"namespace": "default", "pod": "true"}))
	if err := k.lab.Neutron.commit(ctx, t); err != nil {
		return nil, err
	}
	return c.PlugVM(ctx, p)
}

// KubeService is a service with one port of TCP.
type KubeService struct {
	Namespace, Name string
	Cluster         netip.Addr
	External        []netip.Addr
	Port            uint16
	// Local is externalTrafficPolicy: Local.
	Local bool
	// Endpoints are those of each node.
	Endpoints map[*Chassis][]netip.AddrPort
}

// balancer is a row of Load_Balancer.
type balancer struct {
	scope     string
	addrs     []netip.Addr
	endpoints []netip.AddrPort
	switches  []string
	routers   []string
	skipSNAT  bool
}

func (s *KubeService) row(scope string) string {
	return fmt.Sprintf("Service_%s/%s_TCP_%s", s.Namespace, s.Name, scope)
}

// balancers are the rows of a service on a cluster.
func (k *OVNKube) balancers(s *KubeService) []balancer {
	var all []netip.AddrPort
	var switches, routers []string
	for _, c := range k.lab.Chassis {
		all = append(all, s.Endpoints[c]...)
		switches, routers = append(switches, c.Hostname), append(routers, "GR_"+c.Hostname)
	}
	addrs := append([]netip.Addr{s.Cluster}, s.External...)
	if !s.Local {
		return []balancer{{scope: "cluster", addrs: addrs, endpoints: all, switches: switches, routers: routers}}
	}
	out := []balancer{{scope: "cluster", addrs: addrs[:1], endpoints: all, switches: switches, routers: routers}}
	for _, c := range k.lab.Chassis {
		n, router := c.Hostname, balancer{addrs: s.External, routers: []string{"GR_" + c.Hostname}}
		router.scope, router.endpoints = "node_router_"+n, s.Endpoints[c]
		if len(router.endpoints) > 0 {
			router.scope, router.skipSNAT = "node_local_router_"+n, true
		}
		out = append(out, router, balancer{
			scope: "node_switch_" + n, addrs: s.External, endpoints: all, switches: []string{n},
		})
	}
	return out
}

// SetService writes the rows of services in place of those they had, in one transaction.
func (k *OVNKube) SetService(ctx context.Context, list ...*KubeService) error {
	var t transaction
	for n, s := range list {
		k.dropRows(&t, s)
		for i, b := range k.balancers(s) {
			id, vips := fmt.Sprintf("@lb%d_%d", n, i), map[string]string{}
			var backends []string
			for _, e := range b.endpoints {
				backends = append(backends, e.String())
			}
			for _, a := range b.addrs {
				vips[netip.AddrPortFrom(a, s.Port).String()] = strings.Join(backends, ",")
			}
			options := map[string]string{"reject": "true", "event": "false"}
			if b.skipSNAT {
				options["skip_snat"] = "true"
			}
			t.add("--id="+id, "create", "Load_Balancer", "name="+strconv.Quote(s.row(b.scope)), "protocol=tcp",
				column("vips", vips), column("options", options), column("external_ids", map[string]string{
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
		t.add("--if-exists", "lb-del", s.row(scope))
	}
}

// DeleteService deletes the rows of a service.
func (k *OVNKube) DeleteService(ctx context.Context, s *KubeService) error {
	var t transaction
	k.dropRows(&t, s)
	return k.lab.Neutron.commit(ctx, t)
}

// OpenBridge makes the flows of services on the external bridge of a node.
func (k *OVNKube) OpenBridge(ctx context.Context, c *Chassis, list ...*KubeService) error {
	patch, err := k.PatchPort(ctx, c)
	if err != nil {
		return err
	}
	for _, s := range list {
		for _, v := range s.External {
			cookie := fnv.New64a()
			fmt.Fprintf(cookie, "%s%s%s%d", s.Namespace, s.Name, v, s.Port)
			head := fmt.Sprintf("cookie=%#x,priority=110,", cookie.Sum64())
			if err := c.flows(ctx,
				fmt.Sprintf("%sarp,in_port=%d,arp_tpa=%s,arp_op=1,actions=LOCAL", head, uplinkPort, v),
				fmt.Sprintf("%stcp,in_port=%d,nw_dst=%s,tp_dst=%d,actions=output:%d", head, uplinkPort, v, s.Port, patch),
				fmt.Sprintf("%stcp,in_port=%d,nw_src=%s,tp_src=%d,actions=output:%d", head, patch, v, s.Port, uplinkPort),
			); err != nil {
				return err
			}
		}
	}
	return nil
}

// CloseBridge deletes the flows that let packets for a service in.
func (k *OVNKube) CloseBridge(ctx context.Context, c *Chassis, s *KubeService) error {
	for _, v := range s.External {
		if _, err := c.Ofctl(ctx, "del-flows", externalBridge,
			fmt.Sprintf("tcp,nw_dst=%s,tp_dst=%d", v, s.Port)); err != nil {
			return err
		}
	}
	return nil
}
