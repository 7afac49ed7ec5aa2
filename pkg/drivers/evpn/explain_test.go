package evpn_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
)

// two is a second tenant with the address of the first.
const two = `
routerport lrp-gw2 on dp-r2 mac "fa:16:3e:74:e6:99 172.24.4.147/24" peer gw2 redirect cr-lrp-gw2
switchport gw2 on dp-pub peer lrp-gw2 id neutron_bgpvpn:vni=1002 id neutron_bgpvpn:as=64999
gateway cr-lrp-gw2 on dp-r2 mac "fa:16:3e:74:e6:99 172.24.4.147/24" of lrp-gw2 chassis gw-1 up
routerport lrp-p2 on dp-r2 mac "fa:16:3e:2c:7a:02 10.0.0.1/26" peer p2
switchport p2 on dp-priv2 peer lrp-p2 id neutron_bgpvpn:vni=1002 id neutron_bgpvpn:as=64999
port vm2 on dp-priv2 mac "fa:16:3e:0d:51:23 10.0.0.5" chassis cmp-2 up
`

// second is another localnet of a switch.
const second = "\nlocalnet provnet-v2 on dp-vlan network public tag 200\npatch br-ex provnet-v2 ofport 8\n"

// explanations are what is said of an address on a node of a story.
var explanations = []struct {
	name, story, config, node, addr string
	want                            []string
}{
	{
		"announced", "include evpn", "", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: type-5 10.0.0.5/32 rd 99.99.1.1:1001"},
	},
	{"two tenants", "include evpn" + two, "", "gw-1", "10.0.0.5", []string{
		"fixed IP of port vm1 in VNI 1001: type-5 10.0.0.5/32 rd 99.99.1.1:1001",
		"fixed IP of port vm2 in VNI 1002: type-5 10.0.0.5/32 rd 99.99.1.1:1002",
	}},
	{
		"by the subnet", "include evpn", "advertisement_method_tenant_networks: subnet", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: type-5 10.0.0.0/26 rd 99.99.1.1:1001"},
	},
	{
		"elsewhere", "include evpn", "", "gw-2", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: " + reason.NotOwner},
	},
	{"router in no VPN", "include base", "", "gw-1", "10.0.0.5", []string{"fixed IP of port vm1: " + reason.NoVPN}},
	{
		"network in no VPN", "include evpn\nset p1 id neutron_bgpvpn:vni=", "", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: " + reason.NoVPN},
	},
	{
		"another VPN", "include evpn\nset p1 id neutron_bgpvpn:vni=1002", "", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: " + reason.VPNMismatch},
	},
	{
		"no VTEP", "include evpn", "evpn_local_ip: none", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: " + reason.NoVTEP},
	},
	{
		"not mapped", "include evpn\nmapping other:br-ex", "", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: " + reason.NotMapped},
	},
	{
		"no table", "include evpn\ntable 1001 foreign", "", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 1001: " + reason.NotApplied},
	},
	{
		"no gateway", "include evpn\ndrop cr-lrp-gw1", "", "gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1: " + reason.NoGateway},
	},
	{
		"gateway", "include evpn", "", "gw-1", "172.24.4.146",
		[]string{"gateway address of router port lrp-gw1 in VNI 1001: " + reason.GatewayOnly},
	},
	{"nobody's", "include evpn", "", "gw-1", "198.51.100.1", nil},
	{
		"stretched", "include segment", "network: public:100 l2vni 2001", "cmp-1", "172.24.8.20",
		[]string{"fixed IP of port vmV in VNI 2001: type-2 fa:16:3e:aa:00:08 172.24.8.20 rd 99.99.1.1:2001"},
	},
	{
		"routed floating IP", "include segment", "network: public:100 vrf 2001", "cmp-1", "172.24.8.199",
		[]string{"floating IP of port vm1 in VNI 2001: type-5 172.24.8.199/32 rd 99.99.1.1:2001"},
	},
	{
		"stretched and routed", "include segment" + second, "network: public:100 l2vni 2001\nnetwork: public:200 vrf 2002",
		"cmp-1", "172.24.8.20",
		[]string{
			"fixed IP of port vmV in VNI 2001: type-2 fa:16:3e:aa:00:08 172.24.8.20 rd 99.99.1.1:2001",
			"fixed IP of port vmV in VNI 2002: type-5 172.24.8.20/32 rd 99.99.1.1:2002",
		},
	},
	{
		"behind a stretched and routed one", "include segment\nset gw1 on dp-vlan" + second,
		"expose_tenant_networks: true\nnetwork: public:100 l2vni 2001\nnetwork: public:200 vrf 2002",
		"gw-1", "10.0.0.5",
		[]string{"fixed IP of port vm1 in VNI 2002: type-5 10.0.0.5/32 rd 99.99.1.1:2002"},
	},
	{
		"routed gateway elsewhere", "include segment", "network: public:100 vrf 2001", "cmp-1", "172.24.8.146",
		[]string{"gateway address of router port lrp-gw1: " + reason.NotOwner},
	},
}

// TestExplain: one line an account, with the code of the first thing in the way or
// the path that announces it.
func TestExplain(t *testing.T) {
	for _, tt := range explanations {
		t.Run(tt.name, func(t *testing.T) {
			snap := snapshot(t, tt.story, tt.node)
			driver := evpn.New(config(t, golden.Inline("config", tt.config)).cfg)
			res := desired.Compute(snap, nil, driver)
			var got []string
			for _, a := range driver.Explain(snap, netip.MustParseAddr(tt.addr)) {
				line := a.What + ": "
				if s, blocked := a.Blocked(); blocked {
					line += s.Code
				} else {
					line += a.Object.String()
					if !res.Want.Has(a.Object) {
						t.Errorf("%s: the path is not desired", line)
					}
				}
				got = append(got, line)
			}
			if g, w := strings.Join(got, "\n"), strings.Join(tt.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

// TestImports: the targets of each VNI of the node, configured before annotated
// before automatic, and none without a VTEP.
func TestImports(t *testing.T) {
	for _, tt := range []struct {
		name, story, config, node string
		want                      map[uint32][]string
	}{
		{"automatic", "include evpn" + two, "", "gw-1", map[uint32][]string{1001: {"*:1001"}, 1002: {"*:1002"}}},
		{
			"annotated", "include evpn\nset gw1 id \"neutron_bgpvpn:it=['65000:5', '65000:6']\"", "", "gw-1",
			map[uint32][]string{1001: {"65000:5", "65000:6"}},
		},
		{"stretched", "include segment", "network: public:100 l2vni 2001", "cmp-1", map[uint32][]string{2001: {"*:2001"}}},
		{"elsewhere", "include evpn", "", "cmp-1", map[uint32][]string{}},
		{"no VTEP", "include evpn", "evpn_local_ip: none", "gw-1", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			snap := snapshot(t, tt.story, tt.node)
			if got := evpn.New(config(t, golden.Inline("config", tt.config)).cfg).Imports(snap); !reflect.DeepEqual(got,
				tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
