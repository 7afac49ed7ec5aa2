package agent

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// evpnRound is a round of the gateway's node of a story.
func evpnRound(t *testing.T, text string) reconcile.Round {
	t.Helper()
	s, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var r reconcile.Round
	if r.Snapshot, err = s.Snapshot("gw-1"); err != nil {
		t.Fatal(err)
	}
	cfg := evpn.Config{Expose: expose.DefaultOptions(), LocalIP: netip.MustParseAddr("99.99.1.1"), Port: 4789, AS: 64999}
	evpn.New(cfg).Desired(r.Snapshot, &r.Want)
	for _, it := range r.Want.AllOf(object.KindEVPN) {
		r.Have.Put(it)
	}
	return r
}

// The way to a tenant's address is what its path needs, and packets for it come from what
// others announce into the VNI.
func TestOverlayWay(t *testing.T) {
	const remote = "learned type-5 10.9.0.0/24 rd 99.99.2.2:1001 next-hop 99.99.2.2 vni 1001 rt 65000:1001 " +
		"router-mac 52:54:00:aa:bb:02\n"
	r := evpnRound(t, "include evpn\n"+remote)
	ways := waysOf(r, netip.MustParseAddr("10.0.0.5"))
	if len(ways) != 1 {
		t.Fatalf("%d ways", len(ways))
	}
	w := ways[0]
	got := fmt.Sprintf("%+v dev %s via %s table %d route %s bridge %s patch %s cookies %x", *w.Overlay, w.Dev, w.Via,
		w.Table,
		w.Route, w.Bridge, w.Patch, w.Cookies)
	const want = "{VNI:1001 VRF:vrf-1001 Bridge:br-1001 VXLAN:vxlan-1001 Port:veth-ovs-1001 Local:99.99.1.1 " +
		"VLAN:0 MAC:} " +
		"dev veth-vrf-1001 via 172.24.4.146 table 1001 route 10.0.0.0/26 bridge br-ex patch 1 cookies [3e6]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c := &reachability{log: slog.New(slog.DiscardHandler), behind: map[netip.Addr]string{}, protocol: 98}
	q := c.question(r, w)
	if text := fmt.Sprint(q.Fabric); !q.Switch || q.Protocol != 98 || !strings.Contains(text, "{10.9.0.1 br-1001 false}") {
		t.Errorf("packets come from %s, switch %v, protocol %d", text, q.Switch, q.Protocol)
	}
	sample := c.overlaySample(r)
	if len(sample) == 0 || sample[0].Overlay == nil {
		t.Errorf("a check looks at %+v", sample)
	}
	if len(waysOf(r, netip.MustParseAddr("10.9.0.1"))) > 0 || len(waysOf(r, netip.MustParseAddr("192.0.2.77"))) > 0 {
		t.Error("there is a way to what is not announced from here")
	}
}

// An address that two tenants use has a way by the VNI of each.
func TestOverlayWaysOfTenants(t *testing.T) {
	r := evpnRound(t, `include evpn
routerport lrp-gw2 on dp-r2 mac "fa:16:3e:74:e6:99 172.24.4.147/24" peer gw2 redirect cr-lrp-gw2
switchport gw2 on dp-pub peer lrp-gw2 id neutron_bgpvpn:vni=1002 id neutron_bgpvpn:as=64999
gateway cr-lrp-gw2 on dp-r2 mac "fa:16:3e:74:e6:99 172.24.4.147/24" of lrp-gw2 chassis gw-1 up
routerport lrp-p2 on dp-r2 mac "fa:16:3e:2c:7a:02 10.0.0.1/26" peer p2
switchport p2 on dp-priv2 peer lrp-p2 id neutron_bgpvpn:vni=1002 id neutron_bgpvpn:as=64999
port vm2 on dp-priv2 mac "fa:16:3e:0d:51:23 10.0.0.5" chassis cmp-2 up
made veth-ovs-1002 on br-ex ofport 13
`)
	var vnis []uint32
	for _, w := range waysOf(r, netip.MustParseAddr("10.0.0.5")) {
		vnis = append(vnis, w.Overlay.VNI)
	}
	if fmt.Sprint(vnis) != "[1001 1002]" {
		t.Errorf("VNIs %v", vnis)
	}
	c := &reachability{log: slog.New(slog.DiscardHandler), behind: map[netip.Addr]string{}}
	q := c.question(r, waysOf(r, netip.MustParseAddr("10.0.0.5"))[1])
	if len(q.Fabric) != 1 || !q.Fabric[0].Far {
		t.Errorf("where nobody announces anything the kernel is asked about packets from %+v", q.Fabric)
	}
	seen := map[uint32]bool{}
	for _, a := range c.overlaySample(r) {
		seen[a.Overlay.VNI] = true
	}
	if !seen[1001] || !seen[1002] {
		t.Errorf("a check looks at VNIs %v", seen)
	}
}
