package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/faults"
	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// Each fault of the table loses packets for real, is named at once with cause and remedy by
// the commands, and is forgotten once it is mended.
func TestFaults(t *testing.T) {
	hv := shared.Chassis[2]
	agent := shared.agents[2]
	vm := guest(t, "vm-faults", shared.public, hv, "172.24.4.90")
	at(t, "172.24.4.90", hv)
	pings(t, "172.24.4.90")
	w := faults.World{Chassis: hv, Addr: netip.MustParseAddr("172.24.4.90"), Tap: vm.Tap, Port: vm.Port.ID}
	reachable(t, agent, w)
	for _, f := range faults.All() {
		t.Run(f.Name, func(t *testing.T) { fault(t, agent, w, f) })
	}
}

func fault(t *testing.T, agent *product.Agent, w faults.World, f faults.Fault) {
	ctx := harness.Context(t, 2*time.Minute)
	healed := false
	heal := func() {
		if !healed {
			healed = true
			harness.Check(t, f.Heal(context.WithoutCancel(ctx), w))
		}
	}
	defer heal()
	harness.Check(t, f.Inject(ctx, w))
	loss(ctx, t, w, f.Lossless)
	named(ctx, t, agent, w, f)
	heal()
	at(t, w.Addr.String(), w.Chassis)
	pings(t, w.Addr.String())
	reachable(t, agent, w)
}

// loss demands that packets are lost as the fault has it.
func loss(ctx context.Context, t *testing.T, w faults.World, lossless bool) {
	t.Helper()
	var last lab.PingResult
	if err := harness.Until(ctx, "the fault to have its effect", func() bool {
		last = harness.Must(shared.Host.Ping(ctx, w.Addr, 3, 20*time.Millisecond))(t)
		return lossless == last.Lossless() && (lossless || last.Received == 0)
	}); err != nil {
		t.Fatalf("%v: %+v", err, last)
	}
}

// named demands that explain and status name the fault.
func named(ctx context.Context, t *testing.T, agent *product.Agent, w faults.World, f faults.Fault) {
	t.Helper()
	var lacks string
	err := harness.Await(ctx, f.Name+" to be named", func(ctx context.Context) (bool, error) {
		s, err := agent.Status(ctx)
		if err != nil {
			return false, err
		}
		at := slices.IndexFunc(s.Problems, func(p control.Problem) bool { return p.Code == f.Code })
		res, err := agent.CLI(ctx, strings.Fields(w.Expand(f.Command))...)
		if err != nil {
			return false, err
		}
		lacks = ""
		switch text := strings.Join(strings.Fields(res.Out), " "); { // lines are wrapped
		case at != 0:
			lacks = fmt.Sprintf("problem %s is not the first one of status: %+v", f.Code, s.Problems)
		case s.Healthy:
			lacks = "status is healthy"
		case s.Problems[at].Try == "":
			lacks = "status has no remedy"
		case !strings.Contains(text, f.Code):
			lacks = "no code in: " + text
		case !strings.Contains(text, w.Expand(f.Says)) || !strings.Contains(text, w.Expand(f.Remedy)):
			lacks = fmt.Sprintf("no %q or no %q in:\n%s", w.Expand(f.Says), w.Expand(f.Remedy), text)
		case res.Exit != 2:
			lacks = fmt.Sprintf("exit status %d of %s", res.Exit, f.Command)
		}
		return lacks == "", nil
	})
	if err != nil {
		t.Errorf("%v: %s", err, lacks)
	}
	res := harness.Must(agent.CLI(ctx, "trace", w.Addr.String()))(t)
	if res.Exit != 2 || !strings.Contains(res.Out, f.Code) {
		t.Errorf("trace, exit status %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	for line := range strings.Lines(res.Out) {
		if len(line) > 101 {
			t.Errorf("line of %d columns: %s", len(line)-1, line)
		}
	}
}

// reachable demands that everything says that the address is reachable.
func reachable(t *testing.T, agent *product.Agent, w faults.World) {
	t.Helper()
	ctx := harness.Context(t, 30*time.Second)
	var out product.Result
	var s control.Status
	err := harness.Await(ctx, w.Addr.String()+" to be reachable", func(ctx context.Context) (_ bool, err error) {
		if out, err = agent.CLI(ctx, "explain", w.Addr.String()); err != nil {
			return false, err
		}
		s, err = agent.Status(ctx)
		named := !strings.Contains(out.Out, "reachable here:") || len(s.Reach.Unreachable) > 0
		return err == nil && out.Exit == 0 && !named, err
	})
	if err != nil {
		t.Fatalf("%v\n%s%s\n%+v", err, out.Out, out.Err, s.Reach)
	}
}
