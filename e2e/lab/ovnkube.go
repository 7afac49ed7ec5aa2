package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
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
		"100.64.0.1/16", "fd98::1/64")
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
func (t *transaction) router(sw, router, port, peer, mac string, networks ...string) {
	t.add(append([]string{"lrp-add", router, port, mac}, networks...)...)
	t.add("lsp-add", sw, peer)
	t.add("set", "Logical_Switch_Port", peer, "type=router", "addresses=router", column("options",
		map[string]string{"router-port": port}))
}

// PodSubnets are those of a node, of IPv4 and of IPv6.
func (k *OVNKube) PodSubnets(c *Chassis) []netip.Prefix {
	return []netip.Prefix{prefixf("10.244.%d.0/24", c.Index), prefixf("fd00:10:244:%x::/64", c.Index)}
}

// joinAddrs are those of the gateway router of a node towards the cluster's.
func (k *OVNKube) joinAddrs(c *Chassis) [2]netip.Addr {
	return [2]netip.Addr{
		prefixf("100.64.0.%d/16", c.Index+1).Addr(), prefixf("fd98::%x/64", c.Index+1).Addr(),
	}
}

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
	n, gr, join := c.Hostname, "GR_"+c.Hostname, k.joinAddrs(c)
	pods := k.PodSubnets(c)
	t.add("ls-add", n)
	t.router(n, "ovn_cluster_router", "rtos-"+n, "stor-"+n, fmt.Sprintf("0a:58:0a:f4:%02x:01", c.Index),
		gatewayOf(pods[0]).String(), gatewayOf(pods[1]).String())
	t.add("lrp-set-gateway-chassis", "rtos-"+n, c.SystemID, "1")
	t.add("lsp-add", n, "k8s-"+n)
	t.add("lsp-set-addresses", "k8s-"+n, fmt.Sprintf("0a:58:0a:f4:%02x:02 %s %s", c.Index,
		gatewayOf(pods[0]).Addr().Next(), gatewayOf(pods[1]).Addr().Next()))
	t.add("lr-add", gr)
	t.add("set", "Logical_Router", gr, column("options", map[string]string{
		"chassis": c.SystemID, "lb_force_snat_ip": "router_ip", "always_learn_from_arp_request": "false",
	}))
	t.router("join", gr, "rtoj-"+gr, "jtor-"+gr, fmt.Sprintf("0a:58:64:40:00:%02x", c.Index+1),
		join[0].String()+"/16", join[1].String()+"/64")
	t.add("ls-add", "ext_"+n)
	t.router("ext_"+n, gr, "rtoe-"+gr, "etor-"+gr, mac.String(), netip.PrefixFrom(c.Addr4, 31).String(),
		netip.PrefixFrom(c.Addr6, 127).String())
	t.add("set", "Logical_Router_Port", "rtoe-"+gr, "external_ids:gateway-physical-ip=yes")
	// Of these options and this address the Southbound row has its nat_addresses.
	t.add("set", "Logical_Switch_Port", "etor-"+gr, strset("addresses", mac.String()), column("options",
		map[string]string{"router-port": "rtoe-" + gr, "nat-addresses": "router", "exclude-lb-vips-from-garp": "true"}))
	t.add("lsp-add", "ext_"+n, "br-ex_"+n)
	t.add("set", "Logical_Switch_Port", "br-ex_"+n, "type=localnet", "addresses=unknown", "options:network_name=physnet1")
	for i, family := range []struct {
		all, cluster string
		tor          netip.Addr
	}{{"0.0.0.0/0", "10.244.0.0/16", c.TorAddr4}, {"::/0", "fd00:10:244::/48", c.TorAddr6}} {
		t.add("lr-route-add", gr, family.all, family.tor.String(), "rtoe-"+gr)
		t.add("lr-route-add", gr, family.cluster, []string{"100.64.0.1", "fd98::1"}[i])
		t.add("--policy=src-ip", "lr-route-add", "ovn_cluster_router", pods[i].String(), join[i].String())
		t.add("create", "Static_MAC_Binding", "logical_port=rtoe-"+gr, "ip="+strconv.Quote(family.tor.String()),
			"mac="+strconv.Quote(tor.String()), "override_dynamic_mac=true")
	}
	return nil
}

// gatewayOf is the first address of a subnet, with its length.
func gatewayOf(p netip.Prefix) netip.Prefix { return netip.PrefixFrom(p.Addr().Next(), p.Bits()) }

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
		"ip addr add " + netip.PrefixFrom(c.Addr6, 127).String() + " dev " + externalBridge + " nodad",
		"ip -6 route replace default via " + c.TorAddr6.String() + " dev " + externalBridge,
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
	return c.addFlows(ctx,
		fmt.Sprintf("priority=10,in_port=%d,dl_dst=%s actions=LOCAL", uplinkPort, mac),
		fmt.Sprintf("priority=9,in_port=%d actions=LOCAL", uplinkPort),
		fmt.Sprintf("priority=10,in_port=LOCAL actions=output:%d", uplinkPort),
	)
}

// addFlows adds flows to the external bridge, written as a dump has them.
func (c *Chassis) addFlows(ctx context.Context, list ...string) error {
	file := c.file("flows")
	if err := os.WriteFile(file, []byte(strings.Join(list, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	_, err := c.Ofctl(ctx, "--bundle", "add-flows", externalBridge, file)
	return err
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
func (k *OVNKube) Pod(ctx context.Context, name string, c *Chassis, addrs ...netip.Addr) (*VM, error) {
	id := "default_" + name
	var subnets []Subnet
	for _, p := range k.PodSubnets(c) {
		subnets = append(subnets, Subnet{CIDR: p, Gateway: gatewayOf(p).Addr()})
	}
	p := &Port{
		Name: name, ID: id, MAC: macFor("pod " + name), Addrs: addrs, Chassis: c, DeviceID: uuidFor("pod " + name),
		Network: &Network{Name: c.Hostname, MTU: 1400, Subnets: subnets, neutron: k.lab.Neutron},
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
