package desired

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// TestNeighbours: peers that are configured by interface become those that are found there,
// the first one that fits a device; what is missing is told, but not where nobody listened.
func TestNeighbours(t *testing.T) {
	a, b := netip.MustParseAddr("fe80::a"), netip.MustParseAddr("fe80::b")
	var fixed []object.Item
	for i, address := range []string{"192.0.2.1", "%bond1", "%bond*", "%eth9"} {
		fixed = append(fixed, object.Item{Value: object.Peer{Address: address, AS: uint32(i)}})
	}
	links := []observe.UnnumberedLink{
		{Dev: "bond0", Neighbour: a},
		{Dev: "bond1", Neighbour: a, Other: b},
		{Dev: "bond2"},
		{Dev: "bond3", Trouble: "no IPv6"},
		{Dev: "other", Neighbour: a},
	}
	items, skips := Neighbours(observe.Snapshot{Unnumbered: &observe.Unnumbered{Links: links}}, fixed)
	var got []string
	for _, it := range items {
		p := it.Value.(object.Peer)
		got = append(got, fmt.Sprint(p.Address, " ", p.AS))
	}
	if want := "192.0.2.1 0, fe80::a%bond1 1, fe80::a%bond0 2"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	got = nil
	for _, s := range skips {
		got = append(got, s.Row+" "+s.Code)
	}
	want := "peer bond1 second-router, peer bond2 no-neighbour, peer bond3 no-neighbour, peer eth9 no-neighbour"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if items, skips = Neighbours(observe.Snapshot{}, fixed); len(items) != 1 || len(skips) != 0 {
		t.Errorf("nobody listened: %v, %v", items, skips)
	}
	if items, skips = Neighbours(observe.Snapshot{}, fixed[:1]); len(items) != 1 || len(skips) != 0 {
		t.Errorf("no interface: %v, %v", items, skips)
	}
}
