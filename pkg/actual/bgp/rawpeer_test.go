package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// rawPeer brings a session up from 192.0.2.2, in octets.
func rawPeer(t testing.TB, families ...[3]byte) *speakertest.Peer {
	t.Helper()
	return rawPeerWith(t, speakertest.Families(families...))
}

// rawPeerWith is rawPeer with these capabilities, beside the one for AS numbers.
func rawPeerWith(t testing.TB, capabilities ...[]byte) *speakertest.Peer {
	t.Helper()
	capabilities = append(capabilities, speakertest.FourOctetAS(neighbourAS))
	open := speakertest.OpenMessage(neighbourAS, netip.MustParseAddr("192.0.2.2"), capabilities...)
	var p *speakertest.Peer
	// GoBGP closes connections that come before the peer's state machine waits for them.
	eventually(t, 20*time.Second, func() string {
		var err error
		p, err = speakertest.Dial(context.Background(), netip.MustParseAddr("192.0.2.2"),
			netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port))
		if err != nil {
			return err.Error()
		}
		if err = p.Establish(open); err != nil {
			p.Close()
			return err.Error()
		}
		return ""
	})
	t.Cleanup(func() { p.Close() })
	return p
}

// A path whose AS_PATH has our AS must not be used, and the neighbour has replaced by it
// what it had announced before (RFC 4271 sections 3.1 and 9.1.2).
func TestLoopReplacesTheEarlierPath(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, nil)
		apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast)))
		n := rawPeer(t, speakertest.IPv4)
		hop := netip.MustParseAddr("192.0.2.2")
		announce := func(ases ...uint32) {
			t.Helper()
			update := speakertest.UpdateMessage(speakertest.Usual(hop, ases...), netip.MustParsePrefix("198.51.100.0/24"))
			if err := n.Write(update); err != nil {
				t.Fatal(err)
			}
		}
		const line = "198.51.100.0/24 via 192.0.2.2 peer 192.0.2.2"
		announce(neighbourAS, 65010)
		awaitLearned(t, b, "0.0.0.0/0", false, line)
		announce(neighbourAS, localAS, 65010)
		awaitLearned(t, b, "0.0.0.0/0", false)
		announce(neighbourAS, 65010)
		awaitLearned(t, b, "0.0.0.0/0", false, line)
	})
}

// Our own AS is accepted as often as the peer's allow_own_as says, and not once more.
func TestOwnASIsAllowed(t *testing.T) {
	b := start(t, nil)
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.AllowOwnAS = 1
	apply(t, b, create(p))
	n := rawPeer(t, speakertest.IPv4)
	for prefix, ases := range map[string][]uint32{
		"198.51.100.0/24": {neighbourAS, localAS}, "198.51.101.0/24": {neighbourAS, localAS, localAS},
	} {
		attributes := speakertest.Usual(netip.MustParseAddr("192.0.2.2"), ases...)
		if err := n.Write(speakertest.UpdateMessage(attributes, netip.MustParsePrefix(prefix))); err != nil {
			t.Fatal(err)
		}
	}
	awaitLearned(t, b, "0.0.0.0/0", false, "198.51.100.0/24 via 192.0.2.2 peer 192.0.2.2")
}

// A neighbour that announces more than its limit loses its session, and what it had
// announced is not used; its state tells why.
func TestPrefixLimit(t *testing.T) {
	b := start(t, nil)
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.PrefixLimit = 2
	apply(t, b, create(p))
	n := rawPeer(t, speakertest.IPv4)
	attributes := speakertest.Usual(netip.MustParseAddr("192.0.2.2"), neighbourAS)
	for _, prefix := range []string{"198.51.100.0/24", "198.51.101.0/24", "198.51.102.0/24"} {
		if err := n.Write(speakertest.UpdateMessage(attributes, netip.MustParsePrefix(prefix))); err != nil {
			t.Fatal(err)
		}
	}
	<-n.Done()
	if code, sub, ok := n.Notified(); !ok || code != 6 || sub != 1 {
		t.Errorf("notified %d, %d, %t; want CEASE, maximum number of prefixes (RFC 4486)", code, sub, ok)
	}
	eventually(t, 10*time.Second, func() string {
		s := stateOf(t, b, "192.0.2.2")
		return emptyIf(s.State != bgp.Established && strings.Contains(s.LastError, "prefix limit"), fmt.Sprintf("%+v", s))
	})
	awaitLearned(t, b, "0.0.0.0/0", false)
}

// A peer that was shut at its prefix limit may connect again after a time, with its limit.
func TestReopenAfterPrefixLimit(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, nil)
		p := passive("192.0.2.2", object.IPv4Unicast)
		p.PrefixLimit = 2
		apply(t, b, create(p))
		if next, err := b.Reopen(t.Context(), 0); err != nil || !next.IsZero() {
			t.Errorf("with no session yet: %v, %v", next, err)
		}
		for range 2 {
			n := rawPeer(t, speakertest.IPv4)
			sends(t, n, hosts("198.51.100.1", 2), neighbourAS)
			receives(t, b, 2)
			sends(t, n, hosts("198.51.100.101", 5), neighbourAS)
			<-n.Done()
			eventually(t, 10*time.Second, func() string {
				next, err := b.Reopen(t.Context(), time.Hour)
				return emptyIf(err == nil && !next.IsZero(), fmt.Sprintf("next %v, %v", next, err))
			})
			if _, err := b.Reopen(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, func() string {
				s := stateOf(t, b, "192.0.2.2")
				return emptyIf(!strings.Contains(s.LastError, "stays down"), fmt.Sprintf("%+v", s))
			})
			if it, ok := read(t, b, true).Get(p.Key()); !ok || it.Value != object.Value(p) {
				t.Errorf("the peer reads as %v", it)
			}
		}
	})
}

// receives waits until that many prefixes are received in whichever session.
func receives(t testing.TB, b *bgp.Backend, received uint64) {
	t.Helper()
	eventually(t, 20*time.Second, func() string {
		s := stateOf(t, b, "192.0.2.2")
		return emptyIf(s.State == bgp.Established && s.Families[0].Received == received, fmt.Sprintf("%+v", s))
	})
}
