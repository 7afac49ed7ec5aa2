package ovsport

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ovn-org/libovsdb/ovsdb"
	"go.uber.org/goleak"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A port of another owner under our name is shown, and survives everything.
func TestForeignPort(t *testing.T) {
	sw, b := lab(t)
	sw.Vsctl("--no-wait", "add-port", "br-ex", "vlan-1002", "tag=9", "--", "set", "interface", "vlan-1002",
		"type=internal",
		"--", "add-bond", "br-ex", "bond0", "vlan-1003", "vlan-1004")
	port, slave, good := internal("vlan-1002", 7), internal("vlan-1003", 8), internal("vlan-1005", 9)
	f := focus(t, port, slave, good)
	await(t, b, f, "both are shown", func(have object.Set, err error) bool {
		p, _ := have.Get(port.Key())
		s, ok := have.Get(slave.Key())
		return p.Value == object.Value(object.OVSPort{
			Name: "vlan-1002", Bridge: "br-ex", Type: object.OVSInternal,
			Tag: 9,
		}) && !p.Marked && ok && !s.Marked
	})
	before := sw.Vsctl("list", "port") + sw.Vsctl("list", "interface")
	errs := b.Apply(t.Context(), creates(port, slave))
	for _, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "another owner's") {
			t.Errorf("got %v", err)
		}
	}
	mustApply(t, b, object.Change{Before: port}, object.Change{Before: slave})
	if after := sw.Vsctl("list", "port") + sw.Vsctl("list", "interface"); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
	if errs := b.Apply(t.Context(), creates(port, good, slave)); errs[0] == nil || errs[1] != nil || errs[2] == nil {
		t.Errorf("got %v, want the second one to take effect", errs)
	}
	// Who takes the mark away takes the port.
	sw.Vsctl("--no-wait", "remove", "port", good.Name, "external_ids", "bgp-ovn")
	await(t, b, f, "it is no longer ours", is(good, false))
	mustApply(t, b, object.Change{Before: good})
	sw.Vsctl("get", "port", good.Name, "name")
}

// Whatever others do to a port of ours is noticed without asking.
func TestChanged(t *testing.T) {
	sw, b := lab(t)
	port := internal("vlan-1002", 7)
	f := focus(t, port)
	read(t, b, f)
	mustApply(t, b, creates(port)...)
	quietly(t, b)
	other := port
	other.Tag = 9
	sw.Vsctl("--no-wait", "set", "port", port.Name, "tag=9")
	await(t, b, f, "the other tag is seen", is(other, true))
	mustApply(t, b, object.Change{Before: other, After: port})
	other = port
	other.MAC = object.MAC{2, 0, 0, 0, 0, 0xee}
	sw.Vsctl("--no-wait", "set", "interface", port.Name, `mac="02:00:00:00:00:ee"`)
	await(t, b, f, "the other MAC is seen", is(other, true))
	sw.Vsctl("--no-wait", "del-port", port.Name)
	await(t, b, f, "it is gone", func(have object.Set, err error) bool { return err == nil && have.Len() == 0 })

	far := port
	far.Bridge = "br-far"
	if errs := b.Apply(t.Context(), creates(far)); !errors.Is(errs[0], actual.ErrGone) {
		t.Errorf("got %v, want ErrGone", errs[0])
	}
	quietly(t, b)
	sw.Vsctl("--no-wait", "add-br", "br-far")
	select {
	case <-b.Changed():
	case <-time.After(20 * time.Second):
		t.Fatal("no signal although the bridge has come")
	}
	mustApply(t, b, creates(far)...)
	sw.Vsctl("--no-wait", "del-br", "br-far")
	await(t, b, f, "it is gone with its bridge", func(have object.Set, err error) bool {
		return err == nil && have.Len() == 0
	})
	mustApply(t, b, object.Change{Before: far})
	quietly(t, b)
	same := read(t, b, f)
	sw.Vsctl("--no-wait", "add-port", "br-ex", "tap0", "--", "set", "interface", "tap0", "ofport_request=3")
	if err := errors.Join(b.Apply(t.Context(), nil)...); err != nil || read(t, b, f).Len() != same.Len() {
		t.Errorf("a port of others matters: %v", err)
	}
	quietly(t, b)
}

// While the database is away the state is unknown, and that is an error. The ports are
// there when it is back, and what changed meanwhile is seen.
func TestDatabaseRestart(t *testing.T) {
	sw, b := lab(t)
	port := internal("vlan-1002", 7)
	f := focus(t, port)
	read(t, b, f)
	mustApply(t, b, creates(port)...)
	for range 3 {
		sw.KillDB()
		await(t, b, f, "it cannot be read", func(have object.Set, err error) bool { return err != nil && have.Len() == 0 })
		if errs := b.Apply(t.Context(), []object.Change{{Before: port}, {After: port}}); errs[0] == nil || errs[1] == nil {
			t.Errorf("got %v", errs)
		}
		sw.StartDB()
		await(t, b, f, "it is there", is(port, true))
	}
	sw.KillDB()
	await(t, b, f, "it cannot be read", func(_ object.Set, err error) bool { return err != nil })
	sw.StartDB()
	sw.Vsctl("--no-wait", "del-port", port.Name)
	await(t, b, f, "it is gone", func(have object.Set, err error) bool { return err == nil && have.Len() == 0 })
	mustApply(t, b, creates(port)...)
	mustApply(t, b, object.Change{Before: port})
}

// A server that does not answer leaves the outcome open; the truth comes out
// when it answers again.
func TestDatabaseHangs(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	sw.Vsctl("--no-wait", "add-br", "br-ex")
	b, err := Open(t.Context(), vswitch.Config{Endpoint: sw.Endpoint(), Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	port := internal("vlan-1002", 7)
	f := focus(t, port)
	read(t, b, f)
	resume := sw.PauseDB()
	if errs := b.Apply(t.Context(), creates(port)); errs[0] == nil {
		t.Error("a port was made by a server that hangs")
	}
	await(t, b, f, "it cannot be read", func(_ object.Set, err error) bool { return err != nil })
	resume()
	await(t, b, f, "it can be read", func(_ object.Set, err error) bool { return err == nil })
	mustApply(t, b, creates(port)...)
	if !is(port, true)(b.Read(t.Context(), actual.Focus{Want: f.Want, Complete: true})) {
		t.Error("the port is not there")
	}
}

func TestNoDatabase(t *testing.T) {
	b, err := Open(t.Context(), vswitch.Config{Endpoint: "unix:" + t.TempDir() + "/none.sock"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if have, err := b.Read(t.Context(), actual.Focus{}); err == nil || have.Len() > 0 ||
		!strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

// racing is a database in which others have just made ports that we do not
// know of yet. It checks what each transaction leaves behind.
type racing struct {
	*vswitch.Session
	t      *testing.T
	hidden map[string]bool
	runs   int
}

func (r *racing) Tables(ctx context.Context) vswitch.Tables {
	all := r.Session.Tables(ctx)
	t := all
	t.Ports, t.Interfaces = map[string]*vswitch.Port{}, map[string]*vswitch.Interface{}
	for uuid, p := range all.Ports {
		if !r.hidden[p.Name] {
			t.Ports[uuid] = p
		}
	}
	for uuid, i := range all.Interfaces {
		if !r.hidden[i.Name] {
			t.Interfaces[uuid] = i
		}
	}
	return t
}

func (r *racing) Transact(ctx context.Context, ops ...ovsdb.Operation) ([]ovsdb.OperationResult, error) {
	r.runs++
	results, err := r.Session.Transact(ctx, ops...)
	now, readErr := r.Select(ctx)
	if readErr != nil {
		r.t.Error(readErr)
	}
	for _, p := range now.Ports {
		if p.Name != "br-ex" && isOurs(p) == r.hidden[p.Name] {
			r.t.Errorf("after %d transactions port %s is marked: %t", r.runs, p.Name, isOurs(p))
		}
	}
	return results, err
}

// One change at fault does not keep the others back, and a process that dies
// between two transactions leaves nothing unmarked.
func TestCulprits(t *testing.T) {
	sw, b := lab(t)
	read(t, b, actual.Focus{})
	s, err := b.current()
	if err != nil {
		t.Fatal(err)
	}
	db := &racing{Session: s, t: t, hidden: map[string]bool{"vlan-3007": true, "vlan-3040": true}}
	for name := range db.hidden {
		sw.Vsctl("--no-wait", "add-port", "br-ex", name)
	}
	steps := make([]step, 64)
	errs := make([]error, len(steps))
	for i := range steps {
		steps[i] = step{object.Change{After: internal(fmt.Sprintf("vlan-%d", 3000+i), uint16(i+1))}, &errs[i]}
	}
	b.perform(t.Context(), db, steps)
	for i, err := range errs {
		if bad := db.hidden[steps[i].name()]; bad != (err != nil) || bad && !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: got %v", steps[i].name(), err)
		}
	}
	if db.runs > 2*2*7 {
		t.Errorf("%d transactions to find two of 64", db.runs)
	}
	t.Log(db.runs, "transactions;", errs[7])
	if got := strings.Count(sw.Vsctl("list-ports", "br-ex"), "vlan-30"); got != len(steps) {
		t.Errorf("there are %d ports, want 62 and the two of others", got)
	}
	// A port that ceased to be ours between the read and the write is kept.
	steps = steps[:1]
	steps[0].change = object.Change{Before: steps[0].change.After}
	b.perform(t.Context(), &unmarked{racing: db, sw: sw, name: steps[0].name()}, steps)
	if errs[0] == nil || sw.Vsctl("get", "port", steps[0].name(), "external_ids") != "{}" {
		t.Errorf("got %v", errs[0])
	}
	t.Log(errs[0])
}

// unmarked has another client take a mark away just before a transaction.
type unmarked struct {
	*racing
	sw   *vswitchtest.Switch
	name string
}

func (u *unmarked) Transact(ctx context.Context, ops ...ovsdb.Operation) ([]ovsdb.OperationResult, error) {
	u.sw.Vsctl("--no-wait", "clear", "port", u.name, "external_ids")
	u.hidden[u.name] = true
	return u.racing.Transact(ctx, ops...)
}

// TestManyAtOnce: five hundred ports in one go, beside what a person would do.
func TestManyAtOnce(t *testing.T) {
	const n = 500
	sw := vswitchtest.StartDatabase(t)
	sw.Vsctl("--no-wait", "add-br", "br-ex", "--", "add-br", "br-2")
	b := open(t, sw)
	var values []object.Value
	args := []string{"--no-wait", "--db=" + sw.Endpoint()}
	for i := range n {
		p := internal(fmt.Sprintf("vlan-%d", 1000+i), uint16(i+1))
		values = append(values, p)
		args = append(args, "--", "add-port", "br-2", "v"+p.Name, fmt.Sprint("tag=", p.Tag), "--", "set",
			"interface", "v"+p.Name, "type=internal", fmt.Sprintf("mac=%q", p.MAC), "external_ids:bgp-ovn=1",
			"--", "set", "port", "v"+p.Name,
			"external_ids:bgp-ovn=1")
	}
	f := focus(t, values...)
	read(t, b, f)
	began := time.Now()
	mustApply(t, b, creates(values...)...)
	made := time.Since(began)
	if have := read(t, b, f); have.Len() != n {
		t.Fatalf("got %d ports", have.Len())
	}
	quietly(t, b)
	began = time.Now()
	again := b.Apply(t.Context(), creates(values...))
	if err := errors.Join(again...); err != nil {
		t.Fatal(err)
	}
	same := time.Since(began)
	began = time.Now()
	if out, err := exec.Command("ovs-vsctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	vsctl := time.Since(began)
	var deletes []object.Change
	for _, v := range values {
		deletes = append(deletes, object.Change{Before: v})
	}
	began = time.Now()
	mustApply(t, b, deletes...)
	t.Logf("%d ports: made in %v, again in %v, deleted in %v; one run of ovs-vsctl makes them in %v", n, made, same,
		time.Since(began), vsctl)
	await(t, b, f, "those of the other run are left", func(have object.Set, err error) bool {
		return err == nil && have.Len() == n
	})
	if made > 2*vsctl {
		t.Errorf("made in %v, ovs-vsctl needs %v", made, vsctl)
	}
}

// Nothing stays behind, whatever number of servers came and went.
func TestCloseEndsGoroutines(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	running := goleak.IgnoreCurrent()
	b := open(t, sw)
	for range 3 {
		await(t, b, actual.Focus{}, "it can be read", func(_ object.Set, err error) bool { return err == nil })
		sw.KillDB()
		await(t, b, actual.Focus{}, "it cannot", func(_ object.Set, err error) bool { return err != nil })
		sw.StartDB()
	}
	await(t, b, actual.Focus{}, "it can be read", func(_ object.Set, err error) bool { return err == nil })
	b.Close()
	// Ignored are the children of the test itself.
	vswitchtest.Eventually(t, "they have ended", func() bool {
		return goleak.Find(running,
			goleak.IgnoreAnyFunction("github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest.(*Switch).start.func1")) == nil
	})
}
