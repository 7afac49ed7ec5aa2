package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// reloading is a chassis with something of every class to announce, and its
// configuration.
type reloading struct {
	t  *testing.T
	hv *lab.Chassis
	a  *product.Agent
}

// The addresses of what is announced. Those of tenants need an option.
const (
	reloadVM, reloadGateway, reloadFIP, reloadVIP = "172.24.4.60/32", "172.24.4.61/32", "172.24.4.62/32", "172.24.4.63/32"
	reloadTenant, reloadSubnet, reloadOriginate   = "10.30.0.5/32", "10.30.0.0/26", "198.18.7.0/24"
	tenants                                       = "expose_tenant_networks: true"
)

func newReloading(t *testing.T) *reloading {
	t.Helper()
	ctx := testContext(t)
	r := plainReloading(t)
	guest(t, "vm-reload", shared.public, r.hv, "172.24.4.60")
	ten := newTenant(t, "reload", "10.30.0.0/26", "172.24.4.61", "2001:db8:4::61", "10.30.0.5", r.hv, r.hv)
	fip := harness.Must(shared.Neutron.FloatingIP(ctx, ten.router, ten.vm.Port, netip.MustParseAddr("172.24.4.62"),
		true))(t)
	lb := harness.Must(shared.Neutron.LoadBalancer(ctx, lab.LoadBalancerSpec{
		Name: "reload", Network: shared.public, VIP: netip.MustParseAddr("172.24.4.63"), Port: 80,
		Members:  []netip.AddrPort{netip.MustParseAddrPort("10.30.0.5:80")},
		Switches: []*lab.Network{ten.vm.Port.Network}, Router: ten.router,
	}))(t)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		harness.Check(t, lb.Delete(ctx))
		harness.Check(t, fip.Delete(ctx))
		harness.Check(t, ten.router.Delete(ctx))
	})
	for _, prefix := range []string{reloadVM, reloadGateway, reloadFIP, reloadVIP} {
		r.await(r.announced(prefix))
	}
	return r
}

// plainReloading is one with nothing to announce. The configuration is put back
// with the test.
func plainReloading(t *testing.T) *reloading {
	t.Helper()
	r := &reloading{t, shared.Chassis[2], shared.agents[2]}
	t.Cleanup(func() {
		harness.Check(t, r.a.Configure(nil))
		harness.Must(r.a.CLI(context.WithoutCancel(t.Context()), "reload"))(t)
	})
	return r
}

// edit is a change of the configuration file.
type edit struct {
	lines        []string // to add; those that begin with two blanks belong to bgp
	peer4, peer6 string   // further keys of a peer, or "-" to remove it
	was, is      string   // text to replace
}

// write makes the configuration file anew, with the edit.
func (r *reloading) write(e edit) {
	r.t.Helper()
	harness.Check(r.t, r.a.Configure(nil, e.lines...))
	path := filepath.Join(r.hv.Dir, "bgp-ovn.yaml")
	var out []string
	for line := range strings.Lines(string(harness.Must(os.ReadFile(path))(r.t))) {
		for addr, keys := range map[netip.Addr]string{r.hv.TorAddr4: e.peer4, r.hv.TorAddr6: e.peer6} {
			switch mine := strings.Contains(line, fmt.Sprintf("address: %q", addr)); {
			case mine && keys == "-":
				line = ""
			case mine && keys != "":
				line = strings.Replace(line, "hold_time: 9", keys, 1)
			}
		}
		if e.was != "" {
			line = strings.Replace(line, e.was, e.is, 1)
		}
		out = append(out, line)
	}
	harness.Check(r.t, os.WriteFile(path, []byte(strings.Join(out, "")), 0o600))
}

// byCommand reloads with `bgp-ovn reload`.
func (r *reloading) byCommand() product.Result {
	r.t.Helper()
	return harness.Must(r.a.CLI(r.t.Context(), "reload"))(r.t)
}

// byHangup reloads with SIGHUP and returns what the log says of it.
func (r *reloading) byHangup() string {
	r.t.Helper()
	seen := len(r.reloads())
	harness.Check(r.t, syscall.Kill(r.a.PID(), syscall.SIGHUP))
	r.await(func() string { return unless(len(r.reloads()) > seen, "the log says nothing of a reload") })
	return r.reloads()[seen]
}

// reloads are the lines of the log that tell of a reload.
func (r *reloading) reloads() (out []string) {
	for line := range strings.Lines(r.a.Tail(1 << 20)) {
		if strings.Contains(line, "configuration reloaded") || strings.Contains(line, "configuration cannot be reloaded") {
			out = append(out, line)
		}
	}
	return out
}

func unless(ok bool, missing string) string {
	if ok {
		return ""
	}
	return missing
}

// await waits until nothing is missing.
func (r *reloading) await(missing func() string) {
	r.t.Helper()
	ctx := harness.Context(r.t, 40*time.Second)
	last := ""
	if err := harness.Until(ctx, "what was reloaded", func() bool { last = missing(); return last == "" }); err != nil {
		r.t.Fatalf("%s\n%s", last, r.a.Tail(25))
	}
}

// session is what FRR counts of one session with the chassis.
type session struct {
	State       string `json:"bgpState"`
	Established int    `json:"connectionsEstablished"`
	Dropped     int    `json:"connectionsDropped"`
}

// sessions are the two sessions at the top of rack: over IPv4 and over IPv6.
func (r *reloading) sessions() (out [2]session) {
	r.t.Helper()
	text := harness.Must(shared.Tor.Vtysh(r.t.Context(), "show bgp neighbors json"))(r.t)
	all := map[string]session{}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		// FRR lists figures of its own beside the neighbours.
		loose := map[string]json.RawMessage{}
		harness.Check(r.t, json.Unmarshal([]byte(text), &loose))
		for addr, raw := range loose {
			var s session
			if json.Unmarshal(raw, &s) == nil {
				all[addr] = s
			}
		}
	}
	for i, addr := range []netip.Addr{r.hv.Addr4, r.hv.Addr6} {
		s, ok := all[addr.String()]
		if !ok || s.State == "" {
			r.t.Fatalf("FRR does not know %s: %s", addr, text)
		}
		out[i] = s
	}
	return out
}

// awaitResets waits until each session has come up again so many times more
// than before, and demands that it was not more often.
func (r *reloading) awaitResets(before [2]session, resets [2]int) {
	r.t.Helper()
	r.await(func() string {
		for i, s := range r.sessions() {
			if up := s.Established - before[i].Established; up < resets[i] || s.State != "Established" {
				return fmt.Sprintf("session %d came up %d times more, want %d; it is %s", i, up, resets[i], s.State)
			}
		}
		return ""
	})
	settled(r.t)
	for i, s := range r.sessions() {
		up, down := s.Established-before[i].Established, s.Dropped-before[i].Dropped
		if up != resets[i] || down != resets[i] {
			r.t.Errorf("session %d was dropped %d times and came up %d times, want %d", i, down, up, resets[i])
		}
	}
}

// announcement is what FRR has of a prefix from the chassis.
type announcement struct{ Communities, Large, MED, LocalPref, Origin string }

// announcement reads it; ok is false if the chassis does not announce it.
func (r *reloading) announcement(prefix string) (a announcement, ok bool) {
	r.t.Helper()
	text := harness.Must(shared.Tor.Vtysh(r.t.Context(), "show bgp ipv4 unicast "+prefix+" json"))(r.t)
	var route struct {
		Prefix string
		Paths  []struct {
			Origin         string
			Metric         json.Number
			LocPrf         json.Number
			Community      struct{ String string }
			LargeCommunity struct{ String string }
			Peer           struct{ PeerID string }
		}
	}
	harness.Check(r.t, json.Unmarshal([]byte(text), &route))
	if route.Prefix != prefix { // FRR answers with what covers it
		return a, false
	}
	for _, p := range route.Paths {
		if p.Peer.PeerID == r.hv.Addr4.String() {
			return announcement{p.Community.String, p.LargeCommunity.String, p.Metric.String(), p.LocPrf.String(), p.Origin},
				true
		}
	}
	return a, false
}

func (r *reloading) announced(prefix string) func() string {
	return func() string {
		_, ok := r.announcement(prefix)
		return unless(ok, prefix+" is not announced")
	}
}

func (r *reloading) withdrawn(prefix string) func() string {
	return func() string {
		_, ok := r.announcement(prefix)
		return unless(!ok, prefix+" is announced")
	}
}

// has waits for attributes of a prefix at the top of rack.
func (r *reloading) has(prefix string, want announcement) func() string {
	return func() string {
		got, ok := r.announcement(prefix)
		want.LocalPref = got.LocalPref // its own: an EBGP neighbour is sent none
		return unless(ok && got == want, fmt.Sprintf("%s has %+v, want %+v", prefix, got, want))
	}
}

// all joins several conditions.
func all(conds ...func() string) func() string {
	return func() string {
		for _, c := range conds {
			if missing := c(); missing != "" {
				return missing
			}
		}
		return ""
	}
}
