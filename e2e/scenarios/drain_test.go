package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// A node is drained and stopped while another one takes over what it announces: an address
// of both nodes, of which not one packet in a thousand a second is lost, and a gateway, of
// which OVN decides what is lost. What nobody else has taken over is not withdrawn.
func TestDrain(t *testing.T) {
	const service, gateway = "10.99.0.1", "172.24.4.230"
	const wait, originate = "drain: {wait: 2s}", "originate: [" + service + "/32]"
	leaving, staying := shared.Chassis[0], shared.Chassis[1]
	agent, other := shared.agents[0], shared.agents[1]
	for _, c := range shared.Chassis[:2] {
		harness.Must(c.Run(testContext(t), "ip", "addr", "add", service+"/32", "dev", "br-ex"))(t)
		t.Cleanup(func() {
			harness.Must(c.Run(context.WithoutCancel(t.Context()), "ip", "addr", "del", service+"/32", "dev", "br-ex"))(t)
		})
	}
	expose(t, shared.agents[:1], wait, originate)
	expose(t, shared.agents[1:2])
	s := newSite(t, "drained", []string{"10.29.0.0/26"}, []string{gateway}, leaving, staying)
	at(t, service, leaving)
	at(t, gateway, leaving)
	pings(t, service)
	tr := harness.Must(shared.Host.SendTraffic(netip.MustParseAddr(service), time.Millisecond))(t)
	t.Cleanup(func() { _, _ = tr.Stop() })
	harness.Check(t, tr.AwaitAnswers(testContext(t), 100))

	cli(t, agent, 0, "drain")
	t.Cleanup(func() { // twice is an error that does no harm
		_, _ = agent.Client().Undrain(context.WithoutCancel(t.Context()))
	})
	d := awaitDrain(t, agent, "waiting")
	for _, addr := range []string{service, gateway} {
		if !holds(d, addr) {
			t.Errorf("%s is not among what is left: %+v", addr, d)
		}
		at(t, addr, leaving)
	}
	if text := cli(t, agent, 0, "explain", service); !strings.Contains(text, "DRAINED: a last resort") {
		t.Error(text)
	}
	if text := cli(t, agent, 2, "drain", "--wait=1s"); !strings.Contains(text, "not safe to stop") {
		t.Error(text)
	}

	harness.Check(t, other.Configure(nil, originate))
	reload(t, other)
	at(t, service, staying)
	harness.Check(t, s.router.Prefer(testContext(t), staying, leaving))
	moveBeside(t, staying, leaving)
	at(t, gateway, staying)
	if text := cli(t, agent, 0, "drain", "--wait=50s"); !strings.Contains(text, "safe to stop") {
		t.Error(text)
	}
	if text := cli(t, agent, 2, "explain", service); !strings.Contains(text, "(drained)") {
		t.Error(text)
	}
	cli(t, agent, 0, "plan")
	metrics := harness.Must(agent.Metrics(testContext(t)))(t)
	if !strings.Contains(metrics, `bgp_ovn_drain{phase="safe-to-stop"} 1`) {
		t.Error("the metrics do not say that it is safe to stop")
	}

	harness.Check(t, agent.Stop(testContext(t)))
	harness.Check(t, tr.AwaitAnswers(testContext(t), 500))
	harness.Check(t, agent.Start(testContext(t)))
	awaitDrain(t, agent, "safe-to-stop")
	harness.Check(t, tr.AwaitAnswers(testContext(t), 500))
	at(t, service, staying)
	r := harness.Must(tr.Stop())(t)
	t.Logf("%d of %d lost at 1 ms", r.Sent-r.Received, r.Sent)
	if !r.Lossless() {
		t.Errorf("%d of %d lost, want none", r.Sent-r.Received, r.Sent)
	}

	cli(t, agent, 0, "undrain")
	at(t, service, leaving, staying)
	settled(t)
}

// awaitDrain waits until the drain of a node is in a phase.
func awaitDrain(t *testing.T, a *product.Agent, phase string) (last control.Drain) {
	t.Helper()
	if err := harness.Await(testContext(t), "drain to be "+phase, func(ctx context.Context) (bool, error) {
		s, err := a.Status(ctx)
		if err != nil || s.Drain == nil {
			return false, err
		}
		if last = *s.Drain; last.Phase != phase {
			return false, fmt.Errorf("it is %+v", last)
		}
		return true, nil
	}); err != nil {
		t.Fatalf("%v\n%s", err, a.Tail(20))
	}
	return last
}

// holds reports whether an address is among what is left.
func holds(d control.Drain, addr string) bool {
	for _, p := range d.Remaining {
		if strings.HasSuffix(p.Key, " "+addr+"/32") {
			return true
		}
	}
	return false
}

// cli runs a command that must end with a status, and returns what it printed.
func cli(t *testing.T, a *product.Agent, exit int, args ...string) string {
	t.Helper()
	res := harness.Must(a.CLI(testContext(t), args...))(t)
	if res.Exit != exit {
		t.Errorf("bgp-ovn %s: status %d, want %d:\n%s%s", strings.Join(args, " "), res.Exit, exit, res.Out, res.Err)
	}
	return res.Out
}
