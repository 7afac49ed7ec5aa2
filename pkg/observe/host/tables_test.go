package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/google/go-cmp/cmp"
)

func TestTables(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	if err := os.MkdirAll(filepath.Join(l.dir, "rt_tables.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"rt_tables":              "# comment\n255\tlocal\n254 main\n201 br-ex\n0x12 hex # why\n\nnonsense\n-1 minus\n202\n",
		"rt_tables.d/blue.conf":  "1001 vrf-blue\n201 br-ex\n201 second\n",
		"rt_tables.d/ignored.md": "7 ignored\n",
	} {
		if err := os.WriteFile(filepath.Join(l.dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l.ip("route add 10.0.0.0/8 dev a0 table 201 proto 98")
	l.ip("route add 10.0.0.0/9 dev a0 table 201 proto bgp")      // ours too: not foreign
	l.ip("route add 10.0.0.0/8 dev a0 table 203 proto bgp")      // foreign
	l.ip("-6 route add unreachable 2001:db8::/32 table 204")     // foreign
	l.ip("route add 10.0.0.0/8 dev a0 table 205 proto 2")        // kernel's
	l.ip("route add 10.0.0.0/8 dev a0 table 206 proto 98")       // ours
	l.ip("route add 10.0.0.0/8 dev a0 table 300 proto bgp")      // out of range
	l.ip("-6 route add 2001:db8::/32 dev a0 table 207 proto 98") // ours, and
	l.ip("route add 10.0.0.0/8 dev a0 table 207 proto bgp")      // theirs
	var log strings.Builder
	s := l.open(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	want := []observe.RoutingTable{
		{ID: 18, Name: "hex"},
		{ID: 201, Name: "br-ex"},
		{ID: 201, Name: "second"},
		{ID: 203, Foreign: true},
		{ID: 204, Foreign: true},
		{ID: 254, Name: "main"},
		{ID: 255, Name: "local"},
		{ID: 1001, Name: "vrf-blue"},
	}
	if diff := cmp.Diff(want, l.read().Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"nonsense", "-1 minus", `\"202\"`} {
		if !strings.Contains(log.String(), bad) {
			t.Errorf("nothing was said about %s:\n%s", bad, log.String())
		}
	}
	// A name and a foreign route come and go with a refresh.
	l.ip("route flush table 203")
	l.ip("route add 10.0.0.0/8 dev a0 table 202 proto static")
	if err := os.Remove(filepath.Join(l.dir, "rt_tables.d/blue.conf")); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want = []observe.RoutingTable{
		{ID: 18, Name: "hex"},
		{ID: 201, Name: "br-ex"},
		{ID: 202, Foreign: true},
		{ID: 204, Foreign: true},
		{ID: 254, Name: "main"},
		{ID: 255, Name: "local"},
	}
	if diff := cmp.Diff(want, l.read().Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

// TestInspectTables: a table outside of the range is inspected into when it is asked for, and
// from then on with every refresh.
func TestInspectTables(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	l.ip("route add 10.0.0.0/8 dev a0 table 1001 proto static")
	l.ip("-6 route add unreachable default metric 4278198272 table 1002 proto 98") // ours: of a VRF that was begun
	l.ip("route add 10.0.0.0/8 dev a0 table 203 proto static")
	s := l.open(Config{})
	look := func(tables ...uint32) bool {
		t.Helper()
		found, err := s.InspectTables(t.Context(), tables)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	want := func(foreign ...uint32) {
		t.Helper()
		var got []uint32
		for _, table := range l.read().Tables {
			if table.Foreign {
				got = append(got, table.ID)
			}
		}
		if !slices.Equal(got, foreign) {
			t.Errorf("foreign tables %v, want %v", got, foreign)
		}
	}
	want(203)
	if !look(1001, 1002, 1003, 1001, 203) {
		t.Error("the first inspection found nothing")
	}
	want(203, 1001)
	if look(1001, 1002, 203) {
		t.Error("the second inspection found something")
	}
	s.mu.Lock() // not every kernel has VRFs
	s.links[99] = observe.Link{Name: "vrf-7", Table: 1004, Ours: true}
	s.mu.Unlock()
	if look(1004) {
		t.Error("inspected into the table of a VRF of ours")
	}
	l.ip("route flush table 1001")
	l.ip("route add 10.0.0.0/8 dev a0 table 1003 proto static")
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(203, 1003)
}

// TestHeld: what cannot be read leaves the last known state.
func TestHeld(t *testing.T) {
	l := newLab(t, "a0")
	file := filepath.Join(l.dir, "rt_tables")
	if err := os.WriteFile(file, []byte("201 br-ex\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := l.open(Config{})
	before := l.read()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o755); err != nil { // reading it is an error for root too
		t.Fatal(err)
	}
	if err := s.Refresh(t.Context()); err == nil {
		t.Error("no error")
	}
	if l.read() != before {
		t.Error("the last known state is gone")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Refresh(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if l.read() != before {
		t.Error("the last known state is gone")
	}
	if err := s.Refresh(t.Context()); err != nil || len(l.read().Tables) != 0 {
		t.Errorf("the next attempt: %v, %v", l.read().Tables, err)
	}
}

// TestBigTable: a table full of others' routes is not read to its end.
func TestBigTable(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	var batch strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&batch, "route add 10.%d.%d.%d/32 dev a0 table 210 proto bgp\n", i>>16, i>>8&255, i&255)
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := l.open(Config{})
	for range 2 {
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]observe.RoutingTable{{ID: 210, Foreign: true}}, l.read().Tables); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseTables(f *testing.F) {
	f.Add("201 br-ex\n")
	f.Fuzz(func(t *testing.T, text string) {
		tables, _ := parseTables(text)
		for _, table := range tables {
			if table.Name == "" || strings.ContainsAny(table.Name, " \n\t") {
				t.Errorf("name %q", table.Name)
			}
		}
	})
}
