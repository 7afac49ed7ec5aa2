package reach_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// wellOverlay are the facts of a tenant's address that is reachable: by VNI 1001 and its VRF
// with table 1001, over the leg to br-ex, and back to the VTEP 10.255.1.1.
func wellOverlay(ipv6 bool) reach.Facts {
	addr, far, subnet, via, vtep := "10.0.0.5", "10.9.0.1", "10.0.0.0/26", "172.24.4.40", "10.255.1.1"
	if ipv6 {
		addr, far, subnet, via = "2600:db8:1::5", "2600:db8:9::1", "2600:db8:1::/64", "2001:db8:4::40"
		vtep = "::ffff:10.255.1.1"
	}
	a, src, gateway := netip.MustParseAddr(addr), netip.MustParseAddr(far), netip.MustParseAddr(via)
	up := func(name, kind, master string) reach.Device {
		return reach.Device{Name: name, Up: true, Carrier: true, MTU: 1500, Forwarding: true, Kind: kind, Master: master}
	}
	f := reach.Facts{
		Way: reach.Way{
			Addr: a, Table: 1001, Route: netip.MustParsePrefix(subnet), Dev: "veth-vrf-1001", Via: gateway, Bridge: "br-ex",
			Patch: "1", Cookies: []uint64{0x3e6}, Port: "web-1", Protocol: 98,
			Overlay: &reach.Overlay{
				VNI: 1001, VRF: "vrf-1001", Bridge: "br-1001", VXLAN: "vxlan-1001", Port: "veth-ovs-1001",
				Local: netip.MustParseAddr("10.255.0.1"),
			},
		},
		Uplinks:    []reach.Device{up("fabric0", "", "")},
		Device:     up("veth-vrf-1001", "veth", "vrf-1001"),
		ForwardAll: true,
		Rules: []reach.Rule{
			{Priority: 0, Table: 255, Text: "0: from all lookup local"},
			{Priority: 1000, L3MDev: true, More: true, Text: "1000: from all lookup 0 l3mdev"},
			{Priority: 32766, Table: 254, Text: "32766: from all lookup main"},
		},
		Neighbour: &reach.Neighbour{State: "PERMANENT", MAC: "fa:16:3e:00:00:40"},
		Interface: &reach.Interface{Name: "tap7"},
		Switch: &reach.Switch{
			In:     reach.Trace{Asked: true, First: "table=0 priority 0", Bridge: "br-int", Output: "7"},
			Answer: reach.Trace{Asked: true, First: "table=0 ip,in_port=1, priority 1000", Cookie: 0x3e6, Output: "2"},
		},
		In: []reach.Lookup{{From: "br-1001", Src: src, Dst: a, Route: reach.Route{
			Type: "unicast", Dst: netip.MustParsePrefix(subnet), Table: 1001, Protocol: 98,
			Hops: []reach.Hop{{Dev: "veth-vrf-1001", Via: gateway}},
		}}},
		Back: []reach.Lookup{{From: "veth-vrf-1001", Src: a, Dst: src, Route: reach.Route{
			Type: "unicast", Dst: netip.PrefixFrom(src, 24), Table: 1001, Protocol: 98,
			Hops: []reach.Hop{{Dev: "br-1001", Via: netip.MustParseAddr(vtep)}},
		}}},
	}
	remote := netip.MustParseAddr("10.255.1.1")
	f.Tunnel = &reach.Tunnel{
		VRF: up("vrf-1001", "vrf", ""), Bridge: up("br-1001", "bridge", "vrf-1001"),
		VXLAN: up("vxlan-1001", "vxlan", "br-1001"), Port: up("veth-ovs-1001", "veth", "ovs-system"),
		Local: reach.Lookup{Dst: f.Overlay.Local, Route: reach.Route{Type: "local"}},
		Remotes: []reach.Remote{{
			VTEP: remote, Neighbour: &reach.Neighbour{State: "NOARP", MAC: "02:00:00:00:00:01"}, At: remote,
		}},
	}
	f.Tunnel.VRF.Table, f.Tunnel.VXLAN.VNI, f.Tunnel.VXLAN.Local = 1001, 1001, f.Overlay.Local
	return f
}

// ownDefault is the route of ours by which a VRF refuses what nothing else leads to.
func ownDefault(ipv6 bool) reach.Route {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if ipv6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return reach.Route{Type: "unreachable", Dst: all, Table: 1001, Protocol: 98, Metric: 4278198272}
}

var overlaySpoils = []spoiled{
	{"well", func(*reach.Facts) {}, "", "", "", "", 0},
	{
		"uplink down", func(f *reach.Facts) { f.Uplinks[0].Up = false },
		reach.CodeUplinkDown, "uplink", "fabric0 is down",
		"ip link", 0,
	},
	{"uplink that does not forward", func(f *reach.Facts) { f.Uplinks[0].Forwarding = false }, "", "", "", "", 0},
	{"no VTEP", func(f *reach.Facts) {
		f.Tunnel.Local.Route.Type = "unicast"
	}, reach.CodeNoVTEP, "tunnel", "10.255.0.1 is not an address", "ip address add 10.255.0.1/32 dev lo", 0},
	{
		"VXLAN down", func(f *reach.Facts) { f.Tunnel.VXLAN.Up = false },
		reach.CodeDeviceDown, "tunnel", "vxlan-1001 is down: it is a part of VNI 1001",
		"ip link set vxlan-1001 up", 0,
	},
	{"VXLAN gone", func(f *reach.Facts) {
		f.Tunnel.VXLAN = reach.Device{Name: "vxlan-1001", Missing: true}
	}, reach.CodeDeviceDown, "tunnel", "vxlan-1001 does not exist", "audit --repair", 0},
	{
		"another VNI", func(f *reach.Facts) { f.Tunnel.VXLAN.VNI = 7 },
		reach.CodeDeviceDetached, "tunnel", "no VXLAN device of VNI 1001",
		"ip -d link", 0,
	},
	{"another local address", func(f *reach.Facts) {
		f.Tunnel.VXLAN.Local = netip.MustParseAddr("10.255.0.9")
	}, reach.CodeDeviceDetached, "tunnel", "10.255.0.9", "ip -d link", 0},
	{
		"VXLAN out of the bridge", func(f *reach.Facts) { f.Tunnel.VXLAN.Master = "" },
		reach.CodeDeviceDetached, "tunnel", "in no bridge",
		"master br-1001", 0,
	},
	{
		"bridge down", func(f *reach.Facts) { f.Tunnel.Bridge.Up = false },
		reach.CodeDeviceDown, "tunnel", "br-1001 is down",
		"ip link set br-1001 up", 0,
	},
	{
		"bridge in another VRF", func(f *reach.Facts) { f.Tunnel.Bridge.Master = "vrf-7" },
		reach.CodeDeviceDetached, "tunnel", "br-1001 is in vrf-7",
		"master vrf-1001", 0,
	},
	{
		"VRF down", func(f *reach.Facts) { f.Tunnel.VRF.Up = false },
		reach.CodeDeviceDown, "tunnel", "vrf-1001 is down",
		"ip link set vrf-1001 up", 0,
	},
	{
		"VRF with another table", func(f *reach.Facts) { f.Tunnel.VRF.Table = 7 },
		reach.CodeDeviceDetached, "tunnel", "table 1001",
		"ip -d link", 0,
	},
	{"VXLAN that learns", func(f *reach.Facts) { f.Tunnel.VXLAN.Learning = true }, "", "", "", "", 0},
	{
		"forwarding off at the bridge", func(f *reach.Facts) {
			f.Tunnel.Bridge.Forwarding = false
			refuse(f.In, reach.RefusedNoRoute)
		}, reach.CodeForwardingOff, "tunnel",
		"net.ipv4.conf.br-1001.forwarding is 0", "sysctl -w net.ipv4.conf.br-1001.forwarding=1", 4,
	},
	{
		"forwarding off", func(f *reach.Facts) { f.ForwardAll = false },
		reach.CodeForwardingOff, "tunnel", "net.ipv6.conf.all.forwarding is 0",
		"sysctl", 6,
	},
	{"no rule of VRFs", func(f *reach.Facts) {
		f.Rules = slices.Delete(f.Rules, 1, 2)
		refuse(f.In, reach.RefusedNoRoute)
	}, reach.CodeRuleMissing, "rule", "l3mdev", "rule add priority 1000 l3mdev", 0},
	{"a rule before that of VRFs", func(f *reach.Facts) {
		f.Rules = slices.Insert(f.Rules, 1, reach.Rule{Priority: 100, Action: "blackhole", Text: "100: from all blackhole"})
		refuse(f.In, reach.RefusedBlackhole)
	}, reach.CodeForeignRule, "rule", "comes before that of VRFs (1000)", "rule del priority 100", 0},
	{"blackhole", func(f *reach.Facts) {
		refuse(f.In, reach.RefusedBlackhole)
		f.Refusing = []reach.Route{
			ownDefault(f.Addr.Is6()),
			{Type: "blackhole", Dst: f.Route, Table: 1001, Protocol: 3},
			{Type: "blackhole", Dst: netip.PrefixFrom(f.Addr, f.Addr.BitLen()), Table: 1002, Protocol: 3},
		}
	}, reach.CodeForeignRoute, "route", "refuses packets", "table 1001", 0},
	{"no route", func(f *reach.Facts) {
		refuse(f.In, reach.RefusedNoRoute)
		f.Refusing = []reach.Route{ownDefault(f.Addr.Is6())}
	}, reach.CodeRouteMissing, "route", "no way to forward packets", "table 1001", 0},
	{
		"a route to elsewhere", func(f *reach.Facts) { f.In[0].Route.Hops = []reach.Hop{{Dev: "br-1001"}} },
		reach.CodeForeignRoute, "route", "wins over ours",
		"route del", 0,
	},
	{
		"another table", func(f *reach.Facts) { f.In[0].Route.Table = 254 },
		reach.CodeForeignRoute, "route", "wins over ours",
		"route del", 0,
	},
	{"filter by the VRF", func(f *reach.Facts) {
		f.Filters = []reach.Chain{{Family: "inet", Table: "host", Name: "fwd", Hook: "forward", Rules: []reach.FilterRule{
			{Action: reach.Drop, Conditions: []reach.Condition{{Field: "iif", Value: "vrf-1001"}}, Text: "rule 1"},
		}}}
	}, reach.CodePacketFilter, "filter", "rule 1", "nft list chain inet host fwd", 0},
	{"filter by the leg", func(f *reach.Facts) {
		f.Filters = []reach.Chain{{Family: "inet", Hook: "forward", Rules: []reach.FilterRule{
			{Action: reach.Drop, Conditions: []reach.Condition{{Field: "oif", Value: "veth-vrf-*"}}, Text: "rule 1"},
		}}}
	}, reach.CodePacketFilter, "filter", "rule 1", "nft", 0},
	{"leg down", func(f *reach.Facts) {
		f.Device.Up = false
		refuse(f.In, reach.RefusedNoRoute)
	}, reach.CodeDeviceDown, "device", "veth-vrf-1001 is down", "ip link set veth-vrf-1001 up", 0},
	{
		"the leg's end down", func(f *reach.Facts) { f.Tunnel.Port.Up, f.Device.Carrier = false, false },
		reach.CodeDeviceDown, "tunnel", "veth-ovs-1001 is down",
		"ip link set veth-ovs-1001 up", 0,
	},
	{
		"leg out of the VRF", func(f *reach.Facts) { f.Device.Master = "" },
		reach.CodeDeviceDetached, "tunnel", "veth-vrf-1001 is in no bridge",
		"master vrf-1001", 0,
	},
	{
		"gateway unknown", func(f *reach.Facts) { f.Neighbour.State = "FAILED" },
		reach.CodeNeighbourFailed, "neighbour", "nobody answers for",
		"ip neigh show", 0,
	},
	{"flow drops", func(f *reach.Facts) {
		f.Switch.In = reach.Trace{Asked: true, Dropped: true, Bridge: "br-ex", Last: "table=0 ip, priority 2000"}
	}, reach.CodeFlowDrops, "bridge", "drops packets", "ovs-ofctl", 0},
	{
		"a flow of others", func(f *reach.Facts) { f.Switch.Answer.Cookie = 7 },
		reach.CodeForeignFlow, "answer", "before ours does",
		"del-flows br-ex", 0,
	},
	{
		"port not plugged", func(f *reach.Facts) { f.Interface.Name = "" },
		reach.CodePortMissing, "port", "web-1",
		"iface-id=web-1", 0,
	},
	{
		"forwarding off at the leg", func(f *reach.Facts) { f.Device.Forwarding = false },
		reach.CodeForwardingOff, "answer", "veth-vrf-1001.forwarding is 0",
		"sysctl", 4,
	},
	{"no proxy ARP at the leg", func(f *reach.Facts) { f.Device.ProxyARP = false }, "", "", "", "", 0},
	{"no route back", func(f *reach.Facts) {
		refuse(f.Back, reach.RefusedNoRoute)
		f.Refusing = []reach.Route{ownDefault(f.Addr.Is6())}
	}, reach.CodeNoWayBack, "answer", "in vrf-1001 no route leads", "bgp-ovn evpn 1001", 0},
	{"answers refused", func(f *reach.Facts) {
		refuse(f.Back, reach.RefusedBlackhole)
		f.Refusing = []reach.Route{{Type: "blackhole", Dst: f.Back[0].Route.Dst, Table: 1001}}
		f.Refusing[0].Dst = netip.PrefixFrom(f.Back[0].Dst, f.Back[0].Dst.BitLen())
	}, reach.CodeForeignRoute, "answer", "refuses answers", "route del blackhole", 0},
	{"nobody announces anything", func(f *reach.Facts) {
		for _, list := range [][]reach.Lookup{f.In, f.Back} {
			list[0].Far = true
		}
		refuse(f.Back, reach.RefusedNoRoute)
		f.Tunnel.Remotes = nil
	}, "", "", "", "", 0},
	{
		"no neighbour entry of the VTEP", func(f *reach.Facts) { f.Tunnel.Remotes[0].Neighbour = nil },
		reach.CodeNoWayBack, "answer", "VTEP 10.255.1.1 has no neighbour entry on br-1001",
		"repair", 0,
	},
	{
		"router MAC unknown", func(f *reach.Facts) { f.Tunnel.Remotes[0].At = netip.Addr{} },
		reach.CodeNoWayBack, "answer", "is unknown to vxlan-1001",
		"repair", 0,
	},
	{"router MAC elsewhere", func(f *reach.Facts) {
		f.Tunnel.Remotes[0].At = netip.MustParseAddr("10.255.1.9")
	}, reach.CodeNoWayBack, "answer", "is at 10.255.1.9 in the table of vxlan-1001", "repair", 0},
	{"no route to the VTEP", func(f *reach.Facts) {
		f.Tunnel.Remotes[0].Out.Refused = reach.RefusedNoRoute
	}, reach.CodeNoWayBack, "answer", "no route leads to VTEP 10.255.1.1", "ip route get 10.255.1.1", 0},
	{"nothing was read", func(f *reach.Facts) { f.Tunnel = nil }, "", "", "", "", 0},
}

// certainOverlay are the faults of the table that prove that no packet gets through.
var certainOverlay = map[string]bool{
	"no VTEP": true, "VXLAN down": true, "VXLAN gone": true, "another VNI": true, "another local address": true,
	"VXLAN out of the bridge": true, "bridge down": true, "bridge in another VRF": true, "VRF down": true,
	"VRF with another table": true, "forwarding off at the bridge": true, "forwarding off": true, "no rule of VRFs": true,
	"a rule before that of VRFs": true, "blackhole": true,
	"no route": true, "a route to elsewhere": true, "leg down": true,
	"the leg's end down": true, "leg out of the VRF": true, "flow drops": true, "port not plugged": true,
	"forwarding off at the leg": true,
}

// Every fault of a VNI alone is the first broken link, and proof only if it is the node's own
// and stops every packet.
func TestJudgeOverlay(t *testing.T) {
	for _, s := range overlaySpoils {
		for _, ipv6 := range s.families() {
			f := wellOverlay(ipv6)
			s.spoil(&f)
			v := reach.Judge(f)
			first, broken := v.First()
			if broken != (s.code != "") || v.Reachable == broken || first.Code != s.code || first.Name != s.stage ||
				v.VNI != 1001 {
				t.Errorf("%s, IPv6 %v: %+v\n%+v", s.name, ipv6, first, v.Stages)
				continue
			}
			if !strings.Contains(first.Text, s.text) || !strings.Contains(first.Try, s.try) {
				t.Errorf("%s, IPv6 %v: %+v", s.name, ipv6, first)
			}
			if got := reach.Certain(f, v); got != certainOverlay[s.name] {
				t.Errorf("%s, IPv6 %v: certain %v", s.name, ipv6, got)
			}
			sound(t, s.name, v)
		}
	}
	f := wellOverlay(false)
	f.Tunnel.VXLAN.Learning = true
	if v := reach.Judge(f); !slices.ContainsFunc(v.Stages, func(s reach.Stage) bool {
		return s.State == reach.Suspect && strings.Contains(s.Try, "nolearning")
	}) {
		t.Errorf("a VXLAN device that learns is not named: %+v", v.Stages)
	}
}

// An address of a bridged VNI is judged by the devices that it is bridged over.
func TestJudgeSegment(t *testing.T) {
	segment := func() reach.Facts {
		f := wellOverlay(false)
		f.Overlay.VRF, f.Overlay.MAC, f.Table, f.In, f.Back, f.Neighbour = "", "fa:16:3e:00:00:07", 0, nil, nil, nil
		f.Tunnel.VRF, f.Tunnel.Bridge.Master, f.Device.Master = reach.Device{}, "", "br-1001"
		f.Switch.Answer = reach.Trace{}
		return f
	}
	for name, tt := range map[string]struct {
		spoil func(*reach.Facts)
		code  string
	}{
		"well":          {func(*reach.Facts) {}, ""},
		"no forwarding": {func(f *reach.Facts) { f.Tunnel.Bridge.Forwarding, f.ForwardAll = false, false }, ""},
		"VXLAN down":    {func(f *reach.Facts) { f.Tunnel.VXLAN.Up = false }, reach.CodeDeviceDown},
		"bridge down":   {func(f *reach.Facts) { f.Tunnel.Bridge.Up = false }, reach.CodeDeviceDown},
		"leg elsewhere": {func(f *reach.Facts) { f.Device.Master = "" }, reach.CodeDeviceDetached},
		"leg down":      {func(f *reach.Facts) { f.Device.Up = false }, reach.CodeDeviceDown},
		"dropping a flow": {func(f *reach.Facts) {
			f.Switch.In.Dropped, f.Switch.In.Bridge = true, "br-ex"
		}, reach.CodeFlowDrops},
	} {
		f := segment()
		tt.spoil(&f)
		v := reach.Judge(f)
		if first, _ := v.First(); first.Code != tt.code {
			t.Errorf("%s: %+v\n%+v", name, first, v.Stages)
		}
		sound(t, name, v)
	}
}
