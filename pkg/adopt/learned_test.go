package adopt

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// learner wants the lines of a plan while neighbours announce a default route.
type learner struct{ want object.Set }

func (learner) Name() string { return "test" }

func (d learner) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	if snap.Learned == nil {
		return []observe.Skip{{
			Table: tableLearned, Row: "ipv4-unicast", Code: observe.SkipDegraded, Text: "not asked", Hold: true,
		}}
	}
	for _, it := range d.want.Sorted() {
		for _, path := range snap.Learned.Paths {
			if path.Prefix.Bits() == 0 {
				it.Why = []object.Source{{Driver: "test", Rule: "L1", Table: tableLearned, Row: "ipv4-unicast"}}
				out.Put(it)
			}
		}
	}
	return nil
}

// fromFRR wants a default route in main and one of OVN's router, for which FRR has learned one.
func fromFRR(t *testing.T) *machine {
	t.Helper()
	hops := object.Route{Table: object.TableMain, Dst: netip.MustParsePrefix("0.0.0.0/0"), Metric: 20}.
		WithHops(object.Hop{Via: netip.MustParseAddr("192.0.2.1"), Dev: "eth0"})
	m := newMachine(t, "", strings.Split(fromFRRWant, "\n")[1], legacy.Learned{Route: hops})
	m.req.Drivers = []desired.Driver{learner{setOf(t, fromFRRWant)}}
	m.world.Set(false, object.Link{Name: "eth0", Type: "veth", Up: true})
	return m
}

const fromFRRWant = `route 0.0.0.0/0 table 254 metric 4098  dev eth0 via 192.0.2.1
route 0.0.0.0/0 table 10 metric 20 proto 186  dev eth0 via 192.0.2.1
`

// Whatever step fails, a default route of the node is there: FRR's goes only once ours has come.
// Another run does what is left.
func TestLearnedFromFRRFails(t *testing.T) {
	first, err := fromFRR(t).node().Plan(t.Context(), fromFRR(t).req)
	if err != nil || len(first.Ops) != 3 {
		t.Fatalf("%v\n%v", err, first)
	}
	for _, failing := range first.Ops {
		m := fromFRR(t)
		p, err := m.node().Plan(t.Context(), m.req)
		if err != nil {
			t.Fatal(err)
		}
		m.world.FailNext(failing.Key(), errBusy)
		res := m.node().Execute(t.Context(), p, m.db)
		if failed := res.Failed(p); failing.Note != noteTakenOver && len(failed) != 1 {
			t.Errorf("%s: failures %v", failing.Key().Text(), failed)
		}
		got := m.String()
		if strings.Contains(failing.Key().Text(), "table 254 metric 4098") != !strings.Contains(got, "metric 4098") {
			t.Errorf("%s failed, which left\n%s", failing.Key().Text(), got)
		}
		if !strings.Contains(got, "0.0.0.0/0 table 254") || !strings.Contains(got, "0.0.0.0/0 table 10") {
			t.Errorf("%s failed, and a default route has gone:\n%s", failing.Key().Text(), got)
		}
		m.settle()
		if got := m.String(); strings.Contains(got, "table 254 metric 20") || !strings.Contains(got, "metric 4098") {
			t.Errorf("%s failed, and another run left\n%s", failing.Key().Text(), got)
		}
	}
}

// What FRR has learned is ours before FRR ends: the routes of OVN's routers as they are, those of the
// main table by a route of ours beside theirs, which goes last. Others in these tables stay.
func TestLearnedFromFRR(t *testing.T) {
	hops := object.Route{Table: object.TableMain, Dst: netip.MustParsePrefix("0.0.0.0/0"), Metric: 20}.
		WithHops(object.Hop{Via: netip.MustParseAddr("192.0.2.1"), Dev: "eth0"})
	other := hops
	other.Dst = netip.MustParsePrefix("198.51.100.0/24") // learned, and not for us to have
	own := object.Route{Table: 10, Dst: netip.MustParsePrefix("10.5.0.0/16"), Dev: "br-ex"}
	m := newMachine(t, "", strings.Split(fromFRRWant, "\n")[1], legacy.Learned{Route: hops}, legacy.Learned{Route: other},
		legacy.Route{Route: own, Protocol: 4})
	m.req.Drivers = []desired.Driver{learner{setOf(t, fromFRRWant)}}
	// Without the device ours cannot come, and FRR's stays.
	if p, err := m.node().Plan(t.Context(), m.req); err != nil || strings.Contains(p.String(), "- route") {
		t.Fatalf("%v\n%v", err, p)
	}
	m.world.Set(false, object.Link{Name: "eth0", Type: "veth", Up: true})
	p, err := m.node().Plan(t.Context(), m.req)
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, op := range p.Ops {
		steps = append(steps, op.Key().Text()+" "+op.Note)
	}
	if len(steps) != 3 || !strings.Contains(steps[2], "metric 20") || strings.Contains(steps[2], "table 10") {
		t.Errorf("the steps are\n%s\n%v", strings.Join(steps, "\n"), p)
	}
	m.settle()
	got := m.String()
	for _, there := range []string{
		"route 0.0.0.0/0 table 254 metric 4098", "route 0.0.0.0/0 table 10 metric 20 proto 186", "198.51.100.0/24",
		"10.5.0.0/16",
	} {
		if !strings.Contains(got, there) {
			t.Errorf("%q is missing:\n%s", there, got)
		}
	}
	table10 := hops
	table10.Table, table10.Protocol = 10, 186
	if !m.db.Owned(table10.Key()) {
		t.Error("the route of OVN's router is not in the ledger")
	}
	if strings.Contains(got, "0.0.0.0/0 table 254 metric 20") {
		t.Errorf("FRR's route is left:\n%s", got)
	}
	m.settle() // nothing of FRR is there any more, and nothing goes
	if again := m.String(); again != got {
		t.Errorf("a later run changed\n%s\ninto\n%s", got, again)
	}
}
