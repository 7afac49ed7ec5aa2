package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// packets are how many go there and back in one measurement, of which there are several.
	packets, measurements = 20_000, 5
	echoPort              = 7
)

// The client of the forwarding benchmark, the node's address there, and the hardware address of all VMs.
var (
	client  = netip.MustParseAddr("192.0.2.2")
	gateway = netip.MustParseAddr("192.0.2.1")
)

const vmMAC = "fa:16:3e:00:00:01"

// BenchmarkForward measures packets that a node forwards to a VM and back while it has n exposed
// VMs, with what a round has made. The floor is the same way of the same run through one route of
// the main table. It shows what rules and tables cost a packet.
func BenchmarkForward(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			for range b.N {
				none, with := goForward(b, size.n, packets)
				b.ReportMetric(float64(with.Nanoseconds())/1e3, "us-there-and-back")
				b.ReportMetric(float64(with)/float64(none), "x-of-none")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Packets get there and back, through what a round has made.
func TestForward(t *testing.T) {
	if none, with := goForward(t, 50, 20); none <= 0 || with <= 0 {
		t.Errorf("took %s and %s", none, with)
	}
}

// goForward returns what one packet takes there and back before anything is exposed, and after.
func goForward(b testing.TB, vms, packets int) (none, with time.Duration) {
	b.Helper()
	n := newNode(b, vms)
	defer n.close()
	outside, inside := space(b), space(b)
	target := host(vms / 2).Addr()
	ip := func(pid int, args ...string) {
		if pid != 0 {
			args = append([]string{"-t", fmt.Sprint(pid), "-n", "ip"}, args...)
			runIn(b, "nsenter", args...)
			return
		}
		runIn(b, "ip", args...)
	}
	ip(0, "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(outside))
	ip(0, "link", "add", "tap0", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(inside))
	ip(0, "link", "set", "br-ex", "address", n.mac.String()) // or it takes that of the port
	ip(0, "link", "set", "tap0", "master", "br-ex", "up")
	ip(0, "addr", "add", gateway.String()+"/24", "dev", "up0")
	ip(0, "link", "set", "up0", "up")
	ip(outside, "addr", "add", client.String()+"/24", "dev", "eth0")
	ip(outside, "link", "set", "eth0", "up")
	ip(outside, "route", "add", "10.0.0.0/8", "via", gateway.String())
	ip(inside, "link", "set", "eth0", "address", vmMAC, "up")
	ip(inside, "addr", "add", target.String()+"/32", "dev", "eth0")
	ip(inside, "route", "add", client.String()+"/32", "dev", "eth0")
	ip(inside, "neigh", "replace", client.String(), "lladdr", n.mac.String(), "dev", "eth0", "nud", "permanent")
	for name, value := range map[string]string{"ip_forward": "1", "conf/br-ex/rp_filter": "0", "conf/all/rp_filter": "0"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			b.Fatal(err)
		}
	}
	ip(0, "neigh", "replace", target.String(), "lladdr", vmMAC, "dev", "br-ex", "nud", "permanent")

	echo(b, inside, target)
	conn := socketIn(b, outside, client)
	to := &unix.SockaddrInet4{Port: echoPort, Addr: target.As4()}
	ip(0, "route", "add", target.String()+"/32", "dev", "br-ex")
	none = thereAndBack(b, conn, to, packets)
	ip(0, "route", "del", target.String()+"/32", "dev", "br-ex")
	n.round(n.snapshot(vms), false)
	with = thereAndBack(b, conn, to, packets)
	return none, with
}

func runIn(b testing.TB, name string, args ...string) {
	b.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		b.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// space is a network namespace of its own, named by the process that holds it.
func space(b testing.TB) (pid int) {
	b.Helper()
	cmd := exec.Command("unshare", "-n", "sh", "-c", "echo; exec sleep infinity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil { // it is there
		b.Fatal(err)
	}
	return cmd.Process.Pid
}

// socketIn is a UDP socket in a namespace, which gives up after a second.
func socketIn(b testing.TB, pid int, addr netip.Addr) int {
	b.Helper()
	type result struct {
		fd  int
		err error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread is not given back
		ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			made <- result{err: err}
			return
		}
		defer unix.Close(ns)
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			made <- result{err: err}
			return
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Port: echoPort, Addr: addr.As4()})
		}
		if err == nil {
			err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
		}
		made <- result{fd, err}
	}()
	r := <-made
	if r.err != nil {
		b.Fatal(r.err)
	}
	return r.fd
}

// echo sends packets back until the benchmark ends.
func echo(b testing.TB, pid int, addr netip.Addr) {
	b.Helper()
	fd := socketIn(b, pid, addr)
	stop, stopped := make(chan struct{}), make(chan struct{})
	b.Cleanup(func() {
		close(stop)
		<-stopped
		unix.Close(fd)
	})
	go func() {
		defer close(stopped)
		buf := make([]byte, 64)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if n, from, err := unix.Recvfrom(fd, buf, 0); err == nil {
				_ = unix.Sendto(fd, buf[:n], 0, from) // the other end counts what comes
			}
		}
	}()
}

// thereAndBack is what one packet takes: the best of several measurements, because other
// programs only make it slower.
func thereAndBack(b testing.TB, fd int, to unix.Sockaddr, packets int) time.Duration {
	b.Helper()
	var took []time.Duration
	buf := make([]byte, 64)
	for range measurements {
		began := time.Now()
		for range packets {
			if err := unix.Sendto(fd, buf[:8], 0, to); err != nil {
				b.Fatal(err)
			}
			err := error(unix.EINTR)
			for errors.Is(err, unix.EINTR) { // Go's scheduler sends signals
				_, _, err = unix.Recvfrom(fd, buf, 0)
			}
			if err != nil {
				b.Fatalf("no packet came back: %v", err)
			}
		}
		took = append(took, time.Since(began)/time.Duration(packets))
	}
	return slices.Min(took)
}
