package agent

import (
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	source "github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// TestCordonIsADrain: a cordon is told as a drain is: the same phases and counts in "drain" of
// the status and in the metrics, the same codes of problems, with what ends it. Without one, or
// where it has no effect, there is none of that.
func TestCordonIsADrain(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	st := source.Status{Node: "worker-a", Cordoned: now, Drained: now.Add(30 * time.Second)}
	vip, egress := netip.MustParseAddr("198.51.100.20"), netip.MustParseAddr("192.0.2.50")
	paths := func(list ...netip.Addr) (out object.Set) {
		for _, a := range list {
			out.Put(object.Item{Value: object.NewPath(netip.PrefixFrom(a, 32), object.OriginIncomplete)})
		}
		return out
	}
	listed := func(state observe.NodeState, code string) kube.Listing {
		return kube.Listing{State: state, Services: []kube.ServiceState{{Addresses: []kube.AddressState{
			{Addr: vip, Path: netip.PrefixFrom(vip, 32), Code: code},
			{Addr: egress, Path: netip.PrefixFrom(egress, 32), Code: kube.CodeKindOff},
			{Code: kube.CodeNoAddress},
		}}}}
	}
	const phase = `bgp_ovn_drain{phase="`
	for _, tt := range []struct {
		name        string
		all         kube.Listing
		want, have  object.Set
		phase       reconcile.DrainPhase
		counts      [3]int // lowered, withdrawn, left
		code, text  string
		metricsHave string
	}{
		{name: "none", all: listed(observe.NodeActive, ""), want: paths(vip), have: paths(vip)},
		{
			name: "draining", all: listed(observe.NodeDraining, ""), want: paths(vip, egress), have: paths(vip, egress),
			phase: reconcile.DrainLowered, counts: [3]int{1, 0, 0}, code: "drained",
			text:        "1 service paths are a last resort, and are withdrawn from ",
			metricsHave: `bgp_ovn_drain_paths{state="lowered"} 1`,
		},
		{
			name: "drained, an egress IP is left", all: listed(observe.NodeDrained, kube.CodeNodeCordoned), want: paths(egress),
			have: paths(egress), phase: reconcile.DrainWaiting, counts: [3]int{0, 1, 1}, code: "drain-waiting",
			text:        "1 other paths are left; the first: path ipv4-unicast 192.0.2.50/32",
			metricsHave: `bgp_ovn_drain_paths{state="left"} 1`,
		},
		{
			name: "drained, nothing is left", all: listed(observe.NodeDrained, kube.CodeNodeCordoned),
			phase: reconcile.DrainSafe, counts: [3]int{0, 1, 0}, code: "drained",
			text:        "safe to stop, 1 service paths are withdrawn",
			metricsHave: `bgp_ovn_drain_paths{state="withdrawn"} 1`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := reconcile.Round{Want: tt.want, Have: tt.have}
			r.Drain = cordonState(st, tt.all, r)
			m := metrics.New("")
			m.Observe(r)
			text := scraped(t, m)
			if tt.phase == "" {
				if r.Drain != nil || strings.Contains(text, phase) {
					t.Errorf("got %+v", r.Drain)
				}
				return
			}
			s := statusReport{Status: control.Status{}}
			s.cordoned(r.Drain, "worker-a")
			d := s.Drain
			if d.Phase != string(tt.phase) || d.By != "cordon" || [3]int{d.Lowered, d.Withdrawn, d.Left} != tt.counts ||
				*d.Since != st.Cordoned || *d.Until != st.Drained || d.SafeToStop != (tt.phase == reconcile.DrainSafe) {
				t.Errorf("status: %+v", *d)
			}
			f := s.found[0]
			if len(s.found) != 1 || f.Code != tt.code || !strings.Contains(f.Text, tt.text) ||
				!strings.Contains(f.Try, "kubectl uncordon worker-a takes it back into service") || f.Since != st.Cordoned {
				t.Errorf("problems: %+v", s.found)
			}
			for _, line := range []string{phase + string(tt.phase) + `"} 1`, tt.metricsHave} {
				if !strings.Contains(text, "\n"+line+"\n") {
					t.Errorf("no metric %s", line)
				}
			}
		})
	}
}

// scraped are the metrics as a scraper reads them.
func scraped(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// TestCordonIsRemembered: the moment of a cordon is in the state file, so that the time to drain
// does not begin anew with a process, and so is that the node is not cordoned: what was cordoned
// before our first start differs from what is cordoned while no process is there (K-84).
func TestCordonIsRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	at := time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)
	for _, step := range []struct {
		known      bool
		have, keep time.Time
	}{{false, time.Time{}, at}, {true, at, time.Time{}}, {true, time.Time{}, at}, {true, at, at}} {
		db, err := state.Start(path, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := cordonMemory{db}
		if got, known := m.Recall(); known != step.known || !got.Equal(step.have) {
			t.Errorf("recalled %s %v, want %s %v", got, known, step.have, step.known)
		}
		m.Keep(step.keep)
		if got, known := m.Recall(); !known || !got.Equal(step.keep) {
			t.Errorf("kept %s, and has %s %v", step.keep, got, known)
		}
		db.Close()
	}
}

// TestHowTheAPIIsFollowed: a kind that has never been listed is kube-not-synced with its name and
// why; one that is not followed any more is kube-stale since then; one that the API does not serve
// is neither (K-73, K-74, K-75).
func TestHowTheAPIIsFollowed(t *testing.T) {
	since := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	refused := source.KindStatus{Name: "services", Fault: "403: not allowed: no", FaultSince: since}
	away := source.KindStatus{Name: "nodes", Synced: true, Fault: "no route to host", FaultSince: since}
	well := source.KindStatus{Name: "endpointslices", Synced: true}
	for _, tt := range []struct {
		name  string
		kinds []source.KindStatus
		code  string
		texts []string
	}{
		{"well", []source.KindStatus{well}, "", nil},
		{"no CRD", []source.KindStatus{well, {Name: "egressips", Synced: true, Unserved: true}}, "", nil},
		{"not listed", []source.KindStatus{well, {Name: "nodes"}}, "kube-not-synced", []string{"nodes: not listed yet"}},
		{
			"refused",
			[]source.KindStatus{refused, well},
			"kube-not-synced",
			[]string{"services: 403: not allowed: no", "nothing is removed meanwhile"},
		},
		{
			"away",
			[]source.KindStatus{well, away},
			"kube-stale",
			[]string{"nodes: no route to host", "nothing is withdrawn because of that"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := statusReport{}
			s.kubeAPI(source.Status{Server: "https://192.0.2.1:6443", Kinds: tt.kinds})
			if src := s.Sources[0]; src.Name != "Kubernetes" || src.OK != (tt.code == "") {
				t.Errorf("source %+v", src)
			}
			if tt.code == "" {
				if len(s.found) > 0 {
					t.Errorf("problems %+v", s.found)
				}
				return
			}
			f := s.found[0]
			if len(s.found) != 1 || f.Code != tt.code || f.Try == "" || tt.name != "not listed" && !f.Since.Equal(since) {
				t.Errorf("problems %+v", s.found)
			}
			for _, text := range tt.texts {
				if !strings.Contains(f.Text, text) {
					t.Errorf("%q lacks %q", f.Text, text)
				}
			}
		})
	}
}
