package lookingpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

var theirID = netip.MustParseAddr("192.0.2.2")

// far listens as a looking point does, for a session that runs until the test ends.
type far struct {
	t *testing.T
	net.Listener
	*Session
}

func newFar(t *testing.T, change func(*Config)) far {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conf := Config{
		Remote: l.Addr().(*net.TCPAddr).AddrPort(), AS: speakertest.AS, LocalAS: 65001,
		RouterID: netip.MustParseAddr("192.0.2.1"), Retry: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&conf)
	}
	f := far{t, l, New(conf)}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); l.Close(); <-done })
	return f
}

func open(as uint32) []byte {
	return speakertest.OpenMessage(uint16(as), theirID, speakertest.FourOctetAS(as),
		speakertest.Families(speakertest.IPv4, speakertest.IPv6))
}

// accept brings a session up.
func (f far) accept() *speakertest.Peer {
	f.t.Helper()
	conn, err := f.Accept()
	if err != nil {
		f.t.Fatal(err)
	}
	p := speakertest.On(conn)
	if err := p.Establish(open(speakertest.AS)); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { p.Close() })
	return p
}

// await waits until a status is as a condition wants it.
func (f far) await(what string, ok func(Status) bool) Status {
	f.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s := f.Status()
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: %+v", what, s)
		}
		<-tick.C
	}
}

func update(prefixes ...netip.Prefix) []byte {
	return speakertest.UpdateMessage(speakertest.Usual(theirID, speakertest.AS), prefixes...)
}

// endOfRIB are the markers of both families (RFC 4724 section 2).
func endOfRIB() []byte {
	return append(speakertest.Message(speakertest.Update, []byte{0, 0, 0, 0}),
		speakertest.Message(speakertest.Update, []byte{0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1})...)
}

// What concerns a prefix that is wanted is kept, from before it was wanted too, and nothing
// of it once it is withdrawn or the session is gone.
func TestSession(t *testing.T) {
	f := newFar(t, nil)
	ours, late := netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("203.0.113.8/32")
	cover, other := netip.MustParsePrefix("203.0.112.0/20"), netip.MustParsePrefix("198.51.100.0/24")
	f.Want(nlris(ours))
	p := f.accept()
	if s := f.await("up", func(s Status) bool { return s.Established }); s.Complete || s.Router != theirID || s.AddPath {
		t.Errorf("%+v", s)
	}
	check(t, p.Write(slices.Concat(update(ours, cover, late), update(other), endOfRIB())))
	f.await("complete", func(s Status) bool { return s.Complete && s.Received == 4 && s.Kept == 2 })
	f.Want(nlris(ours, late))
	want := map[netip.Prefix]string{
		ours: "[{ipv4-unicast 203.0.113.7/32 0 192.0.2.2 [65002]", late: "[{ipv4-unicast 203.0.113.8/32 0 192.0.2.2 [65002]",
	}
	f.View(nlris(ours, late), func(i int, exact []verify.Held, _ *verify.Held) {
		prefix := []netip.Prefix{ours, late}[i]
		if got := fmt.Sprint(exact); len(exact) != 1 || got[:len(want[prefix])] != want[prefix] {
			t.Errorf("%s: got %s, want %s", prefix, got, want[prefix])
		}
	})
	check(t, p.Write(speakertest.WithdrawMessage(ours)))
	f.await("withdrawn", func(s Status) bool { return s.Kept == 2 })
	f.View(nlris(ours), func(_ int, exact []verify.Held, c *verify.Held) {
		if len(exact) != 0 || c == nil || c.NLRI.Prefix != cover {
			t.Errorf("held %v, covered by %v", exact, c)
		}
	})
	check(t, p.Close())
	if s := f.await("down", func(s Status) bool { return !s.Established }); s.Kept != 0 || s.Err == nil {
		t.Errorf("%+v", s)
	}
	f.accept()
	f.await("up again", func(s Status) bool { return s.Established })
}

// Where much came while a prefix began to be wanted, everything is asked for once more.
func TestDoubt(t *testing.T) {
	f := newFar(t, nil)
	conn, err := f.Accept()
	check(t, err)
	p := speakertest.On(conn)
	refresh, enhanced, four := []byte{2, 0}, []byte{70, 0}, speakertest.FourOctetAS(speakertest.AS)
	check(t, p.Establish(speakertest.OpenMessage(speakertest.AS, theirID, four, refresh, enhanced,
		speakertest.Families(speakertest.IPv4))))
	t.Cleanup(func() { p.Close() })
	f.await("up", func(s Status) bool { return s.Established })
	for i := range mostRecent + 1 {
		check(t, p.Write(update(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32))))
	}
	f.await("received", func(s Status) bool { return s.Received == mostRecent+1 })
	f.Want(nlris(netip.MustParsePrefix("203.0.113.7/32")))
	if s := f.Status(); !s.Doubtful {
		t.Fatalf("%+v", s)
	}
	f.Tend()
	// The end of the answer is marked.
	check(t, p.Write(speakertest.Message(speakertest.RouteRefresh, []byte{0, 1, 2, 1})))
	f.await("no doubt", func(s Status) bool { return !s.Doubtful })
}

// A looking point that is not the one of the configuration gets no session, and it is said
// why; nor is one connected to that may not be.
func TestRefused(t *testing.T) {
	f := newFar(t, nil)
	conn, err := f.Accept()
	check(t, err)
	if err := speakertest.On(conn).Establish(open(65099)); err == nil {
		t.Error("a session with another AS")
	}
	conn.Close()
	denied := errors.New("not from here")
	f = newFar(t, func(c *Config) { c.Allow = func(netip.Addr) error { return denied } })
	f.await("refused", func(s Status) bool { return errors.Is(s.Err, denied) })
}

// No message ends the process, and none that is damaged leaves a path behind.
func TestMalformed(t *testing.T) {
	n := 0
	for _, c := range speakertest.Malformed() {
		if c.Open != nil {
			deliver(t, c.Name, func(l *line) error {
				_, err := l.read()
				return err
			}, c.Open)
			continue
		}
		n++
		s := New(Config{Remote: netip.MustParseAddrPort("192.0.2.2:179"), Logger: slog.New(slog.DiscardHandler)})
		deliver(t, c.Name, func(l *line) error {
			l.families, l.hold = Config{EVPN: true}.families(), holdTime
			s.up(l, theirID)
			return l.receive(s.take)
		}, c.Messages)
	}
	if n < 100 {
		t.Errorf("only %d cases", n)
	}
}

// deliver has octets read by a line.
func deliver(t *testing.T, name string, read func(*line) error, octets []byte) {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	go func() {
		_, _ = theirs.Write(octets)
		theirs.Close()
	}()
	if err := read(&line{conn: ours}); err == nil && name == "" {
		t.Error("it has a name")
	}
}

// nlris are those of prefixes.
func nlris(list ...netip.Prefix) []verify.NLRI {
	out := make([]verify.NLRI, len(list))
	for i, p := range list {
		out[i] = verify.Unicast(p)
	}
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
