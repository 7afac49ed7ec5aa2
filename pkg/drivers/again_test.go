package drivers_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestDerivedAgainIsDerivedWhole: what a memory comes to after any changes of the databases, the
// node and what it lives on is what comes of everything: the same items with the same reasons in
// the same order, and the same complaints. With -rapid.checks=5000 it makes 100,000 steps.
func TestDerivedAgainIsDerivedWhole(t *testing.T) {
	all, ofKube := worlds(t), clusters(t)
	stock := stockOf(ofKube)
	learning, ofSegments := informed(all), stretched(t, all)
	steps, items, skips, services, stations := 0, 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		from := all
		inSegments := false
		switch rapid.IntRange(0, 4).Draw(t, "of which worlds") {
		case 0:
			from = learning
		case 1:
			from = ofKube
		case 2:
			from, inSegments = ofSegments, true
		}
		origin := from[rapid.IntRange(0, len(from)-1).Draw(t, "world")]
		drivers := []desired.Driver{randomKube(t, expose.DefaultOptions())}
		for _, d := range randomDrivers(t, origin) {
			drivers = append(drivers, d.here)
		}
		drivers = rapid.Permutation(drivers).Draw(t, "order")
		here := rapid.SampledFrom(slices.Sorted(maps.Keys(origin.views))).Draw(t, "node")
		w, view := origin, origin.views[here]
		inCluster := view.Kube != nil
		var memory desired.Memory
		for range 20 {
			switch step := rapid.IntRange(0, 11).Draw(t, "step"); {
			case inCluster && step == 4:
				w = w.mutate(t)
			case inCluster && step > 4:
				view, w = changeCluster(t, view, origin.views[here], w, stock)
			case inSegments && step > 5:
				view, w = changeSegments(t, view, w)
			case step == 0:
				w, view = origin, origin.views[here]
			case step == 1:
				view = mutateView(t, view)
			case step == 2:
				view.Protected = observe.Protect(view, randomOwn(t, view))
			case step < 6:
				w = w.grow(t)
			case step == 6:
				view = learnAgain(t, view)
			case step == 7:
				view = changeDevices(t, view)
			default:
				w = w.mutate(t)
			}
			view.SB, view.NB = w.sb, w.nb
			again, whole := memory.Compute(view, nil, drivers...), desired.Compute(view, nil, drivers...)
			if text := unlike(again, whole); text != "" {
				t.Fatalf("%s on %s: derived again (-), whole (+)\n%s", w.name, here, text)
			}
			for what, ask := range map[string][2][]uint32{
				"tables":  {memory.Tables(view, drivers...), desired.Tables(view, drivers...)},
				"watched": {memory.Watched(view, drivers...), desired.Watched(view, drivers...)},
			} {
				if !slices.Equal(ask[0], ask[1]) {
					t.Fatalf("%s on %s: %s: again %v, whole %v", w.name, here, what, ask[0], ask[1])
				}
			}
			steps, items, skips = steps+1, items+whole.Want.Len(), skips+len(whole.Skipped)
			stations += stationsOf(whole.Want)
			if inCluster {
				services += whole.Want.Len()
			}
		}
	})
	t.Logf("%d steps, %d items, %d of clusters, %d stations, %d skips", steps, items, services, stations, skips)
	if items < 10*steps || min(services, stations, skips) < steps/10 {
		t.Error("too few to mean anything")
	}
}

// informed are the worlds that have what drivers derive from what neighbours announce.
func informed(all []world) (out []world) {
	for _, w := range all {
		for _, view := range w.views {
			if view.Learned != nil && len(view.Learned.EVPN) > 0 {
				out = append(out, w)
				break
			}
		}
	}
	return out
}

// grow adds a row like another one of Port_Binding, often with its addresses.
func (w world) grow(t *rapid.T) world {
	sb := *w.sb
	ports := sb.Ports.Slice()
	i, ok := pick(t, ports, "like")
	if !ok {
		return w
	}
	p := *ports[i]
	p.LogicalPort += fmt.Sprint("-", rapid.IntRange(0, 9).Draw(t, "name"))
	if _, there := sb.Port(p.LogicalPort); there {
		return w
	}
	p.UUID = story.UUID("grown " + p.LogicalPort)
	story.ReplacePort(&sb, nil, &p)
	w.sb = &sb
	return w
}

// learnAgain changes what neighbours announce: routes that come, go and change, VTEPs that cannot be
// reached, and sessions that are not up.
func learnAgain(t *rapid.T, view observe.Snapshot) observe.Snapshot {
	if view.Learned == nil {
		view.Learned = &observe.Learned{}
		return view
	}
	l := *view.Learned
	l.EVPN = slices.Clone(l.EVPN)
	for range rapid.IntRange(1, 4).Draw(t, "changes of routes") {
		i, ok := pick(t, l.EVPN, "route")
		switch n := rapid.IntRange(0, 7).Draw(t, "change of it"); {
		case n == 0:
			l.Unsettled = rapid.SampledFrom([]string{"", "sessions are not up yet"}).Draw(t, "unsettled")
		case !ok:
		case n == 1:
			l.EVPN = slices.Delete(l.EVPN, i, i+1)
		case n == 2:
			l.NoRoute = []netip.Addr{l.EVPN[i].NextHop}
		case n == 3:
			l.NoRoute = nil
		default:
			l.EVPN = append(l.EVPN, changedRoute(t, l.EVPN[i], view))
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "no speaker") == 0 {
		view.Learned = nil
	} else {
		view.Learned = &l
	}
	return view
}

// changedRoute is a route that differs in something from another one; its prefix is often that of a
// port of the cloud.
func changedRoute(t *rapid.T, r observe.EVPNRoute, view observe.Snapshot) observe.EVPNRoute {
	switch rapid.IntRange(0, 5).Draw(t, "attribute") {
	case 0:
		r.NextHop = netip.AddrFrom4([4]byte{99, 99, 2, byte(rapid.IntRange(1, 3).Draw(t, "VTEP"))})
	case 1:
		r.Mobility = object.MetricOf(uint32(rapid.IntRange(0, 6).Draw(t, "sequence")))
	case 2:
		r.MAC[5]++
	case 3:
		r.RouterMAC[5]++
	default:
		ports := view.SB.Ports.Slice()
		i, ok := pick(t, ports, "port")
		if !ok {
			break
		}
		for _, a := range addressesOf(ports[i]) {
			bits := rapid.SampledFrom([]int{a.BitLen(), a.BitLen() - 1, a.BitLen() - 8}).Draw(t, "bits")
			r.Prefix = netip.PrefixFrom(a, bits).Masked()
			if r.Type == object.EVPNMacIP {
				r.Prefix, r.MAC = netip.PrefixFrom(a, a.BitLen()), ports[i].Addresses[0].MAC
			}
		}
	}
	return r
}

// changeDevices changes devices and routing tables of the node, and ports of ours on its bridges.
func changeDevices(t *rapid.T, view observe.Snapshot) observe.Snapshot {
	names := []string{"vrf-1001", "vrf-1002", "vrf-3000", "red", "br-1001", "lo-1000", "vxlan-1000"}
	name := rapid.SampledFrom(names).Draw(t, "device")
	if rapid.Bool().Draw(t, "of Open vSwitch") && len(view.OVS.Bridges) > 0 {
		vswitch := *view.OVS
		vswitch.Bridges = slices.Clone(vswitch.Bridges)
		b := &vswitch.Bridges[rapid.IntRange(0, len(vswitch.Bridges)-1).Draw(t, "bridge")]
		names := []string{"veth-ovs-1001", "veth-ovs-1002", "veth-ovs-2001", "vlan-1001", "ovsee72aa80d49"}
		port := rapid.SampledFrom(names).Draw(t, "made")
		made := observe.MadePort{Name: port, OFPort: uint16(rapid.IntRange(0, 9).Draw(t, "number"))}
		b.Made = slices.DeleteFunc(slices.Clone(b.Made), func(m observe.MadePort) bool { return m.Name == port })
		b.Made = append(b.Made, made)
		view.OVS = &vswitch
		return view
	}
	host := observe.Host{}
	if view.Host != nil {
		host = *view.Host
	}
	host.Links = slices.DeleteFunc(slices.Clone(host.Links), func(l observe.Link) bool { return l.Name == name })
	host.Tables = slices.Clone(host.Tables)
	table := uint32(rapid.SampledFrom([]int{1001, 1002, 3000, 7, 200}).Draw(t, "table"))
	switch rapid.IntRange(0, 3).Draw(t, "change of device") {
	case 0:
		byName := func(l observe.Link, n string) int { return strings.Compare(l.Name, n) }
		at, _ := slices.BinarySearchFunc(host.Links, name, byName)
		host.Links = slices.Insert(host.Links, at, observe.Link{Name: name, Table: table, Ours: rapid.Bool().Draw(t, "ours")})
	case 1:
		host.Tables = append(host.Tables, observe.RoutingTable{ID: table, Foreign: true})
	case 2:
		host.Tables = nil
	}
	view.Host = &host
	return view
}

func unlike(a, b desired.Result) string {
	var out []string
	for k := range a.Want.Differ(b.Want) {
		x, has := a.Want.Get(k)
		y, had := b.Want.Get(k)
		if !has || !had || !x.Equal(y) {
			out = append(out, fmt.Sprintf("-%v %s\n+%v %s", has, inFull(x), had, inFull(y)))
		}
	}
	slices.Sort(out)
	if diff := cmp.Diff(a.Skipped, b.Skipped); diff != "" {
		out = append(out, diff)
	}
	return strings.Join(out, "\n")
}

func inFull(it object.Item) string {
	if it.Value == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s why %v after %v shared %v keeps %v block %+v rank %d", object.Text(it.Value), it.Why,
		it.After, it.Shared, it.Keeps, it.Block, it.Rank)
}

// TestEachPortComesAndGoes: of each world each port is taken away and put back, and nothing else
// happens: what a memory comes to is what comes of everything.
func TestEachPortComesAndGoes(t *testing.T) {
	drivers := everyDriver()
	steps := 0
	for _, w := range slices.Concat(worlds(t), clusters(t)) {
		for _, here := range slices.Sorted(maps.Keys(w.views)) {
			view := w.views[here]
			var memory desired.Memory
			memory.Compute(view, nil, drivers...)
			for row := range w.sb.Ports.All() {
				sb := *w.sb
				story.ReplacePort(&sb, row, nil)
				for _, now := range []*observe.Southbound{&sb, w.sb} {
					view.SB = now
					if text := unlike(memory.Compute(view, nil, drivers...), desired.Compute(view, nil, drivers...)); text != "" {
						t.Fatalf("%s on %s, %s comes and goes: derived again (-), whole (+)\n%s", w.name, here, row.LogicalPort, text)
					}
					steps++
				}
			}
		}
	}
	if t.Logf("%d steps", steps); steps == 0 {
		t.Error("no world has a port")
	}
}

// everyDriver has each driver as it is installed, with tenant networks and a VTEP.
func everyDriver() []desired.Driver {
	opts := expose.DefaultOptions()
	nat := native.Defaults()
	nat.Expose, nat.AS = opts, 64999
	return []desired.Driver{
		bgp.New(bgp.Config{Expose: opts, TenantMethod: bgp.MethodHost, TenantNetworks: true, PortForwardings: true}),
		evpn.New(evpn.Config{
			Expose: opts, Port: 4789, AS: 64999, TenantNetworks: true, LocalIP: netip.MustParseAddr("99.99.1.1"),
		}),
		native.New(nat), kube.New(kube.Config{Expose: opts}),
	}
}
