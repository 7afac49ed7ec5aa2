package scenarios

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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

// contender is a program that keeps changing objects of a node back.
type contender struct {
	name  string
	start func(t *testing.T, c *lab.Chassis, addr string) *exec.Cmd
	// says is what status says of it; PID stands for its number.
	says string
	// kinds are those of the objects that it changes.
	kinds []string
}

var contenders = []contender{
	{"second controller", secondController, "two controllers: bgp-ovn[PID] and this one, process ", []string{"route"}},
	{"loop that deletes a route", func(t *testing.T, c *lab.Chassis, addr string) *exec.Cmd {
		return loop(t, c, "ip route del "+addr+" table 201 2>/dev/null; sleep 0.02")
	}, " keeps changing back 1 of our objects; most often route ADDR/32 table 201 metric 0: ", []string{"route"}},
	{"tool that flushes tables", func(t *testing.T, c *lab.Chassis, _ string) *exec.Cmd {
		return loop(t, c, "ip route flush table 201; ip rule flush protocol 98; sleep 0.02")
	}, " keeps changing back ", []string{"route", "rule"}},
}

// secondController stands for one of another version, which does not see that somebody else
// writes: one process of that name that removes what it does not want.
func secondController(t *testing.T, c *lab.Chassis, addr string) *exec.Cmd {
	t.Helper()
	ip := harness.Must(exec.LookPath("ip"))(t)
	program := filepath.Join(t.TempDir(), "bgp-ovn")
	harness.Check(t, os.WriteFile(program, harness.Must(os.ReadFile(ip))(t), 0o755))
	cmd := c.Command(t.Context(), program, "-force", "-batch", "-")
	in := harness.Must(cmd.StdinPipe())(t)
	harness.Check(t, cmd.Start())
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(in, "route del "+addr+" table 201\n"); err != nil {
				return // it has ended
			}
		}
	}()
	return cmd
}

func loop(t *testing.T, c *lab.Chassis, line string) *exec.Cmd {
	t.Helper()
	cmd := c.Command(t.Context(), "sh", "-c", "while :; do "+line+"; done")
	harness.Check(t, cmd.Start())
	return cmd
}

// Who keeps changing objects back is named, with how often and when they are repaired again;
// the pause grows, for these objects alone, the log tells once, and when it stops all of it
// goes by itself.
func TestContention(t *testing.T) {
	for i, k := range contenders {
		t.Run(k.name, func(t *testing.T) {
			addr, other := fmt.Sprintf("172.24.4.%d", 101+i), fmt.Sprintf("172.24.4.%d", 111+i)
			hv := shared.Chassis[i]
			guest(t, fmt.Sprint("vm-contested-", i), shared.public, hv, addr)
			guest(t, fmt.Sprint("vm-in-peace-", i), shared.public, hv, other)
			t.Parallel() // the others are on other nodes
			at(t, addr, hv)
			at(t, other, hv)
			contend(t, shared.agents[i], k, addr, other)
		})
	}
}

func contend(t *testing.T, a *product.Agent, k contender, addr, other string) {
	ctx := harness.Context(t, time.Minute)
	harness.Check(t, a.Settle(ctx))
	logged := strings.Count(a.Tail(1<<20), "contested: another program")
	cmd := k.start(t, a.Chassis, addr)
	defer func() { _ = cmd.Process.Kill() }()
	says := strings.NewReplacer("PID", fmt.Sprint(cmd.Process.Pid), "ADDR", addr).Replace(k.says)
	s := untilStatus(ctx, t, a, "contention to be named, with a pause of a second", func(s control.Status) string {
		switch at := slices.IndexFunc(s.Problems, func(p control.Problem) bool { return p.Code == "contested" }); {
		case at < 0:
			return fmt.Sprintf("no such problem: %+v", s.Problems)
		case !strings.Contains(s.Problems[at].Text, says):
			return fmt.Sprintf("no %q in %s", says, s.Problems[at].Text)
		case s.Problems[at].Try == "" || s.Healthy:
			return "no remedy, or healthy"
		case s.Contested[0].PauseSeconds < 1 || s.Contested[0].PerMinute == 0:
			return fmt.Sprintf("%+v", s.Contested[0])
		}
		return ""
	})
	for _, c := range s.Contested {
		if !slices.Contains(k.kinds, c.Kind) {
			t.Errorf("contested: %+v", c)
		}
		if c.Controller != strings.HasPrefix(k.says, "two controllers") {
			t.Errorf("whether it is a controller: %+v", c)
		}
	}
	untilStatus(ctx, t, a, "the next try to be told", func(s control.Status) string {
		if slices.ContainsFunc(s.Contested, func(c control.Contested) bool { return c.Next != nil }) {
			return ""
		}
		return fmt.Sprintf("%+v", s.Contested)
	})
	if text := harness.Must(a.Metrics(ctx))(t); strings.Contains(text, "\nbgp_ovn_contested 0\n") {
		t.Error("the metric does not count it")
	}
	// At the moment of a try there is no next one.
	harness.Check(t, harness.Await(ctx, "the next try to be printed", func(ctx context.Context) (bool, error) {
		res, err := a.CLI(ctx, "status")
		if err == nil && (res.Exit != 2 || !strings.Contains(res.Out, "; next try ")) {
			err = fmt.Errorf("status ends with %d:\n%s", res.Exit, res.Out)
		}
		return err == nil, err
	}))
	if !slices.Contains(k.kinds, "rule") { // who flushes leaves nobody in peace
		harness.Must(a.Chassis.Run(ctx, "ip", "route", "del", other, "table", "201"))(t)
		if err := harness.Until(ctx, "another object to be repaired", func() bool {
			out, _ := a.Chassis.Run(ctx, "ip", "route", "show", "table", "201")
			return strings.Contains(out, other)
		}); err != nil {
			t.Error(err)
		}
	}
	for _, addr := range []string{addr, other} {
		at(t, addr, a.Chassis) // what needs the objects stays announced
	}
	harness.Check(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	untilStatus(context.WithoutCancel(ctx), t, a, "contention to be over", func(s control.Status) string {
		if len(s.Contested) == 0 && !faults.HasProblem(s, "contested") {
			return ""
		}
		return fmt.Sprintf("%+v", s.Contested)
	})
	harness.Check(t, a.Settle(ctx))
	if text := harness.Must(a.Metrics(ctx))(t); !strings.Contains(text, "\nbgp_ovn_contested 0\n") {
		t.Error("the metric still counts it")
	}
	// One for each name; of a command that ended too soon there is none.
	if n := strings.Count(a.Tail(1<<20), "contested: another program") - logged; n < 1 || n > 2 {
		t.Errorf("%d lines in the log:\n%s", n, a.Tail(30))
	}
}

// untilStatus waits until nothing is missing in the status of a node, and returns it.
func untilStatus(ctx context.Context, t *testing.T, a *product.Agent, what string, lacks func(control.Status) string,
) control.Status {
	t.Helper()
	ctx, cancel := harness.WithTimeout(ctx, time.Minute)
	defer cancel()
	var s control.Status
	missing := ""
	if err := harness.Await(ctx, what, func(ctx context.Context) (_ bool, err error) {
		if s, err = a.Status(ctx); err != nil {
			return false, err
		}
		missing = lacks(s)
		return missing == "", nil
	}); err != nil {
		t.Fatalf("%v: %s\n%s", err, missing, a.Tail(10))
	}
	return s
}
