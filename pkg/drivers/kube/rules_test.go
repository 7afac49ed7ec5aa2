package kube_test

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestAttachedByAnyColumn: a load balancer counts for the gateway router whichever column says
// that it is attached, and not if the group that the row refers to is missing (K-15, K-61).
func TestAttachedByAnyColumn(t *testing.T) {
	world, err := story.Parse(`include kube
service default/web type LoadBalancer ingress 198.51.100.20 port tcp/80
slice default/web-1 of web IPv4 worker-a
balancer row backends 198.51.100.20:80 10.244.1.9:8080 lr GR_worker-a
flow br-ex tcp 198.51.100.20:80`)
	if err != nil {
		t.Fatal(err)
	}
	d := kube.New(kube.Config{Expose: expose.DefaultOptions()})
	vip := netip.MustParsePrefix("198.51.100.20/32")
	for name, tt := range map[string]struct {
		change func(lb *observe.LoadBalancer, router, group observe.UUID)
		want   bool
	}{
		"lr_datapath_group": {func(*observe.LoadBalancer, observe.UUID, observe.UUID) {}, true},
		"ls_datapath_group": {func(lb *observe.LoadBalancer, _, g observe.UUID) {
			lb.LRGroup, lb.LSGroup = observe.UUID{}, g
		}, true},
		"datapath_group": {func(lb *observe.LoadBalancer, _, g observe.UUID) {
			lb.LRGroup, lb.Group = observe.UUID{}, g
		}, true},
		"datapaths": {func(lb *observe.LoadBalancer, r, _ observe.UUID) {
			lb.LRGroup, lb.Datapaths = observe.UUID{}, []observe.UUID{r}
		}, true},
		"none": {func(lb *observe.LoadBalancer, _, _ observe.UUID) { lb.LRGroup = observe.UUID{} }, false},
		"missing group": {func(lb *observe.LoadBalancer, _, _ observe.UUID) {
			lb.LRGroup = story.UUID("nobody has it")
		}, false},
	} {
		snap := view(t, world, workerA)
		sb := *snap.SB
		lb := *sb.Balancers[0]
		gateway, ok := sb.Port("rtoe-GR_worker-a")
		if !ok {
			t.Fatal("no gateway router")
		}
		tt.change(&lb, gateway.Datapath, lb.LRGroup)
		sb.Balancers = []*observe.LoadBalancer{&lb}
		snap.SB = &sb
		if got := announced(snap, d)[vip]; got != tt.want {
			t.Errorf("%s: announced %v", name, got)
		}
		if account := d.Explain(snap, vip.Addr())[0]; !tt.want {
			if step, _ := account.Blocked(); step.Code != kube.CodeNotInSouthbound {
				t.Errorf("%s: code %q", name, step.Code)
			}
		}
	}
}
