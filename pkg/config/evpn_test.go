package config

import (
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
)

const evpnFile = `
drivers: [osp_ovn_bgp_driver, ovn_evpn_driver]
evpn_local_ip: 192.0.2.11
evpn_nic: lo0
evpn_udp_dstport: 4790
delete_vrf_on_disconnect: false
bgp: {peers: [{address: 192.0.2.1, as: 65000, families: [ipv4-unicast, l2vpn-evpn]}]}
evpn:
  table_offset: 10000
  vnis:
    - {vni: 1001, rd: "192.0.2.11:01001", import: ["*:01001", "65000:5"], export: ["64999:1001"]}
  networks:
    - {network: physnet1, vlan: 100, method: vrf, vni: 2001, gateways: [172.24.8.1, "2001:db8:8::1"]}
    - {switch: provider-lab, method: l2vni, vni: 2002, export: ["64999:3"]}
`

// The keys of EVPN change what is asked of the node and which drivers run, in their
// order, the node's own last.
func TestEVPN(t *testing.T) {
	s := loaded(t, evpnFile, nil)
	if !s.RunsEVPN() || !s.FollowsEVPN() || s.VTEPDevice != "lo0" || s.VXLANPort != 4790 {
		t.Errorf("runs %v, follows %v, device %q, port %d", s.RunsEVPN(), s.FollowsEVPN(), s.VTEPDevice, s.VXLANPort)
	}
	var names []string
	for _, d := range s.NewDrivers() {
		names = append(names, d.Name())
	}
	if !slices.Equal(names, []string{bgp.Name, evpn.Name, fabric.Name}) {
		t.Errorf("drivers %v", names)
	}
	if reserved, own := s.sharedFor(bgp.Name).Expose.Reserved, s.sharedFor(evpn.Name).Expose.Reserved; len(
		reserved,
	) != 2 ||
		len(own) != 0 {
		t.Errorf("reserved are %v for the other driver and %v for ours", reserved, own)
	}
	if got := s.Cookies(); !slices.Equal(got, []uint64{0x3e7, 0x3e6}) {
		t.Errorf("cookies %#x", got)
	}
	if got := Defaults().Cookies(); !slices.Equal(got, []uint64{0x3e7}) {
		t.Errorf("cookies without the driver %#x", got)
	}
	if s := Defaults(); s.RunsEVPN() || s.FollowsEVPN() || s.VXLANPort != 4789 {
		t.Errorf("without the driver: runs %v, follows %v, port %d", s.RunsEVPN(), s.FollowsEVPN(), s.VXLANPort)
	}
}

// badEVPN are lines behind a first one that runs the driver.
var badEVPN = []struct{ name, lines, want string }{
	{
		"local address", "evpn_local_ip: 2001:db8::1\n",
		`2: evpn_local_ip: "2001:db8::1" is not an IPv4 address of a node: use an address of this node`,
	},
	{"port", "evpn_udp_dstport: 0\n", "2: evpn_udp_dstport: 0 is out of range: use 1 to 65535"},
	{
		"method vrf", "exposing_method: vrf\n",
		"2: exposing_method: vrf is chosen for each network: name it in evpn.networks with method: " +
			"vrf and a VNI, and leave exposing_method at underlay",
	},
	{
		"method ovn", "exposing_method: ovn\n",
		`2: exposing_method: "ovn" is not supported: ` +
			`use underlay, and evpn.networks for networks with method vrf or l2vni`,
	},
	{
		"offset", "evpn: {table_offset: 4000000000}\n",
		"2: evpn.table_offset: 4000000000 is out of range: use 0 to 2147483648",
	},
	{
		"unknown key", "evpn: {vnis: [{vni: 1, colour: blue}]}\n",
		"2: evpn.vnis[0].colour: unknown key: see docs/configuration.md",
	},
	{
		"VNI", "evpn:\n  vnis:\n    - vni: 16777216\n",
		"4: evpn.vnis[0].vni: 16777216 is out of range: use 1 to 16777215",
	},
	{"no VNI", "evpn: {vnis: [{rd: '1:1'}]}\n", "2: evpn.vnis[0].vni: missing: set it, 1 to 16777215"},
	{
		"VNI twice", "evpn: {vnis: [{vni: 7}, {vni: 7}]}\n",
		"2: evpn.vnis[1].vni: duplicate VNI 7: evpn.vnis[0] has it already: leave one of them out",
	},
	{
		"rd", "evpn: {vnis: [{vni: 7, rd: x}]}\n",
		`2: evpn.vnis[0].rd: "x" is not a route distinguisher (RFC 4364): ` +
			`use IPV4:NUMBER or AS:NUMBER, such as 192.0.2.1:1001`,
	},
	{
		"export wildcard", "evpn: {vnis: [{vni: 7, export: ['*:7']}]}\n",
		`2: evpn.vnis[0].export[0]: "*:7" is not a route target (RFC 4360): use AS:NUMBER or IPV4:NUMBER`,
	},
	{
		"import", "evpn: {vnis: [{vni: 7, import: ['*:x']}]}\n",
		`2: evpn.vnis[0].import[0]: "*:x" is not a route target (RFC 4360): ` +
			`use AS:NUMBER or IPV4:NUMBER, or "*:NUMBER" for any AS`,
	},
	{
		"no place", "evpn: {networks: [{method: vrf, vni: 7}]}\n",
		"2: evpn.networks[0]: the network is not given, or given twice: " +
			"name either network, with vlan if it has one, or switch",
	},
	{
		"two places", "evpn: {networks: [{network: a, switch: b, method: vrf, vni: 7}]}\n",
		"2: evpn.networks[0]: the network is not given, or given twice: " +
			"name either network, with vlan if it has one, or switch",
	},
	{
		"place twice",
		"evpn:\n  networks:\n    - {network: a, method: vrf, vni: 7}\n    - {network: a, method: vrf, vni: 8}\n",
		"5: evpn.networks[1]: duplicate network: evpn.networks[0] has it already: leave one of them out",
	},
	{
		"no method", "evpn: {networks: [{network: a, vni: 7}]}\n",
		"2: evpn.networks[0].method: missing: use vrf (routed) or l2vni (bridged)",
	},
	{
		"method", "evpn: {networks: [{network: a, vni: 7, method: l3}]}\n",
		`2: evpn.networks[0].method: unknown value "l3": use vrf or l2vni`,
	},
	{
		"shared VNI", "evpn: {networks: [{network: a, method: l2vni, vni: 7}, {network: b, method: vrf, vni: 7}]}\n",
		"2: evpn.networks[1].vni: duplicate VNI 7: evpn.networks[0] has it already: choose another: " +
			"only networks with method vrf can share one",
	},
	{
		"vlan", "evpn: {networks: [{network: a, vlan: 4095, method: vrf, vni: 7}]}\n",
		"2: evpn.networks[0].vlan: 4095 is out of range: use 1 to 4094, or leave it out",
	},
	{
		"vlan of a switch", "evpn: {networks: [{switch: a, vlan: 7, method: vrf, vni: 7}]}\n",
		"2: evpn.networks[0].vlan: there is a VLAN, but no network: set network, or leave vlan out",
	},
	{
		"gateway", "evpn: {networks: [{network: a, method: vrf, vni: 7, gateways: [here]}]}\n",
		`2: evpn.networks[0].gateways[0]: "here" is not an IP address: write the address of a gateway`,
	},
	{
		"gateway of a segment", "evpn: {networks: [{network: a, method: l2vni, vni: 7, gateways: [10.0.0.1]}]}\n",
		"2: evpn.networks[0].gateways: a network with method l2vni has no gateways: leave them out: " +
			"only a network with method vrf has gateways",
	},
	{
		"peers", "bgp: {peers: [{address: 192.0.2.1, as: 65000}]}\n",
		"2: bgp.peers: osp_ovn_evpn_driver needs a neighbour with l2vpn-evpn among its families: " +
			"add it to the families of one",
	},
	{
		"cookie", "flows: {cookie: 0x3e6}\n",
		"2: flows.cookie: 0x3e6 is that of the flows of osp_ovn_evpn_driver: choose another",
	},
}

func TestBadEVPN(t *testing.T) {
	for _, tt := range badEVPN {
		t.Run(tt.name, func(t *testing.T) { checkBad(t, "drivers: [osp_ovn_evpn_driver]\n"+tt.lines, tt.want) })
	}
	checkBad(t, "evpn: {networks: [{network: a, method: vrf, vni: 7}]}\n",
		"1: evpn.networks: they have no effect without osp_ovn_evpn_driver: add osp_ovn_evpn_driver to drivers")
	checkBad(
		t,
		"evpn: {networks: [{network: a, method: vrf, vni: 7}, {network: a, vlan: 5, method: vrf, vni: 7}]}\n"+
			"drivers: [ovn_evpn_driver]\nlog: {level: x}\n",
		`3: log.level: unknown level "x": use debug, info, warn or error`,
	) // networks of method vrf may share a VNI
}
