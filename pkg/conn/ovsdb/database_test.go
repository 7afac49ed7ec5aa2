package ovsdb_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// network is a small database of the tests' own: one table of ports.
type network struct {
	Revision uint64
	Stale    string
	Tables   []string
	Bad      []string
	Ports    []*portRow
}

type portRow struct {
	UUID, Chassis  wire.UUID
	Name           string
	MAC            []string
	Tag            uint16
	TunnelKey      int
	Options        map[string]string
	AdditionalHops []wire.UUID
}

var errNotSynced = errors.New("not in step yet")

var networkDatabase = &wire.Database[network]{
	Name: "Network", Title: "Network", NotSynced: errNotSynced,
	Required: map[string][]string{"Port": {"name", "mac"}},
	Tables:   []wire.TableOf[network]{portTable},
	Head: func(n *network) wire.Head {
		return wire.Head{
			Revision: &n.Revision, Stale: &n.Stale, Tables: &n.Tables,
			AddBadRow: func(table, row string, err error) { n.Bad = append(n.Bad, table+" "+row+": "+err.Error()) },
		}
	},
}

var portTable = &wire.Table[network, portRow]{
	Name: "Port",
	ID:   func(p *portRow) *wire.UUID { return &p.UUID },
	Key:  func(p *portRow) string { return p.Name },
	List: func(n *network) *[]*portRow { return &n.Ports },
	Columns: []wire.Column[*portRow]{
		wire.Text("name", func(p *portRow) *string { return &p.Name }),
		wire.Texts("mac", func(p *portRow) *[]string { return &p.MAC }),
		wire.VLAN("tag", func(p *portRow) *uint16 { return &p.Tag }),
		wire.Integer("tunnel_key", func(p *portRow) *int { return &p.TunnelKey }),
		wire.Reference("chassis", func(p *portRow) *wire.UUID { return &p.Chassis }),
		wire.References("hops", func(p *portRow) *[]wire.UUID { return &p.AdditionalHops }),
		wire.Mapping("options", func(p *portRow) *map[string]string { return &p.Options }),
	},
}

// networkSchema is what a server has of it.
const networkSchema = `{"name":"Network","version":"1.0.0","tables":{"Port":{"columns":{
	"name":{"type":"string"},"mac":{"type":{"key":"string","min":0,"max":"unlimited"}},
	"tag":{"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":1}},
	"tunnel_key":{"type":"integer"},"chassis":{"type":{"key":{"type":"uuid","refTable":"Chassis"},"min":0,"max":1}},
	"options":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}}}}`

// patience bounds every wait; what is waited for takes milliseconds.
const patience = 60 * time.Second

// open starts a follower that does not pause for long between attempts.
func open(t testing.TB, cfg ovsdb.Config) *ovsdb.Follower[network] {
	t.Helper()
	if cfg.BackoffMin == 0 {
		cfg.BackoffMin, cfg.BackoffMax = 10*time.Millisecond, 40*time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := ovsdb.Follow(t.Context(), networkDatabase, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// await waits until the rows satisfy a condition, woken by Changed alone.
func await(t testing.TB, s *ovsdb.Follower[network], what string, holds func(*network) bool) *network {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		have, err := s.Read(ctx)
		if err == nil && holds(have) {
			return have
		}
		select {
		case <-s.Changed():
		case <-ctx.Done():
			t.Fatalf("in vain, for %v: %s; %v, %+v", patience, what, err, s.Status())
		}
	}
}

func synced(n *network) bool { return n.Stale == "" }

func port(t *testing.T, have *network, name string) *portRow {
	t.Helper()
	for _, p := range have.Ports {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no port %s", name)
	return nil
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("in vain, for %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// shortDir is t.TempDir with a name that a unix socket's address can hold.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovsdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestStatusComesFirst: whoever sees rows for the first time and asks how they came gets an
// answer. It reads without waiting for Changed, to come as early as anybody can.
func TestStatusComesFirst(t *testing.T) {
	server := newFake(t, twoPorts)
	for range 50 {
		s := open(t, ovsdb.Config{Remotes: []string{server.remote}})
		eventuallyAtOnce(t, func() bool {
			_, err := s.Read(t.Context())
			return err == nil
		})
		if st := s.Status(); !st.Synced || st.Method == "" {
			t.Fatalf("rows before their status: %+v", st)
		}
		s.Close()
	}
}

// eventuallyAtOnce asks again and again without a pause.
func eventuallyAtOnce(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatal("in vain")
		}
		runtime.Gosched()
	}
}
