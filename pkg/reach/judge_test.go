package reach_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// wellFacts are those of an address that is reachable: by fabric0 and rule 32000 into table
// 201, over br-ex to the port web-1, and back by the default route.
func wellFacts(ipv6 bool) reach.Facts {
	addr, tor, far, gateway := "198.51.100.7", "192.0.2.4", "192.88.98.1", "192.0.2.4"
	if ipv6 {
		addr, tor, far, gateway = "2001:db8:7::7", "2001:db8:ff::4", "2001:4:112::1", "2001:db8:ff::4"
	}
	a, anywhere := netip.MustParseAddr(addr), netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if ipv6 {
		anywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	own := netip.PrefixFrom(a, a.BitLen())
	in := reach.Route{Type: "unicast", Dst: own, Table: 201, Protocol: 98, Hops: []reach.Hop{{Dev: "br-ex"}}}
	back := reach.Route{
		Type: "unicast", Dst: anywhere, Table: 254, Protocol: 3,
		Hops: []reach.Hop{{Dev: "fabric0", Via: netip.MustParseAddr(gateway)}},
	}
	f := reach.Facts{
		Way: reach.Way{
			Addr: a, Priority: 32000, Table: 201, Route: own, Dev: "br-ex", Bridge: "br-ex", Patch: "1",
			Cookies: []uint64{0x3e7}, Port: "web-1", Protocol: 98,
		},
		Uplinks: []reach.Device{{Name: "fabric0", Up: true, Carrier: true, MTU: 1500, Forwarding: true}},
		Device:  reach.Device{Name: "br-ex", Up: true, Carrier: true, MTU: 1500, Forwarding: true, ProxyARP: true},
		Rules: []reach.Rule{
			{Priority: 0, Table: 255, Text: "0: from all lookup local"},
			{Priority: 32000, Table: 201, Ours: true, Text: "32000: from all lookup 201"},
			{Priority: 32766, Table: 254, Text: "32766: from all lookup main"},
		},
		ForwardAll: true, NeedsDefault: true,
		Neighbour: &reach.Neighbour{State: "REACHABLE", MAC: "fa:16:3e:00:00:07"},
		Interface: &reach.Interface{Name: "tap7"},
		Switch: &reach.Switch{
			In:     reach.Trace{Asked: true, First: "table=0 ip, priority 0", Bridge: "br-int", Output: "7"},
			Answer: reach.Trace{Asked: true, First: "table=0 ip,in_port=1, priority 900", Cookie: 0x3e7, Output: "1"},
		},
	}
	for i, src := range []string{tor, far} {
		s := netip.MustParseAddr(src)
		f.In = append(f.In, reach.Lookup{From: "fabric0", Src: s, Dst: a, Far: i == 1, Route: in})
		f.Back = append(f.Back, reach.Lookup{From: "br-ex", Src: a, Dst: s, Far: i == 1, Route: back})
	}
	return f
}

// refuse has the kernel refuse what is looked up.
func refuse(lookups []reach.Lookup, why reach.Refusal) {
	for i := range lookups {
		lookups[i].Refused, lookups[i].Route = why, reach.Route{}
	}
}

// spoiled is a fault of a node that is well otherwise, and the first broken link.
type spoiled struct {
	name  string
	spoil func(*reach.Facts)
	// code is empty if the address stays reachable.
	code, stage string
	text, try   string
	// only is 4 or 6 for a fault of one family.
	only int
}

func (s spoiled) families() []bool {
	switch s.only {
	case 4:
		return []bool{false}
	case 6:
		return []bool{true}
	default:
		return []bool{false, true}
	}
}

func blackhole(f *reach.Facts) {
	refuse(f.In, reach.RefusedBlackhole)
	f.Refusing = []reach.Route{{Type: "blackhole", Dst: f.Route, Table: 201, Protocol: 3}}
}

func foreignRule(f *reach.Facts) {
	taken := reach.Route{Type: "unicast", Dst: f.Back[0].Route.Dst, Table: 254, Hops: []reach.Hop{{Dev: "fabric0"}}}
	f.Rules = slices.Insert(f.Rules, 1, reach.Rule{
		Priority: 100, Table: 254, To: f.Route, Text: "100: from all to " + f.Route.String() + " lookup main",
	})
	for i := range f.In {
		f.In[i].Route = taken
	}
}

func uplinkDown(f *reach.Facts) {
	f.Uplinks[0].Up, f.Uplinks[0].Carrier = false, false
	refuse(f.In, reach.RefusedNoDevice)
	refuse(f.Back, reach.RefusedNoRoute)
}

var spoils = []spoiled{
	{"well", func(*reach.Facts) {}, "", "", "", "", 0},
	{"uplink down", uplinkDown, reach.CodeUplinkDown, "uplink", "fabric0 is down", "ip link set fabric0 up", 0},
	{
		"no carrier", func(f *reach.Facts) { f.Uplinks[0].Carrier = false }, reach.CodeUplinkDown, "uplink", "has no carrier",
		"ip -d link show fabric0", 0,
	},
	{"uplink gone", func(f *reach.Facts) {
		f.Uplinks[0] = reach.Device{Name: "fabric0", Missing: true}
	}, reach.CodeUplinkDown, "uplink", "does not exist", "ip link", 0},
	{"one of two uplinks down", func(f *reach.Facts) {
		f.Uplinks = append(f.Uplinks, reach.Device{Name: "fabric1"})
	}, "", "", "", "", 0},
	{"forwarding off at the uplink", func(f *reach.Facts) {
		f.Uplinks[0].Forwarding = false
		refuse(f.In, reach.RefusedNoRoute)
	}, reach.CodeForwardingOff, "uplink", "fabric0.forwarding is 0", "sysctl -w net.ipv4.conf.fabric0.forwarding=1", 4},
	{"forwarding off", func(f *reach.Facts) {
		f.ForwardAll = false
		refuse(f.In, reach.RefusedNoRoute)
		refuse(f.Back, reach.RefusedNoRoute)
	}, reach.CodeForwardingOff, "uplink", "all.forwarding is 0", "sysctl -w net.ipv6.conf.all.forwarding=1", 6},
	{"forwarding off at the bridge", func(f *reach.Facts) {
		f.Device.Forwarding = false
		refuse(f.Back, reach.RefusedNoRoute)
	}, reach.CodeForwardingOff, "answer", "conf.br-ex.forwarding is 0", "sysctl -w net.ipv4.conf.br-ex.forwarding=1", 4},
	{
		"reverse path", func(f *reach.Facts) { refuse(f.In, reach.RefusedSource) }, reach.CodeReversePath, "uplink",
		"reverse path filter of fabric0", "rp_filter=0", 4,
	},
	{"reverse path since Linux 6.13", func(f *reach.Facts) {
		f.Uplinks[0].RPFilter = 1
		refuse(f.In, reach.RefusedBlackhole)
	}, reach.CodeReversePath, "uplink", "reverse path filter of fabric0", "net.ipv4.conf.fabric0.rp_filter=0", 4},
	{
		"reverse path of answers", func(f *reach.Facts) { refuse(f.Back, reach.RefusedSource) }, reach.CodeReversePath,
		"answer", "reverse path filter of br-ex", "net.ipv4.conf.br-ex.rp_filter=0", 4,
	},
	{
		"foreign rule", foreignRule, reach.CodeForeignRule, "rule", "comes before ours (32000)", "rule del priority 100", 0,
	},
	{"refusing rule", func(f *reach.Facts) {
		refuse(f.In, reach.RefusedProhibited)
		f.Rules = slices.Insert(f.Rules, 1, reach.Rule{Priority: 7, Action: "prohibit", Text: "7: from all prohibit"})
	}, reach.CodeForeignRule, "rule", `"7: from all prohibit" comes before`, "rule del priority 7", 0},
	{"rule that takes others", func(f *reach.Facts) {
		f.Rules = slices.Insert(f.Rules, 1, reach.Rule{Priority: 7, Iif: "mgmt0", Table: 254, Text: "7: iif mgmt0"})
	}, "", "", "", "", 0},
	{"no rule", func(f *reach.Facts) {
		f.Rules = slices.Delete(f.Rules, 1, 2)
		refuse(f.In, reach.RefusedNoRoute)
	}, reach.CodeRuleMissing, "rule", "no rule 32000", "bgp-ovn audit --repair", 0},
	{"blackhole", blackhole, reach.CodeForeignRoute, "route", "refuses packets for", "route del blackhole", 0},
	{"foreign route", func(f *reach.Facts) {
		for i := range f.In {
			f.In[i].Route.Hops, f.In[i].Route.Protocol = []reach.Hop{{Dev: "mgmt0"}}, 3
		}
	}, reach.CodeForeignRoute, "route", "wins over ours", "route del", 0},
	{
		"no route", func(f *reach.Facts) { refuse(f.In, reach.RefusedNoRoute) }, reach.CodeRouteMissing, "route", "no route",
		"bgp-ovn plan", 0,
	},
	{
		"filter by policy", func(f *reach.Facts) {
			f.Filters = []reach.Chain{{Family: "inet", Table: "host", Name: "forward", Hook: "forward", Drop: true}}
		}, reach.CodePacketFilter, "filter", "inet host forward (hook forward) drops forwarded packets: policy drop",
		"nft list chain inet host forward", 0,
	},
	{"filter of answers", func(f *reach.Facts) {
		f.Filters = []reach.Chain{{Family: "inet", Table: "host", Name: "forward", Hook: "forward", Rules: []reach.FilterRule{
			{Action: reach.Drop, Conditions: []reach.Condition{{Field: "iif", Value: "br-*"}}, Text: "rule 1"},
		}}}
	}, reach.CodePacketFilter, "filter", "rule 1", "nft list chain", 0},
	{"filter of the other family", func(f *reach.Facts) {
		family := "ip6"
		if f.Addr.Is6() {
			family = "ip"
		}
		f.Filters = []reach.Chain{{Family: family, Name: "forward", Drop: true}}
	}, "", "", "", "", 0},
	{"filter that may drop", func(f *reach.Facts) {
		f.Filters = []reach.Chain{{Family: "inet", Name: "forward", Drop: true, Rules: []reach.FilterRule{
			{Action: reach.Accept, Conditions: []reach.Condition{{}}, Text: "rule 1"},
		}}}
	}, "", "", "", "", 0},
	{
		"bridge down", func(f *reach.Facts) { f.Device.Up, f.Device.Carrier = false, false }, reach.CodeDeviceDown, "device",
		"br-ex is down", "ip link set br-ex up", 0,
	},
	{
		"nobody answers", func(f *reach.Facts) { f.Neighbour.State = "FAILED" }, reach.CodeNeighbourFailed, "neighbour",
		"nobody answers for", "ip neigh show", 0,
	},
	{"not asked for yet", func(f *reach.Facts) { f.Neighbour = nil }, "", "", "", "", 0},
	{"the port's link explains the neighbour", func(f *reach.Facts) {
		f.Neighbour.State, f.Interface.LinkDown = "FAILED", true
	}, reach.CodePortDown, "port", "the VM's end is down", "is the VM running?", 0},
	{
		"vswitchd hangs", func(f *reach.Facts) { f.Switch = &reach.Switch{Err: "no answer within 1s"} },
		reach.CodeSwitchSilent, "bridge", "does not answer", "systemctl restart ovs-vswitchd", 0,
	},
	{"flow drops on the provider bridge", func(f *reach.Facts) {
		f.Switch.In = reach.Trace{Asked: true, Dropped: true, Bridge: "br-ex", Last: "table=0 ip, priority 1000"}
	}, reach.CodeFlowDrops, "bridge", "drops packets for", "del-flows br-ex table=0,priority=1000,ip", 0},
	{"OVN drops", func(f *reach.Facts) {
		f.Switch.In = reach.Trace{Asked: true, Dropped: true, Bridge: "br-int", Last: "table=44 ip, priority 2000"}
	}, "", "", "", "", 0},
	{"foreign flow takes answers", func(f *reach.Facts) {
		f.Switch.Answer = reach.Trace{Asked: true, First: "table=0 ip, priority 1000", Output: "drop", Dropped: true}
	}, reach.CodeForeignFlow, "answer", "takes answers of", "del-flows br-ex table=0,priority=1000,ip", 0},
	{
		"answers are dropped behind our flow", func(f *reach.Facts) { f.Switch.Answer.Dropped = true }, reach.CodeForeignFlow,
		"answer", "drops answers", "ovs-ofctl", 0,
	},
	{
		"not plugged", func(f *reach.Facts) { f.Interface = &reach.Interface{} }, reach.CodePortMissing, "port",
		"iface-id=web-1", "ovs-vsctl", 0,
	},
	{
		"interface with an error", func(f *reach.Facts) { f.Interface.Error = "could not open network device tap7" },
		reach.CodePortDown, "port", "could not open", "ovs-vsctl list Interface tap7", 0,
	},
	{
		"tap down", func(f *reach.Facts) { f.Interface.AdminDown = true }, reach.CodePortDown, "port", "tap7 of port web-1",
		"ip link set tap7 up", 0,
	},
	{
		"no proxy ARP", func(f *reach.Facts) { f.Device.ProxyARP = false }, reach.CodeProxyARPOff, "answer", "proxy_arp is 0",
		"sysctl -w net.ipv4.conf.br-ex.proxy_arp=1", 4,
	},
	{"no proxy ARP is needed", func(f *reach.Facts) { f.Device.ProxyARP = false }, "", "", "", "", 6},
	{"no default route", func(f *reach.Facts) {
		refuse(f.Back[1:], reach.RefusedNoRoute)
	}, reach.CodeNoWayBack, "answer", "there is no default route", "route add default via", 0},
	{"no default route, and a router of OVN refuses in a table of its own", func(f *reach.Facts) {
		refuse(f.Back[1:], reach.RefusedNoRoute)
		f.Refusing = []reach.Route{{Type: "blackhole", Dst: f.Back[0].Route.Dst, Table: 42, Protocol: 84}}
	}, reach.CodeNoWayBack, "answer", "there is no default route", "route add default via", 0},
	{"no default route was ever there", func(f *reach.Facts) {
		refuse(f.Back[1:], reach.RefusedNoRoute)
		f.NeedsDefault = false
	}, "", "", "", "", 0},
	{"no route to the peer", func(f *reach.Facts) {
		refuse(f.Back[:1], reach.RefusedNoRoute)
	}, reach.CodeNoWayBack, "answer", "no route leads from here", "route", 0},
	{"answers are refused", func(f *reach.Facts) {
		refuse(f.Back, reach.RefusedBlackhole)
		f.Refusing = []reach.Route{{Type: "blackhole", Dst: f.Back[0].Route.Dst, Table: 254}}
		f.Refusing[0].Dst = netip.PrefixFrom(f.Back[0].Dst, f.Back[0].Dst.BitLen())
	}, reach.CodeForeignRoute, "answer", "refuses answers", "route del blackhole", 0},
	{"nothing could be read", func(f *reach.Facts) {
		*f = reach.Facts{Way: f.Way, ForwardAll: true, Unread: []string{"netlink: denied"}}
	}, "", "", "", "", 0},
}

// Every fault alone is the first broken link, with its code, what is there and what to do.
func TestJudge(t *testing.T) {
	codes := map[string]bool{}
	for _, s := range spoils {
		for _, ipv6 := range s.families() {
			f := wellFacts(ipv6)
			s.spoil(&f)
			v := reach.Judge(f)
			first, broken := v.First()
			if broken != (s.code != "") || v.Reachable == broken || first.Code != s.code || first.Name != s.stage {
				t.Errorf("%s, IPv6 %v: %+v\n%+v", s.name, ipv6, first, v.Stages)
				continue
			}
			if !strings.Contains(first.Text, s.text) || !strings.Contains(first.Try, s.try) {
				t.Errorf("%s, IPv6 %v: %+v", s.name, ipv6, first)
			}
			codes[first.Code] = true
		}
	}
	for _, s := range overlaySpoils {
		codes[s.code] = true
	}
	for _, code := range reach.Codes() {
		if !codes[code] {
			t.Errorf("no test has %s", code)
		}
	}
}

// A filter of which it is not known whether a packet meets it is named, and does not decide.
func TestSuspects(t *testing.T) {
	for name, c := range map[string]reach.Chain{
		"one device": {Family: "netdev", Table: "host", Name: "in", Hook: "ingress", Drop: true, OneDevice: true},
		"by state": {Family: "inet", Table: "host", Name: "fwd", Hook: "forward", Drop: true, Rules: []reach.FilterRule{
			{Action: reach.Accept, Conditions: []reach.Condition{{}}, Text: "rule 1"},
		}},
	} {
		f := wellFacts(true)
		f.Filters = []reach.Chain{c}
		v := reach.Judge(f)
		if !v.Reachable || !slices.ContainsFunc(v.Stages, func(s reach.Stage) bool {
			return s.State == reach.Suspect && strings.Contains(s.Text, "host "+c.Name) && s.Try != ""
		}) {
			t.Errorf("%s: %+v", name, v.Stages)
		}
	}
}

// Of two faults the one that a packet meets first is named first, and what follows from it is
// not named beside it.
func TestPrecedence(t *testing.T) {
	order := []struct {
		code  string
		spoil func(*reach.Facts)
	}{
		{reach.CodeUplinkDown, uplinkDown},
		{reach.CodeForeignRule, foreignRule},
		{reach.CodePacketFilter, func(f *reach.Facts) {
			f.Filters = []reach.Chain{{Family: "inet", Name: "forward", Drop: true}}
		}},
		{reach.CodeNeighbourFailed, func(f *reach.Facts) { f.Neighbour.State = "FAILED" }},
		{reach.CodeFlowDrops, func(f *reach.Facts) {
			f.Switch.In = reach.Trace{Asked: true, Dropped: true, Bridge: "br-ex", Last: "table=0 ip, priority 1000"}
		}},
		{reach.CodePortDown, func(f *reach.Facts) { f.Interface.Error = "gone" }},
		{reach.CodeForeignFlow, func(f *reach.Facts) { f.Switch.Answer.Cookie = 0 }},
		{reach.CodeNoWayBack, func(f *reach.Facts) { refuse(f.Back[1:], reach.RefusedNoRoute) }},
	}
	for i, a := range order {
		for _, b := range order[i+1:] {
			f := wellFacts(i%2 == 1)
			b.spoil(&f)
			a.spoil(&f)
			if first, _ := reach.Judge(f).First(); first.Code != a.code {
				t.Errorf("%s with %s: the first is %+v", a.code, b.code, first)
			}
		}
	}
	f := wellFacts(false)
	uplinkDown(&f)
	broken := 0
	for _, s := range reach.Judge(f).Stages {
		if s.State == reach.Broken {
			broken++
		}
	}
	if broken != 1 {
		t.Errorf("%d links are broken by one uplink: %+v", broken, reach.Judge(f).Stages)
	}
}

// The same facts give the same verdict, the facts stay as they are, a verdict with a broken
// link is never reachable, and each broken link has a code, a text and what to do: for all
// pairs of faults, of both families.
func TestJudgeIsSound(t *testing.T) {
	for _, a := range spoils {
		for _, b := range spoils {
			for _, ipv6 := range []bool{false, true} {
				f, same := wellFacts(ipv6), wellFacts(ipv6)
				for _, x := range []*reach.Facts{&f, &same} {
					spoilAll(x, a, b)
				}
				v := reach.Judge(f)
				if !reflect.DeepEqual(v, reach.Judge(f)) || !reflect.DeepEqual(f, same) {
					t.Fatalf("%s, %s: the second verdict differs, or the facts do", a.name, b.name)
				}
				sound(t, a.name+", "+b.name, v)
			}
		}
	}
}

// spoilAll makes two faults, as far as what the first one has left allows.
func spoilAll(f *reach.Facts, a, b spoiled) {
	a.spoil(f)
	if f.Switch == nil || f.Interface == nil || f.Neighbour == nil || len(f.Rules) < 3 || len(f.Uplinks) == 0 {
		return
	}
	b.spoil(f)
}

func sound(t *testing.T, name string, v reach.Verdict) {
	t.Helper()
	codes := reach.Codes()
	_, broken := v.First()
	if !v.Checked || v.Reachable == broken {
		t.Errorf("%s: reachable %v, broken %v", name, v.Reachable, broken)
	}
	for _, s := range v.Stages {
		switch {
		case s.Name == "" || s.Text == "" || strings.ContainsAny(s.Text+s.Try, "\n\r"):
			t.Errorf("%s: %+v", name, s)
		case s.State == reach.Broken && (s.Try == "" || !slices.Contains(codes, s.Code)):
			t.Errorf("%s: broken without code or remedy: %+v", name, s)
		case s.State != reach.Broken && s.Code != "":
			t.Errorf("%s: a code of what is not broken: %+v", name, s)
		}
	}
}

// Judge takes whatever facts there are.
func TestJudgeOfLittle(t *testing.T) {
	for _, f := range []reach.Facts{
		{},
		{Way: reach.Way{Addr: netip.MustParseAddr("2001:db8::1"), Table: 201, Dev: "x"}},
		{Switch: &reach.Switch{In: reach.Trace{Asked: true}, Answer: reach.Trace{Asked: true}}},
		{Way: reach.Way{Overlay: &reach.Overlay{}}, Tunnel: &reach.Tunnel{Remotes: []reach.Remote{{}}}},
		{Way: reach.Way{Overlay: &reach.Overlay{VRF: "x"}}, In: []reach.Lookup{{}}, Back: []reach.Lookup{{}}},
		{In: []reach.Lookup{{}}, Back: []reach.Lookup{{}}, Rules: []reach.Rule{{}}, Refusing: []reach.Route{{}}},
	} {
		sound(t, "little", reach.Judge(f))
	}
}
