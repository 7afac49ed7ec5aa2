package evidence_test

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestJudgeService: what the Kubernetes API asks for is no doubt; that it has lost a service,
// or that this node cannot serve what it still has, counts for the fuse. The other chassis of
// the scene has a gateway router, as far as its name goes.
func TestJudgeService(t *testing.T) {
	addr := netip.MustParseAddr("198.51.100.20")
	why := []object.Source{{Rule: "K-10", Table: "Service", Row: "default/web"}}
	endpoint := observe.KubeEndpoint{Node: "worker-a", Ready: true, Serving: true}
	base := func() *observe.Kube {
		return &observe.Kube{
			NodeName: "worker-a", NodeState: observe.NodeActive, Nodes: []*observe.KubeNode{{Name: "worker-a"}},
			Services: []*observe.KubeService{{
				Namespace: "default", Name: "web", ExternalLocal: true, Ingress: []observe.KubeIngress{{IP: addr}},
			}},
			Slices: []*observe.KubeSlice{
				{Namespace: "aaa", Name: "x", Service: "web", AddressType: "IPv4"},
				{
					Namespace: "default", Name: "web-1", Service: "web", AddressType: "IPv4",
					Endpoints: []observe.KubeEndpoint{endpoint},
				},
			},
		}
	}
	for _, c := range []struct {
		name   string
		change func(*observe.Kube)
		addr   string
		want   evidence.Class
	}{
		{"nothing has changed there", func(*observe.Kube) {}, addr.String(), evidence.Ended},
		{"deleted", func(k *observe.Kube) { k.Services = nil }, addr.String(), evidence.Ended},
		{"another address", func(*observe.Kube) {}, "198.51.100.21", evidence.Ended},
		{"an aggregate", func(*observe.Kube) {}, "198.51.100.0/24", evidence.Ended},
		{"no endpoint", func(k *observe.Kube) { k.Slices[1].Endpoints = nil }, addr.String(), evidence.Asked},
		{"its endpoint moved", func(k *observe.Kube) { k.Slices[1].Endpoints[0].Node = "b" }, addr.String(), evidence.Asked},
		{"that does not matter", func(k *observe.Kube) {
			k.Services[0].ExternalLocal, k.Slices[1].Endpoints[0].Node = false, "b"
		}, addr.String(), evidence.Ended},
		{"excluded", func(k *observe.Kube) { k.Nodes[0].Excluded = true }, addr.String(), evidence.Asked},
		{"no network", func(k *observe.Kube) { k.Nodes[0].NetworkUnavailable = true }, addr.String(), evidence.Asked},
		{"drained", func(k *observe.Kube) { k.NodeState = observe.NodeDrained }, addr.String(), evidence.Asked},
		{"its Node is gone", func(k *observe.Kube) { k.Nodes = nil }, addr.String(), evidence.Ended},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := story.Parse("include base")
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Snapshot("gw-1")
			if err != nil {
				t.Fatal(err)
			}
			if got := evidence.Judge(path(t, c.addr), why, snap); got.Class != evidence.Unexplained {
				t.Errorf("without the API: %+v", got)
			}
			snap.Kube = base()
			c.change(snap.Kube)
			if got := evidence.Judge(path(t, c.addr), why, snap); got.Class != c.want || got.Text == "" {
				t.Errorf("got %s %q, want %s", got.Class, got.Text, c.want)
			}
		})
	}
}
