package scenarios

import (
	"context"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// besidePrefix is what a router advertises by itself where ovn_native_driver runs beside the others.
const besidePrefix = "10.9.0.0/24"

// beside makes that router.
func (w *world) beside(ctx context.Context) error {
	if product.OVN() == "" {
		return nil
	}
	router, err := w.Neutron.Router(ctx, lab.RouterSpec{
		Name: "beside", External: w.public, Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.250")},
		Gateways: w.Chassis[:2],
	})
	if err != nil {
		return err
	}
	w.besideRouter = router
	name := router.LogicalName()
	for _, args := range [][]string{
		{"lr-route-add", name, besidePrefix, "172.24.4.251"},
		{"set", "Logical_Router", name, "options:dynamic-routing=true", "options:dynamic-routing-redistribute=static"},
	} {
		if _, err := w.Central.Nbctl(ctx, args...); err != nil {
			return err
		}
	}
	return w.besideHolds(ctx)
}

// moveBeside has the gateway of that router live on other nodes, best first, until the end of the test.
func moveBeside(t *testing.T, to ...*lab.Chassis) {
	t.Helper()
	if shared.besideRouter == nil {
		return
	}
	back := shared.besideRouter.Spec.Gateways
	harness.Check(t, shared.besideRouter.Prefer(testContext(t), to...))
	t.Cleanup(func() { harness.Check(t, shared.besideRouter.Prefer(context.WithoutCancel(t.Context()), back...)) })
}

// besideHolds waits until what the router advertises is announced by the node of its gateway: before
// the scenarios, and after them.
func (w *world) besideHolds(ctx context.Context) error {
	if product.OVN() == "" {
		return nil
	}
	ctx, cancel := harness.WithPatience(ctx)
	defer cancel()
	_, err := w.Tor.WaitRoute(ctx, netip.MustParsePrefix(besidePrefix), w.Chassis[0])
	return err
}
