package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// patient is what a fresh installation holds.
var patient = Intent{Fuse: FuseConfig{Share: 0.5, Least: 3, Hold: 30 * time.Second}, UnboundHold: 10 * time.Second}

// patientNode is a gateway with a tenant network behind it.
func patientNode(t *testing.T, more string) (*node, *story.Story) {
	t.Helper()
	s, err := story.Parse("include base\n" + more)
	if err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	cfg.TenantNetworks = true
	n := newNode(t, "gw-1", s, cfg, func(c *Config) { c.Fuse, c.UnboundHold = patient.Fuse, patient.UnboundHold })
	n.settle()
	return n, s
}

func (n *node) announces(addr string) bool {
	n.t.Helper()
	return strings.Contains(n.world.String(), "path ipv4-unicast "+addr+"/32 ")
}

// What the operator takes out of the configuration goes at once, however much it is, and
// what the database takes away in the same round is held all the same.
func TestConfigurationCountsAtOnce(t *testing.T) {
	n, s := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
	without := patient
	without.Drivers = []desired.Driver{bgp.New(defaults())}
	if err := s.Tell("set vmP chassis none"); err != nil {
		t.Fatal(err)
	}
	r, err := n.c.Preview(t.Context(), without)
	if err != nil {
		t.Fatal(err)
	}
	if text := r.Plan.String(); !strings.Contains(text, "- path    ipv4-unicast 10.0.0.5/32") {
		t.Errorf("the preview does not show it:\n%s", text)
	}
	if r := n.round(); !n.announces("10.0.0.5") {
		t.Fatalf("the preview was taken for the configuration:\n%s", r.Plan)
	}
	n.c.Reconfigure(without)
	if r := n.round(); n.announces("10.0.0.5") || !n.announces("172.24.4.92") {
		t.Errorf("got\n%s", r.Plan)
	}
	n.clock.advance(10 * time.Second)
	if r := n.round(); n.announces("172.24.4.92") {
		t.Errorf("the hold does not end:\n%s", r.Plan)
	}
}

// A withdrawal that the operator asked for while the database was away is carried out
// when it is back, without any hold.
func TestConfigurationWhileFrozen(t *testing.T) {
	n, s := patientNode(t, "")
	if err := s.Tell(`stale sb "connection refused"`); err != nil {
		t.Fatal(err)
	}
	without := patient
	without.Drivers = []desired.Driver{bgp.New(defaults())}
	n.c.Reconfigure(without)
	if r := n.round(); !n.announces("10.0.0.5") {
		t.Fatalf("withdrawn while the database is away:\n%s", r.Plan)
	}
	if err := s.Tell(`stale sb ""`); err != nil {
		t.Fatal(err)
	}
	if r := n.round(); n.announces("10.0.0.5") {
		t.Errorf("held after the database is back:\n%s", r.Plan)
	}
}

// What is held keeps the NDP proxy of its subnet: an address that is bound to nobody for a
// moment changes nothing at all.
func TestHeldKeepsProxy(t *testing.T) {
	n, s := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 2001:db8:9::92" chassis gw-1 up
set vmP cidrs "2001:db8:9::92/64"`)
	if text := n.world.String(); !strings.Contains(text, "proxy 2001:db8:9:: dev br-ex") {
		t.Fatalf("there is no proxy:\n%s", text)
	}
	if err := s.Tell("set vmP chassis none"); err != nil {
		t.Fatal(err)
	}
	if r := n.round(); !r.Plan.Empty() {
		t.Errorf("got\n%s", r.Plan)
	}
	n.clock.advance(10 * time.Second)
	n.round()
	if text := n.world.String(); strings.Contains(text, "2001:db8:9::") {
		t.Errorf("it stays for ever:\n%s", text)
	}
}

// A restart with another configuration takes at once what only the former one wanted, and
// holds what the database took away meanwhile. A process that dies before it has applied
// the change leaves that to the next one.
func TestConfigurationOfAnEarlierProcess(t *testing.T) {
	n, s := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
	former := patient
	former.Drivers = []desired.Driver{bgp.New(n.cfg)}
	n.tune = func(c *Config) {
		c.Fuse, c.UnboundHold, c.Notes, c.Text = patient.Fuse, patient.UnboundHold, n.db, "with tenants"
	}
	n.start()
	n.settle()
	if got := n.db.Remembered(NoteText); got != "with tenants" {
		t.Fatalf("%q is remembered", got)
	}
	for _, line := range []string{"set vmP chassis none", `stale sb "connection refused"`} {
		if err := s.Tell(line); err != nil {
			t.Fatal(err)
		}
	}
	n.cfg = defaults()
	n.tune = func(c *Config) {
		c.Fuse, c.UnboundHold, c.Notes, c.Text = patient.Fuse, patient.UnboundHold, n.db, "without"
		c.Former = &former
	}
	n.start()
	if r := n.round(); !n.announces("10.0.0.5") || n.db.Remembered(NoteText) != "with tenants" {
		t.Fatalf("%q is remembered while the database is away:\n%s", n.db.Remembered(NoteText), r.Plan)
	}
	if err := s.Tell(`stale sb ""`); err != nil {
		t.Fatal(err)
	}
	if r := n.round(); n.announces("10.0.0.5") || !n.announces("172.24.4.92") {
		t.Errorf("got\n%s", r.Plan)
	}
	if got := n.db.Remembered(NoteText); got != "without" {
		t.Errorf("%q is remembered", got)
	}
}

// Why a path was wanted last is what counts, not why it was wanted first: the address
// went from one port to another of this node, and the first was deleted long ago.
func TestEvidenceIsOfTheLastReason(t *testing.T) {
	n, s := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
	for _, line := range []string{
		`port vmQ on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.92" chassis gw-1 up`, "drop vmP", "set vmQ chassis none",
	} {
		if err := s.Tell(line); err != nil {
			t.Fatal(err)
		}
		n.settle()
	}
	if !n.announces("172.24.4.92") {
		t.Error("withdrawn at once because of a port that had lost the address before")
	}
	n.start() // the ledger knows the last reason, too
	if n.settle(); !n.announces("172.24.4.92") {
		t.Error("a fresh process withdraws it")
	}
}

// A restarted process does not announce again what it has given up, whatever happens
// to the database afterwards.
func TestGivenUpStaysGivenUp(t *testing.T) {
	for name, line := range map[string]string{
		"away": `stale sb "connection refused"`, "without our chassis": "chassis gone gw-1", "mass": "drop provnet-c1",
	} {
		t.Run(name, func(t *testing.T) {
			n, s := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
			if err := s.Tell("set vmP chassis cmp-1"); err != nil {
				t.Fatal(err)
			}
			if _, err := n.line("speaker restarts"); err != nil {
				t.Fatal(err)
			}
			n.start()
			n.round()
			if err := s.Tell(line); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if r := n.round(); n.announces("172.24.4.92") {
					t.Fatalf("announced again:\n%s", r.Plan)
				}
			}
			if !n.announces("172.24.4.146") {
				t.Error("what was not given up is not announced any more")
			}
		})
	}
}

// The loop wakes when a hold ends, and not before.
func TestHoldsAreDue(t *testing.T) {
	n, s := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
	if err := s.Tell("set vmP chassis none"); err != nil {
		t.Fatal(err)
	}
	r := n.round()
	want := n.clock.Now().Add(10 * time.Second)
	found := false
	for _, due := range n.c.due(r) {
		found = found || due.Equal(want)
	}
	if !found {
		t.Errorf("due at %v, want %v among them", n.c.due(r), want)
	}
	var until string
	for _, note := range r.Plan.Notes {
		if note.Block.Code == object.BlockUnbound {
			until = note.Block.Until
		}
	}
	if until != stamp(want) {
		t.Errorf("held until %s, want %s", until, stamp(want))
	}
}

// What is held is explained as announced, with the reason and the end.
func TestExplainHeld(t *testing.T) {
	n, s := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
	for _, c := range []struct{ line, want string }{
		{"set vmP chassis none", "ADVERTISED (held: unbound: Port_Binding vmP is bound to no chassis; " +
			"withdrawn if that lasts for 10s; since 00:00:00, until 00:00:10)"},
		{`stale sb "connection refused"`, "ADVERTISED (held: frozen: Southbound database: connection refused)"},
	} {
		if err := s.Tell(c.line); err != nil {
			t.Fatal(err)
		}
		e := n.c.Explain(n.round(), addr("172.24.4.92"), nil, false)
		if !e.Advertised || e.Held == nil || !strings.Contains(e.String(), c.want) {
			t.Errorf("%s: got\n%swant %q", c.line, e, c.want)
		}
	}
	if e := n.c.Explain(n.round(), addr("172.24.4.93"), nil, false); e.Advertised || e.Held != nil {
		t.Errorf("an address of nobody:\n%s", e)
	}
}

// rebuilt is a Southbound database that was built anew while it was away: it has another
// row of our chassis, and no ports yet.
type rebuilt struct {
	*node
	now bool
}

func (o *rebuilt) Snapshot(ctx context.Context) (observe.Snapshot, error) {
	snap, err := o.node.Snapshot(ctx)
	if err == nil && o.now {
		snap.SB = &observe.Southbound{Chassis: []*observe.Chassis{{UUID: story.UUID("another row"), Name: snap.Chassis}}}
	}
	return snap, err
}

// A database that was built anew and never seen without our Chassis row is known by the
// other row: the rows of the ports are on their way.
func TestRebuiltWhileAway(t *testing.T) {
	n, _ := patientNode(t, `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up`)
	o := &rebuilt{node: n}
	n.tune = func(c *Config) { c.Fuse, c.UnboundHold, c.Observer = FuseConfig{}, patient.UnboundHold, o }
	n.start()
	n.settle()
	o.now = true
	if r := n.round(); !n.announces("172.24.4.92") {
		t.Fatalf("it was withdrawn at once:\n%s", r.Plan)
	}
	n.clock.advance(10 * time.Second)
	if r := n.round(); n.announces("172.24.4.92") {
		t.Errorf("it stays for ever:\n%s", r.Plan)
	}
}

// The fuse counts what would be withdrawn, and not what is gone already and only has to leave the
// ledger, which a round that reads everything looks for.
func TestFuseCountsWhatIsThere(t *testing.T) {
	var more strings.Builder
	const many = 8
	for i := range many {
		fmt.Fprintf(&more, "port vm-%d on dp-pub mac \"fa:16:3e:15:9e:1%d 172.24.4.%d\" chassis gw-1 up\n", i, i, 100+i)
	}
	n, s := patientNode(t, more.String())
	for i := range many {
		if addr := fmt.Sprintf("172.24.4.%d", 100+i); !n.announces(addr) {
			t.Fatalf("%s is not announced", addr)
		}
		if err := s.Tell(fmt.Sprintf("set vm-%d chassis none", i)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := n.c.Plan(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(r.Frozen, fusePrefix) {
		t.Fatalf("%d paths would go, and the fuse says %q", many, r.Frozen)
	}
	for i := range many {
		dst := netip.MustParsePrefix(fmt.Sprintf("172.24.4.%d/32", 100+i))
		n.world.Unset(object.NewPath(dst, object.OriginIGP).Key())
	}
	if r, err = n.c.Plan(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if r.Frozen != "" {
		t.Errorf("all of them are gone, and the fuse says %q", r.Frozen)
	}
}
