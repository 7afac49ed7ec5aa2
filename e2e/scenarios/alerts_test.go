package scenarios

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/faults"
	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/e2e/prom"
)

const (
	alertRules   = "../../deploy/prometheus/bgp-ovn.rules.yml"
	dashboard    = "../../deploy/grafana/bgp-ovn.json"
	alertRunbook = "../../docs/runbooks/BgpOvnTwoAnnouncers.md"
	// alertVM is an address of a guest on the third node.
	alertVM = "172.24.4.170"
)

// alarms are the lab, scraped by a real Prometheus with the rules that we ship. All that is
// not as shipped is how long something must hold before it fires: a second.
type alarms struct {
	*prom.Server
	world faults.World
	// seen are all alerts that have fired.
	seen map[string]bool
}

// Every alert that we ship fires for what it is for, and says of which node it is; none
// fires while all is well; and every query of the dashboard has an answer.
func TestAlerts(t *testing.T) {
	rules := harness.Must(prom.ReadRules(alertRules))(t)
	a := newAlarms(t)
	t.Run("quiet", a.quiet)
	t.Run("dashboard", a.dashboard)
	for _, s := range a.stages() {
		t.Run(s.name, func(t *testing.T) { a.stage(t, s) })
	}
	for _, r := range rules.Alerts() {
		if !a.seen[r.Alert] {
			t.Errorf("%s never fired", r.Alert)
		}
	}
}

func newAlarms(t *testing.T) *alarms {
	t.Helper()
	ctx := harness.Context(t, 2*time.Minute)
	targets := prom.Targets{}
	for i, agent := range shared.agents {
		listen := fmt.Sprintf("%s:9640", shared.Chassis[i].ManagementAddr())
		targets[shared.Chassis[i].Name] = listen
		agent.Always = []string{fmt.Sprintf("metrics: {listen: %q}", listen)}
		harness.Check(t, agent.Configure(nil))
		reload(t, agent)
	}
	t.Cleanup(func() { // what was set aside, contested or lost is forgotten
		ctx := context.WithoutCancel(t.Context())
		for _, agent := range shared.agents {
			agent.Always = nil
			harness.Check(t, agent.Configure(nil))
			restart(ctx, t, agent)
		}
	})
	hv := shared.Chassis[2]
	vm := guest(t, "vm-alerts", shared.public, hv, alertVM, "2001:db8:4::170")
	guest(t, "vm-alerts-2", shared.public, shared.Chassis[1], "172.24.4.171")
	at(t, alertVM, hv)
	at(t, "172.24.4.171", shared.Chassis[1])
	text := harness.Must(os.ReadFile(alertRules))(t)
	return &alarms{
		Server: harness.Must(prom.Start(ctx, shared.Central.Node, prom.Shorten(text, "1s"), targets))(t),
		world: faults.World{
			Lab: shared.Lab, Chassis: hv, Agent: shared.agents[2], Addr: vm.Port.Addrs[0], Addr6: vm.Port.Addrs[1],
			Tap: vm.Tap, Port: vm.Port.ID, VM: vm, Physnet: "physnet1", Patch: shared.public.PatchPort(),
		},
		seen: map[string]bool{},
	}
}

// restart ends an agent and starts it again.
func restart(ctx context.Context, t *testing.T, a *product.Agent) {
	t.Helper()
	ctx, cancel := harness.WithTimeout(ctx, time.Minute)
	defer cancel()
	harness.Check(t, a.Stop(ctx))
	harness.Check(t, a.Start(ctx))
}

// quiet demands that all nodes are scraped and nothing fires. The tests before may have left
// something that counts for a while; a second of everything being well is enough.
func (a *alarms) quiet(t *testing.T) {
	ctx := harness.Context(t, time.Minute)
	last := ""
	if err := harness.Await(ctx, "all nodes to be scraped, and no alert", func(ctx context.Context) (bool, error) {
		up, err := a.Query(ctx, `sum(bgp_ovn_peer_up{job="bgp-ovn"}) == 6 and sum(bgp_ovn:fleet_surplus:checksum) == 0`)
		if err != nil || len(up) == 0 {
			return false, err
		}
		firing, err := a.Firing(ctx)
		last = fmt.Sprint(firing)
		return len(firing) == 0, err
	}); err != nil {
		t.Fatalf("%v: %s", err, last)
	}
}

// dashboard asks every query of the dashboard.
func (a *alarms) dashboard(t *testing.T) {
	ctx := harness.Context(t, time.Minute)
	panels := harness.Must(prom.ReadDashboard(dashboard))(t)
	if len(panels) < 20 {
		t.Errorf("only %d queries", len(panels))
	}
	for _, p := range panels {
		expr := strings.ReplaceAll(p.Expr, "$instance", ".*")
		if err := harness.Await(ctx, p.Title+" to have data", func(ctx context.Context) (bool, error) {
			rows, err := a.Query(ctx, expr)
			return len(rows) > 0, err
		}); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// stage is what is wrong at the same time, and the alerts that it leads to.
type stage struct {
	name string
	// faults are those of the table, on the third node.
	faults []string
	// inject does more, and returns what mends it.
	inject func(t *testing.T, ctx context.Context) (heal func(context.Context))
	// alerts are NAME or NAME NODE.
	alerts []string
	// then is looked at while the alerts fire.
	then func(t *testing.T, ctx context.Context)
}

func (a *alarms) stage(t *testing.T, s stage) {
	ctx := harness.Context(t, 2*time.Minute)
	var heals []func(context.Context)
	defer func() {
		ctx, cancel := harness.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		for _, heal := range slices.Backward(heals) {
			heal(ctx)
		}
		at(t, alertVM, a.world.Chassis)
	}()
	for _, name := range s.faults {
		f := faultNamed(t, name)
		heals = append(heals, func(ctx context.Context) { harness.Check(t, f.Heal(ctx, a.world)) })
		harness.Check(t, f.Inject(ctx, a.world))
	}
	if s.inject != nil {
		heals = append(heals, s.inject(t, ctx))
	}
	a.await(ctx, t, s.alerts)
	if s.then != nil {
		s.then(t, ctx)
	}
}

// await waits until all of the alerts have fired since it was called.
func (a *alarms) await(ctx context.Context, t *testing.T, alerts []string) {
	t.Helper()
	missing := map[string]bool{}
	for _, name := range alerts {
		missing[name] = true
	}
	var firing []prom.Alert
	err := harness.Await(ctx, "alerts", func(ctx context.Context) (_ bool, err error) {
		if firing, err = a.Firing(ctx); err != nil {
			return false, err
		}
		for _, f := range firing {
			name := f.Labels["alertname"]
			a.seen[name] = true
			delete(missing, name)
			delete(missing, name+" "+f.Labels["instance"])
			for key, text := range f.Annotations {
				if text == "" || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
					return true, fmt.Errorf("%s: %s is %q", name, key, text)
				}
			}
		}
		return len(missing) == 0, nil
	})
	if err != nil {
		t.Fatalf("%v: of %q there are not %q; firing: %v\n%s", err, alerts, slices.Sorted(maps.Keys(missing)), firing,
			a.world.Agent.Tail(8))
	}
}

func faultNamed(t *testing.T, name string) faults.Fault {
	t.Helper()
	for _, g := range faults.All() {
		for _, f := range g.Faults {
			if f.Name == name {
				return f
			}
		}
	}
	t.Fatalf("there is no fault %s", name)
	return faults.Fault{}
}

// torNetwork has the top of rack announce a prefix, or no longer.
func torNetwork(ctx context.Context, line string) error {
	return shared.Tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS), "address-family ipv4 unicast", line)
}

// stateFiles are the state file of an agent, and what was set aside of it.
func stateFiles(t *testing.T, c *lab.Chassis) []string {
	t.Helper()
	return harness.Must(filepath.Glob(filepath.Join(c.Dir, "state.db*")))(t)
}
