// Package bench times whole rounds on a real kernel, with the real state file,
// beside what the machine can do at best.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/state"
)

var sizes = []struct {
	name string
	n    int
}{{"1k", 1_000}, {"10k", 10_000}, {"100k", 100_000}}

// BenchmarkRound brings a node from nothing to n exposed VMs, looks again twice
// with nothing to do, and takes everything away. The floor is the same routes
// as prepared netlink batches; ip -batch is the peer.
func BenchmarkRound(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			for range b.N {
				r := goRounds(b, size.n)
				f := measureFloor(b, size.n)
				r.report(b, f)
				b.Logf("%s: create derive %s read %s plan %s execute %s (applied %s); idle derive %s read %s plan %s; "+
					"raw add %s del %s dump %s; ip add %s del %s",
					size.name, r.create.Derived, r.create.Read, r.create.Planned, r.create.Executed, r.create.Applied,
					r.idle.Derived, r.idle.Read, r.idle.Planned, f.add, f.del, f.dump, f.ipAdd, f.ipDel)
			}
		})
	}
}

// The benchmark's way with few VMs leads where it should: everything is made, then
// there is nothing to do, and then all of it goes.
func TestRound(t *testing.T) {
	goRounds(t, 50)
	if f := measureFloor(t, 50); min(f.add, f.del, f.dump, f.ipAdd, f.ipDel) <= 0 {
		t.Errorf("the floor is %+v", f)
	}
}

// rounds are what a node does in the course of the benchmark.
type rounds struct {
	create, idle, still, audit, remove reconcile.Round

	idleCPU time.Duration
}

func goRounds(b testing.TB, size int) (r rounds) {
	b.Helper()
	n := newNode(b, size)
	full := n.snapshot(size)
	r.create = n.round(full, false)
	cpu := cpuTime()
	r.idle = n.round(full, false)
	r.idleCPU = cpuTime() - cpu
	r.still = n.round(full, false)
	r.audit = n.round(full, true)
	r.remove = n.round(n.snapshot(0), false)
	if !r.idle.Plan.Empty() || !r.still.Plan.Empty() || !r.audit.Plan.Empty() || r.create.Plan.Empty() ||
		r.remove.Plan.Empty() {
		b.Fatalf("plans: %s / %s / %s / %s / %s", r.create.Plan.Summary(), r.idle.Plan.Summary(), r.still.Plan.Summary(),
			r.audit.Plan.Summary(), r.remove.Plan.Summary())
	}
	n.close()
	return r
}

// floor is what the machine can do at best, and what ip does.
type floor struct{ add, del, dump, ipAdd, ipDel time.Duration }

func measureFloor(b testing.TB, size int) (f floor) {
	b.Helper()
	raw := newRaw(b, size)
	f.add, f.dump = raw.time(unix.RTM_NEWROUTE), raw.dump()
	f.del = raw.time(unix.RTM_DELROUTE)
	f.ipAdd, f.ipDel = raw.ipBatch("add"), raw.ipBatch("del")
	return f
}

func (r rounds) report(b *testing.B, f floor) {
	b.ReportMetric(r.create.Applied.Seconds()/f.add.Seconds(), "create-x-raw")
	b.ReportMetric(r.create.Applied.Seconds()/f.ipAdd.Seconds(), "create-x-ip")
	b.ReportMetric(r.create.Executed.Seconds()/f.add.Seconds(), "create+journal-x-raw")
	b.ReportMetric(r.remove.Applied.Seconds()/f.del.Seconds(), "delete-x-raw")
	b.ReportMetric(r.remove.Applied.Seconds()/f.ipDel.Seconds(), "delete-x-ip")
	b.ReportMetric(r.remove.Executed.Seconds()/f.del.Seconds(), "delete+journal-x-raw")
	b.ReportMetric(r.idle.Took().Seconds()*1e3, "idle-ms")
	b.ReportMetric(float64(r.still.Took().Nanoseconds())/1e3, "still-us")
	b.ReportMetric(r.idle.Took().Seconds()/f.dump.Seconds(), "idle-x-dump")
	b.ReportMetric(float64(r.idleCPU.Microseconds())/1e3, "idle-cpu-ms")
	b.ReportMetric(r.audit.Took().Seconds()*1e3, "audit-ms")
	b.ReportMetric(peakMB(), "peak-MB")
}

// node is a network namespace with a bridge br-ex and a controller in it.
type node struct {
	b      testing.TB
	ctl    *reconcile.Controller
	obs    *observer
	kernel *kernel.Backend
	db     *state.DB
	mac    object.MAC
}

// observer yields the snapshot that was set last.
type observer struct{ snap observe.Snapshot }

func (o *observer) Snapshot(context.Context) (observe.Snapshot, error) { return o.snap, nil }
func (o *observer) Changed() []<-chan struct{}                         { return nil }

func newNode(b testing.TB, size int) *node {
	b.Helper()
	isolate(b)
	n := &node{b: b, obs: &observer{}}
	var err error
	if n.kernel, err = kernel.New(kernel.Config{Marks: actual.DefaultMarks()}); err != nil {
		b.Fatal(err)
	}
	if n.db, err = state.Open(filepath.Join(b.TempDir(), fmt.Sprintf("state-%d.db", time.Now().UnixNano())),
		time.Now); err != nil {
		b.Fatal(err)
	}
	reader, err := actual.NewReader(n.kernel, model.New(object.KindPath, object.KindPeer, object.KindFlow))
	if err != nil {
		b.Fatal(err)
	}
	n.ctl = reconcile.New(reconcile.Config{
		Observer: n.obs, Backends: reader, Journal: n.db,
		Drivers: []desired.Driver{bgp.New(bgp.Config{Expose: expose.DefaultOptions()})},
	})
	link, err := net.InterfaceByName("br-ex")
	if err != nil {
		b.Fatal(err)
	}
	n.mac = object.MAC(link.HardwareAddr)
	return n
}

func (n *node) close() {
	if err := n.kernel.Close(); err != nil {
		n.b.Fatal(err)
	}
	if err := n.db.Close(); err != nil {
		n.b.Fatal(err)
	}
}

func (n *node) round(snap observe.Snapshot, complete bool) reconcile.Round {
	n.b.Helper()
	runtime.GC()
	n.obs.snap = snap
	r, err := n.ctl.Round(n.b.Context(), complete)
	if err != nil || r.ReadErr != nil || len(r.Failed()) > 0 {
		n.b.Fatal(err, r.ReadErr, r.Failed()[:min(3, len(r.Failed()))])
	}
	return r
}

// snapshot is a flat provider network with VMs on this node. A row for each of
// them stays when they are unbound, as it does when VMs move away.
func (n *node) snapshot(bound int) observe.Snapshot {
	me, other := observe.UUID{1}, observe.UUID{2}
	sb := &observe.Southbound{Chassis: []*observe.Chassis{{UUID: me, Name: "hv1"}, {UUID: other, Name: "hv2"}}}
	total := sizes[len(sizes)-1].n
	var ports []*observe.PortBinding
	for i := range total {
		p := &observe.PortBinding{
			UUID: observe.UUID{3, byte(i >> 16), byte(i >> 8), byte(i)}, LogicalPort: fmt.Sprintf("%08d-vm", i),
			Datapath: observe.UUID{4}, Chassis: other,
			Addresses: []observe.PortAddress{{MAC: object.MAC{0xfa}, Addrs: []netip.Prefix{host(i)}}},
		}
		if i < bound {
			p.Chassis = me
		}
		ports = append(ports, p)
	}
	sb.Ports = rowlist.Of(append(ports, &observe.PortBinding{
		LogicalPort: "provnet-1", Type: observe.PortLocalnet, Datapath: observe.UUID{4},
		Options: map[string]string{"network_name": "physnet1"},
	})...)
	return observe.Snapshot{
		Chassis: "hv1", SB: sb,
		OVS: &observe.OpenVSwitch{
			Mappings: []observe.BridgeMapping{{Position: 1, Network: "physnet1", Bridge: "br-ex"}},
			Bridges: []observe.Bridge{{Name: "br-ex", MAC: n.mac, Patches: []observe.PatchPort{{
				Localnet: "provnet-1",
				Name:     "patch", OFPort: 1,
			}}}},
		},
		Host: &observe.Host{Links: []observe.Link{{Name: "br-ex", MAC: n.mac, Up: true}}},
	}
}

func host(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// isolate moves the thread into a new network namespace with a device br-ex.
func isolate(b testing.TB) {
	b.Helper()
	runtime.LockOSThread() // for good: the thread is not given back
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		b.Fatalf("a network namespace needs root: %v", err)
	}
	for _, args := range [][]string{
		{"link", "add", "br-ex", "type", "bridge"},
		{"link", "set", "br-ex", "up"},
		{"link", "set", "lo", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			b.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
}

// raw is the floor: requests that were encoded beforehand, 200 a system call,
// in a namespace in which nobody listens.
type raw struct {
	b     testing.TB
	n     int
	fd    int
	index uint32
}

func newRaw(b testing.TB, n int) *raw {
	b.Helper()
	isolate(b)
	link, err := net.InterfaceByName("br-ex")
	if err != nil {
		b.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	return &raw{b, n, fd, uint32(link.Index)}
}

func (r *raw) time(kind uint16) time.Duration {
	flags := 0
	if kind == unix.RTM_NEWROUTE {
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	var batches [][]byte
	for i := 0; i < r.n; {
		var q rtnl.Batch
		for end := min(i+200, r.n); i < end; i++ {
			q.Begin(kind, flags, rtnl.RtMsg{
				Family: unix.AF_INET, DstLen: 32, Protocol: 98, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
			})
			q.Uint32(unix.RTA_TABLE, 201)
			q.Addr(unix.RTA_DST, host(i).Addr())
			q.Uint32(unix.RTA_OIF, r.index)
		}
		batches = append(batches, q.Encode(1))
	}
	buf := make([]byte, 64<<10)
	began := time.Now()
	for _, batch := range batches {
		if err := unix.Sendto(r.fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			r.b.Fatal(err)
		}
		n, err := unix.Read(r.fd, buf)
		if err == nil {
			err = rtnl.EachMessage(buf[:n], acknowledged)
		}
		if err != nil {
			r.b.Fatalf("raw batch: %v", err)
		}
	}
	return time.Since(began)
}

func acknowledged(m rtnl.Message) error {
	refusal, err := m.Refusal()
	if refusal != nil {
		return refusal
	}
	return err
}

// dump is a strict dump of the table and one pass over its rows.
func (r *raw) dump() time.Duration {
	seen := make(map[netip.Addr]bool, r.n)
	for i := range r.n {
		seen[host(i).Addr()] = false
	}
	var q rtnl.Batch
	q.Begin(unix.RTM_GETROUTE, unix.NLM_F_DUMP, rtnl.RtMsg{Family: unix.AF_INET, Protocol: 98})
	q.Uint32(unix.RTA_TABLE, 201)
	request := q.Encode(7)
	buf := make([]byte, 256<<10)
	began := time.Now()
	if err := unix.Sendto(r.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		r.b.Fatal(err)
	}
	for done := false; !done; {
		n, err := unix.Read(r.fd, buf)
		if err != nil {
			r.b.Fatal(err)
		}
		err = rtnl.EachMessage(buf[:n], func(m rtnl.Message) error {
			if done = m.Type == unix.NLMSG_DONE; done {
				return nil
			}
			_, a, err := m.Route()
			for err == nil && a.Next() {
				if a.Type == unix.RTA_DST {
					seen[a.Addr()] = true
				}
			}
			return err
		})
		if err != nil {
			r.b.Fatal(err)
		}
	}
	return time.Since(began)
}

func (r *raw) ipBatch(verb string) time.Duration {
	var text bytes.Buffer
	for i := range r.n {
		fmt.Fprintf(&text, "route %s %s dev br-ex table 201 proto 98\n", verb, host(i))
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = &text
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		r.b.Fatalf("ip -batch: %v: %s", err, out)
	}
	return time.Since(began)
}

func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMB is the peak resident size of this process so far, in MB.
func peakMB() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}
