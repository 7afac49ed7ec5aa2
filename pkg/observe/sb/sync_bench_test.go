package sb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-org/libovsdb/client"
	"github.com/ovn-org/libovsdb/model"
	libovsdb "github.com/ovn-org/libovsdb/ovsdb"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// A first copy is measured in a process of its own, so that its peak of memory
// is its own: the test binary runs itself with this variable set.
const childVariable = "SB_BENCH_CHILD"

func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(childVariable); ok {
		if err := child(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// cost is what a first copy took.
type cost struct {
	Wall, CPU time.Duration
	PeakMB    float64
	Rows      int
	// Bytes is what the server sent; 0 where that was not counted.
	Bytes uint64
}

// received is what a copy of this process was sent.
var received uint64

// child makes one copy and prints what it cost.
func child(how string) error {
	method, socket, _ := strings.Cut(how, " ")
	copies := map[string]func(context.Context, string) (int, error){
		"socket": copySocket, "source": copySource, "libovsdb": copyStock, "twice": copyTwice,
		"local": copyLocal,
	}
	began := time.Now()
	rows, err := copies[method](context.Background(), socket)
	if err != nil {
		return err
	}
	c := cost{Wall: time.Since(began), Rows: rows, Bytes: received}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return err
	}
	c.CPU = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	if c.PeakMB, err = peak(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(c)
}

// peak is the most memory that this process had in use. Rusage has a number
// too, but that begins with the parent's.
func peak() (float64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	var kb float64
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	_, err = fmt.Sscan(after, &kb)
	return kb / 1024, err
}

// copySource is the product.
func copySource(ctx context.Context, socket string) (int, error) {
	s, err := sb.Open(ctx, ovsdb.Config{Remotes: []string{"unix:" + socket}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	return firstRows(ctx, s)
}

// firstRows waits for the first rows, counts the ports and ends the session.
func firstRows(ctx context.Context, s *sb.Source) (int, error) {
	defer s.Close()
	<-s.Changed()
	rows, err := s.Read(ctx)
	if err != nil {
		return 0, err
	}
	return rows.Ports.Len(), nil
}

// copyLocal is the product on a node that reads what concerns it: of the bench's servers
// that is 100 ports.
func copyLocal(ctx context.Context, socket string) (int, error) {
	s, err := sb.OpenLocal(ctx, ovsdb.Config{
		Remotes: []string{"unix:" + socket}, Logger: slog.New(slog.DiscardHandler),
	}, sb.Local{Chassis: func() string { return madeUUID("system-id", 0) }, Known: func() []string { return nil }})
	if err != nil {
		return 0, err
	}
	ports, err := firstRows(ctx, s)
	received = s.Status().Bytes
	return ports, err
}

// copyTwice loses the session and makes a second copy beside the first.
func copyTwice(ctx context.Context, socket string) (int, error) {
	s, err := sb.Open(ctx, ovsdb.Config{Remotes: []string{"unix:" + socket}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	<-s.Changed()
	before, err := s.Read(ctx)
	if err != nil {
		return 0, err
	}
	control := filepath.Join(filepath.Dir(socket), "ctl")
	if err := exec.Command("ovs-appctl", "-t", control, "ovsdb-server/reconnect").Run(); err != nil {
		return 0, err
	}
	for s.Status().Copies < 2 {
		<-s.Changed() // the loss, and the return
	}
	after, err := s.Read(ctx)
	if err == nil && after.Ports.Slice()[0] != before.Ports.Slice()[0] {
		err = errors.New("an equal row has another pointer")
	}
	return after.Ports.Len(), err
}

// copySocket reads the same reply and throws it away: what the server and the
// socket alone take. The answer to an echo marks the end.
func copySocket(_ context.Context, socket string) (int, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	store, err := sb.Database.NewStore(installedSchema())
	if err != nil {
		return 0, err
	}
	request := make(map[string]libovsdb.MonitorRequest)
	for table, columns := range store.Columns() {
		request[table] = libovsdb.MonitorRequest{Columns: columns}
	}
	args := libovsdb.NewMonitorCondSinceArgs("OVN_Southbound", "rows", request, "00000000-0000-0000-0000-000000000000")
	enc := json.NewEncoder(c)
	if err := enc.Encode(map[string]any{"id": 1, "method": "monitor_cond_since", "params": args}); err != nil {
		return 0, err
	}
	if err := enc.Encode(map[string]any{"id": "the end", "method": "echo", "params": []any{}}); err != nil {
		return 0, err
	}
	buf := make([]byte, 128<<10)
	mark, kept := []byte(`"the end"`), 0
	for rows := 0; ; {
		n, err := c.Read(buf[kept:])
		if err != nil {
			return 0, err
		}
		rows += n
		if bytes.Contains(buf[max(0, kept+n-200):kept+n], mark) {
			return rows, nil
		}
		kept = copy(buf, buf[max(0, kept+n-64):kept+n])
	}
}

// copyStock is libovsdb's client with plain models of the same columns.
func copyStock(ctx context.Context, socket string) (int, error) {
	models, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{
		"Chassis": &stockChassis{}, "Datapath_Binding": &stockDatapath{}, "Port_Binding": &stockPort{},
	})
	if err != nil {
		return 0, err
	}
	quiet := logr.Discard()
	c, err := client.NewOVSDBClient(models, client.WithEndpoint("unix:"+socket), client.WithLogger(&quiet))
	if err != nil {
		return 0, err
	}
	if err := c.Connect(ctx); err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.MonitorAll(ctx); err != nil {
		return 0, err
	}
	return c.Cache().Table("Port_Binding").Len(), nil
}

func measure(b *testing.B, how, socket string) cost {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+how+" "+socket)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v", how, err)
	}
	var c cost
	if err := json.Unmarshal(out, &c); err != nil {
		b.Fatalf("%s: %v: %s", how, err, out)
	}
	return c
}

// BenchmarkFirstCopy compares a first copy with reading the same reply from the
// socket, and with libovsdb's client. The three take turns; the medians count.
func BenchmarkFirstCopy(b *testing.B) {
	for _, ports := range []int{1_000, 10_000, 100_000} {
		b.Run(strconv.Itoa(ports), func(b *testing.B) { benchFirstCopy(b, ports) })
	}
}

func benchFirstCopy(b *testing.B, ports int) {
	server := bigServer(b, ports)
	measure(b, "socket", server.socket) // the server's memory grows once
	costs := map[string][]cost{}
	b.ResetTimer()
	for range b.N {
		for _, how := range []string{"socket", "source", "libovsdb", "twice"} {
			c := measure(b, how, server.socket)
			if how != "socket" && c.Rows != ports {
				b.Fatalf("%s read %d rows of %d", how, c.Rows, ports)
			}
			costs[how] = append(costs[how], c)
		}
	}
	b.ReportMetric(0, "ns/op")
	wall := func(c cost) float64 { return c.Wall.Seconds() }
	socket := median(costs["socket"], wall)
	for how, c := range costs {
		b.ReportMetric(median(c, wall), how+"-s")
		b.ReportMetric(median(c, func(c cost) float64 { return c.CPU.Seconds() }), how+"-cpu-s")
		b.ReportMetric(median(c, func(c cost) float64 { return c.PeakMB }), how+"-MB")
		if how == "source" || how == "libovsdb" {
			b.ReportMetric(median(c, wall)/socket, how+"-x-socket")
		}
	}
	b.ReportMetric(float64(costs["socket"][0].Rows)/1e6, "reply-MB")
}

// BenchmarkLocalCopy compares what a node reads with ovn_sb_scope: local, which has 100
// ports, with reading everything, in turns.
func BenchmarkLocalCopy(b *testing.B) {
	for _, ports := range []int{1_000, 10_000, 100_000} {
		b.Run(strconv.Itoa(ports), func(b *testing.B) {
			server := bigServer(b, ports)
			whole := measure(b, "socket", server.socket)
			costs := map[string][]cost{}
			b.ResetTimer()
			for range b.N {
				for _, how := range []string{"source", "local"} {
					costs[how] = append(costs[how], measure(b, how, server.socket))
				}
			}
			if have := costs["local"][0].Rows; have != 100 {
				b.Fatalf("read %d ports, want the node's 100", have)
			}
			b.ReportMetric(0, "ns/op")
			for how, c := range costs {
				b.ReportMetric(median(c, func(c cost) float64 { return c.Wall.Seconds() }), how+"-s")
				b.ReportMetric(median(c, func(c cost) float64 { return c.PeakMB }), how+"-MB")
			}
			b.ReportMetric(float64(costs["local"][0].Bytes)/1e6, "local-reply-MB")
			b.ReportMetric(float64(whole.Rows)/1e6, "all-reply-MB")
			b.ReportMetric(float64(whole.Rows)/float64(costs["local"][0].Bytes), "all-x-local")
		})
	}
}

func median(costs []cost, of func(cost) float64) float64 {
	var values []float64
	for _, c := range costs {
		values = append(values, of(c))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
