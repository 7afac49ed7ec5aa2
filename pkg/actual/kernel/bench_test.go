package kernel

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

var sizes = []struct {
	name string
	n    int
}{{"1k", 1_000}, {"10k", 10_000}, {"100k", 100_000}}

// stopwatch keeps the shortest wall-clock and CPU time (user and system) of
// several runs: what others do on the machine can only make a run longer.
type stopwatch struct{ wall, cpu time.Duration }

func (s *stopwatch) time(fn func()) {
	start, cpu := time.Now(), cpuTime()
	fn()
	wall := time.Since(start)
	cpu = cpuTime() - cpu
	if s.wall == 0 {
		s.wall, s.cpu = wall, cpu
	}
	s.wall, s.cpu = min(s.wall, wall), min(s.cpu, cpu)
}

func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// floor is the least that can be done: requests encoded beforehand, sent 200
// at a time, one answer each time. It runs in a namespace in which no process
// listens.
type floor struct {
	b      *testing.B
	fd     int
	create [][]byte
	remove [][]byte
	buf    []byte
}

func newFloor(b *testing.B, routes []object.Route) *floor {
	l := &lab{t: b}
	isolate(b)
	l.ip("link add d0 type veth peer name p0")
	l.ip("link set p0 up")
	l.ip("link set d0 up")
	var index uint32
	if _, err := fmt.Sscanf(l.ip("-o link show dev d0"), "%d:", &index); err != nil {
		b.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1); err != nil {
		b.Fatal(err)
	}
	f := &floor{b: b, fd: fd, buf: make([]byte, 64<<10)}
	f.create = rawBatches(routes, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, index)
	f.remove = rawBatches(routes, unix.RTM_DELROUTE, 0, index)
	return f
}

func rawBatches(routes []object.Route, kind uint16, flags int, index uint32) [][]byte {
	var all [][]byte
	for len(routes) > 0 {
		var q rtnl.Batch
		n := min(len(routes), 200)
		for _, r := range routes[:n] {
			routeToRequest(&q, kind, flags, routeHeader(r, 98), r, index, nil)
		}
		all = append(all, q.Encode(1))
		routes = routes[n:]
	}
	return all
}

func (f *floor) send(batches [][]byte) {
	for _, batch := range batches {
		if err := unix.Sendto(f.fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			f.b.Fatal(err)
		}
		n, err := unix.Read(f.fd, f.buf)
		if err == nil {
			err = rtnl.EachMessage(f.buf[:n], acknowledged)
		}
		if err != nil {
			f.b.Fatalf("raw batch: %v", err)
		}
	}
}

func acknowledged(m rtnl.Message) error {
	refusal, err := m.Refusal()
	if refusal != nil {
		return refusal
	}
	return err
}

// dump is a raw strict dump by table into a map: what an idle round would be
// that kept nothing.
func (f *floor) dump(want map[netip.Prefix]object.Route) int {
	var q rtnl.Batch
	q.Begin(unix.RTM_GETROUTE, unix.NLM_F_DUMP, rtnl.RtMsg{Family: unix.AF_INET, Protocol: 98})
	q.Uint32(unix.RTA_TABLE, 201)
	if err := unix.Sendto(f.fd, q.Encode(7), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		f.b.Fatal(err)
	}
	same, done := 0, false
	for !done {
		n, err := unix.Read(f.fd, f.buf)
		if err != nil {
			f.b.Fatal(err)
		}
		err = rtnl.EachMessage(f.buf[:n], func(m rtnl.Message) error {
			if m.Type == unix.NLMSG_DONE {
				done = true
				return nil
			}
			h, a, err := m.Route()
			for err == nil && a.Next() {
				if a.Type == unix.RTA_DST {
					if r, ok := want[netip.PrefixFrom(a.Addr(), int(h.DstLen))]; ok && r.Table == 201 {
						same++
					}
				}
			}
			return err
		})
		if err != nil {
			f.b.Fatal(err)
		}
	}
	return same
}

func benchRoutes(n int) ([]object.Route, []object.Change, []object.Change) {
	routes := make([]object.Route, n)
	creates, removes := make([]object.Change, n), make([]object.Change, n)
	for i := range routes {
		routes[i] = object.NewRoute(201, host(i), "d0", netip.Addr{})
		creates[i].After, removes[i].Before = routes[i], routes[i]
	}
	return routes, creates, removes
}

// ipBatch runs ip -batch in the namespace of the thread.
func ipBatch(b *testing.B, verb string, routes []object.Route) func() {
	var text bytes.Buffer
	for _, r := range routes {
		fmt.Fprintf(&text, "route %s %s dev %s table %d proto 98 metric 0\n", verb, r.Dst, r.Dev, r.Table)
	}
	return func() {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = bytes.NewReader(text.Bytes())
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("ip -batch: %v: %s", err, out)
		}
	}
}

// BenchmarkApply creates and deletes routes through the backend, beside the
// same requests as raw batches and beside ip -batch, each in a namespace of
// its own, taking turns.
func BenchmarkApply(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			routes, creates, removes := benchRoutes(size.n)
			raw := newFloor(b, routes)
			l := newLab(b)
			add, del := ipBatch(b, "add", routes), ipBatch(b, "del", routes)
			l2 := newLab(b) // where ip works, without listeners
			if err := l2.b.Close(); err != nil {
				b.Fatal(err)
			}
			set, err := object.SetOf(values(routes)...)
			if err != nil {
				b.Fatal(err)
			}
			focus := actual.Focus{Want: set}
			l.read(focus)
			var rawAdd, rawDel, ipAdd, ipDel, ourAdd, ourDel stopwatch
			b.ResetTimer()
			for range b.N {
				rawAdd.time(func() { raw.send(raw.create) })
				rawDel.time(func() { raw.send(raw.remove) })
				ourAdd.time(func() { l.must(creates...) })
				l.read(focus) // as between two rounds: the set is handed out
				ourDel.time(func() { l.must(removes...) })
				l.read(focus)
				ipAdd.time(add)
				ipDel.time(del)
			}
			b.StopTimer()
			report := func(name string, our, raw, ip stopwatch) {
				b.ReportMetric(our.wall.Seconds()/raw.wall.Seconds(), name+"-x-raw")
				b.ReportMetric(our.wall.Seconds()/ip.wall.Seconds(), name+"-x-ip-batch")
				b.ReportMetric(our.cpu.Seconds()/raw.cpu.Seconds(), name+"-cpu-x-raw")
				b.ReportMetric(our.cpu.Seconds(), name+"-cpu-s")
				b.ReportMetric(our.wall.Seconds()*1e9/float64(size.n), name+"-ns/route")
				b.ReportMetric(raw.wall.Seconds()*1e9/float64(size.n), name+"-raw-ns/route")
			}
			report("create", ourAdd, rawAdd, ipAdd)
			report("delete", ourDel, rawDel, ipDel)
		})
	}
}

func values(routes []object.Route) []object.Value {
	out := make([]object.Value, len(routes))
	for i, r := range routes {
		out[i] = r
	}
	return out
}

// BenchmarkRead reads n routes that have not changed: from the mirror and
// completely, beside a raw strict dump with one pass over its rows.
func BenchmarkRead(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			routes, creates, _ := benchRoutes(size.n)
			raw := newFloor(b, routes)
			raw.send(raw.create)
			want := make(map[netip.Prefix]object.Route, len(routes))
			for _, r := range routes {
				want[r.Dst] = r
			}
			l := newLab(b)
			set, err := object.SetOf(values(routes)...)
			if err != nil {
				b.Fatal(err)
			}
			focus := actual.Focus{Want: set}
			l.read(focus)
			l.must(creates...)
			l.read(focus)
			var idle, full, dump, onePasses stopwatch
			b.ResetTimer()
			for range b.N {
				dump.time(func() {
					if got := raw.dump(want); got != size.n {
						b.Fatalf("raw dump found %d", got)
					}
				})
				idle.time(func() {
					if _, err := l.b.Read(context.Background(), focus); err != nil {
						b.Fatal(err)
					}
				})
				// A new focus of equal content, as after every recomputation.
				fresh := actual.Focus{Want: set.Clone()}
				onePasses.time(func() { l.read(fresh) })
				full.time(func() {
					if got := l.read(complete(focus)).LenOf(object.KindRoute); got != size.n {
						b.Fatalf("read %d", got)
					}
				})
			}
			b.StopTimer()
			each := func(s stopwatch) float64 { return s.wall.Seconds() * 1e3 }
			b.ReportMetric(each(dump), "raw-ms")
			b.ReportMetric(each(idle), "idle-ms")
			b.ReportMetric(each(onePasses), "refocus-ms")
			b.ReportMetric(each(full), "complete-ms")
			b.ReportMetric(each(idle)/each(dump), "idle-x-raw")
			b.ReportMetric(each(full)/each(dump), "complete-x-raw")
		})
	}
}
