package plan_test

import (
	"fmt"
	"net/netip"
	"slices"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// universe is what the generated sets are made of: for each key one or two
// values. Keys and values are few, so that sets often meet.
func universe() [][]object.Value {
	var out [][]object.Value
	add := func(vs ...object.Value) { out = append(out, vs) }
	mac := func(n byte) object.MAC { return object.MAC{2, 0, 0, 0, 0, n} }
	for _, dev := range []string{"br0", "br1"} {
		add(object.Device{Name: dev, Up: true}, object.Device{Name: dev})
	}
	add(object.Link{Name: "br0.1", Type: "vlan", Parent: "br0", VLAN: 1, Up: true},
		object.Link{Name: "br0.1", Type: "vlan", Parent: "br1", VLAN: 1, Up: true})
	add(object.Link{Name: "br0.2", Type: "vlan", Parent: "br0", VLAN: 2, Up: true},
		object.Link{Name: "br0.2", Type: "vlan", Parent: "br0", VLAN: 2})
	// The same VLAN under another name: it needs the room of br0.2.
	add(object.Link{Name: "old.2", Type: "vlan", Parent: "br0", VLAN: 2, Up: true})
	add(object.Sysctl{Path: "net/ipv4/ip_forward", Val: "1"}, object.Sysctl{Path: "net/ipv4/ip_forward", Val: "0"})
	for i, dev := range []string{"br0", "br1", "br0.1", "br0.2", "old.2"} {
		add(object.Sysctl{Path: "net/ipv4/conf/" + dev + "/proxy_arp", Val: "1"},
			object.Sysctl{Path: "net/ipv4/conf/" + dev + "/proxy_arp", Val: "0"})
		add(object.Address{Dev: dev, Prefix: netip.MustParsePrefix(fmt.Sprintf("169.254.0.%d/32", i))})
		add(object.Neigh{Dev: dev, Addr: netip.MustParseAddr("10.0.0.1"), MAC: mac(1)},
			object.Neigh{Dev: dev, Addr: netip.MustParseAddr("10.0.0.1"), MAC: mac(2)})
		add(object.ProxyNeigh{Dev: dev, Addr: netip.MustParseAddr("2001:db8::")})
	}
	for i := range 4 {
		host := netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/32", i))
		add(object.NewRoute(201, host, "br0", netip.Addr{}), object.NewRoute(201, host, "br0.1", netip.Addr{}))
		add(object.NewPath(host, object.OriginIncomplete), object.NewPath(host, object.OriginIGP))
	}
	add(object.NewRule(32000, 201, false))
	add(object.Rule{Priority: 32000, Table: 201})
	add(object.NewRule(32000, 202, false))
	flow := object.Flow{Bridge: "br0", Priority: 900, Match: "ip,in_port=1", Actions: "NORMAL", Cookie: 0x3e7}
	other := flow
	other.Actions = "drop"
	add(flow, other)
	out = append(out, tenant()...)
	add(object.Peer{Address: "192.0.2.1", AS: 1}, object.Peer{Address: "192.0.2.1", AS: 2})
	return out
}

// tenant is one virtual network: devices in devices, some of which can only be
// replaced, and what stands on them.
func tenant() [][]object.Value {
	var out [][]object.Value
	add := func(vs ...object.Value) { out = append(out, vs) }
	mac := func(n byte) object.MAC { return object.MAC{2, 0, 0, 1, 0, n} }
	vtep := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }
	add(object.Link{Name: "vrf-1", Type: object.LinkVRF, Table: 1, Up: true},
		object.Link{Name: "vrf-1", Type: object.LinkVRF, Table: 1})
	bridge := object.Link{Name: "br-1", Type: object.LinkBridge, MAC: mac(1), Master: "vrf-1", Up: true}
	alone := bridge
	alone.Master, alone.MAC = "", mac(2)
	add(bridge, alone)
	vxlan := object.Link{
		Name: "vx-1", Type: object.LinkVXLAN, VNI: 1, Local: vtep(1), Port: 4789, MAC: mac(3),
		Master: "br-1", NoLearning: true, Up: true,
	}
	moved, quiet := vxlan, vxlan
	moved.Local, quiet.Suppress = vtep(2), true
	add(vxlan, moved, quiet)
	leg := object.Link{Name: "leg", Type: object.LinkVeth, Peer: "plug", MAC: mac(4), Master: "vrf-1", Up: true}
	other := leg
	other.Master, other.MAC = "", mac(7)
	add(leg, other)
	add(object.Link{Name: "plug", Type: object.LinkVeth, Peer: "leg", MAC: mac(5), Up: true})
	add(object.OVSPort{Name: "plug", Bridge: "br0"}, object.OVSPort{Name: "plug", Bridge: "br1"},
		object.OVSPort{Name: "plug", Bridge: "br0", Tag: 7})
	add(object.OVSPort{Name: "vlan-1", Bridge: "br0", Type: object.OVSInternal, Tag: 7, MAC: mac(6)},
		object.OVSPort{Name: "vlan-1", Bridge: "br1", Type: object.OVSInternal, Tag: 7, MAC: mac(6)})
	add(object.Master{Dev: "vlan-1", Master: "vrf-1", Up: true}, object.Master{Dev: "vlan-1", Master: "vrf-1"})
	add(object.FDB{Dev: "vx-1", MAC: mac(9), Dst: vtep(9)}, object.FDB{Dev: "vx-1", MAC: mac(9), Dst: vtep(8)})
	add(object.FDB{Dev: "vx-1", Dst: vtep(9)})
	add(object.Neigh{Dev: "br-1", Addr: vtep(9), MAC: mac(9), Learned: true},
		object.Neigh{Dev: "br-1", Addr: vtep(9), MAC: mac(8), Learned: true})
	add(object.NewRoute(1, netip.MustParsePrefix("10.9.0.0/24"), "br-1", vtep(9)),
		object.NewRoute(1, netip.MustParsePrefix("10.9.0.0/24"), "br-1", vtep(8)))
	add(object.NewRoute(1, netip.MustParsePrefix("10.0.0.0/26"), "leg", vtep(3)),
		object.NewRoute(1, netip.MustParsePrefix("10.0.0.0/26"), "vlan-1", vtep(3)))
	add(object.UnreachableRoute(1, netip.MustParsePrefix("0.0.0.0/0"), 4278198272))
	path := object.EVPNPath{
		Type: object.EVPNPrefix, RD: "192.0.2.1:1", Prefix: netip.MustParsePrefix("10.0.0.0/26"),
		VNI: 1, NextHop: vtep(1), RouterMAC: mac(1),
	}
	again := path
	again.NextHop = vtep(2)
	add(path, again)
	return out
}

// pick draws one value for some of the keys.
func pick(t *rapid.T, label string) []object.Value {
	var out []object.Value
	for i, vs := range universe() {
		if n := rapid.IntRange(0, len(vs)).Draw(t, fmt.Sprintf("%s %d", label, i)); n > 0 {
			out = append(out, vs[n-1])
		}
	}
	return out
}

// drawWant draws a desired set as drivers make them: what sits on a link is
// wanted only together with the link, paths need their route, a rule and a flow
// if these are wanted, and two links never claim the same.
func drawWant(t *rapid.T, block bool) []object.Item {
	values := pick(t, "want")
	has := map[object.Key]bool{}
	claimed := map[string]bool{}
	values = slices.DeleteFunc(values, func(v object.Value) bool {
		c, ok := v.(object.Claimer)
		if !ok {
			return false
		}
		taken := false
		for _, claim := range c.Claims() {
			taken = taken || claimed[claim]
			claimed[claim] = true
		}
		return taken
	})
	for _, v := range values {
		has[v.Key()] = true
	}
	links := map[string]object.Link{}
	for _, v := range values {
		if l, ok := v.(object.Link); ok {
			links[l.Name] = l
		}
	}
	hangs := func(v object.Value) bool {
		if l, ok := v.(object.Link); ok && l.Peer != "" && (links[l.Peer].Peer != l.Name ||
			!has[object.Key{Kind: object.KindLink, Name: l.Peer}]) {
			return true
		}
		return slices.ContainsFunc(v.DependsOn(), func(need object.Key) bool {
			return need.Name != "br0" && need.Name != "br1" && !has[object.Key{Kind: object.KindLink, Name: need.Name}] &&
				(need.Kind == object.KindLink || !has[object.Key{Kind: object.KindOVSPort, Name: need.Name}])
		})
	}
	for before := -1; before != len(values); { // what stood on what was taken out goes, too
		before = len(values)
		values = slices.DeleteFunc(values, func(v object.Value) bool {
			if hangs(v) {
				delete(has, v.Key())
				return true
			}
			return false
		})
	}
	var items []object.Item
	for i, v := range values {
		it := object.Item{Value: v, Why: []object.Source{{Rule: "R1", Table: "Port_Binding", Row: fmt.Sprint("vm", i)}}}
		switch p := v.(type) {
		case object.Path:
			it.After = pathNeeds(p, values)
		case object.EVPNPath:
			it.After = tenantNeeds(values)
		}
		if block && rapid.IntRange(0, 9).Draw(t, fmt.Sprint("block ", i)) == 0 {
			it.Block = &object.Block{Code: object.BlockNotWired, Text: "drawn"}
		}
		items = append(items, it)
	}
	return items
}

func pathNeeds(p object.Path, values []object.Value) []object.Key {
	var out []object.Key
	for _, v := range values {
		switch k := v.Key(); {
		case k.Kind == object.KindRoute && k.Prefix == p.Prefix, k.Kind == object.KindRule && k.Num == 201,
			k.Kind == object.KindFlow:
			out = append(out, k)
		}
	}
	return out
}

func tenantNeeds(values []object.Value) []object.Key {
	var out []object.Key
	for _, v := range values {
		switch k := v.Key(); {
		case k.Kind == object.KindRoute && k.Num == 1, k.Kind == object.KindLink && k.Name == "vx-1",
			k.Kind == object.KindOVSPort:
			out = append(out, k)
		}
	}
	return out
}

// drawWorld draws a world in which some of what is there is ours, and a ledger
// that knows our objects without a mark.
func drawWorld(t *rapid.T) (*model.World, *ledger, []object.Value) {
	w, l := model.New(), newLedger()
	w.Set(false, object.Device{Name: "br0", Up: true}, object.Device{Name: "br1", Up: true})
	var foreign []object.Value
	for i, v := range pick(t, "have") {
		ours := rapid.Bool().Draw(t, fmt.Sprint("ours ", i))
		k := v.Key()
		if k.Kind == object.KindDevice || !standing(w, v) {
			continue
		}
		if !ours && onOurLink(read(w), v) {
			continue // the kernel takes it away with our device, and nothing of this would hold
		}
		if l, ok := v.(object.Link); ok && l.Peer != "" && !ends(w, l, ours) {
			continue
		}
		switch {
		case k.Kind.IsSetting():
			w.Set(false, v)
		case ours:
			w.Set(true, v)
			l.own(k)
		default:
			w.Set(false, v)
			foreign = append(foreign, v)
		}
	}
	return w, l, foreign
}

// ends puts the other end of a veth there, if that may be.
func ends(w *model.World, l object.Link, ours bool) bool {
	have := read(w)
	if _, there := have.Get(l.Key()); there || !ours {
		return false
	}
	peer := object.Link{Name: l.Peer, Type: l.Type, Peer: l.Name}
	if _, there := have.Get(peer.Key()); there {
		return false
	}
	w.Set(true, peer)
	return true
}

// standing reports whether the devices of v are there, and no link claims the
// same, as the kernel would have it.
func standing(w *model.World, v object.Value) bool {
	have := read(w)
	for _, need := range v.DependsOn() {
		if !have.Has(need) && !have.Has(object.Key{Kind: object.KindLink, Name: need.Name}) &&
			!have.Has(object.Key{Kind: object.KindOVSPort, Name: need.Name}) {
			return false
		}
	}
	c, ok := v.(object.Claimer)
	if !ok {
		return true
	}
	for _, l := range object.Of[object.Link](have) {
		if l.Claims() != nil && slices.Equal(l.Claims(), c.Claims()) {
			return false
		}
	}
	return true
}

func read(w *model.World) object.Set {
	s, err := w.Read(bg(), actual.Focus{})
	if err != nil {
		panic(err)
	}
	return s
}

// run applies a plan in order. A foreign link that claims what we want is the
// only thing that may make a step fail.
func run(t *rapid.T, w *model.World, l *ledger, p plan.Plan) {
	l.begin(p)
	for _, op := range p.Ops {
		if err := w.Apply(bg(), []object.Change{op.Change()})[0]; err != nil {
			t.Fatalf("%s: %v\nin plan:\n%s", op, err, p)
		}
	}
	l.end(p)
}

func mustSet(t *rapid.T, items []object.Item) object.Set {
	var s object.Set
	for _, it := range items {
		if err := s.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
