package bgp_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// hosts are so many prefixes of single addresses.
func hosts(network string, n int) []netip.Prefix {
	addr := netip.MustParseAddr(network)
	var out []netip.Prefix
	for range n {
		out = append(out, netip.PrefixFrom(addr, 32))
		addr = addr.Next()
	}
	return out
}

// ourPaths are the paths of ours for them.
func ourPaths(prefixes []netip.Prefix) []object.Path {
	var out []object.Path
	for _, p := range prefixes {
		out = append(out, path(p.String()))
	}
	return out
}

// sends announces prefixes from 192.0.2.2 with these AS numbers in the path.
func sends(t testing.TB, n *speakertest.Peer, prefixes []netip.Prefix, ases ...uint32) {
	t.Helper()
	attributes := speakertest.Usual(netip.MustParseAddr("192.0.2.2"), ases...)
	if err := n.Write(speakertest.UpdateMessage(attributes, prefixes...)); err != nil {
		t.Fatal(err)
	}
}

// withdraws takes prefixes back (RFC 4271 section 4.3).
func withdraws(t testing.TB, n *speakertest.Peer, prefixes []netip.Prefix) {
	t.Helper()
	var nlri []byte
	for _, p := range prefixes {
		nlri = append(nlri, speakertest.NLRI(p)...)
	}
	body := binary.BigEndian.AppendUint16(nil, uint16(len(nlri)))
	if err := n.Write(speakertest.Message(2, append(append(body, nlri...), 0, 0))); err != nil {
		t.Fatal(err)
	}
}

// counts waits until a session is up that was never lost and has received and accepted so
// many prefixes.
func counts(t testing.TB, b *bgp.Backend, received, accepted uint64) {
	t.Helper()
	eventually(t, 20*time.Second, func() string {
		s := stateOf(t, b, "192.0.2.2")
		f := s.Families[0]
		return emptyIf(s.State == bgp.Established && s.Flaps == 0 && f.Received == received && f.Accepted == accepted,
			fmt.Sprintf("%+v, want %d received and %d accepted", s, received, accepted))
	})
}

// What a neighbour sends back to us does not count: it keeps its session with more of our
// own paths than its limit, announced before or after it came up, and loses it when it
// announces more of others than the limit and the room for ours allow.
func TestOwnPathsAreBesideTheLimit(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, nil)
		own := hosts("203.0.113.1", 12)
		p := passive("192.0.2.2", object.IPv4Unicast)
		p.PrefixLimit = 10
		apply(t, b, create(ourPaths(own[:3])...))
		apply(t, b, create(p))
		n := rawPeer(t, speakertest.IPv4)
		apply(t, b, create(ourPaths(own[3:])...))
		sends(t, n, own, neighbourAS, localAS)
		counts(t, b, 12, 0)
		if it, ok := read(t, b, true).Get(p.Key()); !ok || it.Value != object.Value(p) {
			t.Errorf("the peer reads as %v", it)
		}
		sends(t, n, hosts("198.51.100.1", 10), neighbourAS)
		counts(t, b, 22, 10)
		sends(t, n, hosts("198.51.100.101", 5), neighbourAS) // 27 of 10 and 16
		<-n.Done()
		if code, sub, ok := n.Notified(); !ok || code != 6 || sub != 1 {
			t.Errorf("notified %d, %d, %t; want CEASE, maximum number of prefixes (RFC 4486)", code, sub, ok)
		}
	})
}

// A controller that finds its peers in another process knows the room that they have.
func TestRoomOutlivesTheController(t *testing.T) {
	inEachProcess(t, func(t *testing.T, form string) {
		speaker := spawn(t, form)
		b := dial(t, speaker, nil)
		own := hosts("203.0.113.1", 40)
		p := passive("192.0.2.2", object.IPv4Unicast)
		p.PrefixLimit = 10
		apply(t, b, create(ourPaths(own[:12])...))
		apply(t, b, create(p))
		n := rawPeer(t, speakertest.IPv4)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = dial(t, speaker, nil)
		if it, ok := read(t, b, true).Get(p.Key()); !ok || it.Value != object.Value(p) {
			t.Errorf("the peer reads as %v", it)
		}
		apply(t, b, create(ourPaths(own[12:])...))
		sends(t, n, own, neighbourAS, localAS)
		counts(t, b, 40, 0)
	})
}

// Room that is used no more is taken back, and not before the neighbour has taken back
// what it was for.
func TestRoomIsGivenBack(t *testing.T) {
	b := start(t, nil)
	b.KeepRoom(0)
	own := hosts("203.0.113.1", 40)
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.PrefixLimit = 10
	apply(t, b, create(ourPaths(own)...))
	apply(t, b, create(p))
	limit := func(want uint32) {
		t.Helper()
		list, err := b.Conn().Peers(context.Background(), "192.0.2.2")
		if err != nil || len(list) != 1 {
			t.Fatal(len(list), err)
		}
		if got := list[0].GetAfiSafis()[0].GetPrefixLimits().GetMaxPrefixes(); got != want {
			t.Errorf("GoBGP's limit is %d, want %d", got, want)
		}
	}
	n := rawPeer(t, speakertest.IPv4)
	sends(t, n, own, neighbourAS, localAS)
	counts(t, b, 40, 0)
	limit(10 + 64)
	apply(t, b, remove(ourPaths(own[:38])...))
	limit(10 + 64) // it still sends them all
	withdraws(t, n, own[:38])
	counts(t, b, 2, 0)
	apply(t, b, remove(ourPaths(own[38:39])...))
	limit(10 + 1)
	counts(t, b, 2, 0)
	b.KeepRoom(time.Hour)
	apply(t, b, create(ourPaths(own)...))
	apply(t, b, remove(ourPaths(own)...))
	limit(10 + 64) // it was needed a moment ago
}
