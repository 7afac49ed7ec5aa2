package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// Whoever announces an address of this node is named: the top of rack itself, and another
// node of our own AS behind it. Once that ends, the node is well again.
func TestAnnouncedElsewhere(t *testing.T) {
	hv, other := shared.Chassis[2], shared.Chassis[1]
	agent, rival := shared.agents[2], shared.agents[1]
	guest(t, "vm-mine", shared.public, hv, "172.24.4.96")
	at(t, "172.24.4.96", hv)
	family := func(line string) []string {
		return []string{fmt.Sprintf("router bgp %d", lab.TorAS), "address-family ipv4 unicast", line}
	}
	t.Run("the top of rack", func(t *testing.T) {
		ctx := testContext(t)
		guest(t, "vm-both", shared.public, hv, "172.24.4.95")
		at(t, "172.24.4.95", hv)
		elsewhere(t, agent, "")
		harness.Check(t, shared.Tor.Configure(ctx, family("network 172.24.4.95/32")...))
		t.Cleanup(func() {
			harness.Check(t, shared.Tor.Configure(context.WithoutCancel(ctx), family("no network 172.24.4.95/32")...))
			elsewhere(t, agent, "")
		})
		elsewhere(t, agent, "172.24.4.95/32 is announced by "+hv.TorAddr4.String()+", too")
		explainsElsewhere(t, agent, "172.24.4.95", hv.TorAddr4)
	})
	t.Run("another node", func(t *testing.T) {
		ctx := testContext(t)
		// To this node the other one is of another AS: all nodes of the lab share one, and then
		// its paths look like our own that come back.
		harness.Check(t, shared.Tor.Configure(ctx, "route-map RIVAL permit 10",
			fmt.Sprintf("set as-path exclude %d", lab.ChassisAS), "set as-path prepend 64777"))
		harness.Check(t, shared.Tor.Configure(ctx, family("neighbor "+other.Addr4.String()+" route-map RIVAL in")...))
		harness.Check(t, rival.Configure(nil, "originate: [172.24.4.97/32]"))
		reload(t, rival)
		t.Cleanup(func() {
			ctx := context.WithoutCancel(ctx)
			harness.Check(t, rival.Configure(nil))
			reload(t, rival)
			harness.Check(t, shared.Tor.Configure(ctx, family("no neighbor "+other.Addr4.String()+" route-map RIVAL in")...))
			harness.Check(t, shared.Tor.Configure(ctx, "no route-map RIVAL"))
			elsewhere(t, agent, "")
		})
		if _, err := shared.Tor.WaitRoute(ctx, host("172.24.4.97"), other); err != nil {
			t.Fatal(err)
		}
		guest(t, "vm-twice", shared.public, hv, "172.24.4.97")
		at(t, "172.24.4.97", other, hv)
		elsewhere(t, agent, "172.24.4.97/32 is announced by "+hv.TorAddr4.String()+", too")
		elsewhere(t, rival, "") // it announces the address on purpose
	})
}

// elsewhere waits until the first problem of status is announced-elsewhere with the text or,
// without a text, until there is none.
func elsewhere(t *testing.T, a *product.Agent, text string) {
	t.Helper()
	ctx, cancel := harness.WithTimeout(context.WithoutCancel(t.Context()), 40*time.Second) // a cleanup waits, too
	defer cancel()
	last := ""
	if err := harness.Await(ctx, "status of "+a.Chassis.Name, func(ctx context.Context) (bool, error) {
		s, err := a.Status(ctx)
		if err != nil {
			return false, err
		}
		last = fmt.Sprintf("%+v", s.Problems)
		for _, p := range s.Problems {
			if p.Code == "announced-elsewhere" {
				return text != "" && strings.Contains(p.Text, text) && p.Try != "", nil
			}
		}
		return text == "", nil
	}); err != nil {
		res, _ := a.CLI(context.WithoutCancel(ctx), "bgp", "received")
		t.Fatalf("%v: want %q in %s\n%s", err, text, last, res.Out)
	}
}

func explainsElsewhere(t *testing.T, a *product.Agent, addr string, by netip.Addr) {
	t.Helper()
	res := harness.Must(a.CLI(t.Context(), "explain", addr))(t)
	if res.Exit != 2 || !strings.Contains(res.Out, "ANNOUNCED ELSEWHERE: by "+by.String()) ||
		!strings.Contains(res.Out, "bgp-ovn bgp received --within "+addr+"/32") {
		t.Errorf("exit %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	res = harness.Must(a.CLI(t.Context(), "bgp", "received", "--within", addr+"/32"))(t)
	if !strings.Contains(res.Out, by.String()) {
		t.Errorf("the remedy does not show the path:\n%s%s", res.Out, res.Err)
	}
}

// reload has an agent take up its configuration.
func reload(t *testing.T, a *product.Agent) {
	t.Helper()
	if res := harness.Must(a.CLI(context.WithoutCancel(t.Context()), "reload"))(t); res.Exit != 0 {
		t.Fatalf("reload: %s%s", res.Out, res.Err)
	}
}
