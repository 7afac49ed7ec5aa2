package metrics_test

import (
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// crowded has a series of everything there is.
func crowded() *metrics.Metrics {
	m := metrics.New("bgp-ovn 1.2.3")
	held := object.NewPath(netip.MustParsePrefix("203.0.113.7/32"), object.OriginIncomplete)
	began := time.Unix(1000, 0)
	r := reconcile.Round{
		Started: began, Noticed: began.Add(-time.Millisecond), Frozen: "the database is away",
		Skipped:   []observe.Skip{{Code: observe.SkipConflict}},
		Contested: []reconcile.Contested{{Key: held.Key()}},
		Snapshot:  observe.Snapshot{Protected: &observe.Protected{Prefixes: make([]observe.ProtectedPrefix, 3)}},
		Outcomes:  []error{nil},
		Drain:     &reconcile.DrainState{Phase: reconcile.DrainLowered},
		Review:    &reconcile.Review{},

		Quarantined: []reconcile.Quarantined{{Key: object.Device{Name: "d"}.Key()}},
	}
	r.Have.Put(object.Item{Value: held})
	r.Plan.Ops = []plan.Op{{Verb: plan.Create, After: held, Cause: plan.CauseChange}}
	r.Plan.Notes = []plan.Note{{Key: held.Key(), Block: object.Block{Code: object.BlockHeld}}}
	m.Observe(r)
	m.Quarantined(map[string]bool{"192.0.2.9": true})
	m.Sources(map[string]bool{"southbound": true, "northbound": true})
	m.State(false, 7, map[string]int{"damaged": 1})
	m.Reach(map[string]int{"foreign-rule": 2})
	m.Elsewhere(4)
	m.Stations(map[string]bool{"192.0.2.50:11019": true})
	m.Verified(map[string]bool{"192.0.2.60": true}, map[string]int{"found": 8})
	m.Prefixes(map[string]int{"fip": 2, "gateway": 1})
	m.Fleet(metrics.Fleet{
		Self: []metrics.Member{{Chassis: "hv1"}}, Next: []metrics.Member{{Chassis: "hv2"}}, Expected: sketch(1),
		Announced: sketch(1),
	})
	m.Frozen(began)
	m.Config(metrics.Config{Hash: "0123", Loaded: began, Stale: true})
	m.Sessions([]metrics.Session{
		{
			Peer: "192.0.2.1", State: "Established", Up: true, Since: began, Flaps: 3,
			BFD: true, BFDUp: true, BFDFailures: 2, BFDEvents: map[string]uint64{"up": 3},
			Prefixes: []metrics.Prefixes{{Family: "ipv4-unicast", Sent: 1, Received: 9, Accepted: 5, Rejected: 4}},
		},
		{Peer: "192.0.2.2", State: "Active"},
	}, true)
	return m
}

// TestValues: what is set is what is served.
func TestValues(t *testing.T) {
	text := scrape(t, crowded())
	for _, line := range []string{
		`bgp_ovn_peer_up{peer="192.0.2.1"} 1`, `bgp_ovn_peer_up{peer="192.0.2.2"} 0`,
		`bgp_ovn_peer_state{peer="192.0.2.2",state="Active"} 1`, `bgp_ovn_peer_flaps_total{peer="192.0.2.1"} 3`,
		`bgp_ovn_peer_state_since_timestamp_seconds{peer="192.0.2.1"} 1000`,
		`bgp_ovn_peer_bfd_up{peer="192.0.2.1"} 1`, `bgp_ovn_peer_bfd_failures_total{peer="192.0.2.1"} 2`,
		`bgp_ovn_peer_prefixes{count="rejected",family="ipv4-unicast",peer="192.0.2.1"} 4`,
		`bgp_ovn_prefixes{class="fip"} 2`, `bgp_ovn_held{code="held"} 1`, `bgp_ovn_protected_prefixes 3`,
		`bgp_ovn_frozen_since_timestamp_seconds 1000`, `bgp_ovn_config_info{hash="0123"} 1`, `bgp_ovn_config_stale 1`,
		`bgp_ovn_state_file_errors_total 7`, `bgp_ovn_source_lag_seconds_count 1`, `bgp_ovn_announced_elsewhere 4`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	if !regexp.MustCompile(`(?m)^bgp_ovn_build_info\{goversion="go1[^"]*",version="1.2.3"\} 1$`).MatchString(text) {
		t.Errorf("no build_info in\n%s", text)
	}
	if strings.Contains(text, `since_timestamp_seconds{peer="192.0.2.2"}`) {
		t.Error("a session that never was up has a time")
	}
}

// TestSeriesGo: of each kind of thing that goes the series go, and nothing is left at its last
// value.
func TestSeriesGo(t *testing.T) {
	m := crowded()
	for _, left := range []string{
		`peer="192.0.2.9"`, "station=", `"northbound"`, `"damaged"`, `"foreign-rule"`, `"fip"`, `"0123"`, `"192.0.2.1"`,
		`"192.0.2.2"`, `code="held"`, `code="conflict"`, `"hv2"`, `bucket="0"`, `point="192.0.2.60"`, `"found"`,
		`phase="lowered"`, `state="withdrawn"`,
	} {
		if !strings.Contains(scrape(t, m), left) {
			t.Fatalf("the test proves nothing of %s", left)
		}
	}
	m.Observe(reconcile.Round{})
	m.Quarantined(nil)
	m.Sources(map[string]bool{"southbound": true})
	m.State(true, 7, nil)
	m.Reach(nil)
	m.Elsewhere(0)
	m.Stations(nil)
	m.Verified(nil, nil)
	m.Prefixes(map[string]int{"gateway": 1})
	m.Fleet(metrics.Fleet{})
	m.Frozen(time.Time{})
	m.Config(metrics.Config{Hash: "4567"})
	m.Sessions(nil, false)
	text := scrape(t, m)
	for _, gone := range []string{
		`peer="`, "station=", `"northbound"`, `"damaged"`, `"foreign-rule"`, `"fip"`, `"0123"`, `code="`, `"hv`, `bucket=`,
		"point=", `"found"`, "phase=", "bgp_ovn_drain_paths{",
	} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is left in\n%s", gone, text)
		}
	}
	for _, line := range []string{
		"bgp_ovn_speaker_up 0", "bgp_ovn_frozen 0", "bgp_ovn_frozen_since_timestamp_seconds 0", "bgp_ovn_contested 0",
		"bgp_ovn_announced_elsewhere 0",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

// TestOddLabels: what comes from outside never fails a scrape.
func TestOddLabels(t *testing.T) {
	m := metrics.New("x")
	m.Sessions([]metrics.Session{{Peer: "a\xff"}, {Peer: "b", State: "Idle"}, {Peer: "b", State: "Idle"}}, true)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || strings.Count(w.Body.String(), `bgp_ovn_peer_up{peer="b"}`) != 1 {
		t.Errorf("status %d:\n%s", w.Code, w.Body)
	}
}

// TestNativeHistograms: a scraper that takes them gets native histograms.
func TestNativeHistograms(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text")
	crowded().Handler().ServeHTTP(w, r)
	_, family, _ := strings.Cut(w.Body.String(), `"bgp_ovn_source_lag_seconds"`)
	if family, _, _ = strings.Cut(family, "bgp_ovn_"); !strings.Contains(family, "schema:") {
		t.Errorf("no native histogram:\n%.2000s", family)
	}
}

var (
	cellOf = regexp.MustCompile("^\\| (`bgp_ovn_[^|]*) \\| (\\w+) \\|")
	nameOf = regexp.MustCompile("`(bgp_ovn_\\w+)(?:\\{([^}]*)\\})?`")
	helpOf = regexp.MustCompile(`^# HELP (bgp_ovn_\w+) (.*)`)
	typeOf = regexp.MustCompile(`^# TYPE (bgp_ovn_\w+) (\w+)`)
	rowOf  = regexp.MustCompile(`^(bgp_ovn_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? [^ ]+$`)
	keyOf  = regexp.MustCompile(`(\w+)="`)
)

// documented is of each metric in docs/metrics.md its type and its labels, sorted.
func documented(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		cell := cellOf.FindStringSubmatch(line)
		if cell == nil {
			continue
		}
		for _, m := range nameOf.FindAllStringSubmatch(cell[1], -1) {
			labels := strings.Split(m[2], ",")
			slices.Sort(labels)
			out[m[1]] = cell[2] + " " + strings.Join(labels, ",")
		}
	}
	return out
}

// served is the same of what is served, and the help texts.
func served(text string) (metrics, help map[string]string) {
	metrics, help = map[string]string{}, map[string]string{}
	types := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := helpOf.FindStringSubmatch(line); m != nil {
			help[m[1]] = m[2]
		}
		if m := typeOf.FindStringSubmatch(line); m != nil {
			types[m[1]] = m[2]
		}
		m := rowOf.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(line, "#") {
			continue
		}
		name := m[1]
		if types[name] == "" { // its own name ends as those of a histogram do
			name = line[:strings.IndexAny(line, "{ ")]
		}
		var labels []string
		for _, k := range keyOf.FindAllStringSubmatch(m[2], -1) {
			if k[1] != "le" {
				labels = append(labels, k[1])
			}
		}
		slices.Sort(labels)
		metrics[name] = types[name] + " " + strings.Join(labels, ",")
	}
	return metrics, help
}

// TestDocumented: docs/metrics.md has what is served, by name, type and labels, and nothing
// else; and each has a text of its own.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	want := documented(string(doc))
	have, help := served(scrape(t, crowded()))
	if len(want) < 15 || len(have) < 20 {
		t.Fatalf("%d documented, %d served: the test reads them wrongly", len(want), len(have))
	}
	for name, what := range have {
		switch {
		case want[name] == "":
			t.Errorf("%s (%s) is served and not in docs/metrics.md", name, what)
		case want[name] != what:
			t.Errorf("%s is %q, docs/metrics.md has %q", name, what, want[name])
		}
		if len(help[name]) < 10 {
			t.Errorf("%s has no text that explains it", name)
		}
	}
	for name := range want {
		if have[name] == "" {
			t.Errorf("%s is in docs/metrics.md and not served", name)
		}
	}
}
