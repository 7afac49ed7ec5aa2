package reconcile

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// everyDriver is a world in which all drivers have something to do: the tenants of two VNIs, a stretched
// network, a router that advertises by itself and a switch with a VNI, and services, with what may happen to them.
type everyDriver struct{ *eventful }

const everything = `include base
localnet br-ex_gw-1 on ext_gw-1 network public
switchport etor-GR_gw-1 type l3gateway on ext_gw-1 peer rtoe-GR_gw-1 chassis gw-1
routerport rtoe-GR_gw-1 type l3gateway on GR_gw-1 mac "02:42:ac:12:00:02 192.0.2.11/24" peer etor-GR_gw-1 chassis gw-1
datapath GR_gw-1
datapath ext_gw-1
node gw-1 on gw-1 mode shared
uplink br-ex eth0 ofport 9
flows br-ex
northd 26.03.1-21.8.0-82.14
datapath lr0 key 7
routerport lrp-ext on lr0 mac "00:00:00:00:ff:02 198.51.100.5/24" redirect cr-lrp-ext peer pub-lr0
switchport pub-lr0 on pub peer lrp-ext
gateway cr-lrp-ext on lr0 mac "00:00:00:00:ff:02 198.51.100.5/24" of lrp-ext chassis gw-1 option dynamic-routing=true
other gw-1 ovn-evpn-local-ip=192.0.2.11
datapath ls0 key 8 id dynamic-routing-vni=10 id dynamic-routing-redistribute=fdb
port s0 on ls0 mac "f0:00:00:00:00:00 10.1.0.1" chassis gw-1 up
learned nothing
`

// happens lets one thing happen to what one of the drivers is about.
func (w *everyDriver) happens() string {
	n := func(most int) int { return w.rng.IntN(most) }
	one := func(of ...string) string { return of[n(len(of))] }
	line := ""
	switch n(36) {
	case 0, 1: // the VPN of a router's gateway or network
		line = fmt.Sprintf("set %s id neutron_bgpvpn:vni=%d id neutron_bgpvpn:as=64999", one("gw1", "p1"), 1001+n(2))
	case 2: // a VM of the tenant
		line = fmt.Sprintf("port t%d on dp-priv mac \"fa:16:3e:01:00:%02x 10.0.0.%d\" chassis %s up", n(4), n(4), 5+n(4),
			one("gw-1", "cmp-1"))
	case 3:
		line = fmt.Sprintf("set vm1 %s", one("chassis gw-1", "chassis cmp-1", "up", "down"))
	case 4, 5:
		line = fmt.Sprintf("made veth-ovs-%d on br-ex ofport %d", []int{1001, 1002, 2001}[n(3)], n(3))
	case 6, 7, 8:
		gone := one("gone", "next-hop 99.99.2.2 vni 1001 rt 65000:1001 router-mac 52:54:00:aa:bb:02",
			"next-hop 99.99.2.3 vni 1001 rt 65000:1001 router-mac 52:54:00:aa:bb:03")
		line = fmt.Sprintf("learned type-5 10.0.0.%d/32 rd 99.99.2.2:1001 %s", 4+n(4), gone)
	case 9:
		line = "noroute " + one("99.99.2.2", "gone 99.99.2.2")
	case 10:
		line = fmt.Sprintf("unsettled %q", one("", "sessions are not up yet"))
	case 11, 12:
		line = fmt.Sprintf("advertised a%d on lr0 port lrp-ext prefix 198.51.100.%d%s", n(4), 100+n(4),
			one("", " tracked vm1"))
	case 13:
		line = "set cr-lrp-ext chassis " + one("gw-1", "cmp-1")
	case 14:
		line = fmt.Sprintf("path 203.0.113.%d/32 via 192.0.2.%d peer 192.0.2.1", n(3), 1+n(2))
	case 15, 16:
		line = fmt.Sprintf("service default/s%d %s", n(4), one("gone", fmt.Sprintf(
			"type LoadBalancer ingress 198.51.101.%d port tcp/80%s", n(4), one("", " local", " label app=web", " class other"))))
	case 17:
		line = fmt.Sprintf("slice default/s%[1]d-4 of s%[1]d %s", n(4), one("gone", "IPv4 gw-1", "IPv4 gw-2"))
	case 18:
		line = fmt.Sprintf("balancer s%d protocol tcp lr GR_gw-1 backends 198.51.101.%d:80 %s%s", n(4), n(4),
			one("10.244.1.9:8080", "10.244.1.9:8080", "^backends", `""`), one("", "", " backends nonsense 10.244.1.9:8080"))
	case 19:
		line = fmt.Sprintf("flow br-ex tcp 198.51.101.%d:80%s", n(4), one("", " actions drop"))
	case 20:
		line = "node gw-1 on gw-1 mode shared" + one("", " cordoned state draining", " excluded")
	case 23:
		line = fmt.Sprintf("egressip e%d %s", n(3), one("gone", fmt.Sprintf("198.51.101.%d@gw-%d", n(5), 1+n(2))))
	case 24: // the gateway router lists egress IPs
		line = fmt.Sprintf("set etor-GR_gw-1 nat \"02:42:ac:12:00:02 192.0.2.11 198.51.101.%d\"", n(5))
	case 25:
		line = one("kubeapi stale \"it does not answer\"", "kubeapi stale \"\"", "monitor 10.244.1.9:8080 tcp offline",
			"monitor 10.244.1.9:8080 tcp online", "template gw-1 backends=10.244.1.9:8080", "template gw-1 gone")
	case 26:
		line = "set rtoe-GR_gw-1 chassis " + one("gw-1", "gw-1", "cmp-1")
	case 30, 31, 32: // what is on a switch with a VNI
		line = one(fmt.Sprintf("port s%d on ls0 mac \"f0:00:00:00:00:%02x 10.1.0.%d\" chassis %s up", n(4), n(4), 1+n(4),
			one("gw-1", "cmp-1")), fmt.Sprintf("macrow m%d on ls0 port s%d ip 10.1.0.%d mac f0:00:00:00:00:%02x", n(3), n(4),
			1+n(4), n(4)), fmt.Sprintf("macrow m%d gone", n(3)))
	case 33, 34: // and what is elsewhere
		what := one("type-3 99.99.2.2", fmt.Sprintf("type-2 f0:00:00:00:00:%02x", n(6)), fmt.Sprintf(
			"type-2 f0:00:00:00:00:%02x 10.1.0.%d", n(6), 1+n(6)))
		line = fmt.Sprintf("learned %s rd 99.99.2.2:10 %s", what, one("gone", "next-hop 99.99.2.2 vni 10 rt 65000:10",
			fmt.Sprintf("next-hop 99.99.2.2 vni 10 rt 65000:10 mobility %d", n(7))))
	case 35: // a VTEP of its own for the VNI, or none
		line = "other gw-1 ovn-evpn-local-ip=" + one("192.0.2.11", "192.0.2.11", "10-192.0.2.12", "x")
	case 21: // reload
		w.c.Reconfigure(w.everyIntent())
		return "reload"
	case 22: // somebody removes what a driver wants, and its repair fails
		set, err := w.world.Read(w.t.Context(), actual.Focus{})
		if err != nil {
			w.t.Fatal(err)
		}
		have := set.Sorted()
		k := have[n(len(have))].Value.Key()
		w.world.Unset(k)
		w.world.FailNext(k, errBusy)
		return "without " + k.Text()
	default:
		return w.eventful.happens()
	}
	happen(w.t, w.story, []*node{w.node}, line)
	return line
}

// everyIntent is a configuration of all drivers, drawn anew.
func (w *everyDriver) everyIntent() Intent {
	flag := func() bool { return w.rng.IntN(2) == 0 }
	opts := expose.DefaultOptions()
	opts.Export.Subnets = flag()
	k := kube.Config{Expose: opts, Advertise: []kube.Kind{kube.KindLoadBalancer}, KeepCordoned: flag()}
	if flag() {
		k.Advertise = append(k.Advertise, kube.KindEgressIP)
		k.Policies = []kube.Policy{{Attributes: expose.Attributes{MED: object.MetricOf(7)}, Aggregate4: 31}}
	}
	b := bgp.Config{Expose: opts, TenantMethod: bgp.MethodHost, TenantNetworks: flag()}
	e := evpn.Config{
		Expose: opts, Port: 4789, AS: 64999, LocalIP: netip.MustParseAddr("99.99.1.1"), KeepVRF: flag(), SubnetMethod: flag(),
	}
	if flag() {
		network := expose.NetworkRef{Network: "public", VLAN: 100}
		e.Networks = []evpn.NetworkConfig{{NetworkRef: network, Method: evpn.MethodL2VNI, VNI: 2001}}
		if e.TenantNetworks = flag(); flag() {
			e.Networks[0].Method = evpn.MethodVRF
		}
		b.Expose.Reserved = []expose.NetworkRef{network}
	}
	nat := native.Defaults()
	nat.Expose, nat.AS = opts, 64999
	intent := w.intent(b, time.Duration(w.rng.IntN(2))*5*time.Second)
	intent.Drivers = []desired.Driver{
		bgp.New(b), evpn.New(e), native.New(nat), kube.New(k),
		fabric.New(fabric.Config{
			Accept: []observe.PrefixRange{{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Longest: 32}}, Max: 2, Expose: opts,
		}),
	}
	return intent
}

// TestRoundsOfEveryDriverAreWhole is TestRoundsAreWhole with all drivers at once.
func TestRoundsOfEveryDriverAreWhole(t *testing.T) {
	walks, steps, planned := proof.Count(6, 2000), 0, 0
	kinds := map[object.Kind]int{}
	for seed := range walks {
		s, err := story.Parse(everything)
		if err != nil {
			t.Fatal(err)
		}
		w := &everyDriver{&eventful{rng: rand.New(rand.NewPCG(uint64(seed), 3))}}
		w.node = newNode(t, "gw-1", s, defaults(), func(c *Config) { c.Observer = w.eventful })
		w.c.Reconfigure(w.everyIntent())
		var log []string
		w.round()
		for range 50 {
			log = append(log, w.happens())
			r := w.agree(seed, log)
			steps, planned = steps+1, planned+len(r.Plan.Ops)
			for _, op := range r.Plan.Ops {
				kinds[op.Key().Kind]++
			}
		}
	}
	proof.Report(t, "%d steps in %d walks, %d operations on %d kinds: each plan is that of everything", steps, walks,
		planned, len(kinds))
	if planned < steps || len(kinds) < 10 {
		t.Errorf("%d operations in %d steps, on %d kinds, mean nothing", planned, steps, len(kinds))
	}
}

// agree runs the round that follows a change, which must plan what one of everything plans.
func (w *eventful) agree(seed int, log []string) Round {
	w.t.Helper()
	whole, err := w.c.Plan(w.t.Context(), true)
	if err != nil {
		w.t.Fatal(err)
	}
	if whole.Mismatch {
		w.t.Fatalf("walk %d: what follows the change is not what everything comes to, after\n%q", seed, log)
	}
	r, err := w.c.Round(w.t.Context(), false)
	if err != nil {
		w.t.Fatal(err)
	}
	if got, want := opLines(r.Plan.Ops), opLines(whole.Plan.Ops); !slices.Equal(got, want) {
		w.t.Fatalf("walk %d: planned\n%q\nof everything\n%q\nafter\n%q", seed, got, want, log)
	}
	return r
}
