package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
)

// A neighbour has its defaults, its address in one spelling, and the restart time
// that all have in common.
func TestPeerItems(t *testing.T) {
	s := loaded(t, "bgp:\n  graceful_restart: {restart_time: 60}\n  peers:\n"+
		"    - {address: '2001:DB8:0::1', as: 65000, prefix_limit: 0}\n"+
		"    - {address: 'fe80::1%eth0', as: 1.1, port: 0, hold_time: 0, families: [], "+
		"connect_retry: 3, local_address: }\n"+
		"    - {address: 192.0.2.1, as: 65000, port: 1179, families: [l2vpn-evpn], "+
		"password: x, ttl_security: true, hold_time: 9, passive: true,\n"+
		"       local_address: 192.0.2.2, allow_own_as: 1, llgr_time: 3600, "+
		"add_path_receive: true, prefix_limit: 1000, connect_retry: 5}\n", nil)
	usual := object.Peer{
		Port: 179, AS: 65000, HoldTime: 90, RestartTime: 60, Families: object.WordsOf("ipv4-unicast", "ipv6-unicast"),
		PrefixLimit: 10_000,
	}
	first, second := usual, usual
	first.Address, first.PrefixLimit = "2001:db8::1", 0
	second.Address, second.AS = "fe80::1%eth0", 1<<16+1
	want := []object.Peer{first, second, {
		Address: "192.0.2.1", Port: 1179, AS: 65000, Families: object.WordsOf("l2vpn-evpn"),
		Password: "x", TTLSecurity: true,
		HoldTime: 9, Passive: true, RestartTime: 60, LLGRTime: 3600,
		LocalAddress: netip.MustParseAddr("192.0.2.2"), AllowOwnAS: 1,
		AddPathReceive: true, PrefixLimit: 1000, ConnectRetry: 5,
	}}
	items := s.PeerItems()
	for i, it := range items {
		if i >= len(want) || it.Value != want[i] {
			t.Errorf("neighbour %d is %+v", i, it.Value)
		}
		if it.Why[0].Table != "bgp.peers" || it.Why[0].Driver != "configuration" {
			t.Errorf("why %v", it.Why)
		}
	}
	if len(items) != len(want) {
		t.Errorf("%d neighbours", len(items))
	}
	// The restart time is a key of its own: the neighbours have not changed.
	again := loaded(t, "bgp: {graceful_restart: {restart_time: 61}, peers: [{address: 192.0.2.1, as: 1}]}\n", nil)
	before := loaded(t, "bgp: {graceful_restart: {restart_time: 60}, peers: [{address: 192.0.2.1, as: 1}]}\n", nil)
	if changed, restart := Changes(before, again); !slices.Equal(
		changed,
		[]string{"bgp.graceful_restart.restart_time"},
	) ||
		len(restart) > 0 {
		t.Errorf("changed %v, restart %v", changed, restart)
	}
}

// The addresses of neighbours keep their order and zone.
func TestPeerAddrs(t *testing.T) {
	b := BGP{Peers: []object.Peer{{Address: "192.0.2.1"}, {Address: "fe80::1%eth0"}, {}}}
	want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth0")}
	if got := b.PeerAddrs(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What only a restart can change is named, with the two changes that a reload could
// make were it not for what is opened at the start.
func TestChanges(t *testing.T) {
	const peer = "bgp: {peers: [{address: 192.0.2.1, as: 1}]}\n"
	const evpnPeer = "bgp: {peers: [{address: 192.0.2.1, as: 1, families: [l2vpn-evpn]}]}\n"
	for _, tt := range []struct{ name, was, is, changed, restart string }{
		{"nothing", peer, peer, "", ""},
		{"spelling", "originate: [2001:DB8::/32]\n", "originate: ['2001:db8::/32']\n", "", ""},
		{"live", peer, peer + "log: {level: debug}\nfuse: {least: 4}\n", "log.level,fuse.least", ""},
		{
			"marks", "", "flows: {cookie: 7}\nrouting: {rule_priority: 5, table_range: 1-5}\n",
			"routing.table_range,routing.rule_priority,flows.cookie",
			"routing.table_range,routing.rule_priority,flows.cookie",
		},
		{"a neighbour", "", peer, "bgp.peers", ""},
		{"a password", peer, strings.Replace(peer, "as: 1", "as: 1, password: x", 1), "bgp.peers", ""},
		{"first for EVPN", peer, evpnPeer, "bgp.peers", "bgp.peers to the first one with l2vpn-evpn"},
		{"none for EVPN", evpnPeer, peer, "bgp.peers", ""},
		{"alias", "drivers: [ovn_bgp_driver]\n", "", "", ""},
		{
			"driver", "", "drivers: [osp_ovn_bgp_driver, osp_ovn_evpn_driver]\n", "drivers",
			"drivers, by osp_ovn_evpn_driver or without it",
		},
		{"class", "", "bgp: {attributes: {fip: {med: 1}}}\n", "bgp.attributes", ""},
		{
			"northbound", "", "require_snat_disabled_for_tenant_networks: true\n",
			"require_snat_disabled_for_tenant_networks", "require_snat_disabled_for_tenant_networks",
		},
	} {
		changed, restart := Changes(loaded(t, tt.was, nil), loaded(t, tt.is, nil))
		if strings.Join(changed, ",") != tt.changed || strings.Join(restart, ",") != tt.restart {
			t.Errorf("%s: changed %q, restart %q", tt.name, changed, restart)
		}
	}
}

// reloadable are the keys that a reload has always been able to change: scripts
// rely on it.
var reloadable = strings.Fields(`drivers reconcile_interval expose_tenant_networks expose_ipv6_gua_tenant_networks
	advertisement_method_tenant_networks address_scopes expose_port_forwardings expose_gateway_routers
	evpn_local_ip evpn_udp_dstport delete_vrf_on_disconnect evpn.table_offset evpn.vnis evpn.networks
	provider_unknown_mac_from_cidrs proxy_ndp_plain_ports proxy_ndp_addresses bgp.peers bgp.origin
	bgp.attributes bgp.bmp bgp.export.allow bgp.export.deny bgp.graceful_restart.restart_time flows.priority
	bgp.prefix_limit_restart bgp.verify.hold bgp.verify.points bgp.verify.router_id
	bgp.damping.half_life bgp.damping.max_suppress bgp.damping.reuse bgp.damping.suppress
	bgp.withdraw_hold bgp.withdraw_unreachable
	advertise_loopback originate protect learn.accept learn.source4 learn.source6 learn.metric learn.max
	native.routers native.nexthop native.export_metric native.subnets native.require_kernel native.learn_accept
	native.learn_map native.vrf_mode native.learned_metric native.targets native.evpn_rt
	kube.load_balancer_class kube.advertise kube.policies kube.on_cordon kube.drain_time
	sysctls.manage fuse.share fuse.least fuse.hold unbound_hold changes drain.wait drain.prepend log.level metrics.listen`)

func TestReloadable(t *testing.T) {
	s := Defaults()
	var got []string
	for _, k := range table(&s) {
		if k.Live {
			got = append(got, k.Name)
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(reloadable))
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A node that wants nothing has the same marks: what it takes down is its own.
func TestIdle(t *testing.T) {
	s := loaded(t, evpnFile+"originate: [192.0.2.0/24]\nadvertise_loopback: true\nflows: {cookie: 7}\n", nil)
	idle := s.Idle()
	if len(idle.NewDrivers()) > 0 || len(idle.PeerItems()) > 0 || idle.Fuse.Share != 0 || idle.RunsEVPN() {
		t.Errorf("it wants %v and %v", idle.NewDrivers(), idle.PeerItems())
	}
	if idle.Flows.Cookie != 7 || idle.Socket != s.Socket || len(s.NewDrivers()) != 3 || len(s.PeerItems()) != 1 ||
		s.Fuse.Share != 0.5 {
		t.Error("the rest is not the same, or the original has changed")
	}
}

// With one driver only, the settings are checked as they are then.
func TestWithDriver(t *testing.T) {
	s := loaded(t, "", nil)
	one, problems := s.WithDriver("ovn_evpn_driver")
	if len(problems) > 0 || !slices.Equal(one.Drivers, []string{evpn.Name}) ||
		!slices.Equal(s.Drivers, []string{bgp.Name}) {
		t.Errorf("%v, %v", one.Drivers, problems)
	}
	if _, problems := s.WithDriver("frr"); len(problems) != 1 ||
		problems.Err().Error() != `drivers: unknown driver "frr": use one of osp_ovn_bgp_driver, osp_ovn_evpn_driver, `+
			`ovn_native_driver, k8s_ovn_bgp_driver` {
		t.Error(problems.Err())
	}
	src := source(t, s.list, evpnFile, nil)
	s, _ = Load(src)
	if _, problems := s.WithDriver(bgp.Name); len(problems) != 1 || problems[0].Key != "evpn.networks" ||
		problems[0].Line != 12 ||
		problems[0].File != src.Path {
		t.Errorf("networks without their driver: %v", problems)
	}
}

func TestResolveRouterID(t *testing.T) {
	encap := []netip.Addr{
		netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("192.0.2.5"),
		netip.MustParseAddr("192.0.2.6"),
	}
	if id, err := Defaults().ResolveRouterID(encap); err != nil || id != encap[1] {
		t.Errorf("%v, %v", id, err)
	}
	if id, err := loaded(t, "bgp: {router_id: 192.0.2.9}\n", nil).ResolveRouterID(encap); err != nil ||
		id.String() != "192.0.2.9" {
		t.Errorf("%v, %v", id, err)
	}
	if _, err := Defaults().ResolveRouterID(encap[:1]); err == nil ||
		!strings.Contains(err.Error(), "set bgp.router_id") {
		t.Error(err)
	}
}

// Notes tell what has no effect, and what a start will depend on.
func TestNotes(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{"", ""},
		{
			"require_snat_disabled_for_tenant_networks: true\nexpose_tenant_networks: true\n",
			"the controller starts only if external_ids:ovn-nb-remote",
		},
		{
			"require_snat_disabled_for_tenant_networks: true\novn_nb_connection: tcp:192.0.2.1:6641\n",
			"no tenant network is exposed",
		},
		{"ovn_nb_connection: tcp:192.0.2.1:6641\n", "ovn_nb_connection has no effect"},
		{"drivers: [ovn_bgp_driver, osp_ovn_bgp_driver]\n", "one is named twice"},
	} {
		s := loaded(t, tt.file, nil)
		notes := s.Notes()
		if tt.want == "" && len(notes) > 0 ||
			tt.want != "" && (len(notes) != 1 || !strings.Contains(notes[0], tt.want)) {
			t.Errorf("%s: %q", tt.file, notes)
		}
	}
}

// A variable that looks like a key and is none is told of, by its name alone.
func TestUnknownVariables(t *testing.T) {
	src := Source{
		Path:    writeFile(t, ""),
		Environ: []string{"PATH=/bin", "BGP_OVN_BGP_AS=1", "BGP_OVN_BGP_ASN=s3cret", "BGP_OVN_=x"},
	}
	s, problems := Load(src)
	notes := strings.Join(s.Notes(), "\n")
	if len(problems) > 0 || len(s.Notes()) != 2 || !strings.Contains(notes, "BGP_OVN_BGP_ASN is no key") ||
		strings.Contains(notes, "s3cret") {
		t.Errorf("%v, %q", problems, notes)
	}
}

func TestPatterns(t *testing.T) {
	got := Routing{TableFiles: []string{"/etc/a", "/b"}}.Patterns()
	if !slices.Equal(got, []string{"/etc/a", "/etc/a.d/*.conf", "/b", "/b.d/*.conf"}) {
		t.Error(got)
	}
}
