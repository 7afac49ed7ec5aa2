package drivers_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// randomNative draws a configuration of ovn_native_driver.
func randomNative(t *rapid.T, w world, opts expose.Options) driver {
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	c := native.Defaults()
	c.Expose, c.AS = opts, 64999
	c.Subnets, c.MakeVRFs = flag("native subnets"), flag("make VRFs")
	c.RequireKernel = rapid.IntRange(0, 7).Draw(t, "require kernel") == 0
	c.NextHop = rapid.SampledFrom([]native.NextHopMode{native.NextHopAuto, native.NextHopSelf, native.NextHopLRP}).Draw(t,
		"next hop")
	c.Export = rapid.SampledFrom([]native.Metric{native.MetricMED, native.MetricLocalPref, native.MetricNone}).Draw(t,
		"metric")
	if flag("accept all") {
		c.LearnAccept = []observe.PrefixRange{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Longest: 32}}
	}
	var routers []string
	for _, d := range w.sb.Datapaths {
		if slices.ContainsFunc(w.sb.Advertised, func(r *observe.AdvertisedRoute) bool { return r.Datapath == d.UUID }) {
			routers = append(routers, d.Name())
		}
	}
	for i, name := range routers {
		switch rapid.IntRange(0, 5).Draw(t, "target") {
		case 0:
			c.Targets = append(c.Targets, native.Target{Router: name, VNI: uint32(1000 + i), MAC: object.MAC{2}})
		case 1:
			c.Targets = append(c.Targets, native.Target{Router: name, VNI: 1000, Unicast: true, MAC: object.MAC{2}})
		case 2:
			c.Targets = append(c.Targets, native.Target{Router: name})
		case 3:
			c.LearnMap = map[string]string{"eth1": name}
		}
	}
	if len(routers) > 1 && flag("one router only") {
		c.Routers = routers[:1]
	}
	d := native.New(c)
	return driver{d, d}
}

// changeAdvertised changes a row of Advertised_Route, as ovn-northd or damage may.
func (w world) changeAdvertised(t *rapid.T) {
	i, ok := pick(t, w.sb.Advertised, "advertised route")
	if !ok {
		return
	}
	row, other := *w.sb.Advertised[i], w.sb.Advertised[rapid.IntRange(0, len(w.sb.Advertised)-1).Draw(t, "like")]
	switch rapid.IntRange(0, 7).Draw(t, "change of it") {
	case 0:
		w.sb.Advertised = slices.Delete(w.sb.Advertised, i, i+1)
		return
	case 7: // a row more, often of the same prefix
		row.UUID = story.UUID(fmt.Sprint("row ", rapid.IntRange(0, 9).Draw(t, "more")))
		at, there := slices.BinarySearchFunc(w.sb.Advertised, row.UUID, func(r *observe.AdvertisedRoute, u observe.UUID) int {
			return observe.CompareUUID(r.UUID, u)
		})
		if !there {
			w.sb.Advertised = slices.Insert(w.sb.Advertised, at, &row)
		}
		return
	case 1:
		row.Tracked = observe.UUID{}
	case 2:
		row.Tracked = drawPort(t, w.sb)
	case 3:
		row.LogicalPort = drawPort(t, w.sb)
	case 4:
		row.Prefix = other.Prefix
	case 5:
		row.Prefix = rapid.SampledFrom([]string{
			"", "0.0.0.0/0", "::/0", "10.0.1.7/24", "nonsense", "::ffff:10.0.1.7", "fe80::1%eth1", "10.0.1.7/33", " 10.0.1.7 ",
			"169.254.0.1", "2001:db8::/32",
		}).Draw(t, "prefix")
	case 6:
		row.Datapath = drawDatapath(t, w.sb)
	}
	w.sb.Advertised[i] = &row
}

// changeMAC changes a row of Advertised_MAC_Binding.
func (w world) changeMAC(t *rapid.T) {
	i, ok := pick(t, w.sb.MACs, "MAC")
	if !ok {
		return
	}
	row := *w.sb.MACs[i]
	switch rapid.IntRange(0, 4).Draw(t, "change of it") {
	case 0:
		w.sb.MACs = slices.Delete(w.sb.MACs, i, i+1)
		return
	case 1:
		row.LogicalPort = drawPort(t, w.sb)
	case 2:
		row.MAC = rapid.SampledFrom([]string{"", "nonsense", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "f0:00:00:00:00:99"}).
			Draw(t, "mac")
	case 3:
		row.IP = rapid.SampledFrom([]string{"", "nonsense", "::ffff:10.0.1.7", "fe80::1%eth1", "10.0.1.10"}).Draw(t, "ip")
	case 4:
		row.Datapath = drawDatapath(t, w.sb)
	}
	w.sb.MACs[i] = &row
}

// changeRouting changes an option by which OVN steers dynamic routing.
func (w world) changeRouting(t *rapid.T) {
	value := func(values ...string) string { return rapid.SampledFrom(values).Draw(t, "value") }
	if rapid.Bool().Draw(t, "of a datapath") {
		i, ok := pick(t, w.sb.Datapaths, "datapath")
		if !ok {
			return
		}
		d := *w.sb.Datapaths[i]
		d.ExternalIDs = maps.Clone(d.ExternalIDs)
		if d.ExternalIDs == nil {
			d.ExternalIDs = map[string]string{}
		}
		switch rapid.IntRange(0, 3).Draw(t, "key") {
		case 0:
			d.ExternalIDs["dynamic-routing-vrf-id"] = value("0", "7", "254", "255", "4294967295", "-1", "x")
		case 1:
			d.ExternalIDs["dynamic-routing-vni"] = value("0", "10", "16777215", "16777216", "x")
		case 2:
			d.ExternalIDs["dynamic-routing-redistribute"] = value("", "fdb", "fdb,ip", "ip")
		case 3:
			d.ExternalIDs["dynamic-routing-v4-prefix-nexthop"] = value("", "192.0.2.99", "x", "2001:db8::99")
		}
		w.sb.Datapaths[i] = &d
		return
	}
	ports := w.sb.Ports.Slice()
	i, ok := pick(t, ports, "port")
	if !ok {
		return
	}
	p := *ports[i]
	p.Options = maps.Clone(p.Options)
	if p.Options == nil {
		p.Options = map[string]string{}
	}
	key := rapid.SampledFrom([]string{
		"", "-redistribute-local-only", "-maintain-vrf", "-no-learning", "-port-name", "-vrf-name",
	}).Draw(t, "key")
	p.Options["dynamic-routing"+key] = value("true", "false", "eth2", "uplink-a", "a name that is too long")
	story.ReplacePort(w.sb, ports[i], &p)
}

// drawPort is a reference to a row of Port_Binding, or to none.
func drawPort(t *rapid.T, sb *observe.Southbound) observe.UUID {
	ports := sb.Ports.Slice()
	if i, ok := pick(t, ports, "port"); ok && rapid.IntRange(0, 5).Draw(t, "there") > 0 {
		return ports[i].UUID
	}
	return observe.UUID{15: 99}
}

func drawDatapath(t *rapid.T, sb *observe.Southbound) observe.UUID {
	if i, ok := pick(t, sb.Datapaths, "datapath"); ok && rapid.IntRange(0, 5).Draw(t, "there") > 0 {
		return sb.Datapaths[i].UUID
	}
	return observe.UUID{15: 98}
}

// TestRowsOfOthersMakeNoDifference: a row of Advertised_Route that goes takes nothing with it
// but what it led to: neither paths of other prefixes nor anything of other routers.
func TestRowsOfOthersMakeNoDifference(t *testing.T) {
	var routed []world
	for _, w := range worlds(t) {
		if len(w.sb.Advertised) > 1 {
			routed = append(routed, w)
		}
	}
	kept, gone := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 4 {
			w := routed[rapid.IntRange(0, len(routed)-1).Draw(t, "world")].mutate(t)
			k, g := withoutRow(t, w)
			kept, gone = kept+k, gone+g
		}
	})
	t.Logf("%d objects kept, %d changed", kept, gone)
	if kept < 50 || gone < 5 {
		t.Errorf("too few to mean anything: %d objects kept, %d changed", kept, gone)
	}
}

// withoutRow takes a row away and counts what is left on all nodes, and what changes.
func withoutRow(t *rapid.T, w world) (kept, gone int) {
	i, ok := pick(t, w.sb.Advertised, "row")
	if !ok {
		return 0, 0
	}
	row, sb := w.sb.Advertised[i], *w.sb
	sb.Advertised = slices.Delete(slices.Clone(sb.Advertised), i, i+1)
	for _, name := range slices.Sorted(maps.Keys(w.views)) {
		view, d := w.views[name], randomNative(t, w, expose.DefaultOptions())
		before := compute(t, view, d.here)
		view.SB = &sb
		after := compute(t, view, d.here)
		for k := range before.Differ(after) {
			it, had := before.Get(k)
			if now, has := after.Get(k); has && had && it.Equal(now) {
				continue
			}
			led := slices.ContainsFunc(it.Why, func(s object.Source) bool { return s.Row == row.UUID.String() })
			if !led && k.Kind != object.KindRoute { // a prefix that is not announced any more may be learned
				t.Fatalf("%s on %s: %s changes with the row of %s", w.name, name, k.Text(), row.Prefix)
			}
			gone++
		}
		kept += after.Len()
	}
	return kept, gone
}

// unlearned compares the accounts of routes with the routes that are derived: of each
// router's table the longest one that holds the address has an account that gets through.
func unlearned(accounts []reason.Account, want object.Set, addr netip.Addr) string {
	explained := map[object.Key]bool{}
	for _, a := range accounts {
		if _, blocked := a.Blocked(); a.Inbound() && !blocked {
			explained[a.Object] = true
			if !want.Has(a.Object) {
				return fmt.Sprintf("%s gets through, and is not derived", a.Object.Text())
			}
		}
	}
	longest := map[uint32]object.Key{}
	for _, it := range want.SortedOf(object.KindRoute) {
		k := it.Value.Key()
		if k.Prefix.Contains(addr) && (!longest[k.Num].Prefix.IsValid() || k.Prefix.Bits() > longest[k.Num].Prefix.Bits()) {
			longest[k.Num] = k
		}
	}
	for _, k := range longest {
		if !explained[k] {
			return fmt.Sprintf("%s is derived, and no account leads to it", k.Text())
		}
	}
	return ""
}

// passing counts the accounts of routes that get through.
func passing(accounts []reason.Account) (n int) {
	for _, a := range accounts {
		if _, blocked := a.Blocked(); a.Inbound() && !blocked {
			n++
		}
	}
	return n
}
