package bgp_test

import (
	"fmt"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A neighbour that may have any AS but ours is told apart from one that has ours all the same.
func TestExternalPeerWithOurAS(t *testing.T) {
	for as, want := range map[uint32]bool{localAS: true, neighbourAS: false} {
		t.Run(fmt.Sprint(as), func(t *testing.T) {
			b := start(t, nil)
			p := passive("192.0.2.2", object.IPv4Unicast)
			p.AS = 0
			apply(t, b, create(p))
			newNeighbour(t, as, "192.0.2.2").dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
			established(t, b, "192.0.2.2")
			list, err := b.Peers(t.Context())
			if err != nil || len(list) != 1 || list[0].AS != as || list[0].NotExternal != want {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}
