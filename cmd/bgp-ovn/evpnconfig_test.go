package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
)

const evpnFile = `
drivers: [osp_ovn_bgp_driver, ovn_evpn_driver]
evpn_local_ip: 192.0.2.11
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

func evpnLoaded(t *testing.T, file string, args ...string) *Config {
	t.Helper()
	path := writeFile(t, file)
	c := &cli{environment: environment{getenv: func(string) (string, bool) { return "", false }}}
	if err := c.root().ParseFlags(append(args, "--config", path)); err != nil {
		t.Fatal(err)
	}
	c.configPath = path
	cfg, err := c.loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The keys of EVPN arrive at the driver in one form, from the file and from flags.
func TestEVPNConfig(t *testing.T) {
	fromFile := evpnLoaded(t, evpnFile)
	fromFlags := evpnLoaded(t, "bgp: {peers: [{address: 192.0.2.1, as: 65000, families: [l2vpn-evpn]}]}\n",
		"--drivers", "osp_ovn_bgp_driver,osp_ovn_evpn_driver", "--evpn-local-ip", "192.0.2.11", "--evpn-udp-dstport", "4790",
		"--delete-vrf-on-disconnect=false", "--evpn-table-offset", "10000",
		"--evpn-vnis", "vni=1001,rd=192.0.2.11:1001,import=*:1001+65000:5,export=64999:1001",
		"--evpn-networks", "network=physnet1,vlan=100,method=vrf,vni=2001,gateways=172.24.8.1+2001:db8:8::1",
		"--evpn-networks", "switch=provider-lab,method=l2vni,vni=2002,export=64999:3")
	a, b := fromFile.driverConfig().EVPN, fromFlags.driverConfig().EVPN
	if diff := cmp.Diff(a, b, cmpopts.EquateComparable(a.LocalIP)); diff != "" {
		t.Errorf("file and flags differ (-file +flags):\n%s", diff)
	}
	if a.LocalIP.String() != "192.0.2.11" || a.Port != 4790 || !a.KeepVRF || a.TableOffset != 10000 || a.AS != 64999 || a.SubnetMethod {
		t.Errorf("got %+v", a)
	}
	want := evpn.VNIConfig{VNI: 1001, RD: "192.0.2.11:1001", Import: []string{"*:1001", "65000:5"}, Export: []string{"64999:1001"}}
	if diff := cmp.Diff([]evpn.VNIConfig{want}, a.VNIs); diff != "" {
		t.Errorf("vnis (-want +got):\n%s", diff)
	}
	if len(a.Networks) != 2 || a.Networks[0].VLAN != 100 || len(a.Networks[0].Gateways) != 2 || a.Networks[1].Switch != "provider-lab" {
		t.Errorf("networks: %+v", a.Networks)
	}
	if reserved := fromFile.driverConfig().BGP.Expose.Reserved; len(reserved) != 2 || len(a.Expose.Reserved) != 0 {
		t.Errorf("reserved are %v for the other driver and %v for ours", reserved, a.Expose.Reserved)
	}
	if got := fromFile.marks().Cookies; !slices.Equal(got, []uint64{0x3e7, 0x3e6}) {
		t.Errorf("cookies %#x", got)
	}
	if got := newConfig().marks().Cookies; !slices.Equal(got, []uint64{0x3e7}) {
		t.Errorf("cookies without the driver %#x", got)
	}
	if w, err := fromFile.wishes(); err != nil || len(w.Drivers) < 2 || w.Drivers[1].Name() != evpn.Name {
		t.Errorf("drivers %v, %v", w.Drivers, err)
	}
}

func TestBadEVPN(t *testing.T) {
	const head = "drivers: [osp_ovn_evpn_driver]\n"
	tests := []struct{ name, file, want string }{
		{"local address", "evpn_local_ip: 2001:db8::1\n", "evpn_local_ip"},
		{"port", "evpn_udp_dstport: 0\n", "evpn_udp_dstport"},
		{"method vrf", "exposing_method: vrf\n", "name it in evpn.networks with method: vrf"},
		{"method ovn", "exposing_method: ovn\n", `"ovn" is not supported`},
		{"offset", "evpn: {table_offset: 4000000000}\n", "evpn.table_offset"},
		{"unknown key", head + "evpn: {vnis: [{vni: 1, colour: blue}]}\n", "field colour is not a key here"},
		{"VNI", head + "evpn: {vnis: [{vni: 16777216}]}\n", "evpn.vnis[0].vni: 16777216: use 1 to 16777215"},
		{"VNI twice", head + "evpn: {vnis: [{vni: 7}, {vni: 7}]}\n", "VNI 7 stands twice"},
		{"rd", head + "evpn: {vnis: [{vni: 7, rd: x}]}\n", "evpn.vnis[0].rd"},
		{"export wildcard", head + "evpn: {vnis: [{vni: 7, export: ['*:7']}]}\n", "evpn.vnis[0].export"},
		{"import", head + "evpn: {vnis: [{vni: 7, import: ['*:x']}]}\n", "evpn.vnis[0].import"},
		{"without the driver", "evpn: {networks: [{network: a, method: vrf, vni: 7}]}\n", "add osp_ovn_evpn_driver to drivers"},
		{"no place", head + "evpn: {networks: [{method: vrf, vni: 7}]}\n", "name either network"},
		{"two places", head + "evpn: {networks: [{network: a, switch: b, method: vrf, vni: 7}]}\n", "name either network"},
		{"place twice", head + "evpn: {networks: [{network: a, method: vrf, vni: 7}, {network: a, method: vrf, vni: 8}]}\n", "the network stands twice"},
		{"no method", head + "evpn: {networks: [{network: a, vni: 7}]}\n", "evpn.networks[0].method"},
		{"shared VNI", head + "evpn: {networks: [{network: a, method: l2vni, vni: 7}, {network: b, method: vrf, vni: 7}]}\n", "evpn.networks[1].vni: 7 stands twice"},
		{"vlan", head + "evpn: {networks: [{network: a, vlan: 4095, method: vrf, vni: 7}]}\n", "evpn.networks[0].vlan"},
		{"gateway", head + "evpn: {networks: [{network: a, method: vrf, vni: 7, gateways: [here]}]}\n", `"here" is not an IP address`},
		{"gateway of a segment", head + "evpn: {networks: [{network: a, method: l2vni, vni: 7, gateways: [10.0.0.1]}]}\n", "only a network with method vrf"},
		{"peers", head + "bgp: {peers: [{address: 192.0.2.1, as: 65000}]}\n", "needs a neighbour with l2vpn-evpn"},
		{"cookie", head + "flows: {cookie: 0x3e6}\n", "flows.cookie"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, exit := run(t, nil, "config", "check", "--config", writeFile(t, tt.file))
			if exit != exitError || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, %q%q, want %q", exit, out, errs, tt.want)
			}
		})
	}
}

// explain follows an address in a VPN to the path that announces it there.
func TestExplainEVPN(t *testing.T) {
	args := []string{"--drivers", "osp_ovn_evpn_driver", "--evpn-local-ip", "192.0.2.11", "--snapshot", fixtures + "evpn-router.json", "--chassis"}
	for node, want := range map[string][]string{
		"hv1": {"in VNI 1001", "steering   link vrf-1001", "evpn type-5 10.60.0.11/32 rd 192.0.2.11:1001: port vlan-1001 is not on bridge br-ex yet  BLOCKED not-wired"},
		"hv2": {"in VNI 1001", "BLOCKED not-owner"},
	} {
		out, errs, exit := run(t, nil, slices.Concat([]string{"explain", "10.60.0.11"}, args, []string{node})...)
		for _, w := range want {
			if exit != exitDiffers || !strings.Contains(out, w) {
				t.Errorf("%s: exit %d, %q is not in\n%s%s", node, exit, w, out, errs)
			}
		}
	}
}

// The command shows the VNIs of a dump of the databases: on a node that has nothing
// yet all of it is missing.
func TestEVPNCommand(t *testing.T) {
	args := []string{"--snapshot", fixtures + "evpn-router.json", "--chassis", "hv1", "--drivers", "osp_ovn_evpn_driver", "--evpn-local-ip", "192.0.2.1"}
	out, errs, exit := run(t, nil, append([]string{"evpn"}, args...)...)
	if exit == exitError || !strings.HasPrefix(out, "VNI ") && !strings.HasPrefix(out, "no VNI") {
		t.Fatalf("exit %d: %s%s", exit, out, errs)
	}
	found := false
	for _, chassis := range []string{"hv1", "hv2"} {
		args[3] = chassis
		out, errs, exit = run(t, nil, append([]string{"evpn"}, args...)...)
		if strings.Contains(out, "vrf-") {
			found = true
			if exit != exitDiffers || !strings.Contains(out, "MISSING") {
				t.Errorf("exit %d: %s%s", exit, out, errs)
			}
		}
	}
	if !found {
		t.Errorf("no chassis has a VNI: %s", out)
	}
	for _, bad := range []string{"0", "16777216", "red"} {
		if _, errs, exit := run(t, nil, append([]string{"evpn", bad}, args...)...); exit != exitError || !strings.Contains(errs, "1 to 16777215") {
			t.Errorf("%s: exit %d, %s", bad, exit, errs)
		}
	}
	if _, errs, exit := run(t, nil, append([]string{"evpn", "77"}, args...)...); exit != exitError || !strings.Contains(errs, "nothing here wants this VNI") {
		t.Errorf("exit %d, %s", exit, errs)
	}
}
