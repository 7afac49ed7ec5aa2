package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// canned answers every question with what it holds, and records what it was
// asked.
type canned struct {
	parts    []control.Part
	status   control.Status
	plan     control.Plan
	desired  control.Desired
	explain  control.Explanation
	evpn     control.EVPN
	trace    control.Trace
	found    control.Found
	kube     control.Kube
	service  control.ServiceExplanation
	audit    control.Audit
	reload   control.Reload
	history  control.History
	planFile control.PlanFile
	applied  control.Applied
	rollback control.Rollback
	// released is the answer of a release.
	released control.Released
	drain    control.Drain
	retried  control.Retried
	// peers, sent and received are the tables of BGP.
	peers    control.BGPPeers
	sent     control.BGPAdvertised
	received control.BGPReceived
	verify   control.Verify
	err      error

	mu    sync.Mutex
	asked []any
}

func (c *canned) note(what ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, what...)
	return c.err
}

func (c *canned) Status(context.Context) (control.Status, error) { return c.status, c.note("status") }
func (c *canned) Plan(context.Context) (control.Plan, error)     { return c.plan, c.note("plan") }
func (c *canned) Desired(context.Context) (control.Desired, error) {
	return c.desired, c.note("desired")
}

func (c *canned) Snapshot(context.Context) ([]byte, error) {
	return []byte("{\"rows\": 1}\n"), c.note("snapshot")
}

func (c *canned) Explain(_ context.Context, target string) (control.Explanation, error) {
	return c.explain, c.note("explain", target)
}

func (c *canned) Find(_ context.Context, target string) (control.Found, error) {
	return c.found, c.note("find", target)
}

func (c *canned) Trace(_ context.Context, q control.TraceQuestion) (control.Trace, error) {
	return c.trace, c.note("trace", q)
}

func (c *canned) EVPN(_ context.Context, vni uint32) (control.EVPN, error) {
	return c.evpn, c.note("evpn", vni)
}

func (c *canned) Kube(_ context.Context, q control.KubeQuery) (control.Kube, error) {
	return c.kube, c.note("kube", q)
}

func (c *canned) ExplainService(_ context.Context, service string) (control.ServiceExplanation, error) {
	return c.service, c.note("explain service", service)
}

func (c *canned) Audit(_ context.Context, repair bool) (control.Audit, error) {
	return c.audit, c.note("audit", repair)
}

func (c *canned) History(_ context.Context, f history.Filter) (control.History, error) {
	return c.history, c.note("history", f)
}

func (c *canned) Reload(_ context.Context, dryRun bool) (control.Reload, error) {
	return c.reload, c.note("reload", dryRun)
}

func (c *canned) PlanWith(_ context.Context, set []string) (control.Reload, error) {
	return c.reload, c.note("plan with", strings.Join(set, " "))
}

func (c *canned) PlanFile(context.Context) (control.PlanFile, error) {
	return c.planFile, c.note("plan file")
}

func (c *canned) Apply(_ context.Context, digest string) (control.Applied, error) {
	return c.applied, c.note("apply", digest)
}

func (c *canned) Rollback(_ context.Context, round uint64) (control.Rollback, error) {
	return c.rollback, c.note("rollback", round)
}

func (c *canned) BGPPeers(_ context.Context, address string) (control.BGPPeers, error) {
	return c.peers, c.note("peers " + address)
}

func (c *canned) Advertised(_ context.Context, q control.RouteQuery) (control.BGPAdvertised, error) {
	return c.sent, c.note("advertised", q)
}

func (c *canned) Received(_ context.Context, q control.RouteQuery, rejected bool) (control.BGPReceived, error) {
	return c.received, c.note(fmt.Sprint("received ", rejected), q)
}

func (c *canned) Verify(_ context.Context, q control.RouteQuery, all bool) (control.Verify, error) {
	return c.verify, c.note(fmt.Sprint("verify ", all), q)
}

func (c *canned) Record(_ context.Context, take control.Take) error {
	for _, p := range c.parts {
		if err := take(p); err != nil {
			return err
		}
	}
	return c.note("record")
}

func (c *canned) ReleasePeer(_ context.Context, address string) (control.Released, error) {
	return c.released, c.note("release", address)
}

func (c *canned) Drain(_ context.Context, force bool) (control.Drain, error) {
	return c.drain, c.note("drain", fmt.Sprint("force ", force))
}

func (c *canned) Undrain(context.Context) (control.Drain, error) { return c.drain, c.note("undrain") }

func (c *canned) Retry(_ context.Context, object string) (control.Retried, error) {
	return c.retried, c.note("retry", object)
}

func sample() *canned {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	p := control.Plan{
		Version: 1, Summary: "1 to create",
		Ops: []control.Step{{
			Verb: "create", Kind: "path", Key: "ipv4-unicast 192.0.2.7/32", Before: json.RawMessage("null"),
			After: json.RawMessage(`{"med":null}`), Needs: []control.ObjectRef{{Kind: "route", Key: "x"}},
			Why: []object.Source{}, Line: "+ path ...",
		}},
		Notes: []control.Note{{
			Kind: "flow", Key: "br-ex", Code: object.BlockUnmanaged, Intentional: true, Why: []object.Source{},
			Line: "! flow",
		}},
	}
	var d control.Desired
	if err := json.Unmarshal([]byte(`{"version":1,"chassis":"hv1",
		"objects":[{"kind":"path","key":"k","why":[{"table":"a","row":"row"}],"line":"path k"}],
		"skipped":[{"table":"Port_Binding","row":"vm","code":"unreadable","text":"mac"}]}`), &d); err != nil {
		panic(err)
	}
	return &canned{
		plan: p, desired: d,
		status: control.Status{
			Version: 1, Healthy: true, Problems: []control.Problem{{Code: "peer-down", Text: "t", Try: "y"}}, Started: at,
			Sources: []control.Source{{Name: "OVN_Southbound", OK: true, Text: "x"}},
			Peers: []control.Peer{{
				Address: "192.0.2.1", AS: 65000, State: control.Established, Since: at,
				Families: []control.PeerFamily{{Family: object.IPv4Unicast, Negotiated: true, Sent: 3}},
			}},
			Counts: []control.Count{{Kind: object.KindRoute, Wanted: 2, Have: 1}}, NotAsWanted: []control.Note{{Line: "a"}},
			Filtered: []control.Note{},
			Skipped:  []observe.Skip{{Table: "Port_Binding", Row: "vm", Code: "unreadable"}}, ShadowedBy: []control.Rule{},
			LastRound: &control.RoundTime{At: at, Seconds: 0.001, Summary: "s"},
		},
		explain: control.Explanation{Version: 1, Explanation: reconcile.Explanation{
			Advertised: true,
			Chassis:    []string{"hv1"},
		}},
		found: control.Found{Version: 1, Target: "web-1", Result: names.Result{Total: 1, Matches: []names.Match{{
			Kind: names.KindPort, Name: "web-1", Terms: []string{"t"},
			Addresses: []names.Address{{Addr: netip.MustParseAddr("192.0.2.7"), Relation: names.Own, Announced: true}},
		}}, Looked: []names.Looked{{What: "ports", Count: 3}}}},
		kube:    sampleKube(at),
		service: control.ServiceExplanation{Version: 1, Service: "default/web", Addresses: []control.Explanation{}},
		trace: control.Trace{
			Version: 1, Announced: true, Verdict: reach.Verdict{
				From: []string{"eth0"}, Address: netip.MustParseAddr("192.0.2.7"), Checked: true,
				Stages: []reach.Stage{{Name: "rule", Text: "t", State: reach.Broken, Code: reach.CodeForeignRule, Try: "y"}},
			},
		},
		evpn:     control.EVPN{Version: 1, VNIs: []control.VNI{{VNI: 7, Legs: []control.Leg{{Line: "a - b"}}}}},
		planFile: control.PlanFile{Version: 1, Form: control.PlanFileForm, Digest: "d1", Ops: p.Ops, Notes: p.Notes},
		applied:  control.Applied{Version: 1, Plan: p, Moved: []control.Moved{{Kind: "route", Key: "x", Code: "new"}}},

		audit:  control.Audit{Version: 1, Drift: p, Repaired: true, Failed: []control.FailedStep{{Line: "f"}}},
		reload: control.Reload{Version: 1, Changed: []string{"bgp.peers"}, Plan: &p},

		history: control.History{
			Version: 1, Last: 9, More: 1,
			Steps: []history.Step{{
				Round: 9, Kind: "route", Key: "192.0.2.7/32", Rows: []history.RowRef{{Table: "a", Name: "b"}},
			}},
		},
		verify: control.Verify{Version: 1, At: at, Counts: []control.StateCount{{State: "missing", Count: 1}}, Total: 1},
		rollback: control.Rollback{
			Version: 1, Round: 41, At: at, Stand: 1, Names: map[string]string{"a": "b"},
			Steps: []control.Undo{{
				Step: history.Step{Round: 41, Kind: "route", Key: "192.0.2.7/32", Rows: []history.RowRef{}},
				Line: "+ route 192.0.2.7/32", State: control.UndoMade, Text: "made again",
			}},
		},
		released: control.Released{Version: 1, Peer: "192.0.2.9"},
		retried:  control.Retried{Version: 1, Objects: []control.RetriedObject{{Kind: "route", Key: "y"}}},
		drain: control.Drain{
			Version: 1, Phase: "waiting", Since: &at, Until: &at, Force: true, Left: 1,
			Remaining: []control.DrainPath{{Kind: "path", Key: "x"}},
		},
	}
}

func sampleKube(at time.Time) control.Kube {
	return control.Kube{
		Version: 1, Node: "worker-a", API: control.KubeAPI{Live: true, Synced: true, Kinds: []control.KubeKind{{
			Name: "services", Objects: 2, Followed: true, Heard: &at,
		}}}, Services: []control.KubeService{{Namespace: "default", Name: "web", Addresses: []control.KubeAddress{{
			Kind: "loadbalancer", Nodes: []string{"worker-a"}, Verdict: control.KubeAnnounced,
		}}}}, EgressIPs: []control.KubeAddress{},
	}
}

// serve runs a server until the test ends and returns the socket's path.
func serve(t *testing.T, c control.Controller) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ctl") // short, for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "run", "control.sock")
	l, err := control.Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		control.Serve(ctx, l, c, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		<-done
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket stays behind: %v", err)
		}
		os.RemoveAll(dir)
	})
	return path
}

// traceQuestion has all that a trace can be asked with.
var traceQuestion = control.TraceQuestion{
	To: netip.MustParseAddr("192.0.2.7"), From: "eth0", Src: netip.MustParseAddr("192.0.2.1"),
}

// kubeQuestion has all that services can be asked for with.
var kubeQuestion = control.KubeQuery{Namespace: "default", Name: "web", All: true}

// Every answer arrives as it was given, and every question with its arguments.
func TestRoundTrip(t *testing.T) {
	want := sample()
	c := control.NewClient(serve(t, want))
	ctx := t.Context()
	got := &canned{}
	question := history.Filter{
		Target: "route 192.0.2.7/32", Since: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Cause: plan.CauseDrift, After: 7,
		Most: 8,
	}
	var raw []byte
	for name, err := range map[string]error{
		"status":   func() (err error) { got.status, err = c.Status(ctx); return err }(),
		"plan":     func() (err error) { got.plan, err = c.Plan(ctx); return err }(),
		"desired":  func() (err error) { got.desired, err = c.Desired(ctx); return err }(),
		"explain":  func() (err error) { got.explain, err = c.Explain(ctx, "192.0.2.7"); return err }(),
		"find":     func() (err error) { got.found, err = c.Find(ctx, "web-1"); return err }(),
		"kube":     func() (err error) { got.kube, err = c.Kube(ctx, kubeQuestion); return err }(),
		"service":  func() (err error) { got.service, err = c.ExplainService(ctx, "default/web"); return err }(),
		"trace":    func() (err error) { got.trace, err = c.Trace(ctx, traceQuestion); return err }(),
		"evpn":     func() (err error) { got.evpn, err = c.EVPN(ctx, 7); return err }(),
		"audit":    func() (err error) { got.audit, err = c.Audit(ctx, true); return err }(),
		"reload":   func() (err error) { got.reload, err = c.Reload(ctx, true); return err }(),
		"with":     func() (err error) { got.reload, err = c.PlanWith(ctx, []string{"a=b", "c=d e&f"}); return err }(),
		"history":  func() (err error) { got.history, err = c.History(ctx, question); return err }(),
		"file":     func() (err error) { got.planFile, err = c.PlanFile(ctx); return err }(),
		"apply":    func() (err error) { got.applied, err = c.Apply(ctx, "d1"); return err }(),
		"rollback": func() (err error) { got.rollback, err = c.Rollback(ctx, 41); return err }(),
		"verify": func() (err error) {
			got.verify, err = c.Verify(ctx, control.RouteQuery{Within: netip.MustParsePrefix("192.0.2.7/32"), Limit: 5}, true)
			return err
		}(),
		"release":  func() (err error) { got.released, err = c.ReleasePeer(ctx, "192.0.2.9"); return err }(),
		"drain":    func() (err error) { got.drain, err = c.Drain(ctx, true); return err }(),
		"retry":    func() (err error) { got.retried, err = c.Retry(ctx, "route y"); return err }(),
		"undrain":  func() (err error) { _, err = c.Undrain(ctx); return err }(),
		"snapshot": func() (err error) { raw, err = c.Snapshot(ctx); return err }(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	asked := map[any]bool{}
	for _, a := range want.asked {
		asked[a] = true
	}
	for _, a := range []any{
		"192.0.2.7", "web-1", "default/web", kubeQuestion, traceQuestion, uint32(7), uint64(41), true, "192.0.2.9", question,
		"force true", "verify true", "route y", "d1",
	} {
		if !asked[a] {
			t.Errorf("the server was never asked with %v", a)
		}
	}
	if asked[false] {
		t.Error("repair or dryRun got lost")
	}
	if string(raw) != "{\"rows\": 1}\n" {
		t.Errorf("snapshot: %q", raw)
	}
	sameAnswers(t, got, want)
}

func sameAnswers(t *testing.T, got, want *canned) {
	t.Helper()
	got.asked, want.asked = nil, nil
	for i, pair := range [][2]any{
		{got.status, want.status},
		{got.plan, want.plan},
		{got.desired, want.desired},
		{got.explain, want.explain},
		{got.found, want.found},
		{got.evpn, want.evpn},
		{got.trace, want.trace},
		{got.audit, want.audit},
		{got.planFile, want.planFile},
		{got.applied, want.applied},
		{got.reload, want.reload},
		{got.rollback, want.rollback},
		{got.released, want.released},
		{got.verify, want.verify},
		{got.history, want.history},
		{got.kube, want.kube},
		{got.service, want.service},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("answer %d:\ngot  %+v\nwant %+v", i, pair[0], pair[1])
		}
	}
}

// What does not repair and what does not reload is a GET: it changes nothing.
func TestQuestionsThatChangeNothing(t *testing.T) {
	c := sample()
	var methods []string
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	h := control.Handler(c)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
		h.ServeHTTP(w, r)
	})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	client := control.NewClient(filepath.Join(dir, "s"))
	for _, err := range []error{
		func() error { _, err := client.Audit(t.Context(), false); return err }(),
		func() error { _, err := client.Audit(t.Context(), true); return err }(),
		func() error { _, err := client.Reload(t.Context(), true); return err }(),
		func() error { _, err := client.Reload(t.Context(), false); return err }(),
		func() error { _, err := client.EVPN(t.Context(), 0); return err }(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if got, want := strings.Join(methods, " "), "GET POST GET POST GET"; got != want {
		t.Errorf("methods %s, want %s", got, want)
	}
	if got, want := c.asked, []any{
		"audit", false, "audit", true, "reload", true, "reload", false, "evpn",
		uint32(0),
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}

func TestErrors(t *testing.T) {
	c := sample()
	c.err = errors.New("the database is away")
	path := serve(t, c)
	if _, err := control.NewClient(path).Plan(t.Context()); err == nil ||
		err.Error() != "the controller says: the database is away" {
		t.Errorf("an error of the controller: %v", err)
	}
	if running, err := control.NewClient(path).Running(t.Context()); running || err == nil {
		t.Errorf("a controller that cannot answer: running %t, %v", running, err)
	}
	gone := filepath.Join(t.TempDir(), "none.sock")
	_, err := control.NewClient(gone).Status(t.Context())
	if !errors.Is(err, control.ErrNoController) || !strings.Contains(err.Error(), gone) {
		t.Errorf("without a socket: %v", err)
	}
	if running, err := control.NewClient(gone).Running(t.Context()); running || err != nil {
		t.Errorf("without a socket: running %t, %v", running, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := control.NewClient(path).Plan(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a question that was given up: %v", err)
	}
}

// A killed controller leaves its socket behind.
func TestDeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNoController) {
		t.Errorf("a socket without a listener: %v", err)
	}
	again, err := control.Listen(path, -1)
	if err != nil {
		t.Fatalf("the socket of a killed controller is in the way: %v", err)
	}
	defer again.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v, want 0660", info.Mode(), err)
	}
	if _, err := control.Listen(path, -1); err == nil || !strings.Contains(err.Error(), "another process answers there") {
		t.Errorf("a second controller: %v", err)
	}
}

// What is not a socket is never removed.
func TestListenLeavesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "precious")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, dir} {
		if l, err := control.Listen(path, -1); err == nil {
			l.Close()
			t.Errorf("%s: listened", path)
		}
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "data" {
		t.Errorf("the file: %q, %v", raw, err)
	}
	if _, err := control.Listen(filepath.Join(file, "below", "s"), -1); err == nil {
		t.Error("listened below a file")
	}
}

// Another program, or a controller of another version, is not taken for ours.
func TestForeignServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = io.WriteString(w, "{}")
	})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	if _, err := control.NewClient(path).Status(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "not answered by a bgp-ovn of this version") {
		t.Errorf("got %v", err)
	}
}

func TestParseVNI(t *testing.T) {
	for text, want := range map[string]uint32{"": 0, "1": 1, "16777215": control.MaxVNI} {
		if got, err := control.ParseVNI(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "-1", "16777216", "banana", "7 "} {
		if got, err := control.ParseVNI(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
