package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// duellist is a node whose database has a MAC on it, as another node's does.
type duellist struct {
	b      *bgp.Backend
	rib    *rib.Source
	driver desired.Driver
	snap   observe.Snapshot
}

func newDuellist(t *testing.T, as uint32, address, vtep string, to object.Peer) *duellist {
	t.Helper()
	s, err := story.Parse("include segment")
	if err != nil {
		t.Fatal(err)
	}
	d := &duellist{driver: evpn.New(evpn.Config{
		Expose: expose.DefaultOptions(), LocalIP: netip.MustParseAddr(vtep), Port: 4789, AS: 64999,
		Networks: []evpn.NetworkConfig{{
			NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100}, Method: evpn.MethodL2VNI, VNI: 2001,
			Export: []string{"64999:2001"},
		}},
	})}
	if d.snap, err = s.Snapshot("cmp-1"); err != nil {
		t.Fatal(err)
	}
	d.b = dial(t, spawn(t, "speaker"), func(c *bgp.Config) {
		c.AS, c.RouterID, c.Listen = as, netip.MustParseAddr(address), []netip.Addr{netip.MustParseAddr(address)}
	})
	apply(t, d.b, create(to))
	if d.rib, err = rib.Open(rib.Config{Speaker: rib.TableOf(d.b.Conn(), nil), EVPN: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.rib.Close() })
	return d
}

// round applies what the driver wants and reports whether that was anything.
func (d *duellist) round(t *testing.T) bool {
	t.Helper()
	var err error
	if d.snap.Learned, err = d.rib.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := desired.Compute(d.snap, nil, d.driver).Want
	have := read(t, d.b, true)
	var changes []object.Change
	for k, it := range want.AllOf(object.KindEVPN) {
		is, there := have.Get(k)
		switch {
		case it.Block != nil && there:
			changes = append(changes, object.Change{Before: is.Value})
		case it.Block == nil && !there:
			changes = append(changes, object.Change{After: it.Value})
		case it.Block == nil && is.Value != it.Value:
			changes = append(changes, object.Change{Before: is.Value, After: it.Value})
		}
	}
	for _, err := range d.b.Apply(t.Context(), changes) {
		if err != nil { // the other has outbid it since it was read; the next round knows
			t.Log(err)
		}
	}
	return len(changes) > 0
}

// announces returns the sequence number with which the node announces the MAC.
func (d *duellist) announces(t *testing.T, mac string) (string, bool) {
	t.Helper()
	for _, it := range read(t, d.b, true).SortedOf(object.KindEVPN) {
		if p, ok := it.Value.(object.EVPNPath); ok && p.MAC.String() == mac && !p.Prefix.IsValid() {
			return p.Mobility.String(), true
		}
	}
	return "", false
}

// Two nodes that both have a MAC outbid each other until one of them sees that it
// is in two places (RFC 7432 section 15.1) and gives way. Then it is quiet: that
// one does not come back, because the other does not fall back to a low number.
func TestDuelEnds(t *testing.T) {
	toB := passive("192.0.2.2", object.L2VPNEVPN)
	toA := object.Peer{
		Address: "192.0.2.1", AS: localAS, HoldTime: 9, Families: object.WordsOf(object.L2VPNEVPN.String()),
		Port: port, LocalAddress: netip.MustParseAddr("192.0.2.2"),
	}
	a := newDuellist(t, localAS, "192.0.2.1", "99.99.1.1", toB)
	b := newDuellist(t, neighbourAS, "192.0.2.2", "99.99.1.2", toA)
	established(t, a.b, "192.0.2.2")
	const mac = "fa:16:3e:aa:00:08"
	duel := func() string {
		state := func(d *duellist) string {
			number, ok := d.announces(t, mac)
			return fmt.Sprintf("%t %s", ok, number)
		}
		return state(a) + ", " + state(b)
	}
	// Quiet means that neither found anything to do in thirty rounds in a row, three
	// seconds; to hear of the other takes a fraction of one.
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	rounds := 0
	for quiet := 0; quiet < 30; quiet++ {
		if acted := a.round(t); b.round(t) || acted {
			quiet, rounds = 0, rounds+1
		}
		select {
		case <-ctx.Done():
			t.Fatalf("it does not end: %s after %d rounds", duel(), rounds)
		case <-a.rib.Changed():
		case <-b.rib.Changed():
		case <-time.After(100 * time.Millisecond):
		}
	}
	_, isA := a.announces(t, mac)
	_, isB := b.announces(t, mac)
	if isA == isB {
		t.Errorf("after %d rounds: %s; one of them must announce it", rounds, duel())
	}
	if rounds < 4 {
		t.Errorf("it ended after %d rounds, before anybody was outbid: %s", rounds, duel())
	}
}
