package bgp_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Whoever may open the speaker's socket can take out what is ours: that is seen without
// an audit, whether there are few paths or many.
func TestChangesInTheSpeakerAreSeen(t *testing.T) {
	inEachProcess(t, func(t *testing.T, form string) {
		for _, n := range []int{10, 1500} { // of each family
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				p := spawn(t, form)
				b := dial(t, p, noListener)
				peer := passive("192.0.2.77", object.IPv4Unicast)
				apply(t, b, create(bothFamilies(n)...))
				apply(t, b, create(peer))
				whole := read(t, b, true).Len()
				c, ctx := p.api(t), context.Background()

				if _, err := c.DeletePeer(ctx, &api.DeletePeerRequest{Address: peer.Address}); err != nil {
					t.Fatal(err)
				}
				awaitLen(t, b, whole-1)
				apply(t, b, create(peer))
				for _, family := range []object.Family{object.IPv4Unicast, object.IPv6Unicast} {
					_, err := c.DeletePath(ctx, &api.DeletePathRequest{
						TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: wireFamily(family),
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				awaitLen(t, b, 1)
			})
		}
	})
}

// awaitLen waits until rounds, which come when the backend signals, see so many values.
func awaitLen(t *testing.T, b interface {
	actual.Backend
	Changed() <-chan struct{}
}, want int,
) {
	t.Helper()
	deadline := time.After(time.Minute)
	for got := -1; got != want; {
		select {
		case <-b.Changed():
		case <-deadline:
			t.Fatalf("%d values are seen, want %d", got, want)
		}
		set, err := b.Read(context.Background(), actual.Focus{})
		if err != nil {
			t.Fatal(err)
		}
		got = set.Len()
	}
}
