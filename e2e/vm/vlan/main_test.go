//go:build guest

package vlan

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

// world is the one lab of all stories here: a chassis, bgp-ovn on it, and three
// provider networks on one bridge. In a guest each program that is started
// costs 5 to 50 ms, so there is no second chassis.
type world struct {
	*lab.Lab
	hv    *lab.Chassis
	agent *product.Agent
	flat  *lab.Network
	v100  *lab.Network
	v200  *lab.Network
}

var shared world

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run exists because os.Exit skips deferred calls.
func run(m *testing.M) (code int) {
	ctx, cancel := harness.WithTimeout(context.Background(), 3*time.Minute)
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

// gateways are the IPv6 gateways that the node answers for. Guests ask for the
// address itself, and only where it is told to does the kernel answer.
const gateways = "physnet1=2001:db8:4::1,physnet1:100=2001:db8:100::1,physnet1:200=2001:db8:200::1"

func (w *world) start(ctx context.Context) error {
	// Wins over the configuration that package product writes.
	if err := os.Setenv("BGP_OVN_PROXY_NDP_ADDRESSES", gateways); err != nil {
		return err
	}
	var err error
	w.Lab, err = lab.Start(ctx, lab.Options{Log: os.Stderr, Chassis: []lab.ChassisSpec{{Gateway: true}}})
	if err != nil {
		return err
	}
	w.hv = w.Chassis[0]
	bin, err := harness.Binary(ctx)
	if err != nil {
		return err
	}
	if err := w.networks(ctx); err != nil {
		return err
	}
	if w.agent, err = product.New(w.hv, bin); err != nil {
		return err
	}
	if err := w.agent.Start(ctx); err != nil {
		return err
	}
	return w.awaitPeers(ctx)
}

func (w *world) networks(ctx context.Context) (err error) {
	for _, n := range []struct {
		to   **lab.Network
		name string
		vlan int
		v4   string
		v6   string
	}{
		{&w.flat, "flat", 0, "172.24.4.0/24", "2001:db8:4::/64"},
		{&w.v100, "v100", 100, "172.24.100.0/24", "2001:db8:100::/64"},
		{&w.v200, "v200", 200, "172.24.200.0/24", "2001:db8:200::/64"},
	} {
		*n.to, err = w.Neutron.ProviderNetwork(ctx, n.name, "physnet1", n.vlan, netip.MustParsePrefix(n.v4),
			netip.MustParsePrefix(n.v6))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) awaitPeers(ctx context.Context) error {
	for _, addr := range []netip.Addr{w.hv.Addr4, w.hv.Addr6} {
		if err := w.Tor.AwaitPeer(ctx, addr); err != nil {
			return fmt.Errorf("%w\n%s", err, w.agent.Tail(20))
		}
	}
	return nil
}

func storyContext(t *testing.T) context.Context {
	t.Helper()
	return harness.Context(t, time.Minute)
}
