package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
)

// learned prints what the backend has learned within a prefix, one path a line.
func learned(t *testing.T, b *bgp.Backend, within string, exact bool) string {
	t.Helper()
	list, err := rib.TableOf(b.Conn(), nil).Learned(context.Background(), netip.MustParsePrefix(within), exact)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, p := range list {
		line := fmt.Sprintf("%s via %s peer %s", p.Prefix, p.NextHop, p.Peer)
		if p.Stale {
			line += " stale"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func awaitLearned(t *testing.T, b *bgp.Backend, within string, exact bool, want ...string) {
	t.Helper()
	eventually(t, 30*time.Second, func() string {
		if have := learned(t, b, within, exact); have != strings.Join(want, "\n") {
			return fmt.Sprintf("learned within %s:\n%s\nwant:\n%s", within, have, strings.Join(want, "\n"))
		}
		return ""
	})
}

// All paths that are as good as the best are learned, from whichever neighbour;
// what originates here is not.
func TestLearned(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, nil)
		apply(t, b, create(path("203.0.113.7/32"), path("10.2.0.0/16")))
		one, two := peer("192.0.2.2", object.IPv4Unicast), peer("192.0.2.3", object.IPv4Unicast)
		one.Passive, two.Passive = true, true
		two.AS = neighbourAS + 1
		apply(t, b, create(one, two))
		first := newNeighbour(t, neighbourAS, "192.0.2.2")
		second := newNeighbour(t, neighbourAS+1, "192.0.2.3")
		for _, prefix := range []string{"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"} {
			first.announce(prefix)
		}
		second.announce("0.0.0.0/0")
		second.announce("10.1.0.0/16", 65010)
		first.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
		second.dial("192.0.2.3", "192.0.2.1", nil, object.IPv4Unicast)
		established(t, b, "192.0.2.2")
		established(t, b, "192.0.2.3")

		awaitLearned(t, b, "0.0.0.0/0", true, "0.0.0.0/0 via 192.0.2.2 peer 192.0.2.2",
			"0.0.0.0/0 via 192.0.2.3 peer 192.0.2.3")
		awaitLearned(t, b, "10.0.0.0/8", false, "10.0.0.0/8 via 192.0.2.2 peer 192.0.2.2",
			"10.1.0.0/16 via 192.0.2.2 peer 192.0.2.2")
		awaitLearned(t, b, "10.0.0.0/8", true, "10.0.0.0/8 via 192.0.2.2 peer 192.0.2.2")
		awaitLearned(t, b, "11.0.0.0/8", false)
		if all, up, err := rib.TableOf(b.Conn(), nil).Sessions(context.Background()); all != 2 || up != 2 || err != nil {
			t.Errorf("%d sessions, %d up, %v; want 2, 2", all, up, err)
		}

		woken := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		notifies, err := b.Conn().WatchLearned(ctx, func(speaker.Heard) {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		apply(t, b, remove(one))
		awaitLearned(t, b, "0.0.0.0/0", true, "0.0.0.0/0 via 192.0.2.3 peer 192.0.2.3")
		awaitLearned(t, b, "10.0.0.0/8", false, "10.1.0.0/16 via 192.0.2.3 peer 192.0.2.3")
		second.announce("11.0.0.0/8")
		awaitLearned(t, b, "11.0.0.0/8", true, "11.0.0.0/8 via 192.0.2.3 peer 192.0.2.3")
		if notifies {
			select {
			case <-woken:
			case <-time.After(10 * time.Second):
				t.Error("not woken")
			}
		}
	})
}

// Graceful restart keeps the paths of a neighbour that has gone away, for the
// time that it asked for.
func TestLearnedIsKeptStale(t *testing.T) {
	b := start(t, nil)
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.RestartTime = 30
	apply(t, b, create(p))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.announce("0.0.0.0/0")
	n.dial("192.0.2.2", "192.0.2.1", func(p *api.Peer) {
		p.GracefulRestart = &api.GracefulRestart{Enabled: true, RestartTime: 3}
		p.AfiSafis[0].MpGracefulRestart.Config.Enabled = true
	}, object.IPv4Unicast)
	awaitLearned(t, b, "0.0.0.0/0", true, "0.0.0.0/0 via 192.0.2.2 peer 192.0.2.2")
	awaitSignal(t, b) // the session came up
	// GoBGP marks paths that a listing may still be reading (osrg/gobgp#2705).
	// A call that its loop answers puts the listing above before that.
	if _, _, err := rib.TableOf(b.Conn(), nil).Sessions(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The connection breaks without a CEASE.
	run(t, "ss", "-K", "dst", "192.0.2.1")
	run(t, "ip", "addr", "del", "192.0.2.2/32", "dev", "lo")
	t.Cleanup(func() { run(t, "ip", "addr", "add", "192.0.2.2/32", "dev", "lo") })
	awaitSignal(t, b)
	awaitLearned(t, b, "0.0.0.0/0", true, "0.0.0.0/0 via 192.0.2.2 peer 192.0.2.2 stale")
	awaitLearned(t, b, "0.0.0.0/0", true)
}
