package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// kind is one kind of change, applied to the configuration and taken back.
type kind struct {
	name string
	edit edit
	// changed are the keys that the reload names.
	changed string
	// resets are how often each session is ended by the change, and once more by
	// taking it back.
	resets [2]int
	// shows waits for the effect, gone for that of taking it back.
	shows, gone func() string
	// meanwhile is done at the neighbour once its session is down, back after the
	// change is taken back.
	meanwhile, back func()
}

// A reload applies what changed, by command and by signal, and leaves sessions
// alone that do not have to be ended: counted at the neighbour.
func TestReload(t *testing.T) {
	r := newReloading(t)
	torSays(t, "ipv4", "network 203.0.113.1/32")
	for _, k := range slices.Concat(r.kindsOfPolicy(), r.kindsOfFilters(), r.kindsOfPeers()) {
		t.Run(k.name, func(t *testing.T) {
			r := &reloading{t, r.hv, r.a}
			before := r.sessions()
			r.write(k.edit)
			r.previews(k)
			res := r.byCommand()
			if res.Exit != 0 || !strings.Contains(res.Out, k.changed) {
				t.Fatalf("exit %d, want 0 and %q in %q%q", res.Exit, k.changed, res.Out, res.Err)
			}
			if k.meanwhile != nil {
				r.await(func() string { return unless(r.sessions()[0].Dropped > before[0].Dropped, "the session is still up") })
				k.meanwhile()
			}
			if k.shows != nil {
				r.await(k.shows)
			}
			up := k.resets
			if k.edit.peer6 == "-" {
				up[1] = 0
				r.await(func() string { return unless(r.sessions()[1].State != "Established", "the session is still up") })
			} else {
				r.awaitResets(before, up)
				before = r.sessions()
			}
			if k.shows != nil { // it must not have been so for a moment only
				if missing := k.shows(); missing != "" {
					t.Error(missing)
				}
			}
			r.write(edit{})
			if line := r.byHangup(); !strings.Contains(line, "configuration reloaded") {
				t.Fatalf("SIGHUP: %s", line)
			}
			if k.back != nil {
				r.await(func() string { return unless(r.sessions()[0].Dropped > before[0].Dropped, "the session is still up") })
				k.back()
			}
			if k.gone != nil {
				r.await(k.gone)
			}
			r.awaitResets(before, k.resets)
		})
	}
	pings(t, "172.24.4.60")
}

// previews demands that the dry run promises as many resets as there will be,
// and does nothing.
func (r *reloading) previews(k kind) {
	r.t.Helper()
	steps := harness.Must(r.a.Status(r.t.Context()))(r.t).Steps
	res := harness.Must(r.a.CLI(r.t.Context(), "reload", "--dry-run"))(r.t)
	promised := [2]int{}
	for line := range strings.Lines(res.Out) {
		for i, addr := range []netip.Addr{r.hv.TorAddr4, r.hv.TorAddr6} {
			ends := strings.Contains(line, "(session reset: ") || strings.HasPrefix(line, "- peer")
			if ends && strings.Contains(line, " peer    "+addr.String()+" ") {
				promised[i]++
			}
		}
	}
	if res.Exit == 1 || !strings.Contains(res.Out, k.changed) || promised != k.resets {
		r.t.Errorf("the dry run promises resets %v, want %v and %q; exit %d\n%s%s", promised, k.resets, k.changed, res.Exit,
			res.Out, res.Err)
	}
	if now := harness.Must(r.a.Status(r.t.Context()))(r.t).Steps; now != steps {
		r.t.Errorf("the dry run made %d steps", now-steps)
	}
}

// plain is how an address is announced that no setting is about.
var plain = announcement{MED: "", Origin: "incomplete"}

// kindsOfPolicy concern what is announced and learned, and the node: none ends a
// session.
func (r *reloading) kindsOfPolicy() []kind {
	class := func(name, prefix string, more ...string) kind {
		extra := append([]string{"  attributes: {" + name +
			`: {communities: ["65000:7", graceful-shutdown], large_communities: ["4200000000:1:2"], med: 20}}`}, more...)
		return kind{
			name: "attributes of " + name, edit: edit{lines: extra}, changed: "bgp.attributes",
			shows: r.has(prefix, announcement{"65000:7 graceful-shutdown", "4200000000:1:2", "20", "", "incomplete"}),
			gone: func() string {
				got, ok := r.announcement(prefix)
				got.LocalPref = ""
				return unless(!ok || got == plain, fmt.Sprintf("%s still has %+v", prefix, got))
			},
		}
	}
	return []kind{
		{name: "nothing", changed: "nothing changed"},
		{
			name: "tenants", edit: edit{lines: []string{tenants}}, changed: "expose_tenant_networks",
			shows: r.announced(reloadTenant), gone: r.withdrawn(reloadTenant),
		},
		{
			name: "method", edit: edit{lines: []string{tenants, "advertisement_method_tenant_networks: subnet"}},
			changed: "advertisement_method_tenant_networks",
			shows:   all(r.announced(reloadSubnet), r.withdrawn(reloadTenant)), gone: r.withdrawn(reloadSubnet),
		},
		{
			name: "scopes", edit: edit{lines: []string{tenants, "address_scopes: [2237917c-7b12-489a-84de-4ef384a2bcae]"}},
			changed: "address_scopes",
			shows:   r.withdrawn(reloadTenant), gone: r.withdrawn(reloadTenant),
		},
		{
			name: "GUA", edit: edit{lines: []string{"expose_ipv6_gua_tenant_networks: true"}},
			changed: "expose_ipv6_gua_tenant_networks", shows: r.withdrawn(reloadTenant),
		},
		class("provider", reloadVM), class("gateway", reloadGateway), class("fip", reloadFIP), class("vip", reloadVIP),
		class("tenant", reloadTenant, tenants), class("subnet", reloadSubnet, tenants,
			"advertisement_method_tenant_networks: subnet"),
		class("loopback", r.hv.Loopback.String()+"/32", "advertise_loopback: true"),
		class("originate", reloadOriginate, "originate: ["+reloadOriginate+"]"),
	}
}

// kindsOfFilters are changes of what is kept back, of what the node announces of
// its own, and of how it does its work.
func (r *reloading) kindsOfFilters() []kind {
	log := func(word string) bool { return strings.Contains(r.a.Tail(1<<20), word) }
	return []kind{
		{
			name: "export deny", edit: edit{lines: []string{"  export: {deny: [172.24.4.56/29 le 32]}"}},
			changed: "bgp.export.deny",
			shows:   all(r.withdrawn(reloadVM), r.withdrawn(reloadFIP), r.explained("filtered-by-policy"), r.wired),
			gone:    r.announced(reloadVM),
		},
		{
			name:    "export allow",
			edit:    edit{lines: []string{"  export: {allow: [172.24.4.60/31 le 32, 2001:db8::/32 le 128]}"}},
			changed: "bgp.export.allow",
			shows:   all(r.announced(reloadVM), r.announced(reloadGateway), r.withdrawn(reloadFIP)),
			gone:    r.announced(reloadFIP),
		},
		{
			name: "origin", edit: edit{lines: []string{"  origin: igp"}}, changed: "bgp.origin",
			shows: r.has(reloadVM, announcement{Origin: "IGP"}), gone: r.has(reloadVM, plain),
		},
		{
			name: "originate", edit: edit{lines: []string{"originate: [" + reloadOriginate + "]"}}, changed: "originate",
			shows: r.announced(reloadOriginate), gone: r.withdrawn(reloadOriginate),
		},
		{
			name: "loopback", edit: edit{lines: []string{"advertise_loopback: true"}}, changed: "advertise_loopback",
			shows: r.announced(r.hv.Loopback.String() + "/32"), gone: r.withdrawn(r.hv.Loopback.String() + "/32"),
		},
		{
			name: "learn.accept", edit: edit{lines: []string{`learn: {accept: ["203.0.113.0/24 le 32"]}`}},
			changed: "learn.accept", shows: r.learned("203.0.113.1 "), gone: r.learned(""),
		},
		{
			name: "learn.metric", edit: edit{lines: []string{`learn: {accept: [203.0.113.1/32], metric: 5000, max: 7}`}},
			changed: "learn.metric", shows: r.learned("metric 5000"), gone: r.learned(""),
		},
		{
			name: "proxy_ndp_addresses", edit: edit{was: `"physnet1=2001:db8:4::1"`, is: `"physnet1=2001:db8:4::2"`},
			changed: "proxy_ndp_addresses",
			shows:   r.proxied("2001:db8:4::2"), gone: r.proxied("2001:db8:4::1"),
		},
		{
			name: "flow priority", edit: edit{lines: []string{"flows: {priority: 901}"}}, changed: "flows.priority",
			shows: r.flows("priority=901"), gone: r.flows("priority=900"),
		},
		{name: "fuse", edit: edit{lines: []string{"fuse: {share: 0.9}"}}, changed: "fuse.share"},
		{
			name: "audits", edit: edit{lines: []string{"reconcile_interval: 1"}}, changed: "reconcile_interval",
			shows: r.audits(3),
		},
		{
			name: "log.level", edit: edit{lines: []string{"log: {level: debug}"}}, changed: "log.level",
			shows: func() string {
				return unless(log(`level=DEBUG msg="nothing to tell"`), "no round is logged at level debug")
			},
		},
		{
			name: "metrics.listen", edit: edit{lines: []string{"metrics: {listen: 127.0.0.1:19100}"}}, changed: "metrics.listen",
			shows: func() string {
				out, err := r.hv.Run(r.t.Context(), "curl", "-sf", "http://127.0.0.1:19100/metrics")
				return unless(err == nil && strings.Contains(out, "bgp_ovn_rounds_total"), fmt.Sprintf("%v %s", err, out))
			},
			gone: func() string {
				_, err := r.hv.Run(r.t.Context(), "curl", "-sf", "http://127.0.0.1:19100/metrics")
				return unless(err != nil, "it still listens")
			},
		},
	}
}

// kindsOfPeers concern neighbours.
func (r *reloading) kindsOfPeers() []kind {
	tor := func(line string) func() {
		return func() {
			harness.Check(r.t, shared.Tor.Configure(r.t.Context(), fmt.Sprintf("router bgp %d", lab.TorAS), line))
		}
	}
	neighbour := "neighbor " + r.hv.Addr4.String()
	return []kind{
		{name: "hold time", edit: edit{peer4: "hold_time: 30"}, changed: "bgp.peers"},
		{name: "connect retry", edit: edit{peer4: "hold_time: 9, connect_retry: 7"}, changed: "bgp.peers"},
		{name: "prefix limit", edit: edit{peer4: "hold_time: 9, prefix_limit: 500"}, changed: "bgp.peers"},
		{
			name: "multihop", edit: edit{peer4: "hold_time: 9, multihop: 4"}, changed: "bgp.peers",
			resets: [2]int{1, 0},
		},
		{
			name: "a peer more", edit: edit{lines: []string{"  - {address: 198.18.0.77, as: 65077, hold_time: 9}"}},
			changed: "bgp.peers", shows: r.peer("198.18.0.77", true), gone: r.peer("198.18.0.77", false),
		},
		{name: "a peer less", edit: edit{peer6: "-"}, changed: "bgp.peers", resets: [2]int{0, 1}},
		{name: "families", edit: edit{
			peer6: "hold_time: 9, allow_own_as: 0", was: "[ipv6-unicast]",
			is: "[ipv4-unicast, ipv6-unicast]",
		}, changed: "bgp.peers", resets: [2]int{0, 1}},
		{
			name: "local address", edit: edit{peer4: "hold_time: 9, local_address: " + r.hv.Addr4.String()},
			changed: "bgp.peers", resets: [2]int{1, 0},
		},
		{
			name: "own AS allowed", edit: edit{peer4: "hold_time: 9, allow_own_as: 1"}, changed: "bgp.peers",
			resets: [2]int{1, 0},
		},
		{
			name: "add-path", edit: edit{peer6: "hold_time: 9, add_path_receive: true"}, changed: "bgp.peers",
			resets: [2]int{0, 1},
		},
		{
			name: "restart time", edit: edit{lines: []string{"  graceful_restart: {restart_time: 60}"}},
			changed: "bgp.graceful_restart.restart_time", resets: [2]int{1, 1},
		},
		{
			name: "password", edit: edit{peer4: "hold_time: 9, password: secret"}, changed: "bgp.peers", resets: [2]int{1, 0},
			meanwhile: tor(neighbour + " password secret"), back: tor("no " + neighbour + " password"),
		},
	}
}

// A configuration that is bad, or that only a restart can apply, is refused as a
// whole: what is good in it is not applied either.
func TestReloadRefuses(t *testing.T) {
	r := plainReloading(t)
	settled(t)
	before := r.sessions()
	steps := harness.Must(r.a.Status(t.Context()))(t).Steps
	good := "originate: [" + reloadOriginate + "]"
	for _, tt := range []struct {
		name  string
		lines []string
		says  string
	}{
		{"unknown key", []string{good, "expose_everything: true"}, ":15: expose_everything: unknown key"},
		{
			"wrong type",
			[]string{good, "reconcile_interval: often"},
			`:15: reconcile_interval: "often" is not a whole number of seconds`,
		},
		{
			"bad value",
			[]string{good, "advertisement_method_tenant_networks: all"},
			`advertisement_method_tenant_networks: unknown value "all": use host or subnet`,
		},
		{"bad peer", []string{"  - {address: tor-a, as: 65000}", good}, `bgp.peers[2].address: "tor-a" is not an IP address`},
		{
			"unknown class",
			[]string{"  attributes: {fips: {med: 1}}", good},
			`bgp.attributes: unknown class "fips": use gateway`,
		},
		{"bad community", []string{"  attributes: {fip: {communities: [65000]}}", good}, "bgp.attributes.fip.communities"},
		{"bad range", []string{"  export: {deny: [10.0.0.0/8 le 4]}", good}, "bgp.export.deny"},
		{"needs a restart", []string{good, "flows: {cookie: 7}"}, "only a restart can change flows.cookie"},
		{
			"address that is not ours",
			[]string{good, "metrics: {listen: 198.18.9.9:9100}"},
			"metrics.listen: listen tcp 198.18.9.9:9100",
		},
	} {
		r.write(edit{lines: tt.lines})
		if res := r.byCommand(); res.Exit != 1 || !strings.Contains(res.Err, tt.says) {
			t.Errorf("%s: exit %d, want 1 and %q in %q%q", tt.name, res.Exit, tt.says, res.Out, res.Err)
		}
		line := r.byHangup()
		if said := strings.ReplaceAll(line, `\"`, `"`); !strings.Contains(said, "the running configuration stays") ||
			!strings.Contains(said, tt.says) {
			t.Errorf("%s: SIGHUP: want %q in %s", tt.name, tt.says, line)
		}
	}
	r.awaitResets(before, [2]int{})
	if now := harness.Must(r.a.Status(t.Context()))(t).Steps; now != steps {
		t.Errorf("%d steps were made", now-steps)
	}
	if missing := r.withdrawn(reloadOriginate)(); missing != "" {
		t.Error(missing)
	}
}

// LOCAL_PREF goes to neighbours of our own AS.
func TestLocalPrefAtIBGPNeighbour(t *testing.T) {
	ctx := testContext(t)
	r := plainReloading(t)
	guest(t, "vm-ibgp", shared.public, r.hv, "172.24.4.64")
	r.await(r.announced("172.24.4.64/32"))
	remote := func(ctx context.Context, as int) {
		lines := []string{fmt.Sprintf("router bgp %d", lab.TorAS)}
		for _, addr := range []netip.Addr{r.hv.Addr4, r.hv.Addr6} {
			lines = append(lines, fmt.Sprintf("neighbor %s remote-as %d", addr, as))
		}
		harness.Check(t, r.a.Kill())
		harness.Check(t, shared.Tor.Configure(ctx, lines...))
		harness.Check(t, r.a.Start(ctx))
		for _, addr := range []netip.Addr{r.hv.Addr4, r.hv.Addr6} {
			harness.Check(t, shared.Tor.AwaitPeer(ctx, addr))
		}
	}
	t.Cleanup(func() {
		r.write(edit{})
		remote(context.WithoutCancel(ctx), lab.ChassisAS)
	})
	r.write(edit{
		lines: []string{"  attributes: {provider: {local_pref: 333, communities: [no-export]}}"},
		was:   fmt.Sprintf("  as: %d\n", lab.ChassisAS), is: fmt.Sprintf("  as: %d\n", lab.TorAS),
	})
	remote(ctx, lab.TorAS)
	r.await(func() string {
		got, ok := r.announcement("172.24.4.64/32")
		return unless(ok && got.LocalPref == "333" && got.Communities == "no-export", fmt.Sprintf("it has %+v", got))
	})
}

// explained waits for a word in the explanation of the VM's address.
func (r *reloading) explained(word string) func() string {
	return func() string {
		res, err := r.a.CLI(r.t.Context(), "explain", "172.24.4.60")
		return unless(err == nil && strings.Contains(res.Out, word),
			fmt.Sprintf("explain lacks %s: %s%s", word, res.Out, res.Err))
	}
}

// wired demands that the VM's route is there, and that a filtered path counts as
// meant.
func (r *reloading) wired() string {
	out, err := r.hv.Run(r.t.Context(), "ip", "route", "show", "table", "201", "172.24.4.60")
	if err != nil || !strings.Contains(out, "br-ex") {
		return fmt.Sprintf("the route is not there: %v %s", err, out)
	}
	res, err := r.a.CLI(r.t.Context(), "status")
	return unless(err == nil && res.Exit == 0 && strings.Contains(res.Out, "filtered by policy: "), "status: "+res.Out+
		res.Err)
}

func (r *reloading) learned(word string) func() string {
	return func() string {
		have := learnedOn(r.t, r.hv)
		return unless(strings.Contains(have, word) && (word != "" || have == ""),
			fmt.Sprintf("learned routes %q, want %q", have, word))
	}
}

func (r *reloading) proxied(addr string) func() string {
	return func() string {
		out, err := r.hv.Run(r.t.Context(), "ip", "-6", "neigh", "show", "proxy")
		return unless(err == nil && strings.Contains(out, addr+" "), fmt.Sprintf("proxies %q, want %s", out, addr))
	}
}

func (r *reloading) flows(word string) func() string {
	return func() string {
		out := flowsOf(r.t, r.hv)
		return unless(strings.Contains(out, word), "no flow with "+word+":\n"+out)
	}
}

// audits waits for audits that nobody asked for.
func (r *reloading) audits(n uint64) func() string {
	began := uint64(0)
	return func() string {
		s, err := r.a.Status(r.t.Context())
		if began == 0 {
			began = s.Audits
		}
		return unless(err == nil && s.Audits >= began+n, fmt.Sprintf("%d audits since %d", s.Audits, began))
	}
}

// peer waits until a neighbour is, or is not, in the speaker.
func (r *reloading) peer(addr string, there bool) func() string {
	return func() string {
		s, err := r.a.Status(r.t.Context())
		has := slices.ContainsFunc(s.Peers, func(p control.Peer) bool { return p.Address == addr })
		return unless(err == nil && has == there, fmt.Sprintf("peer %s: want %t in %+v", addr, there, s.Peers))
	}
}
