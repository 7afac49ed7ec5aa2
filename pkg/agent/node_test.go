package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// A node exposes what is bound to it, says so, follows the database, and repairs
// what others delete.
func TestNode(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	c := w.start()
	ctx := t.Context()
	await(t, func() string {
		if r := w.routes(); !strings.Contains(r, here.String()) {
			return "no route to " + here.String() + ":\n" + r
		}
		return ""
	})
	if r := w.routes(); strings.Contains(r, there.String()) {
		t.Errorf("a route to an address of another chassis:\n%s", r)
	}
	s, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.Chassis != "hv1" || s.Program != "bgp-ovn test" || len(s.Sources) != 2 || !s.Sources[0].OK || !s.Sources[1].OK {
		t.Errorf("status: %+v", s)
	}
	if codes := problemCodes(s); !slices.Equal(codes, []string{"no-peers"}) {
		t.Errorf("problems %v: %+v", codes, s.Problems)
	}
	e, err := c.Explain(ctx, here.String())
	if err != nil || e.Advertised || e.Code != "peer-down" {
		t.Errorf("explain without peers: %+v, %v", e, err)
	}
	d, err := c.Desired(ctx)
	if err != nil || len(d.Objects) == 0 {
		t.Errorf("desired: %+v, %v", d, err)
	}
	raw, err := c.Snapshot(ctx)
	if err != nil || !json.Valid(raw) {
		t.Errorf("snapshot: %.100s, %v", raw, err)
	}
	v, err := c.EVPN(ctx, 0)
	if err != nil || len(v.VNIs) != 0 {
		t.Errorf("evpn: %+v, %v", v, err)
	}
	if _, err := c.EVPN(ctx, 7); err == nil || !strings.Contains(err.Error(), "nothing here wants this VNI") {
		t.Errorf("evpn 7: %v", err)
	}

	w.bind("vm-b", "hv1")
	await(t, func() string {
		if r := w.routes(); !strings.Contains(r, there.String()) {
			return "the address that came is not routed:\n" + r
		}
		return ""
	})
	w.run("ip", "route", "flush", "table", "all", "proto", "98")
	await(t, func() string {
		if r := w.routes(); !strings.Contains(r, here.String()) {
			return "the route that was deleted is not back:\n" + r
		}
		return ""
	})
	await(t, func() string {
		a, err := c.Audit(ctx, true)
		if err != nil {
			return err.Error()
		}
		if len(a.Drift.Ops)+len(a.Failed) > 0 {
			return "drift: " + a.Drift.Summary
		}
		return ""
	})
}

// problemCodes are those of all problems, each before what it explains.
func problemCodes(s control.Status) []string {
	var codes []string
	for _, p := range problem.Flat(s.Problems) {
		codes = append(codes, p.Code)
	}
	return codes
}

// A node without its database says what is wrong, and removes nothing.
func TestDatabaseAway(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	c := w.start()
	await(t, func() string {
		if !strings.Contains(w.routes(), here.String()) {
			return "no route"
		}
		return ""
	})
	w.stopServer()
	await(t, func() string {
		s, err := c.Status(t.Context())
		if err != nil {
			return err.Error()
		}
		for _, code := range []string{"southbound-down", "ovsdb-down", "frozen"} {
			if !slices.Contains(problemCodes(s), code) {
				return "no problem " + code + " in " + strings.Join(problemCodes(s), " ")
			}
		}
		return ""
	})
	if r := w.routes(); !strings.Contains(r, here.String()) {
		t.Errorf("the route is gone:\n%s", r)
	}
	w.startServer()
	await(t, func() string {
		s, err := c.Status(t.Context())
		if err != nil {
			return err.Error()
		}
		if codes := problemCodes(s); !slices.Equal(codes, []string{"no-peers"}) {
			return "problems " + strings.Join(codes, " ")
		}
		return ""
	})
}

// Whatever else would write in the network namespace is refused while a controller
// runs, and told who that is: with other files and without a port of BGP, too. What
// writes nothing is not refused, and when the first one has ended nothing is.
func TestSecondController(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	first, err := Open(t.Context(), w.settings(), w.options())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	other := w.settings()
	other.StateFile, other.Socket = w.path("other.db"), w.path("other.sock")
	opts := AdoptOptions{Wait: deadline}
	try := map[string]func() error{
		"run": func() error {
			n, err := Open(t.Context(), other, w.options())
			if err != nil {
				return err
			}
			return n.Close()
		},
		"adopt": func() error {
			a, err := OpenAdoption(t.Context(), other, opts, w.log())
			if err != nil {
				return err
			}
			return a.Close()
		},
		"cleanup": func() error {
			c, err := OpenCleanup(t.Context(), other, w.log(), false)
			if err != nil {
				return err
			}
			return c.Close()
		},
	}
	want := fmt.Sprintf("another bgp-ovn writes in this network namespace, and two would undo each other's changes: "+
		"process %d (run, state file %q, control socket %q) holds it; stop it",
		os.Getpid(), w.path("state.db"), w.path("control.sock"))
	for name, open := range try {
		if err := open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want\n%s", name, err, want)
		}
	}
	opts.DryRun = true
	try["adopt --dry-run"], try["cleanup --dry-run"] = try["adopt"], func() error {
		c, err := OpenCleanup(t.Context(), other, w.log(), true)
		if err != nil {
			return err
		}
		return c.Close()
	}
	for _, name := range []string{"adopt --dry-run", "cleanup --dry-run"} {
		if err := try[name](); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for name, open := range try {
		if err := open(); err != nil {
			t.Errorf("%s after the first one has ended: %v", name, err)
		}
	}
}

// Converge applies and ends; a second one finds nothing to do.
func TestConverge(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	var summaries []string
	show := func(p control.Plan) error {
		summaries = append(summaries, p.Summary)
		return nil
	}
	n, err := Open(t.Context(), w.settings(), w.options())
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Converge(t.Context(), deadline, show)
	if err != nil || len(p.Ops) > 0 || len(summaries) < 2 {
		t.Errorf("last plan %+v, %d rounds, %v", p.Summary, len(summaries), err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.routes(), here.String()) {
		t.Error("the route went with the process")
	}
	testFormerIntent(t, w)
}

// testFormerIntent holds that the configuration that a process has applied is known to the
// next one if that has another.
func testFormerIntent(t *testing.T, w *world) {
	t.Helper()
	present := intent(w.settings())
	w.configure("bgp: {listen: {port: -1}, export: {deny: [198.51.100.0/24]}}")
	changed := intent(w.settings())
	db, err := state.Open(w.path("state.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got := formerIntent(db, present.Text, w.log()); got != nil {
		t.Error("the same configuration is taken for another one")
	}
	if got := formerIntent(db, changed.Text, w.log()); got == nil || got.Text != present.Text || len(got.Drivers) == 0 {
		t.Errorf("the former configuration is %+v, want that of\n%s", got, present.Text)
	}
	db.Remember(reconcile.NoteText, "bgp: {gone_in_this_release: 1}\n")
	got := formerIntent(db, changed.Text, w.log())
	if got != nil || !strings.Contains(w.logged.String(), "gone_in_this_release") {
		t.Errorf("%+v is made of a configuration that is not valid any more", got)
	}
}

// Waiting for a database that does not answer ends when it should.
func TestWaitEnds(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	w.stopServer()
	opts := w.options()
	opts.Wait = 50 * time.Millisecond
	if _, err := Open(t.Context(), w.settings(), opts); err == nil || !strings.Contains(err.Error(), w.remote()) {
		t.Errorf("Open: %v, want the address of the database", err)
	}
	for _, dryRun := range []bool{true, false} {
		a, err := OpenAdoption(t.Context(), w.settings(), AdoptOptions{DryRun: dryRun, Wait: opts.Wait}, w.log())
		if err == nil {
			_, err = a.Plan(t.Context())
			_ = a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), w.remote()) {
			t.Errorf("OpenAdoption, dry run %t: %v, want the address of the database", dryRun, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := OpenPreview(ctx, w.settings(), w.log()); err == nil ||
		!strings.Contains(err.Error(), "is ovsdb-server running") {
		t.Errorf("OpenPreview: %v", err)
	}
}

// What other values of keys would lead to is told, and nothing is changed.
func TestPlanWith(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	c := w.start()
	await(t, w.routed)
	ctx := t.Context()
	r, err := c.PlanWith(ctx, nil)
	if err != nil || len(r.Changed)+len(r.Restart) > 0 || r.Plan == nil || r.Plan.Differs() {
		t.Errorf("nothing set: %+v, %v", r, err)
	}
	r, err = c.PlanWith(ctx, []string{"bgp.export.deny=0.0.0.0/0 le 32", "bgp.as=4200000000"})
	if err != nil || !slices.Equal(r.Changed, []string{"bgp.as", "bgp.export.deny"}) ||
		!slices.Equal(r.Restart, []string{"bgp.as"}) {
		t.Fatalf("got %+v, %v", r, err)
	}
	if len(r.Plan.Ops) != 1 || r.Plan.Ops[0].Kind != "path" || r.Plan.Ops[0].Verb != "delete" {
		t.Errorf("it would do %+v", r.Plan.Ops)
	}
	if p, err := c.Plan(ctx); err != nil || p.Differs() {
		t.Errorf("the node has changed: %+v, %v", p, err)
	}
	for set, want := range map[string]string{
		"fuse.hodl=9": "did you mean hold?", "fuse.hold": "KEY=VALUE", "fuse.hold=x": "fuse.hold",
	} {
		if _, err := c.PlanWith(ctx, []string{set}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// What a reload changes is applied, what only a restart can change is refused.
func TestReload(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	c := w.start()
	ctx := t.Context()
	r, err := c.Reload(ctx, false)
	if err != nil || len(r.Changed) > 0 || r.Plan != nil {
		t.Errorf("nothing changed: %+v, %v", r, err)
	}
	w.configure("bgp: {listen: {port: -1}, peers: [{address: 192.0.2.77, as: 65000}]}", "log: {level: debug}")
	dry, err := c.Reload(ctx, true)
	if err != nil || dry.Plan == nil || !slices.Equal(dry.Changed, []string{"log.level", "bgp.peers"}) &&
		!slices.Equal(dry.Changed, []string{"bgp.peers", "log.level"}) {
		t.Fatalf("dry run: %+v, %v", dry, err)
	}
	if len(dry.Plan.Ops) != 1 || dry.Plan.Ops[0].Kind != "peer" || dry.Plan.Ops[0].Verb != "create" {
		t.Errorf("dry run would do: %+v", dry.Plan.Ops)
	}
	if s, err := c.Status(ctx); err != nil || len(s.Peers) != 0 {
		t.Errorf("the dry run made a peer: %+v, %v", s.Peers, err)
	}
	if r, err = c.Reload(ctx, false); err != nil || len(r.Changed) != 2 {
		t.Fatalf("reload: %+v, %v", r, err)
	}
	await(t, func() string {
		s, err := c.Status(ctx)
		switch {
		case err != nil:
			return err.Error()
		case len(s.Peers) != 1 || !slices.Contains(problemCodes(s), "peer-down"):
			return "the peer is not there"
		}
		return ""
	})
	if w.level.Level().String() != "DEBUG" {
		t.Errorf("level %s", w.level.Level())
	}
	w.configure(quietSpeaker, "bgp_typo: 1")
	if _, err := c.Reload(ctx, false); err == nil || !strings.Contains(err.Error(), "the running configuration stays") ||
		!strings.Contains(err.Error(), "bgp_typo") {
		t.Errorf("an invalid configuration: %v", err)
	}
	w.configure("bgp: {as: 4200000000, listen: {port: -1}}")
	if _, err := c.Reload(ctx, false); err == nil || !strings.Contains(err.Error(), "only a restart can change bgp.as") {
		t.Errorf("a key that takes a restart: %v", err)
	}
	if s, err := c.Status(ctx); err != nil || len(s.Peers) != 1 {
		t.Errorf("a refused reload changed the peers: %+v, %v", s.Peers, err)
	}
}

// The metrics are on the control socket, and on an address that a reload changes.
func TestMetrics(t *testing.T) {
	w := newWorld(t, quietSpeaker, "metrics: {listen: 127.0.0.1:19101}")
	c := w.start()
	get := func(client *http.Client, url string) string {
		resp, err := client.Get(url)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		raw, _ := io.ReadAll(resp.Body)
		return string(raw)
	}
	unix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", w.path("control.sock"))
	}}}
	for _, text := range []string{
		get(unix, "http://x/metrics"),
		get(http.DefaultClient, "http://127.0.0.1:19101/metrics"),
	} {
		if !strings.Contains(text, `bgp_ovn_source_up{source="southbound"} 1`) {
			t.Errorf("metrics: %.300s", text)
		}
	}
	w.configure(quietSpeaker, "metrics: {listen: 127.0.0.1:19102}")
	if r, err := c.Reload(t.Context(), false); err != nil || !slices.Equal(r.Changed, []string{"metrics.listen"}) {
		t.Fatalf("reload: %+v, %v", r, err)
	}
	if text := get(http.DefaultClient, "http://127.0.0.1:19102/metrics"); !strings.Contains(text, "bgp_ovn_rounds_total") {
		t.Errorf("the new address: %.300s", text)
	}
	if text := get(http.DefaultClient, "http://127.0.0.1:19101/metrics"); !strings.Contains(text, "refused") {
		t.Errorf("the old address: %.300s", text)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:19103")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	w.configure(quietSpeaker, "metrics: {listen: 127.0.0.1:19103}")
	if _, err := c.Reload(t.Context(), false); err == nil || !strings.Contains(err.Error(), "metrics.listen") {
		t.Errorf("a taken address: %v", err)
	}
	if text := get(http.DefaultClient, "http://127.0.0.1:19102/metrics"); !strings.Contains(text, "bgp_ovn_rounds_total") {
		t.Errorf("after a reload that failed: %.300s", text)
	}
}

// systemd is told when the node is ready, reloads and ends, and that it is alive.
func TestSystemd(t *testing.T) {
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "n"))
	t.Setenv("WATCHDOG_USEC", "20000")
	heard := make(chan string, 1000)
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				close(heard)
				return
			}
			heard <- string(buf[:n])
		}
	}()
	expect := func(word string) {
		t.Helper()
		timeout := time.After(deadline)
		for {
			select {
			case text, ok := <-heard:
				if !ok {
					t.Fatalf("%s was never said", word)
				}
				if strings.HasPrefix(text, word) {
					return
				}
			case <-timeout:
				t.Fatalf("%s was never said", word)
			}
		}
	}
	w := newWorld(t, quietSpeaker)
	n := w.open()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, "test") }()
	expect("READY=1")
	expect("WATCHDOG=1")
	w.configure(quietSpeaker, "fuse: {hold: 7s}")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	expect("RELOADING=1\nMONOTONIC_USEC=")
	expect("READY=1")
	if !strings.Contains(w.logged.String(), "fuse.hold") {
		t.Errorf("SIGHUP did not reload:\n%s", w.logged)
	}
	stop()
	expect("STOPPING=1")
	if err := <-done; err != nil {
		t.Error(err)
	}
}
