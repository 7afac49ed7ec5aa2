package adopt

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

var errBusy = errors.New("busy")

// wantNode is what a node should have that the predecessor ran on: an address of a
// guest, a subnet of a router, and a VLAN network.
const wantNode = `
	device br-ex  up
	link br-ex.100  type vlan parent br-ex id 100 up
	sysctl net/ipv4/conf/br-ex/proxy_arp  = 1
	address 169.254.1.1/32 dev br-ex
	address 169.254.1.100/32 dev br-ex.100
	neigh 172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:70
	neigh 172.24.4.71 dev br-ex  lladdr fa:16:3e:00:00:71
	proxy 2001:db8:4:: dev br-ex
	route 172.24.4.70/32 table 77 metric 0  dev br-ex
	route 10.0.0.0/26 table 77 metric 0  dev br-ex via 172.24.4.70
	route 2001:db8:4::70/128 table 77 metric 1024  dev br-ex
	rule inet priority 32000 lookup 77 suppress_prefixlength 0
	rule inet6 priority 32000 lookup 77 suppress_prefixlength 0`

// haveNode is what it has; of others are the lines of foreignNode.
const haveNode = `
	device br-ex  down
	device eth0  up
	link br-ex.100  type vlan parent br-ex id 100 down
	link br-ex.200  type vlan parent br-ex id 200 up
	sysctl net/ipv4/conf/br-ex/proxy_arp  = 0
	address 169.254.1.1/32 dev br-ex
	address 169.254.3.3/32 dev br-ex
	address 169.254.1.100/32 dev br-ex.100
	address 169.254.1.200/32 dev br-ex.200
	neigh 172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:70
	neigh 172.24.4.71 dev br-ex  lladdr fa:16:3e:00:00:01
	neigh 172.24.4.99 dev br-ex  lladdr fa:16:3e:00:00:99
	proxy 2001:db8:4:: dev br-ex
	proxy 2001:db8:9:: dev br-ex`

const foreignNode = `
	link br-ex.50  type vlan parent br-ex id 50 up
	address 198.18.0.1/32 dev br-ex
	address 169.254.169.254/32 dev br-ex
	neigh 172.24.4.95 dev br-ex  lladdr fa:16:3e:00:00:95
	proxy 2001:db8:4::1 dev br-ex
	route 0.0.0.0/0 table 56 metric 0  dev eth0
	rule inet priority 32000 lookup 55`

// agentNode is what the predecessor has in rules and routes; the last two are of
// others.
func agentNode(t *testing.T) []object.Value {
	t.Helper()
	const boot, static = 3, 4
	return []object.Value{
		oldRule("172.24.4.70/32", 77), oldRule("172.24.4.71/32", 77), oldRule("172.24.4.99/32", 77),
		oldRule("2001:db8:9::9/128", 77), oldRule("10.0.0.0/26", 77),
		oldRoute(t, "route 0.0.0.0/0 table 77 metric 0  dev br-ex", boot),
		oldRoute(t, "route ::/0 table 77 metric 1024  dev br-ex", boot),
		oldRoute(t, "route 172.24.4.70/32 table 77 metric 0  dev br-ex", boot),
		oldRoute(t, "route 172.24.4.99/32 table 77 metric 0  dev br-ex", boot),
		oldRoute(t, "route 10.0.0.0/26 table 77 metric 0  dev br-ex via 172.24.4.1", static),
		legacy.Device{Name: "bgp-nic", Type: "dummy", Addrs: 3},
		legacy.Device{Name: "bgp-vrf", Type: "vrf"},
		oldRule("172.24.4.96/32", 56), oldRoute(t, "route 198.18.0.0/16 table 77 metric 0  dev br-ex", 186),
	}
}

func fullMachine(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, wantNode, haveNode+foreignNode, agentNode(t)...)
	m.req.RemoveFRR = true
	return m
}

// TestTakeOver: in the end there is what is wanted and what is of others, the
// ledger has what carries no mark, and the controller finds nothing to do.
func TestTakeOver(t *testing.T) {
	m := fullMachine(t)
	touched := map[object.Key]bool{}
	m.world.StopOn(func(c object.Change) error {
		touched[c.Key()] = true
		return nil
	})
	m.settle()
	want := setOf(t, wantNode)
	have, err := m.reader.Backends()[0].Read(t.Context(), actual.Focus{})
	if err != nil {
		t.Fatal(err)
	}
	if p := plan.Diff(plan.Input{Want: want, Have: have, Ledger: m.db}); !p.Empty() || len(p.Notes) > 0 {
		t.Errorf("the controller would do\n%s", p)
	}
	foreign := slices.Clone(agentNode(t)[12:])
	for _, it := range setOf(t, foreignNode).Sorted() {
		foreign = append(foreign, it.Value)
	}
	for _, v := range foreign {
		if !strings.Contains(m.world.String(), object.Text(v)+"\n") || touched[v.Key()] || m.db.Owned(v.Key()) {
			t.Errorf("%s was touched", object.Text(v))
		}
	}
	if n := strings.Count(m.world.String(), "\n"); n != want.Len()+len(foreign)+1 { // and eth0
		t.Errorf("%d objects, want %d:\n%s", n, want.Len()+len(foreign)+1, m.world)
	}
	k := object.Address{Dev: "br-ex", Prefix: netip.MustParsePrefix("169.254.1.1/32")}.Key()
	if !m.db.Owned(k) || touched[k] {
		t.Errorf("what equals ours must be in the ledger (%t) and not be written (%t)", m.db.Owned(k), touched[k])
	}
}

// TestDryRun: planning writes nothing, and needs no state file.
func TestDryRun(t *testing.T) {
	m := fullMachine(t)
	node, before := m.node(), m.String()
	node.Ledger = plan.NoLedger{}
	p, err := node.Plan(t.Context(), m.req)
	if err != nil || p.Empty() {
		t.Fatalf("got %v, %v", p, err)
	}
	if m.String() != before || m.world.Writes() != 0 || m.db.Writes() != 0 {
		t.Errorf("a plan was written: got\n%s\nwant\n%s", m, before)
	}
}

// TestSwitchOfAnotherTool: where flows.manage is off neither flows nor ports are
// made, and what needs such a port does not keep the take-over from its end.
func TestSwitchOfAnotherTool(t *testing.T) {
	const more = `
		ovsport leg-7  bridge br-ex type internal mac 02:00:00:00:00:07
		address 192.0.2.1/32 dev leg-7
		flow br-ex table 0 priority 900 ip,in_port=3 cookie 0x3e7 actions mod_dl_dst:02:00:00:00:00:01,NORMAL`
	m := withSwitch(t, false, wantOne+more, haveOne+"\ndevice leg-7  up")
	m.settle()
	if got := m.world.String(); !strings.Contains(got, "route 172.24.4.70/32") || strings.Contains(got, "ovsport") {
		t.Errorf("got\n%s", got)
	}
}

// TestPathsAreTheControllers: adopt announces nothing.
func TestPathsAreTheControllers(t *testing.T) {
	m := newMachine(t, wantOne+"\npath ipv4-unicast 172.24.4.70/32 next-hop self origin igp", haveOne)
	p, err := m.node().Plan(t.Context(), m.req)
	if err != nil || strings.Contains(p.String(), "path") || p.Empty() {
		t.Errorf("got %v\n%s", err, p)
	}
}

// TestDoubt: nothing is planned while part of the state is not known.
func TestDoubt(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*machine)
		want  string
	}{
		"no Chassis row":            {func(m *machine) { m.req.Snapshot.Chassis = "other" }, "desired state is in doubt"},
		"a database is unreachable": {func(m *machine) { m.req.Snapshot.OVS.Stale = "disconnected" }, "disconnected"},
		"the kernel cannot be read": {func(m *machine) { m.reader = readerOf(t, unreadable{}) }, "cannot read current state"},
	} {
		m := fullMachine(t)
		tc.spoil(m)
		if p, err := m.node().Plan(t.Context(), m.req); err == nil || !strings.Contains(err.Error(), tc.want) || !p.Empty() {
			t.Errorf("%s: got %v, %v", name, err, p)
		}
	}
	m := fullMachine(t)
	node := m.node()
	node.Predecessor = silent{}
	if p, err := node.Plan(t.Context(), m.req); !errors.Is(err, errBusy) || !p.Empty() {
		t.Errorf("got %v, %v", err, p)
	}
}

// unreadable is a backend that cannot be read.
type unreadable struct{ actual.Backend }

func (unreadable) Name() string         { return "kernel" }
func (unreadable) Kinds() []object.Kind { return object.Kinds() }

func (unreadable) Read(context.Context, actual.Focus) (object.Set, error) {
	return object.Set{}, errBusy
}

// silent is a kernel that does not tell what the predecessor left.
type silent struct{ agent }

func (silent) Read(legacy.Scope) (legacy.State, error) { return legacy.State{}, errBusy }

// TestUnreadableRow: what may come from a row that cannot be read is kept; the
// default route of the predecessor and its rules go all the same.
func TestUnreadableRow(t *testing.T) {
	m := fullMachine(t)
	m.req.Drivers = append(m.req.Drivers, desired.Driver(driver{skips: []observe.Skip{
		{Table: "Port_Binding", Row: "vm-x", Code: observe.SkipUnreadable, Text: "mac: it is bad", Hold: true},
	}}))
	m.settle()
	got := m.world.String()
	for _, there := range []string{"neigh 172.24.4.99", "172.24.4.99/32 table 77", "169.254.3.3", "br-ex.200"} {
		if !strings.Contains(got, there) {
			t.Errorf("%s is missing:\n%s", there, got)
		}
	}
	if strings.Contains(got, "0.0.0.0/0 table 77") || strings.Contains(got, "to 172.24.4.99/32") {
		t.Errorf("a default route or a rule is left:\n%s", got)
	}
}

// TestJournalComesFirst: where the plan cannot be recorded, nothing is done.
func TestJournalComesFirst(t *testing.T) {
	m := fullMachine(t)
	p, err := m.node().Plan(t.Context(), m.req)
	if err != nil {
		t.Fatal(err)
	}
	before := m.world.String()
	res := m.node().Execute(t.Context(), p, noSpace{})
	if !errors.Is(res.JournalErr, errBusy) || len(res.Failed(p)) != 1 || m.world.String() != before {
		t.Errorf("got %v, %v and\n%s", res.JournalErr, res.Failed(p), m.world)
	}
}

// noSpace is a journal on a full disk.
type noSpace struct{}

func (noSpace) Begin(plan.Plan) error                       { return errBusy }
func (noSpace) End(plan.Plan, []error, time.Duration) error { return nil }
