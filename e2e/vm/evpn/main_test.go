//go:build guest

package evpn

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// world is the one lab of all stories here: two gateway nodes with bgp-ovn on
// both, a flat and a VLAN provider network, and FRR as the remote VTEP.
type world struct {
	*lab.Lab
	gw     []*lab.Chassis
	agents []*product.Agent
	flat   *lab.Network
	v100   *lab.Network
}

// ovnVariable is the directory of another release of OVN, one with dynamic routing of its own: with
// it the driver for that runs in one process with the others.
const ovnVariable = "E2E_OVN"

var shared world

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run exists because os.Exit skips deferred calls.
func run(m *testing.M) (code int) {
	ctx, cancel := harness.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	err := shared.start(ctx)
	if shared.Lab != nil {
		defer func() {
			if err := shared.Close(); err != nil {
				fmt.Fprintln(os.Stderr, "close lab:", err)
				code = 1
			}
		}()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func (w *world) start(ctx context.Context) error {
	var err error
	w.Lab, err = lab.Start(ctx, lab.Options{
		Log: os.Stderr, OVN: os.Getenv(ovnVariable), Chassis: []lab.ChassisSpec{{Gateway: true}, {Gateway: true}},
	})
	if err != nil {
		return err
	}
	w.gw = w.Chassis
	if err := w.Tor.EnableEVPN(ctx); err != nil {
		return err
	}
	if w.flat, err = w.Neutron.ProviderNetwork(ctx, "flat", "physnet1", 0, netip.MustParsePrefix("172.24.4.0/24"),
		netip.MustParsePrefix("2001:db8:4::/64")); err != nil {
		return err
	}
	if w.v100, err = w.Neutron.ProviderNetwork(ctx, "v100", "physnet1", 100, netip.MustParsePrefix("172.24.100.0/24"),
		netip.MustParsePrefix("2001:db8:100::/64")); err != nil {
		return err
	}
	bin, err := harness.Binary(ctx)
	if err != nil {
		return err
	}
	for _, c := range w.gw {
		a, err := product.NewEVPN(c, bin)
		if err != nil {
			return err
		}
		if os.Getenv(ovnVariable) != "" {
			a.Beside = []string{"ovn_native_driver"}
			if err := a.ConfigureEVPN(); err != nil {
				return err
			}
		}
		if err := a.Start(ctx); err != nil {
			return err
		}
		w.agents = append(w.agents, a)
	}
	return w.awaitPeers(ctx)
}

func (w *world) awaitPeers(ctx context.Context) error {
	for i, c := range w.gw {
		if err := w.Tor.AwaitPeer(ctx, c.Addr4); err != nil {
			return fmt.Errorf("%w\n%s", err, w.agents[i].Tail(20))
		}
	}
	return nil
}

func storyContext(t *testing.T) context.Context {
	t.Helper()
	return harness.Context(t, time.Minute)
}
