package reconcile

import (
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestTiePathsToRoutes: a path needs the routes that lead to it, of its own tenant
// alone, and the devices of its VNI; where those are not remembered it is not
// announced. A tenant's routes are nothing to a path that is not in a VNI.
func TestTiePathsToRoutes(t *testing.T) {
	var s object.Set
	for _, line := range []string{
		"link vrf-7 type vrf table 7 up",
		"link br-7 type bridge master vrf-7 up",
		"link vxlan-7 type vxlan id 7 local 192.0.2.1 port 4789 master br-7 nolearning up",
		"link vrf-8 type vrf table 8 up",
		"link br-8 type bridge master vrf-8 up",
		"link vxlan-8 type vxlan id 8 local 192.0.2.1 port 4789 master br-8 nolearning up",
		"route 10.0.0.0/26 table 7 metric 0 dev leg7 via 192.0.2.7",
		"route 10.0.0.0/26 table 8 metric 0 dev leg8 via 192.0.2.8",
		"route 10.0.0.0/26 table 201 metric 0 dev br-ex via 192.0.2.9",
		"route 10.0.0.0/8 table 254 metric 0 dev eth0",
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:7 next-hop 192.0.2.1 vni 7 rt 1:7 router-mac 02:00:00:00:00:07 origin igp",
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:9 next-hop 192.0.2.1 vni 9 rt 1:9 router-mac 02:00:00:00:00:09 origin igp",
		"evpn type-2 02:00:00:00:00:05 10.0.0.5 rd 192.0.2.1:7 next-hop 192.0.2.1 vni 7 rt 1:7 origin igp",
		"path ipv4-unicast 10.0.0.5/32 next-hop self origin igp",
	} {
		v, err := object.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		s.Put(object.Item{Value: v})
	}
	tiePathsToRoutes(&s)
	want := map[string]string{
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:7":                "link br-7, link vrf-7, link vxlan-7, route 10.0.0.0/26 table 7 metric 0",
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:9":                "",
		"evpn type-2 02:00:00:00:00:05 10.0.0.5 rd 192.0.2.1:7": "link br-7, link vxlan-7",
		"path ipv4-unicast 10.0.0.5/32":                         "route 10.0.0.0/26 table 201 metric 0",
	}
	for _, it := range s.Only(object.KindPath, object.KindEVPN).Sorted() {
		var needs []string
		for _, k := range it.After {
			needs = append(needs, k.Text())
		}
		slices.Sort(needs)
		if got, name := strings.Join(needs, ", "), it.Value.Key().Text(); got != want[name] {
			t.Errorf("%s needs %q, want %q", name, got, want[name])
		}
		if lost := strings.HasSuffix(it.Value.Key().Text(), ":9"); (it.Block != nil) != lost {
			t.Errorf("%s is blocked: %v", it.Value.Key().Text(), it.Block)
		}
	}
}
