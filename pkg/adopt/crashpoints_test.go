package adopt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestProofAdoptionCrashPoints lets adopt, and adopt --reverse after it, die at every
// place, on the full node of these tests and on made-up ones. Running it again must
// arrive where an uninterrupted one does.
func TestProofAdoptionCrashPoints(t *testing.T) {
	there, back := 0, 0
	nodes := proof.Count(3, 100)
	for i := range nodes {
		scene := func() *machine { return madeUp(t, uint64(i)) }
		if i == 0 {
			scene = func() *machine { return fullMachine(t) }
		}
		there += dieEverywhere(t, fmt.Sprintf("node %d", i), adopting, scene)
		back += dieEverywhere(t, fmt.Sprintf("node %d, reverse", i), reversing, func() *machine {
			m := scene()
			m.settle()
			return m
		})
	}
	proof.Report(t, "%d crash points of adopt and %d of adopt --reverse, on %d nodes", there, back, nodes)
	if least := proof.Count(100, 2000); there+back < least {
		t.Errorf("%d crash points, want at least %d", there+back, least)
	}
}

// direction is the way there or back.
type direction struct {
	run    func(*machine, execute.Journal) (plan.Plan, execute.Result)
	settle func(*machine)
}

var (
	adopting = direction{
		run: func(m *machine, j execute.Journal) (plan.Plan, execute.Result) {
			p, err := m.node().Plan(m.t.Context(), m.req)
			if err != nil {
				m.t.Fatal(err)
			}
			return p, m.node().Execute(m.t.Context(), p, j)
		},
		settle: (*machine).settle,
	}
	reversing = direction{
		run: func(m *machine, j execute.Journal) (plan.Plan, execute.Result) {
			p := m.planBack()
			return p, m.node().ExecuteReverse(m.t.Context(), p, j)
		},
		settle: (*machine).giveBack,
	}
)

// dieEverywhere lets the process die at every place and returns how many there are.
func dieEverywhere(t *testing.T, name string, d direction, scene func() *machine) int {
	t.Helper()
	whole := scene()
	before := whole.world.Writes()
	d.settle(whole)
	want := whole.String()
	places := []string{"before Begin", "after Begin", "before End", "after End"}
	for i := range whole.world.Writes() - before {
		places = append(places, fmt.Sprint("before change ", i))
	}
	for _, at := range places {
		m := scene()
		j, done := &dying{Journal: m.db, at: at}, 0
		m.world.StopOn(func(object.Change) error {
			if j.die(fmt.Sprint("before change ", done)) {
				return errCrash
			}
			done++
			return nil
		})
		p, res := d.run(m, j)
		if err := errors.Join(append(res.Failed(p), res.JournalErr)...); !errors.Is(err, errCrash) {
			t.Fatalf("%s: got %v, want the crash %s", name, err, at)
		}
		m.world.StopOn(nil)
		m.start()
		d.settle(m)
		if got := m.String(); got != want {
			t.Errorf("%s, crash %s: got\n%s\nwant\n%s", name, at, got, want)
		}
		m.db.Close()
	}
	return len(places)
}

// madeUp is a node whose guests are, each by chance, wanted, known to the predecessor,
// or both, with neighbours that are right or wrong.
func madeUp(t *testing.T, seed uint64) *machine {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	var want, have strings.Builder
	old := []object.Value{oldRoute(t, "route 0.0.0.0/0 table 77 metric 0  dev br-ex", 3)}
	fmt.Fprintln(&want, "device br-ex  up\naddress 169.254.1.1/32 dev br-ex\nsysctl net/ipv4/conf/br-ex/proxy_arp  = 1")
	fmt.Fprintln(&want, "rule inet priority 32000 lookup 77 suppress_prefixlength 0")
	fmt.Fprintf(&have, "device br-ex  %s\n", []string{"up", "down"}[random.IntN(2)])
	fmt.Fprintln(&have, "sysctl net/ipv4/conf/br-ex/proxy_arp  = 0")
	fmt.Fprintln(&have, "address 169.254.1.1/32 dev br-ex")
	for i := range 3 + random.IntN(8) {
		addr := fmt.Sprintf("172.24.4.%d", 10+i)
		if random.IntN(3) > 0 || i == 0 {
			fmt.Fprintf(&want, "route %s/32 table 77 metric 0  dev br-ex\n", addr)
			fmt.Fprintf(&want, "neigh %s dev br-ex  lladdr fa:16:3e:00:00:%02x\n", addr, i)
		}
		if random.IntN(3) > 0 || i == 0 {
			old = append(old, oldRule(addr+"/32", 77),
				oldRoute(t, fmt.Sprintf("route %s/32 table 77 metric 0  dev br-ex", addr), 3))
			fmt.Fprintf(&have, "neigh %s dev br-ex  lladdr fa:16:3e:00:00:%02x\n", addr, i+random.IntN(2))
		}
	}
	return newMachine(t, want.String(), have.String(), old...)
}
