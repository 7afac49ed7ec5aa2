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

// Each fault of the table has its effect on packets, is named with cause and remedy by the
// first commands that anybody would try, and is forgotten once it is mended.
func TestFaults(t *testing.T) {
	hv, other := shared.Chassis[2], shared.Chassis[0]
	vm := guest(t, "vm-faults", shared.public, hv, "172.24.4.90", "2001:db8:4::90")
	guest(t, "vm-beside", shared.public, hv, "172.24.4.92") // a limit of one prefix is too low
	guest(t, "vm-elsewhere", shared.public, other, "172.24.4.91")
	w := faults.World{
		Lab: shared.Lab, Chassis: hv, Agent: shared.agents[2], Addr: netip.MustParseAddr("172.24.4.90"),
		Addr6: netip.MustParseAddr("2001:db8:4::90"), Tap: vm.Tap, Port: vm.Port.ID, VM: vm,
		Elsewhere: netip.MustParseAddr("172.24.4.91"), Other: other, Physnet: "physnet1",
		Patch: shared.public.PatchPort(),
	}
	at(t, "172.24.4.90", hv)
	at(t, "172.24.4.91", other)
	at(t, "172.24.4.92", hv)
	pings(t, "172.24.4.90")
	well(t, w)
	defer func() { // what was contested is remembered for a while, and repaired late
		ctx := harness.Context(t, time.Minute)
		harness.Check(t, w.Agent.Stop(ctx))
		harness.Check(t, w.Agent.Start(ctx))
	}()
	for _, g := range faults.All() {
		for _, f := range g.Faults {
			t.Run(f.Name, func(t *testing.T) { fault(t, w, f) })
		}
	}
}

func fault(t *testing.T, w faults.World, f faults.Fault) {
	ctx := harness.Context(t, 40*time.Second)
	healed := false
	heal := func() {
		if !healed {
			healed = true
			harness.Check(t, f.Heal(context.WithoutCancel(ctx), w))
		}
	}
	defer heal()
	harness.Check(t, f.Inject(ctx, w))
	loss(ctx, t, w, f.Effect)
	named(ctx, t, w, f)
	if f.Way {
		traced(ctx, t, w, f)
	}
	heal()
	at(t, w.Addr.String(), w.Chassis)
	pings(t, w.Addr.String())
	if !f.Remembered {
		well(t, w)
	}
}

// loss demands that packets are lost as the fault has it.
func loss(ctx context.Context, t *testing.T, w faults.World, effect faults.Effect) {
	t.Helper()
	if effect == faults.Some {
		return
	}
	var last lab.PingResult
	if err := harness.Until(ctx, "the fault to have its effect", func() bool {
		last = harness.Must(shared.Host.Ping(ctx, w.Addr, 3, 20*time.Millisecond))(t)
		if effect == faults.Lossless {
			return last.Lossless()
		}
		return last.Received == 0
	}); err != nil {
		t.Fatalf("%v: %+v", err, last)
	}
}

// named demands that the command of the fault names it, and that it is the first problem
// where that is what the command is asked for.
func named(ctx context.Context, t *testing.T, w faults.World, f faults.Fault) {
	t.Helper()
	var lacks string
	err := harness.Await(ctx, f.Name+" to be named", func(ctx context.Context) (bool, error) {
		res, err := w.Agent.CLI(ctx, strings.Fields(w.Expand(f.Command))...)
		if err != nil || ctx.Err() != nil { // which ends the command, too
			return false, err
		}
		lacks = said(w, f, res)
		if lacks == "" && (f.Command == "status" || f.Way) {
			s, err := w.Agent.Status(ctx)
			if err != nil {
				return false, err
			}
			lacks = firstProblem(s, f)
		}
		return lacks == "", nil
	})
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, lacks, w.Agent.Tail(12))
	}
}

// said is what is missing in what a command says.
func said(w faults.World, f faults.Fault, res product.Result) string {
	text := strings.Join(strings.Fields(res.Out+res.Err), " ") // lines are wrapped
	for _, want := range []string{f.Code, w.Expand(f.Says), w.Expand(f.Remedy)} {
		if !strings.Contains(text, want) {
			return fmt.Sprintf("no %q in:\n%s", want, text)
		}
	}
	held := strings.Contains(text, "ADVERTISED (held:") // which is no failure
	if res.Exit == 0 && !held || f.Code != "" && res.Exit == 1 {
		return fmt.Sprintf("exit status %d of %s", res.Exit, f.Command)
	}
	return ""
}

// firstProblem is what is missing in status.
func firstProblem(s control.Status, f faults.Fault) string {
	at := slices.IndexFunc(s.Problems, func(p control.Problem) bool { return p.Code == f.Code })
	switch {
	case at != 0:
		return fmt.Sprintf("problem %s is not the first one of status: %+v", f.Code, s.Problems)
	case s.Healthy:
		return "status is healthy"
	case s.Problems[at].Try == "":
		return "status has no remedy"
	}
	return ""
}

// traced demands that trace shows the fault, in lines that a terminal has room for.
func traced(ctx context.Context, t *testing.T, w faults.World, f faults.Fault) {
	t.Helper()
	res := harness.Must(w.Agent.CLI(ctx, "trace", w.Addr.String()))(t)
	if res.Exit != 2 || !strings.Contains(res.Out, f.Code) {
		t.Errorf("trace, exit status %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	for line := range strings.Lines(res.Out) {
		if len(line) > 101 {
			t.Errorf("line of %d columns: %s", len(line)-1, line)
		}
	}
}

// well demands that everything says that the node is well.
func well(t *testing.T, w faults.World) {
	t.Helper()
	ctx := harness.Context(t, 30*time.Second)
	var out product.Result
	var s control.Status
	err := harness.Await(ctx, w.Addr.String()+" to be reachable and nothing to be wrong",
		func(ctx context.Context) (_ bool, err error) {
			if out, err = w.Agent.CLI(ctx, "explain", w.Addr.String()); err != nil {
				return false, err
			}
			s, err = w.Agent.Status(ctx)
			return err == nil && out.Exit == 0 && s.Healthy && strings.Contains(out.Out, "reachable here:"), err
		})
	if err != nil {
		t.Fatalf("%v\n%s%s\n%+v", err, out.Out, out.Err, s.Problems)
	}
}
