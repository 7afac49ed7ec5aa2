package drivers_test

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// routedStory has two provider networks with VMs that have claims on each other's addresses, and two routers:
// with two subnets, one of which has addresses of the provider networks, and with a floating IP.
const routedStory = `
include segment
made ovsee72aa80d49 on br-ex ofport 22
port vmC on dp-pub mac "fa:16:3e:aa:01:08 172.24.8.20 172.24.4.9" chassis cmp-1 up
port vmB on dp-vlan mac "fa:16:3e:aa:01:09 172.24.8.20" mac "fa:16:3e:aa:00:08 172.24.8.23" chassis cmp-1 up
port vmG on dp-pub mac "fa:16:3e:aa:01:0a 172.24.4.10 10.0.0.5" chassis gw-1 up
routerport lrp-p2 on dp-r1 mac "fa:16:3e:2c:7a:02 172.24.8.21/26 2001:db8:7::1/64" peer p2
switchport p2 on dp-priv2 peer lrp-p2
port vm2 on dp-priv2 mac "fa:16:3e:0d:52:22 172.24.8.22 2001:db8:7::2" chassis cmp-1 up
port vm3 on dp-priv2 mac "fa:16:3e:0d:52:23 172.24.8.22 172.24.8.20" chassis cmp-2 up
routerport lrp-gw2 on dp-r2 mac "fa:16:3e:74:e6:4b 172.24.4.147/24" peer gw2 redirect cr-lrp-gw2
switchport gw2 on dp-pub peer lrp-gw2 nat 'fa:16:3e:74:e6:4b 172.24.4.10 is_chassis_resident("cr-lrp-gw2")'
gateway cr-lrp-gw2 on dp-r2 mac "fa:16:3e:74:e6:4b 172.24.4.147/24" of lrp-gw2 chassis gw-1 up
routerport lrp-p3 on dp-r2 mac "fa:16:3e:2c:7a:03 10.0.0.2/26" peer p3
switchport p3 on dp-priv3 peer lrp-p3
port vm4 on dp-priv3 mac "fa:16:3e:0d:53:22 10.0.0.5" chassis cmp-1 up
learned type-5 10.0.0.5/32 rd 99.99.2.2:2001 next-hop 99.99.2.2 vni 2001 rt 64999:2001 router-mac 52:54:00:aa:bb:02
learned type-5 10.0.0.4/30 rd 99.99.2.2:2001 next-hop 99.99.2.2 vni 2001 rt 64999:2001 router-mac 52:54:00:aa:bb:02
learned type-5 172.24.8.20/30 rd 99.99.2.2:2001 next-hop 99.99.2.2 vni 2001 rt 64999:2001 router-mac 52:54:00:aa:bb:02
learned type-5 10.0.0.4/30 rd 99.99.2.2:2002 next-hop 99.99.2.2 vni 2002 rt 64999:2002 router-mac 52:54:00:aa:bb:02
`

// TestNetworksInVRFsAreDerivedAgain is TestDerivedAgainIsDerivedWhole of provider networks with method vrf, alone or
// together in a VRF: what is on them and behind them comes, goes, moves and wants what others have.
func TestNetworksInVRFsAreDerivedAgain(t *testing.T) {
	s, err := story.Parse(routedStory)
	if err != nil {
		t.Fatal(err)
	}
	origin := told(t, "networks in VRFs", s)
	count := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		driver := networksInVRFs(t, origin)
		here := rapid.SampledFrom([]string{"gw-1", "gw-1", "cmp-1"}).Draw(t, "node")
		w, view := origin, origin.views[here]
		var memory desired.Memory
		for range 20 {
			switch rapid.IntRange(0, 15).Draw(t, "step") {
			case 0:
				w, view = origin, origin.views[here]
			case 1:
				view = mutateView(t, view)
			case 2:
				view = changeDevices(t, view)
			case 3:
				w = w.mutate(t)
			case 4, 5, 6:
				view = learnAgain(t, view)
			case 7, 8:
				w = w.grow(t)
			default:
				w = w.changed(t)
			}
			view.SB, view.NB = w.sb, w.nb
			again, whole := memory.Compute(view, nil, driver), desired.Compute(view, nil, driver)
			if text := unlike(again, whole); text != "" {
				t.Fatalf("on %s: derived again (-), whole (+)\n%s", here, text)
			}
			if again, whole := memory.Tables(view, driver), desired.Tables(view, driver); !slices.Equal(again, whole) {
				t.Fatalf("on %s: tables: again %v, whole %v", here, again, whole)
			}
			countRouted(count, whole)
		}
	})
	t.Logf("%v", count)
	for _, what := range []string{"N2", "P3", "shared prefixes", "conflicts of rows", "conflicts of routes"} {
		if count[what] < count["steps"]/20 {
			t.Errorf("too few to mean anything: %s %d in %d steps", what, count[what], count["steps"])
		}
	}
}

// networksInVRFs has the provider networks of a world in VRFs, often in the same one.
func networksInVRFs(t *rapid.T, w world) desired.Driver {
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	c := evpn.Config{
		Expose: expose.DefaultOptions(), Port: 4789, AS: 64999, LocalIP: netip.MustParseAddr("99.99.1.1"),
		SubnetMethod: flag("method subnet"), TenantNetworks: flag("tenants"), TenantGUA: flag("gua"),
	}
	vni := uint32(2001)
	for p := range w.sb.Ports.All() {
		if p.Type != observe.PortLocalnet {
			continue
		}
		n := evpn.NetworkConfig{Method: evpn.MethodVRF, VNI: vni}
		n.NetworkRef = expose.NetworkRef{Network: p.Options["network_name"], VLAN: p.Tag}
		if flag("configured route distinguisher") {
			n.RD = "64999:1"
		}
		c.Networks = append(c.Networks, n)
		if flag("the next one in a VRF of its own") {
			vni++
		}
	}
	if flag("the other way round") {
		slices.Reverse(c.Networks)
	}
	return evpn.New(c)
}

// changed is the world after one change of a port, or without it.
func (w world) changed(t *rapid.T) world {
	sb := *w.sb
	w.sb = &sb
	if ports := sb.Ports.Slice(); rapid.IntRange(0, 9).Draw(t, "drop a port") == 0 {
		if i, ok := pick(t, ports, "port"); ok {
			story.ReplacePort(&sb, ports[i], nil)
		}
		return w
	}
	w.changePort(t)
	return w
}

// countRouted counts what a result has of provider networks in VRFs.
func countRouted(count map[string]int, res desired.Result) {
	count["steps"]++
	for _, it := range res.Want.AllOf(object.KindEVPN) {
		count[it.Why[0].Rule]++
		rows := map[string]bool{}
		for _, src := range it.Why {
			if src.Lists != "" {
				rows[src.Row] = true
			}
		}
		if len(rows) > 1 {
			count["shared prefixes"]++
		}
	}
	for _, s := range res.Skipped {
		if s.Code == observe.SkipConflict {
			table := map[bool]string{true: "routes", false: "rows"}[s.Table == "Learned"]
			count["conflicts of "+table]++
		}
	}
}
