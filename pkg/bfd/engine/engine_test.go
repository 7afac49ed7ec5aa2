package engine_test

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd/engine"
)

var fast = bfd.Profile{MinTx: 300_000, MinRx: 300_000, Mult: 3}

// steps collects what an engine tells.
type steps struct {
	mu   sync.Mutex
	list []bfd.Change
}

func (s *steps) on(_ netip.Addr, c bfd.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, c)
}

func (s *steps) failures() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.list {
		if c.Failed() {
			n++
		}
	}
	return n
}

// freePorts are two UDP ports that nobody uses now.
func freePorts(t testing.TB) (a, b uint16) {
	t.Helper()
	var ports [2]uint16
	for i := range ports {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ports[i] = c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	}
	return ports[0], ports[1]
}

// pair are two engines that send to each other.
func pair(t testing.TB, onA, onB func(netip.Addr, bfd.Change)) (a, b *engine.Engine) {
	pa, pb := freePorts(t)
	a = engine.NewTo(engine.Config{Port: pa, MultihopPort: pa, OnChange: onA}, pb)
	b = engine.NewTo(engine.Config{Port: pb, MultihopPort: pb, OnChange: onB}, pa)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	return a, b
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("no %s within a minute", what)
		case <-tick.C:
		}
	}
}

func is(e *engine.Engine, addr netip.Addr, want bfd.State) func() bool {
	return func() bool {
		s, ok := e.Status(addr)
		return ok && s.State == want
	}
}

func TestSessionOverRealSockets(t *testing.T) {
	for _, c := range []struct {
		name, addr string
		multihop   bool
	}{
		{"IPv4 single hop", "127.0.0.1", false},
		{"IPv6 single hop", "::1", false},
		{"IPv4 multihop", "127.0.0.1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr := netip.MustParseAddr(c.addr)
			var seen steps
			a, b := pair(t, seen.on, nil)
			peer := engine.Peer{Addr: addr, Multihop: c.multihop, Profile: fast}
			a.Set([]engine.Peer{peer})
			b.Set([]engine.Peer{peer})
			await(t, "session", func() bool { return is(a, addr, bfd.Up)() && is(b, addr, bfd.Up)() })
			s, _ := a.Status(addr)
			if s.Local == 0 || s.Remote == 0 || s.Err != nil || s.Received == 0 || s.Sent == 0 {
				t.Errorf("status %+v", s)
			}
			b.Set(nil)
			await(t, "end of a session that was taken down", is(a, addr, bfd.Down))
			if n := seen.failures(); n != 0 {
				t.Errorf("%d failures: the neighbour's operator took the session down", n)
			}
			if _, ok := b.Status(addr); ok {
				t.Error("a session that was taken down has a status")
			}
			b.Set([]engine.Peer{peer})
			await(t, "session again", is(a, addr, bfd.Up))
			b.Close()
			await(t, "failure", func() bool { return seen.failures() == 1 })
			if s, _ := a.Status(addr); s.Failures != 1 || s.Failed.IsZero() || s.Diag != bfd.Expired {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// What was forwarded by a router, or comes from another address, reaches no session.
func TestForgedPackets(t *testing.T) {
	pa, pb := freePorts(t)
	a := engine.NewTo(engine.Config{Port: pa, MultihopPort: pa}, pb)
	t.Cleanup(a.Close)
	addr := netip.MustParseAddr("127.0.0.1")
	a.Set([]engine.Peer{{Addr: addr, Profile: fast}})
	p := bfd.Packet{State: bfd.Down, DetectMult: 3, MyDisc: 5, DesiredMinTx: 1_000_000, RequiredMinRx: 1_000_000}
	send := func(from string, ttl int, data []byte) {
		c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)}, &net.UDPAddr{IP: addr.AsSlice(), Port: int(pa)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw, _ := c.SyscallConn()
		_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, ttl) })
		if _, err := c.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	send("127.0.0.1", 254, p.Append(nil))
	send("127.0.0.2", 255, p.Append(nil))
	send("127.0.0.1", 255, []byte("not a packet"))
	own, _ := a.Status(addr)
	looped := p
	looped.MyDisc = own.Local // ours, brought back by a loop
	send("127.0.0.1", 255, looped.Append(nil))
	await(t, "drops", func() bool { return a.Drops() == engine.Drops{TTL: 1, Unknown: 2, Malformed: 1} })
	if s, _ := a.Status(addr); s.State != bfd.Down || s.Received != 0 {
		t.Errorf("status %+v", s)
	}
	send("127.0.0.1", 255, p.Append(nil))
	await(t, "Init", is(a, addr, bfd.Init))
}

// A port that another program has is named, and taken once it is free.
func TestPortInUse(t *testing.T) {
	pa, pb := freePorts(t)
	other, err := net.ListenUDP("udp4", &net.UDPAddr{Port: int(pa)})
	if err != nil {
		t.Fatal(err)
	}
	a := engine.NewTo(engine.Config{Port: pa, MultihopPort: pa}, pb)
	t.Cleanup(a.Close)
	addr := netip.MustParseAddr("127.0.0.1")
	a.Set([]engine.Peer{{Addr: addr, Profile: fast}})
	if s, _ := a.Status(addr); s.Err == nil || !strings.Contains(s.Err.Error(), "another program") {
		t.Errorf("error %v", s.Err)
	}
	other.Close()
	await(t, "socket", func() bool { s, _ := a.Status(addr); return s.Err == nil })
}

// BenchmarkThousandSessions runs 1,000 sessions at 300 ms and prints which share of one
// core an end takes; both ends are in this process.
func BenchmarkThousandSessions(b *testing.B) {
	x, y := pair(b, nil, nil)
	var toY, toX []engine.Peer
	const many = 1000
	for i := range many {
		left := netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})
		right := netip.AddrFrom4([4]byte{127, 2, byte(i >> 8), byte(i)})
		toY = append(toY, engine.Peer{Addr: right, Local: left, Profile: fast})
		toX = append(toX, engine.Peer{Addr: left, Local: right, Profile: fast})
	}
	x.Set(toY)
	y.Set(toX)
	await(b, "1,000 sessions", func() bool {
		for _, p := range toY {
			if !is(x, p.Addr, bfd.Up)() {
				return false
			}
		}
		return true
	})
	b.ResetTimer()
	for b.Loop() {
		var before, after syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		const long = 5 * time.Second
		<-time.After(long)
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		used := time.Duration(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano()) / 2
		b.ReportMetric(float64(used)/float64(long)*100, "%core/end")
	}
	var failures uint64
	for _, p := range toY {
		s, _ := x.Status(p.Addr)
		failures += s.Failures
	}
	b.ReportMetric(float64(failures), "failures")
}
