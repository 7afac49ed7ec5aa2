package lab

import (
	"context"
	"crypto/sha1"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// BGPService is what Neutron's ovn-bgp service makes in the Northbound database for one flat
// provider network: a main router that advertises what is on the network, and a router for each
// chassis that leads to its peer bridges.
//
//	tor -- br-bgp-0 -- bgp-lr-CHASSIS -- bgp-lr-main -- interconnect ~br-ex~ provider network
//	tor2 - br-bgp-1 --/
//
// One thing differs: no port has dynamic-routing-maintain-vrf unless VRF is set, because
// ovn-controller takes a router whose VRF it cannot make out of service, and most kernels that
// run tests have none.
type BGPService struct {
	neutron  *Neutron
	provider *Network
	vrf      bool
}

// Tables of the routers, Neutron's defaults.
const (
	MainTable    = "42"
	ChassisTable = "10"
)

const mainRouter = "bgp-lr-main"

// Names as Neutron makes them.
func routerPort(router, to string) string         { return "bgp-lrp-" + router + "-to-" + to }
func switchPort(sw, to string) string             { return "bgp-lsp-" + sw + "-to-" + to }
func localnetPort(sw string) string               { return "bgp-lsp-" + sw + "-localnet" }
func chassisRouter(c *Chassis) string             { return "bgp-lr-" + c.SystemID }
func peerSwitch(c *Chassis, bridge string) string { return "bgp-ls-" + c.SystemID + "-" + bridge }
func (s *BGPService) interconnect() string        { return "bgp-ls-interconnect-" + s.provider.Switch() }

// ChassisRouter is the name of the router that leads out of a chassis.
func (s *BGPService) ChassisRouter(c *Chassis) string { return chassisRouter(c) }

// bgpMAC derives the locally administered address of a router port from its name.
func bgpMAC(port string) string {
	h := sha1.Sum([]byte("bgp-ovn lab bgp " + port))
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", h[0]&^1|2, h[1], h[2], h[3], h[4], h[5])
}

// linkLocal is the address that IPv6 makes of a MAC address.
func linkLocal(mac string) string {
	var m [6]byte
	// A MAC of our own always parses.
	_, _ = fmt.Sscanf(mac, "%02x:%02x:%02x:%02x:%02x:%02x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5])
	a := [16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]}
	return netip.AddrFrom16(a).String()
}

// BGPService makes the routers for a provider network, with its gateway addresses, and for the
// chassis. It needs OVN 26.03.
func (n *Neutron) BGPService(ctx context.Context, provider *Network, vrf bool, chassis ...*Chassis) (*BGPService,
	error,
) {
	s := &BGPService{neutron: n, provider: provider, vrf: vrf}
	if err := n.commit(ctx, s.main()); err != nil {
		return nil, err
	}
	for _, c := range chassis {
		if err := n.commit(ctx, s.chassis(c)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// main is the main router, and its ports into the provider network: one without addresses,
// over which it sees what to advertise, and one with the gateway addresses.
func (s *BGPService) main() transaction {
	var t transaction
	t.add("lr-add", mainRouter)
	t.add("set", "Logical_Router", mainRouter, column("options", map[string]string{
		"dynamic-routing": "true", "dynamic-routing-redistribute": "connected-as-host,nat",
		"dynamic-routing-vrf-id": MainTable, "dynamic-routing-redistribute-local-only": "true",
	}))
	dead := mainRouter + "-dead-lrp"
	addPort(&t, "@dead", mainRouter, dead)
	// Without any route the packet is dropped before the policies see it.
	t.add("--id=@route", "create", "Logical_Router_Static_Route", `ip_prefix="0.0.0.0/0"`,
		fmt.Sprintf("nexthop=%q", linkLocal(bgpMAC(dead))))
	t.add("add", "Logical_Router", mainRouter, "static_routes", "@route")

	addPort(&t, "@provider", mainRouter, routerPort(mainRouter, s.provider.Switch()))
	plugRouter(&t, s.provider.Switch(), mainRouter, nil)

	ic := s.interconnect()
	addLocalnetSwitch(&t, ic, s.provider.Physnet)
	var gateways, four []string
	for _, sub := range s.provider.Subnets {
		gateways = append(gateways, netip.PrefixFrom(sub.Gateway, sub.CIDR.Bits()).String())
		if sub.Gateway.Is4() {
			four = append(four, sub.Gateway.String())
		}
	}
	addPort(&t, "@ic", mainRouter, routerPort(mainRouter, ic), strset("networks", gateways...))
	plugRouter(&t, ic, mainRouter, map[string]string{"arp_proxy": strings.Join(four, " ")})
	return t
}

// chassis is the router of a chassis: a port to the main router and one to each peer bridge, and
// the policies that lead through both routers on this very chassis.
func (s *BGPService) chassis(c *Chassis) transaction {
	var t transaction
	router := chassisRouter(c)
	up, down := routerPort(router, mainRouter), routerPort(mainRouter, router)
	t.add("lr-add", router)
	t.add("set", "Logical_Router", router, column("options", map[string]string{
		"chassis": c.SystemID, "dynamic-routing": "true", "dynamic-routing-vrf-id": ChassisTable,
	}))
	addPort(&t, "@up", router, up, "peer="+quoted(down),
		column("options", s.options(map[string]string{"dynamic-routing-no-learning": "true"})))
	t.add("--id=@ha", "create", "HA_Chassis", "chassis_name="+quoted(c.SystemID), "priority=10")
	t.add("--id=@group", "create", "HA_Chassis_Group", "name=bgp-hcg-"+c.SystemID, "ha_chassis=@ha")
	addPort(&t, "@down", mainRouter, down, "peer="+quoted(up), "ha_chassis_group=@group",
		column("options", s.options(nil)),
		column("external_ids", map[string]string{"neutron-bgp-lrp-to-chassis-router": router}))
	addPolicy(&t, "@out", mainRouter, fmt.Sprintf("inport==%q && is_chassis_resident(%q)",
		routerPort(mainRouter, s.interconnect()), "cr-"+down), "@down", linkLocal(bgpMAC(up)))
	for i := range c.uplinks {
		bridge := PeerBridge(i)
		sw := peerSwitch(c, bridge)
		port := routerPort(router, sw)
		addLocalnetSwitch(&t, sw, bridge)
		addPort(&t, fmt.Sprintf("@peer%d", i), router, port,
			column("options", map[string]string{"dynamic-routing-port-name": bridge}),
			column("external_ids", map[string]string{"neutron-bgp-network-name": bridge}))
		plugRouter(&t, sw, router, nil)
		addPolicy(&t, fmt.Sprintf("@in%d", i), router, fmt.Sprintf("inport==%q", port), "@up", linkLocal(bgpMAC(down)))
	}
	return t
}

// options of the ports between the routers.
func (s *BGPService) options(more map[string]string) map[string]string {
	all := map[string]string{}
	if s.vrf {
		all["dynamic-routing-maintain-vrf"] = "true"
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

// addPort makes a router port: without the column networks it is an unnumbered one.
func addPort(t *transaction, id, router, name string, columns ...string) {
	t.add(append([]string{
		"--id=" + id, "create", "Logical_Router_Port", "name=" + quoted(name),
		"mac=" + quoted(bgpMAC(name)),
	}, columns...)...)
	t.add("add", "Logical_Router", router, "ports", id)
}

// plugRouter makes the switch's end of a router port.
func plugRouter(t *transaction, sw, router string, options map[string]string) {
	all := map[string]string{"router-port": routerPort(router, sw)}
	for k, v := range options {
		all[k] = v
	}
	t.add("lsp-add", sw, switchPort(sw, router))
	t.add("set", "Logical_Switch_Port", switchPort(sw, router), "type=router", "addresses=router", column("options", all))
}

func addLocalnetSwitch(t *transaction, name, network string) {
	t.add("ls-add", name)
	t.add("lsp-add", name, localnetPort(name))
	t.add("set", "Logical_Switch_Port", localnetPort(name), "type=localnet", "addresses=unknown",
		column("options", map[string]string{"network_name": network}))
}

func addPolicy(t *transaction, id, router, match, port, nexthop string) {
	t.add("--id="+id, "create", "Logical_Router_Policy", "priority=10", "match="+quoted(match), "action=reroute",
		"output_port="+port, strset("nexthops", nexthop))
	t.add("add", "Logical_Router", router, "policies", id)
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// writeLines writes a file for one of the programs.
func writeLines(path string, lines []string) error {
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}
