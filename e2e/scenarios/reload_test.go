package scenarios

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// A reload applies what changed and leaves sessions alone that did not; a bad
// configuration, or one that only a restart can apply, changes nothing.
func TestReload(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	guest(t, "vm-reload", shared.public, hv, "172.24.4.60")
	at(t, "172.24.4.60", hv)
	t.Cleanup(func() {
		check(t, a.Configure(nil))
		must[product.Result](t)(a.CLI(context.WithoutCancel(ctx), "reload"))
	})
	before := sessions(t, hv)
	for _, tt := range []struct {
		name    string
		peer    []string
		extra   []string
		changed string // "" is an error
		says    string
	}{
		{"nothing", nil, nil, "nothing changed", ""},
		{"tenants", nil, []string{"expose_tenant_networks: true"}, "changed: expose_tenant_networks", ""},
		{"method", nil, []string{"expose_tenant_networks: true", "advertisement_method_tenant_networks: subnet"}, "changed: advertisement_method_tenant_networks", ""},
		{"back", nil, nil, "changed: ", ""},
		{"scopes", nil, []string{"address_scopes: [2237917c-7b12-489a-84de-4ef384a2bcae]"}, "changed: address_scopes", ""},
		{"hold time in place", []string{"hold_time: 30"}, nil, "bgp.peers", ""},
		{"fuse", []string{"hold_time: 30"}, []string{"fuse: {share: 0.9}"}, "changed: fuse.share", ""},
		{"audits", []string{"hold_time: 30"}, []string{"reconcile_interval: 60"}, "reconcile_interval", ""},
		{"unknown key", nil, []string{"expose_everything: true"}, "", "field expose_everything is not a key here"},
		{"needs a restart", nil, []string{"flows: {cookie: 7}"}, "", "only a restart can change flows.cookie"},
		{"bad value", nil, []string{"advertisement_method_tenant_networks: all"}, "", "use host or subnet"},
	} {
		check(t, a.Configure(tt.peer, tt.extra...))
		res := must[product.Result](t)(a.CLI(ctx, "reload"))
		if tt.changed == "" {
			if res.Exit != 1 || !strings.Contains(res.Err, tt.says) {
				t.Errorf("%s: exit %d, want 1 and %q in %q%q", tt.name, res.Exit, tt.says, res.Out, res.Err)
			}
		} else if res.Exit != 0 || !strings.Contains(res.Out, tt.changed) {
			t.Errorf("%s: exit %d, want 0 and %q in %q%q", tt.name, res.Exit, tt.changed, res.Out, res.Err)
		}
		settled(t)
	}
	if after := sessions(t, hv); after != before {
		t.Errorf("sessions were reset: %s -> %s", before, after)
	}
	at(t, "172.24.4.60", hv)
	pings(t, "172.24.4.60")
}

// sessions is how often FRR has seen the two sessions of a chassis come up.
func sessions(t *testing.T, c *lab.Chassis) string {
	t.Helper()
	var counts []string
	for _, peer := range []string{c.Addr4.String(), c.Addr6.String()} {
		out := must[string](t)(shared.Tor.Vtysh(t.Context(), "show bgp neighbors "+peer))
		m := regexp.MustCompile(`Connections established (\d+); dropped (\d+)`).FindString(out)
		if m == "" {
			t.Fatalf("FRR does not count connections:\n%s", out)
		}
		counts = append(counts, m)
	}
	return strings.Join(counts, "; ")
}
