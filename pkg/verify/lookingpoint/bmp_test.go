package lookingpoint

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/bmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// bmpRouter is a router that tells a session by BMP what it has.
type bmpRouter struct {
	far
	at netip.AddrPort
}

// newBMP runs a session that accepts BMP on a free port.
func newBMP(t *testing.T, remote string) bmpRouter {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	at := free.Addr().(*net.TCPAddr).AddrPort()
	check(t, free.Close())
	s := New(Config{
		Remote: netip.AddrPortFrom(netip.MustParseAddr(remote), 179), BMP: at, Retry: time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	r := bmpRouter{far{t, nil, s}, at}
	r.await("listening", func(s Status) bool { return s.Err != nil && strings.Contains(s.Err.Error(), "BMP") })
	return r
}

func (r bmpRouter) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.at.String())
	check(r.t, err)
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

func (r bmpRouter) send(conn net.Conn, messages ...*bmp.BMPMessage) {
	r.t.Helper()
	for _, m := range messages {
		raw, err := m.Serialize()
		check(r.t, err)
		_, err = conn.Write(raw)
		check(r.t, err)
	}
}

// peerHeader is that of a neighbour of the router.
func peerHeader(addr string, flags uint8) bmp.BMPPeerHeader {
	return *bmp.NewBMPPeerHeader(bmp.BMP_PEER_TYPE_GLOBAL, flags, 0, netip.MustParseAddr(addr), 64999,
		netip.MustParseAddr("192.0.2.5"), 0)
}

func peerUpOf(t *testing.T, addr string) *bmp.BMPMessage {
	t.Helper()
	open := func(as uint16, id netip.Addr) *bgp.BGPMessage {
		m, err := bgp.NewBGPOpenMessage(as, 90, id, nil)
		check(t, err)
		return m
	}
	return bmp.NewBMPPeerUpNotification(peerHeader(addr, 0), netip.MustParseAddr("192.0.2.4"), 179, 40000,
		open(65000, theirID), open(64999, netip.MustParseAddr("192.0.2.5")))
}

func updateOf(t *testing.T, prefix string, alive bool) *bgp.BGPMessage {
	t.Helper()
	n, err := bgp.NewIPAddrPrefix(netip.MustParsePrefix(prefix))
	check(t, err)
	if !alive {
		return bgp.NewBGPUpdateMessage([]bgp.PathNLRI{{NLRI: n}}, nil, nil)
	}
	hop, err := bgp.NewPathAttributeNextHop(netip.MustParseAddr("192.0.2.5"))
	check(t, err)
	return bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(2), hop,
		bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(2, []uint32{64999})}),
	}, []bgp.PathNLRI{{NLRI: n}})
}

func (r bmpRouter) paths(prefix string) (out []verify.Held) {
	r.View(nlris(netip.MustParsePrefix(prefix)), func(_ int, exact []verify.Held, _ *verify.Held) { out = exact })
	return out
}

const (
	ourPrefix = "203.0.113.7/32"
	after     = bmp.BMP_PEER_FLAG_POST_POLICY
)

// What a router has taken from its neighbours, by its policy, is kept for each of them, and
// goes with the neighbour or the session.
func TestBMP(t *testing.T) {
	r := newBMP(t, "127.0.0.1")
	r.Want(nlris(netip.MustParsePrefix(ourPrefix)))
	conn := r.dial()
	first, second := peerHeader("192.0.2.5", after), peerHeader("192.0.2.6", after)
	r.send(conn, bmp.NewBMPInitiation(nil), peerUpOf(t, "192.0.2.5"), peerUpOf(t, "192.0.2.6"),
		bmp.NewBMPRouteMonitoring(first, updateOf(t, ourPrefix, true)),
		bmp.NewBMPRouteMonitoring(second, updateOf(t, ourPrefix, true)),
		bmp.NewBMPRouteMonitoring(first, updateOf(t, "198.51.100.0/24", true)))
	r.await("two paths", func(s Status) bool { return s.Established && s.Kept == 2 && s.Router == theirID })
	for _, h := range r.paths(ourPrefix) {
		if h.NextHop.String() != "192.0.2.5" || len(h.ASPath) != 1 || h.ASPath[0] != 64999 {
			t.Errorf("held: %+v", h)
		}
	}
	r.send(conn, bmp.NewBMPRouteMonitoring(second, updateOf(t, ourPrefix, false)))
	r.await("one is withdrawn", func(s Status) bool { return s.Kept == 1 })
	r.send(conn, bmp.NewBMPPeerDownNotification(first, bmp.BMP_PEER_DOWN_REASON_LOCAL_NO_NOTIFICATION, nil, []byte{0, 0}))
	r.await("the neighbour is gone", func(s Status) bool { return s.Established && s.Kept == 0 })

	// A router that connects again begins anew, and the former session ends.
	r.send(conn, bmp.NewBMPRouteMonitoring(second, updateOf(t, ourPrefix, true)))
	r.await("again", func(s Status) bool { return s.Kept == 1 })
	again := r.dial()
	r.send(again, bmp.NewBMPInitiation(nil), peerUpOf(t, "192.0.2.6"))
	r.await("a new session", func(s Status) bool { return s.Established && s.Kept == 0 })
	check(t, again.Close())
	r.await("down", func(s Status) bool { return !s.Established && s.Err != nil })
}

// Tables from before the router's policy prove nothing, and it is said that there are no
// others.
func TestBMPBeforePolicy(t *testing.T) {
	r := newBMP(t, "127.0.0.1")
	r.Want(nlris(netip.MustParsePrefix(ourPrefix)))
	conn := r.dial()
	before := peerHeader("192.0.2.5", 0)
	r.send(conn, peerUpOf(t, "192.0.2.5"), bmp.NewBMPRouteMonitoring(before, updateOf(t, ourPrefix, true)))
	s := r.await("the reason", func(s Status) bool { return s.Established && s.Err != nil })
	if s.Complete || s.Kept > 0 || !strings.Contains(s.Err.Error(), "post-policy") {
		t.Errorf("%+v", s)
	}
	r.send(conn, bmp.NewBMPRouteMonitoring(peerHeader("192.0.2.5", after), updateOf(t, ourPrefix, true)))
	r.await("behind the policy", func(s Status) bool { return s.Err == nil && s.Kept == 1 })
}

// Who is not the looking point is refused, and what cannot be read ends no more than the
// session.
func TestBMPOfOthers(t *testing.T) {
	stranger := newBMP(t, "192.0.2.99")
	conn := stranger.dial()
	if _, err := conn.Read(make([]byte, 1)); err == nil || stranger.Status().Established {
		t.Errorf("a stranger is let in: %v, %+v", err, stranger.Status())
	}
	r := newBMP(t, "127.0.0.1")
	for name, raw := range map[string]string{
		"another version": "\x02\x00\x00\x00\x06\x04", "too long": "\x03\xff\xff\xff\xff\x00",
		"too short": "\x03\x00\x00\x00\x01\x00",
	} {
		conn := r.dial()
		_, err := conn.Write([]byte(raw))
		check(t, err)
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: it goes on", name)
		}
	}
	conn = r.dial()
	_, err := conn.Write([]byte("\x03\x00\x00\x00\x0a\x00abcd\x03\x00\x00\x00\x07\x63x")) // neither is a message
	check(t, err)
	r.send(conn, peerUpOf(t, "192.0.2.5"))
	r.await("it goes on", func(s Status) bool { return s.Established && s.Router == theirID })
}
