package agent

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// service runs a node as `bgp-ovn run` does until the result is called, and returns a
// client of it.
func (w *world) service() (*control.Client, func()) {
	w.t.Helper()
	c, _, stop := w.serviceNode()
	return c, stop
}

// serviceNode is service with the node.
func (w *world) serviceNode() (*control.Client, *Node, func()) {
	w.t.Helper()
	opts := w.options()
	opts.Wait = 0
	n, err := Open(w.t.Context(), w.settings(), opts)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, "test") }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, n.Close()); err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(stop)
	return control.NewClient(w.path("control.sock")), n, stop
}

// awaitStatus waits for a status in which nothing is missing.
func awaitStatus(t *testing.T, c *control.Client, missing func(control.Status) string) {
	t.Helper()
	await(t, func() string {
		s, err := c.Status(t.Context())
		if err != nil {
			return err.Error()
		}
		return missing(s)
	})
}

// hasProblem says what is missing to a status with a problem that has a text.
func hasProblem(code, text string) func(control.Status) string {
	return func(s control.Status) string {
		for _, p := range problem.Flat(s.Problems) {
			if p.Code == code && strings.Contains(p.Text, text) {
				return ""
			}
		}
		return "no problem " + code + " with " + text + " in " + strings.Join(problemCodes(s), " ")
	}
}

// justPeers says what is wrong with a node that has no peers, beside that.
func justPeers(s control.Status) string {
	if codes := problemCodes(s); !slices.Equal(codes, []string{"no-peers"}) || s.LastRound == nil {
		return "problems " + strings.Join(codes, " ")
	}
	return ""
}

// routed says that the address has no route.
func (w *world) routed() string {
	if r := w.routes(); !strings.Contains(r, here.String()) {
		return "no route to " + here.String() + ":\n" + r
	}
	return ""
}

// A node starts without its databases: control socket and speaker are there, what was
// announced last is after startup_grace, routes that were lost are back, and what is
// waited for is named. Once the databases are there it goes on as always.
func TestStartWithoutDatabases(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	_, stop := w.service()
	await(t, w.routed)
	stop()
	w.run("ip", "route", "flush", "table", "all", "proto", "98")
	w.stopServer()
	w.logged = &lockedBuffer{}
	w.configureGrace("200ms")
	c, n, _ := w.serviceNode()
	awaitStatus(t, c, hasProblem("not-synced", "Open_vSwitch database"))
	awaitStatus(t, c, hasProblem("southbound-down", "waiting for external_ids:ovn-remote"))
	awaitStatus(t, c, hasProblem("ovsdb-down", "is not connected"))
	await(t, func() string {
		r, _ := n.ctl.Last()
		for i, op := range r.Plan.Ops {
			if op.Key().Kind.IsPath() && r.LastKnown && r.Outcomes[i] == nil {
				return ""
			}
		}
		return "nothing is announced: " + r.Plan.String()
	})
	if missing := w.routed(); missing != "" {
		t.Error(missing)
	}
	w.startServer()
	awaitStatus(t, c, justPeers)
	w.bind("vm-b", "hv1")
	await(t, func() string {
		if !strings.Contains(w.routes(), there.String()) {
			return "the Southbound database is not followed"
		}
		return ""
	})
}

// configureGrace writes a configuration with a startup_grace.
func (w *world) configureGrace(grace string) {
	w.t.Helper()
	w.configure(quietSpeaker)
	raw, err := os.ReadFile(w.config)
	if err == nil {
		text := strings.Replace(string(raw), "startup_grace: 0s", "startup_grace: "+grace, 1)
		err = os.WriteFile(w.config, []byte(text), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// What Open_vSwitch has to say can come later than the database itself, and change: the
// chassis, the BGP identifier, and where the Southbound database is.
func TestStartBeforeSettings(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	set := func(args ...string) {
		w.run("ovs-vsctl", append([]string{"--db=" + w.remote(), "--no-wait"}, args...)...)
	}
	for _, key := range []string{"system-id", "ovn-remote", "ovn-encap-ip"} {
		set("remove", "Open_vSwitch", ".", "external_ids", key)
	}
	c, stop := w.service()
	awaitStatus(t, c, hasProblem("southbound-down", "external_ids:ovn-remote of the Open_vSwitch database is empty"))
	awaitStatus(t, c, hasProblem("router-id", "no BGP identifier"))
	set("set", "Open_vSwitch", ".", "external_ids:ovn-remote="+w.remote())
	awaitStatus(t, c, hasProblem("not-synced", "system-id"))
	set("set", "Open_vSwitch", ".", "external_ids:system-id=hv1", "external_ids:ovn-encap-ip=192.0.2.1")
	await(t, w.routed)
	set("set", "Open_vSwitch", ".", "external_ids:ovn-remote=nonsense")
	awaitStatus(t, c, hasProblem("southbound-remote", "still using"))
	set("remove", "Open_vSwitch", ".", "external_ids", "ovn-remote")
	awaitStatus(t, c, hasProblem("southbound-remote", "is empty; still using"))
	if missing := w.routed(); missing != "" {
		t.Error(missing)
	}
	set("set", "Open_vSwitch", ".", "external_ids:ovn-remote="+w.remote())
	awaitStatus(t, c, func(s control.Status) string {
		if codes := problemCodes(s); !slices.Equal(codes, []string{"no-peers", "router-id"}) {
			return "problems " + strings.Join(codes, " ")
		}
		return ""
	})
	stop()
	c, _ = w.service()
	awaitStatus(t, c, justPeers)
}

// A state file that cannot be used does not end the start: it is set aside, status says
// where it is until it is moved away, and the metrics count it.
func TestStartWithBadStateFile(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	if err := os.WriteFile(w.path("state.db"), []byte("this is no state file"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := w.service()
	await(t, w.routed)
	awaitStatus(t, c, hasProblem("state-set-aside", w.path("state.db.damaged-")))
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Problems, func(p control.Problem) bool { return p.Code == "state-set-aside" })
	_, kept, _ := strings.Cut(s.Problems[i].Try, "mv ")
	kept, _, _ = strings.Cut(kept, " ")
	if raw, err := os.ReadFile(kept); err != nil || string(raw) != "this is no state file" {
		t.Errorf("%s: %q, %v", kept, raw, err)
	}
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, c, justPeers)
}

// A node runs without a state file, says so in every status until there can be one, and
// then has one with everything.
func TestStartWithoutStateFile(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	_, earlier := w.service() // which leaves the settings as they should be
	await(t, w.routed)
	earlier()
	w.run("ip", "route", "flush", "table", "all", "proto", "98")
	w.configure(quietSpeaker, "state: "+w.path("parent/state.db"))
	raw, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "state: "+w.path("state.db")+"\n", "", 1)
	err = errors.Join(os.WriteFile(w.config, []byte(text), 0o600), os.WriteFile(w.path("parent"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	c, stop := w.service()
	await(t, w.routed)
	awaitStatus(t, c, hasProblem("state-file", "parent"))
	if _, err := c.Audit(t.Context(), true); err != nil { // a round without a change
		t.Fatal(err)
	}
	awaitStatus(t, c, hasProblem("state-file", "parent"))
	if err := errors.Join(os.Remove(w.path("parent")), os.Mkdir(w.path("parent"), 0o700)); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, c, justPeers)
	stop()
	db, err := state.OpenReadOnly(w.path("parent/state.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if known := db.LastKnown(); known.Len() == 0 {
		t.Error("the file says nothing")
	}
}

// A node that was cloned does not announce what the node announces that it was cloned
// from.
func TestStartOfClone(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	_, stop := w.service()
	await(t, w.routed)
	stop()
	w.run("ip", "route", "flush", "table", "all", "proto", "98")
	w.sbctl("chassis-add", "hv3", "geneve", "192.0.2.3")
	w.run("ovs-vsctl", "--db="+w.remote(), "--no-wait", "set", "Open_vSwitch", ".", "external_ids:system-id=hv3")
	c, _ := w.service()
	awaitStatus(t, c, hasProblem("state-set-aside", state.AsideOtherNode))
	awaitStatus(t, c, func(s control.Status) string {
		if s.LastRound == nil {
			return "no round has run"
		}
		return ""
	})
	if w.routed() == "" {
		t.Error("it has a route of the other node")
	}
	if strings.Contains(w.logged.String(), "no snapshot in time") {
		t.Error("it went on with what another node wrote")
	}
}

// The BGP identifier that is chosen is the node's highest address, and without one a
// number that stays the same.
func TestChooseRouterID(t *testing.T) {
	h := &observe.Host{}
	for _, a := range []string{"127.0.0.1", "192.0.2.7", "2001:db8::1", "192.0.2.10", "169.254.0.1"} {
		h.Addresses = append(h.Addresses, observe.DeviceAddress{Addr: netip.MustParseAddr(a)})
	}
	if got := chooseRouterID(h, "m"); got.String() != "192.0.2.10" {
		t.Errorf("got %s", got)
	}
	none := &observe.Host{}
	if a, b := chooseRouterID(none, "m"), chooseRouterID(none, "n"); a == b || a != chooseRouterID(none, "m") || !a.Is4() {
		t.Errorf("got %s and %s", a, b)
	}
}
