package sb_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// cloudPorts are the ports of the cloud whose nodes all start at once, 100 on each of its chassis.
const cloudPorts = 10_000

// BenchmarkSessions has the nodes of a cloud start at once on one server: what their first copies
// cost that server's one thread, and how long a change takes to the last of them. The peer of the
// same run is a session that reads everything.
func BenchmarkSessions(b *testing.B) {
	var all float64
	for _, c := range []struct {
		name     string
		sessions int
		open     func(chassis int, cfg ovsdb.Config) (*sb.Source, error)
	}{
		{"all", 20, func(_ int, cfg ovsdb.Config) (*sb.Source, error) { return sb.Open(context.Background(), cfg) }},
		{"local", 200, func(chassis int, cfg ovsdb.Config) (*sb.Source, error) {
			name := madeUUID("system-id", chassis%(cloudPorts/100))
			return sb.OpenLocal(context.Background(), cfg, sb.Local{
				Chassis: func() string { return name }, Known: func() []string { return nil },
			})
		}},
	} {
		b.Run(fmt.Sprintf("%s/%d", c.name, c.sessions), func(b *testing.B) {
			for b.Loop() {
				server := bigServer(b, cloudPorts)
				before, began := server.cpu(), time.Now()
				sources := startAtOnce(b, server, c.sessions, c.open)
				took, each := time.Since(began), (server.cpu()-before).Seconds()/float64(c.sessions)
				if all == 0 {
					all = each
				}
				b.ReportMetric(took.Seconds(), "s-to-last")
				b.ReportMetric(each*1e3, "server-ms/session")
				b.ReportMetric(each/all, "server-x-of-all")
				b.ReportMetric(float64(toTheLast(b, server, sources).Microseconds())/1e3, "ms-change-to-last")
				for _, s := range sources {
					s.Close()
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// startAtOnce opens sessions and waits until each has its rows.
func startAtOnce(b *testing.B, server *ovsdbServer, n int,
	open func(chassis int, cfg ovsdb.Config) (*sb.Source, error),
) []*sb.Source {
	b.Helper()
	sources := make([]*sb.Source, n)
	var wait sync.WaitGroup
	for i := range sources {
		wait.Go(func() {
			s, err := open(i, ovsdb.Config{
				Remotes: []string{server.remote()}, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				b.Error(err)
				return
			}
			sources[i] = s
			for rows, err := s.Read(b.Context()); err != nil || !synced(rows) || rows.Ports.Len() == 0; {
				<-s.Changed()
				rows, err = s.Read(b.Context())
			}
		})
	}
	wait.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return sources
}

// toTheLast is how long a change that concerns all takes until the last source has published it.
func toTheLast(b *testing.B, server *ovsdbServer, sources []*sb.Source) time.Duration {
	b.Helper()
	network := madeUUID("datapath", 0)
	began := time.Now()
	server.transact(update("Datapath_Binding", []any{"_uuid", "==", uuid(network)}, row{
		"external_ids": pairs("name", "another"),
	}))
	for i, s := range sources {
		for {
			rows, err := s.Read(b.Context())
			if err != nil {
				b.Fatalf("session %d: %v", i, err)
			}
			if hasNetwork(rows, "another") {
				break
			}
			<-s.Changed()
		}
	}
	return time.Since(began)
}

// cpu is the time that the server has computed, of /proc/PID/stat: ticks of 10 ms.
func (s *ovsdbServer) cpu() time.Duration {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var user, system int64
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		s.t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

func hasNetwork(rows *observe.Southbound, name string) bool {
	return slices.ContainsFunc(rows.Datapaths, func(d *observe.Datapath) bool { return d.Name() == name })
}
