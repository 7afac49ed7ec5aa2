package object

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func draw4or6(t *rapid.T, label string) netip.Addr {
	if rapid.Bool().Draw(t, label+" is v6") {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
		b[0] = 0x20 // not an IPv4-mapped address, which no system hands us
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, label)))
}

func drawPrefix(t *rapid.T) netip.Prefix {
	a := draw4or6(t, "prefix")
	return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
}

func drawFDB(t *rapid.T, dev string, mac MAC) Value {
	d := FDB{Dev: dev, MAC: mac, Dst: draw4or6(t, "dst")}
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		d.MAC = MAC{}
	case 1:
		d.MAC[5], d.Dst = 1, netip.Addr{}
	default:
		d.MAC[5] = 1
	}
	return d
}

func drawRoute(t *rapid.T, dev string) Value {
	table, yes := rapid.Uint32().Draw(t, "table"), rapid.Bool()
	if yes.Draw(t, "unreachable") {
		return UnreachableRoute(table, drawPrefix(t), rapid.Uint32().Draw(t, "metric"))
	}
	r := NewRoute(table, drawPrefix(t), dev, netip.Addr{})
	if yes.Draw(t, "via") {
		r.Via = draw4or6(t, "via")
	}
	if yes.Draw(t, "src") {
		r.Src = draw4or6(t, "src")
	}
	return r
}

// drawValue draws a value of any kind.
func drawValue(t *rapid.T) Value {
	word := rapid.StringMatching(`[a-z][a-z0-9.-]{0,14}`)
	num32 := rapid.Uint32()
	yes := rapid.Bool()
	mac := MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "mac"))
	dev := word.Draw(t, "dev")
	switch kind := rapid.SampledFrom(Kinds()).Draw(t, "kind"); kind {
	case KindDevice:
		return Device{Name: dev, Up: yes.Draw(t, "up")}
	case KindLink:
		return drawLink(t, dev, word.Draw(t, "other"), mac)
	case KindOVSPort:
		p := OVSPort{Name: dev, Bridge: word.Draw(t, "bridge"), Tag: rapid.Uint16().Draw(t, "tag")}
		if yes.Draw(t, "internal") {
			p.Type, p.MAC = OVSInternal, mac
		}
		return p
	case KindMaster:
		return Master{Dev: dev, Master: word.Draw(t, "master"), Up: yes.Draw(t, "up")}
	case KindFDB:
		return drawFDB(t, dev, mac)
	case KindSysctl:
		return Sysctl{Path: "net/ipv4/conf/" + dev + "/proxy_arp", Val: fmt.Sprint(num32.Draw(t, "val"))}
	case KindAddress:
		return Address{Dev: dev, Prefix: drawPrefix(t)}
	case KindNeigh:
		return Neigh{Dev: dev, Addr: draw4or6(t, "addr"), MAC: mac, Learned: yes.Draw(t, "learned")}
	case KindProxyNeigh:
		return ProxyNeigh{Dev: dev, Addr: draw4or6(t, "addr")}
	case KindRoute:
		return drawRoute(t, dev)
	case KindRule:
		return Rule{
			Priority: num32.Draw(t, "priority"), Table: num32.Draw(t, "table"), IPv6: yes.Draw(t, "v6"),
			SuppressDefault: yes.Draw(t, "suppress"),
		}
	case KindFlow:
		return Flow{
			Bridge: dev, Table: rapid.Uint8().Draw(t, "table"), Priority: rapid.Uint16().Draw(t, "priority"),
			Match: "ip,in_port=" + fmt.Sprint(num32.Draw(t, "port")), Actions: "mod_dl_dst:" + mac.String() + ",NORMAL",
			Cookie: rapid.Uint64().Draw(t, "cookie"),
		}
	case KindPath:
		p := NewPath(drawPrefix(t), Origin(rapid.IntRange(0, 2).Draw(t, "origin")))
		if yes.Draw(t, "hop") {
			p.NextHop = NextHop{draw4or6(t, "next hop")}
		}
		return p
	case KindEVPN:
		return drawEVPN(t, mac)
	case KindPeer:
		return Peer{
			Address: draw4or6(t, "peer").String(), Port: rapid.Uint16().Draw(t, "port"), AS: num32.Draw(t, "as"),
			Families: WordsOf("ipv6-unicast", "ipv4-unicast"), TTLSecurity: yes.Draw(t, "ttl"),
			Multihop: rapid.Uint8().Draw(t, "hops"),
			HoldTime: rapid.Uint16().Draw(t, "hold"), Passive: yes.Draw(t, "passive"),
			RestartTime: rapid.Uint16().Draw(t, "restart"),
		}
	default:
		t.Fatalf("no values of kind %s: add them here", kind)
		return nil
	}
}

func drawLink(t *rapid.T, name, other string, mac MAC) Link {
	up := rapid.Bool().Draw(t, "up")
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		return Link{Name: name, Type: LinkVLAN, Parent: other, VLAN: rapid.Uint16().Draw(t, "vlan"), Up: up}
	case 1:
		return Link{Name: name, Type: LinkVRF, Table: rapid.Uint32().Draw(t, "table"), Up: up}
	case 2:
		return Link{Name: name, Type: LinkBridge, MAC: mac, Master: other, Up: up}
	case 3:
		return Link{
			Name: name, Type: LinkVXLAN, VNI: rapid.Uint32().Draw(t, "vni"), Local: draw4or6(t, "local"),
			Port: rapid.Uint16().Draw(t, "port"),
			MAC:  mac, Master: other, NoLearning: true, Suppress: rapid.Bool().Draw(t, "suppress"), Up: up,
		}
	default:
		return Link{Name: name, Type: LinkVeth, Peer: other, MAC: mac, Up: up}
	}
}

func drawEVPN(t *rapid.T, mac MAC) EVPNPath {
	targets, err := RouteTargetsOf("64999:1001", fmt.Sprint("4200000000:", rapid.Uint16().Draw(t, "rt")))
	if err != nil {
		t.Fatal(err)
	}
	p := EVPNPath{
		RD: fmt.Sprint("192.0.2.1:", rapid.Uint16().Draw(t, "rd")), VNI: rapid.Uint32().Draw(t, "vni"),
		NextHop: draw4or6(t, "vtep"),
		Targets: targets, Origin: Origin(rapid.IntRange(0, 2).Draw(t, "origin")),
	}
	host := draw4or6(t, "host")
	switch rapid.IntRange(0, 2).Draw(t, "type") {
	case 0:
		p.Type, p.MAC, p.Mobility = EVPNMacIP, mac, MetricOf(rapid.Uint32().Draw(t, "mobility"))
		if rapid.Bool().Draw(t, "has an address") {
			p.Prefix = netip.PrefixFrom(host, host.BitLen())
		}
	case 1:
		p.Type, p.Prefix = EVPNMulticast, netip.PrefixFrom(host, host.BitLen())
	default:
		p.Type, p.Prefix, p.RouterMAC = EVPNPrefix, drawPrefix(t), mac
		p.MED = []Metric{{}, MetricOf(1000)}[rapid.IntRange(0, 1).Draw(t, "med")]
	}
	if rapid.Bool().Draw(t, "last resort") {
		p = p.Lowered(LastResort{
			LocalPref: rapid.Bool().Draw(t, "local-pref"),
			Prepend:   []Prepend{{}, {AS: 4200000000, Times: 3}}[rapid.IntRange(0, 1).Draw(t, "prepend")],
		}).(EVPNPath)
	}
	return p
}

// TestParseIsTheInverseOfText: state files and goldens depend on it.
func TestParseIsTheInverseOfText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawValue(t)
		got, err := Parse(Text(want))
		if err != nil || got != want {
			t.Fatalf("%q: got %#v, %v, want %#v", Text(want), got, err, want)
		}
		if got.Key() != want.Key() {
			t.Fatalf("%q: equal values with different keys", Text(want))
		}
	})
}

// TestParseKeyIsTheInverseOfText: the needs of an object are stored as texts of keys.
func TestParseKeyIsTheInverseOfText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawValue(t).Key()
		got, err := ParseKey(want.Text())
		if err != nil || got != want {
			t.Fatalf("got %#v, %v, want %#v", got, err, want)
		}
		if k, err := ParseKey(want.Text() + " more"); err == nil {
			t.Fatalf("a word too many is read as %s", k.Text())
		}
	})
}

// TestTextsOfKeysDiffer: the state file is keyed by them.
func TestTextsOfKeysDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawValue(t).Key(), drawValue(t).Key()
		if (a == b) != (a.Text() == b.Text()) {
			t.Fatalf("%#v and %#v: %q and %q", a, b, a.Text(), b.Text())
		}
		if (a.Compare(b) == 0) != (a == b) || a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%s and %s are not ordered", a.Text(), b.Text())
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		"", "route", "road 10.0.0.1/32", "route 10.0.0.1 table 201 metric 0 dev br-ex", "route 10.0.0.1/32 table 201",
		"route 10.0.0.1/32 table 201 metric 0 dev br-ex over there", "device br-ex sideways", "device br-ex up up",
		"link br-ex.7 type vlan parent br-ex id 70000 up", "rule ipx priority 1 lookup 2",
		"path ipv4-unicast 10.0.0.1/32 next-hop self origin unknown", "path ipv4-unicast 10.0.0.1/32 next-hop self",
		"path ipv5-unicast 10.0.0.1/32 next-hop self origin igp", "neigh 10.0.0.1 dev br-ex lladdr 02:00",
		"link vrf-1 type vrf up", "link vx type vxlan id 1 local 192.0.2.1 port 4789", "ovsport p type internal",
		"master v of vrf-1",
		"fdb self 02:00:00:00:00:01 dev vx", "fdb other dev vx", "neigh 10.0.0.1 dev br-ex lladdr 02:00:00:00:00:01 learnt",
		"evpn type-4 10.0.0.0/8 rd 1:1", "evpn type-5 10.0.0.0/8 rd 1:1 next-hop 192.0.2.1 vni 1 rt 1:2:3 origin igp",
		"sysctl net/ipv4/ip_forward 1", "flow br-ex table 300 priority 1 ip cookie 1 actions drop",
	} {
		if v, err := Parse(line); err == nil {
			t.Errorf("%q: got %#v, want an error", line, v)
		}
	}
}

func TestJSON(t *testing.T) {
	why := []Source{{Driver: "osp_ovn_bgp_driver", Rule: "R1", Table: "Port_Binding", Row: "vmP"}}
	const source = `{"driver":"osp_ovn_bgp_driver","rule":"R1","table":"Port_Binding","row":"vmP"}`
	for line, want := range map[string]string{
		"route 172.24.4.92/32 table 201 metric 0 dev br-ex": `{"kind":"route","key":"172.24.4.92/32 table 201 metric 0",` +
			`"table":201,"dst":"172.24.4.92/32","metric":0,"dev":"br-ex","via":"","why":[` + source + `],` +
			`"line":"route 172.24.4.92/32 table 201 metric 0  dev br-ex"}`,
		"path ipv4-unicast 172.24.4.92/32 next-hop self origin incomplete": `{"kind":"path","key":"ipv4-unicast 172.24.4.92/32",` +
			`"family":"ipv4-unicast","prefix":"172.24.4.92/32","next_hop":"self","origin":"incomplete","block":null,"why":[` + source + `],` +
			`"line":"path ipv4-unicast 172.24.4.92/32  next-hop self origin incomplete"}`,
		"neigh 172.24.4.146 dev br-ex lladdr fa:16:3e:74:e6:3b": `{"kind":"neigh","key":"172.24.4.146 dev br-ex",` +
			`"dev":"br-ex","address":"172.24.4.146","lladdr":"fa:16:3e:74:e6:3b","why":[` + source + `],` +
			`"line":"neigh 172.24.4.146 dev br-ex  lladdr fa:16:3e:74:e6:3b"}`,
		"sysctl net/ipv4/ip_forward = 1": `{"kind":"sysctl","key":"net/ipv4/ip_forward",` +
			`"path":"net/ipv4/ip_forward","value":"1","why":[` + source + `],` +
			`"line":"sysctl net/ipv4/ip_forward  = 1"}`,
		"route 0.0.0.0/0 table 10 metric 20 proto 186 nexthop fe80::1 dev a nexthop fe80::2 dev b": `{"kind":"route",` +
			`"key":"0.0.0.0/0 table 10 metric 20 proto 186","table":10,"dst":"0.0.0.0/0","metric":20,"dev":"","via":"",` +
			`"hops":"nexthop fe80::1 dev a nexthop fe80::2 dev b","protocol":186,` +
			`"nexthops":[{"via":"fe80::1","dev":"a"},{"via":"fe80::2","dev":"b"}],"why":[` + source + `],` +
			`"line":"route 0.0.0.0/0 table 10 metric 20 proto 186  nexthop fe80::1 dev a nexthop fe80::2 dev b"}`,
	} {
		v, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		got, err := JSON(Item{Value: v, Why: why})
		if err != nil || string(got) != want {
			t.Errorf("got\n%s, %v\nwant\n%s", got, err, want)
		}
	}
}

// TestSecretsAreNotPrinted, in no form.
func TestSecretsAreNotPrinted(t *testing.T) {
	p := Peer{Address: "192.0.2.1", AS: 65000, Password: "hunter2"}
	raw, err := JSON(Item{Value: p})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{Text(p), string(raw)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s", text)
		}
	}
}

func TestSetKeep(t *testing.T) {
	shared := []Key{Rule{Table: 1}.Key()}
	var s Set
	dev := Link{Name: "leg"}
	if err := s.Add(Item{Value: dev, Keeps: shared}); err != nil {
		t.Fatal(err)
	}
	addr := Address{Dev: "leg"}.Key()
	s.Keep(dev.Key(), addr, shared[0])
	s.Keep(Link{Name: "other"}.Key(), addr)
	if err := s.Add(Item{Value: dev, Keeps: []Key{addr, Rule{Table: 2}.Key()}}); err != nil {
		t.Fatal(err)
	}
	it, _ := s.Get(dev.Key())
	if want := []Key{shared[0], addr, Rule{Table: 2}.Key()}; !slices.Equal(it.Keeps, want) {
		t.Errorf("got %v, want %v", it.Keeps, want)
	}
	if len(shared) != 1 || s.Len() != 1 {
		t.Error("what is shared was written to, or something came into being")
	}
}

func TestSetAdd(t *testing.T) {
	route := NewRoute(201, netip.MustParsePrefix("10.0.0.1/32"), "br-ex", netip.Addr{})
	other := route
	other.Dev = "eth0"
	blocked := &Block{Code: BlockNotWired}
	a, b := Source{Row: "a"}, Source{Row: "b"}
	need1, need2 := DeviceNeed("one"), DeviceNeed("two")

	var s Set
	for _, it := range []Item{
		{Value: route, Why: []Source{a}, After: []Key{need1}, Block: blocked},
		{Value: route, Why: []Source{b}, After: []Key{need2}},
	} {
		if err := s.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	it, _ := s.Get(route.Key())
	if it.Block != nil || len(it.Why) != 2 || len(it.After) != 1 || it.After[0] != need2 {
		t.Errorf("one good reason lifts a block and brings its own needs: got %+v", it)
	}
	if err := s.Add(Item{Value: route, After: []Key{need1}, Block: blocked}); err != nil {
		t.Fatal(err)
	}
	if it, _ = s.Get(route.Key()); it.Block != nil || len(it.After) != 1 {
		t.Errorf("a blocked reason changes nothing: got %+v", it)
	}
	if err := s.Add(Item{Value: other}); err == nil {
		t.Error("another value under the same key was accepted")
	}
	if it, _ = s.Get(route.Key()); it.Value != Value(route) || s.Len() != 1 {
		t.Error("the first value does not stand")
	}
	for i := range 1000 {
		if err := s.Add(Item{Value: route, Why: []Source{{Row: fmt.Sprint(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if it, _ = s.Get(route.Key()); len(it.Why) != whyMax {
		t.Errorf("%d reasons, want %d at most", len(it.Why), whyMax)
	}
}

// TestFlowEnds: where a flow hands packets to, and where they come from.
func TestFlowEnds(t *testing.T) {
	for _, tt := range []struct{ match, actions, into, from string }{
		{
			"ip,in_port=1,dl_src=02:00:00:00:00:01,nw_src=10.0.0.0/26", "mod_dl_dst:02:00:00:00:00:02,strip_vlan,output:7",
			"02:00:00:00:00:02", "10.0.0.0/26",
		},
		{
			"ipv6,in_port=1,ipv6_src=2001:db8::1", "mod_dl_dst:02:00:00:00:00:02,NORMAL", "02:00:00:00:00:02",
			"2001:db8::1/128",
		},
		{"ip,in_port=1", "NORMAL", "00:00:00:00:00:00", "invalid Prefix"},
	} {
		f := Flow{Match: tt.match, Actions: tt.actions}
		if into, from := f.Into().String(), f.From().String(); into != tt.into || from != tt.from {
			t.Errorf("%s %s: into %s from %s", tt.match, tt.actions, into, from)
		}
	}
}
