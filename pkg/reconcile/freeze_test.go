package reconcile

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestFreezeIsLogged: that deletions are suspended is one line when it begins, with why
// and what is held, and one when it ends, however many rounds there are between; the fuse
// is told apart from a database that is away.
func TestFreezeIsLogged(t *testing.T) {
	s, err := story.Parse("include base\n" +
		`port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cfg := defaults()
	cfg.TenantNetworks = true
	n := newNode(t, "gw-1", s, cfg, func(c *Config) {
		c.Fuse = FuseConfig{Share: 0.1, Least: 1, Hold: 30 * time.Second}
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	n.settle()
	began := n.clock.Now()
	lines := func() []string {
		var out []string
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "suspended") {
				_, line, _ = strings.Cut(line, " level=")
				out = append(out, line)
			}
		}
		log.Reset()
		return out
	}
	tell := func(line string) {
		t.Helper()
		if err := s.Tell(line); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			n.round()
		}
	}
	check := func(what string, want ...string) {
		t.Helper()
		got := lines()
		if len(got) != len(want) {
			t.Fatalf("%s: got %q", what, got)
		}
		for i := range want {
			for _, part := range strings.Split(want[i], "|") {
				if !strings.Contains(got[i], part) {
					t.Errorf("%s: %q is not in %q", what, part, got[i])
				}
			}
		}
	}
	tell(`stale sb "connection refused"`)
	check("a database is away", "WARN|deletions are suspended|connection refused|held=0")
	if _, stats := n.c.Last(); !stats.FrozenSince.Equal(began) {
		t.Errorf("frozen since %s, want %s", stats.FrozenSince, began)
	}
	tell("drop vmP")
	check("and a row goes", "WARN|suspended deletions hold objects|held=|172.24.4.92/32")
	n.clock.advance(10 * time.Second)
	tell(`stale sb ""`)
	check("the fuse goes on", "WARN|deletions are suspended|fuse: 1 of|172.24.4.92/32")
	n.clock.advance(30 * time.Second)
	n.round()
	check("the fuse lets go", "INFO|deletions are no longer suspended|lasted=40s|2 to delete|held at most")
	if _, stats := n.c.Last(); !stats.FrozenSince.IsZero() {
		t.Errorf("frozen since %s", stats.FrozenSince)
	}
}
