package native

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// inPlace waits until everything is where it is at the beginning and end of each case.
func (c *cloud) inPlace() {
	c.t.Helper()
	hv1, hv2 := c.Chassis[0], c.Chassis[1]
	c.at(gatewayIP+"/32", hv1, hv2)
	c.at(routerIP+"/32", hv1)
	c.at(farIP+"/32", hv1)
	c.at(nearIP+"/32", hv1)
	c.at(directIP+"/32", hv2)
	for _, hv := range []*lab.Chassis{hv1, hv2} {
		c.learned(hv, 0, 1)
	}
}

// reaches waits until addresses answer to a host behind the fabric.
func (c *cloud) reaches(addrs ...string) {
	c.t.Helper()
	for _, a := range addrs {
		harness.Check(c.t, c.Host.AwaitPing(harness.Context(c.t, patience), netip.MustParseAddr(a)))
	}
}

func (c *cloud) everything(t *testing.T) {
	c.inPlace()
	c.at(direct6+"/128", c.Chassis[1])
	for _, hv := range c.Chassis { // also the one that has nothing of the service
		c.at(hv.Loopback.String()+"/32", hv)
	}
	c.reaches(nearIP, farIP, directIP, routerIP)
	// From the guests out, which is by what the sessions have learned.
	outside := c.Host.Addrs[0].Addr()
	for _, vm := range []*lab.VM{c.vm, c.far, c.direct} {
		harness.Check(t, vm.AwaitPing(harness.Context(t, patience), outside))
	}
	for _, a := range c.agents {
		harness.Check(t, a.Settle(harness.Context(t, patience)))
	}
	// Nothing else than default routes, and nothing in the main router's table, which learns nothing.
	for table, want := range map[string]string{lab.MainTable: "", lab.ChassisTable: "default"} {
		out := harness.Must(c.Chassis[0].Run(t.Context(), "ip", "route", "show", "table", table, "proto", "186"))(t)
		if first, _, _ := strings.Cut(out, " "); first != want {
			t.Errorf("table %s: %q, want %q", table, out, want)
		}
	}
}

func (c *cloud) reloadAndRestart(t *testing.T) {
	a := c.agents[0]
	tr := c.traffic(t, nearIP)
	ctx := harness.Context(t, patience)
	harness.Check(t, a.Edit(func(s string) string {
		return strings.Replace(s, "vrf_mode: never", "vrf_mode: never, learned_metric: 30", 1)
	}))
	harness.Must(a.Client().Reload(ctx, false))(t)
	harness.Check(t, harness.Await(ctx, "the new metric", func(ctx context.Context) (bool, error) {
		out, err := a.Chassis.Run(ctx, "ip", "route", "show", "table", lab.ChassisTable)
		return strings.Contains(out, "metric 30") && !strings.Contains(out, "metric 20"), err
	}))
	c.inPlace()
	if gap := lost(t, tr); gap > 2*interval {
		t.Errorf("traffic was interrupted for %s by a reload", gap)
	}

	harness.Check(t, a.Stop(ctx))
	harness.Check(t, a.Start(ctx))
	c.sessions(a.Chassis)
	c.inPlace()
	c.reaches(nearIP, farIP)
}

func (c *cloud) moves(*testing.T) {
	for _, to := range []*lab.Chassis{c.Chassis[1], c.Chassis[0]} {
		ctx := harness.Context(c.t, patience)
		harness.Check(c.t, c.vm.Port.Move(ctx, to))
		harness.Check(c.t, c.vm.Unplug(ctx))
		c.vm = harness.Must(to.PlugVM(ctx, c.vm.Port))(c.t)
		c.at(nearIP+"/32", to)
		c.reaches(nearIP)
	}
	c.inPlace()
}

func (c *cloud) gatewayMoves(*testing.T) {
	hv1, hv2 := c.Chassis[0], c.Chassis[1]
	for _, order := range [][]*lab.Chassis{{hv2, hv1}, {hv1, hv2}} {
		harness.Check(c.t, c.router.Prefer(harness.Context(c.t, patience), order...))
		c.at(farIP+"/32", order[0])
		c.at(routerIP+"/32", order[0])
		c.at(nearIP+"/32", hv1) // where its guest is
		c.reaches(farIP, nearIP)
	}
	c.inPlace()
}

// deadLink: packets vanish on a cable and the carrier stays, so that only BFD can tell; each
// cable in turn, because traffic takes one of them.
func (c *cloud) deadLink(t *testing.T) {
	hv, a := c.Chassis[0], c.agents[0]
	c.watch(a, product.QuickBFD)
	for cable, u := range hv.Uplinks() {
		tr := c.traffic(t, nearIP)
		harness.Check(t, hv.SetPath(t.Context(), cable, false))
		c.learned(hv, 1-cable)
		if _, err := u.Tor.WaitRoute(harness.Context(t, patience), netip.MustParsePrefix(nearIP+"/32")); err != nil {
			t.Error(err)
		}
		gap := lost(t, tr)
		t.Logf("cable %d: interrupted for %s", cable, gap)
		if limit := harness.Scaled(holdTime / 9); gap > limit {
			t.Errorf("traffic was interrupted for %s: BFD takes 0.9 s, the hold time is %s", gap, holdTime)
		}
		harness.Check(t, hv.SetPath(t.Context(), cable, true))
		c.sessions(hv)
		c.learned(hv, 0, 1)
	}
	c.watch(a, product.SlowBFD)
	c.inPlace()
}

// watch changes how a node watches its links. FRR heeds packets of a speaker that has begun anew only once its
// detection time has passed without those of the one before, and then ends the session of BGP once more: 10 seconds
// with SlowBFD.
func (c *cloud) watch(a *product.Agent, how string) {
	c.t.Helper()
	harness.Check(c.t, a.Edit(func(s string) string {
		return strings.NewReplacer(product.SlowBFD, how, product.QuickBFD, how).Replace(s)
	}))
	ctx := harness.Context(c.t, patience)
	harness.Must(a.Client().Reload(ctx, false))(c.t)
	harness.Check(c.t, harness.Await(ctx, "BFD with all neighbours", func(ctx context.Context) (bool, error) {
		all, err := a.Client().BGPPeers(ctx, "")
		for _, p := range all.Peers {
			if p.BFD == nil || p.BFD.State != "Up" || p.BFD.Remote != "Up" {
				return false, fmt.Errorf("%s: %+v", p.Address, p.BFD)
			}
		}
		return len(all.Peers) == len(a.Chassis.Uplinks()), err
	}))
	c.sessions(a.Chassis)
	c.learned(a.Chassis, 0, 1)
}

// controllerDies: what OVN had put into the databases and the kernel stays when ovn-controller
// is killed, and so do the announcements. When it leaves in the orderly way, it takes its row of
// Chassis along: what is elsewhere now is withdrawn, and the rest is in doubt and stays.
func (c *cloud) controllerDies(t *testing.T) {
	hv := c.Chassis[0]
	ctx := harness.Context(t, patience)
	watching, stop := context.WithCancel(ctx)
	events := harness.Must(c.Tor.WatchRoutes(watching))(t)
	tr := c.traffic(t, nearIP)
	harness.Check(t, hv.Controller.Kill())
	harness.Check(t, hv.StartController(ctx))
	harness.Check(t, c.Central.Sync(ctx))
	c.inPlace()
	lost(t, tr)
	stop()
	for e := range events {
		t.Errorf("the top of rack saw %s", e)
	}

	harness.Check(t, hv.StopController(ctx))
	c.at(farIP+"/32", c.Chassis[1])
	c.at(routerIP+"/32", c.Chassis[1])
	c.at(nearIP+"/32", hv)
	harness.Check(t, hv.StartController(ctx))
	harness.Check(t, c.service.PeerBridgeFlows(ctx, hv)) // OVN has made its patch ports again
	harness.Check(t, c.service.InterconnectFlows(ctx, hv))
	c.inPlace()
	c.reaches(nearIP, farIP)
}

// nodeRestarts: the power fails, the kernel forgets, and all comes back.
func (c *cloud) nodeRestarts(t *testing.T) {
	hv, a := c.Chassis[0], c.agents[0]
	ctx := harness.Context(t, patience)
	for _, u := range hv.Uplinks() {
		harness.Check(t, hv.SetUplink(u, false))
	}
	harness.Check(t, a.Kill())
	harness.Check(t, hv.Controller.Kill())
	harness.Check(t, hv.Vswitchd.Stop(ctx))
	harness.Check(t, hv.OVSDB.Stop(ctx))
	for _, table := range []string{lab.MainTable, lab.ChassisTable} {
		harness.Must(hv.Run(ctx, "ip", "route", "flush", "table", table))(t)
	}
	harness.Must(hv.Run(ctx, "ip", "route", "flush", "proto", "98"))(t)
	c.at(gatewayIP+"/32", c.Chassis[1])
	c.at(farIP+"/32", c.Chassis[1])

	for _, u := range hv.Uplinks() {
		harness.Check(t, hv.SetUplink(u, true))
	}
	harness.Check(t, hv.OVSDB.Start(ctx))
	harness.Check(t, hv.RestartSwitch(ctx))
	harness.Check(t, a.Start(ctx)) // before OVN, as it may be
	harness.Check(t, hv.StartController(ctx))
	harness.Check(t, c.service.PeerBridgeFlows(ctx, hv))
	harness.Check(t, c.service.InterconnectFlows(ctx, hv))
	c.sessions(hv)
	c.inPlace()
	c.reaches(nearIP, farIP, directIP)
	harness.Check(t, a.Settle(ctx))
}
