package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// bindsVariable is how often the tests here do what they measure; figures want 100.
const bindsVariable = "BINDS"

func times(t *testing.T) int {
	t.Helper()
	if text := os.Getenv(bindsVariable); text != "" {
		return harness.Must(strconv.Atoi(text))(t)
	}
	return 10
}

// A VM that is bound comes to be in FRR's table: several binds, each from the moment
// the Southbound database says that the port is up to the moment the kernel of
// the top of rack has the route. The figures are printed and not judged: on a busy
// machine they are the machine's.
func TestBindLatency(t *testing.T) {
	binds := times(t)
	hv := shared.Chassis[2]
	watch := watchUp(t)
	ctx := harness.Context(t, 3*time.Minute)
	var took, ours []time.Duration
	for i := range binds {
		addr := netip.AddrFrom4([4]byte{172, 24, 4, byte(100 + i)})
		spec := lab.PortSpec{Name: fmt.Sprintf("lat-%d", i), Network: shared.public, Chassis: hv, Addrs: []netip.Addr{addr}}
		p := harness.Must(shared.Neutron.Port(ctx, spec))(t)
		up := watch(ctx, p.ID)
		vm := harness.Must(hv.PlugVM(ctx, p))(t)
		arrived := harness.Must(shared.Tor.WaitRoute(ctx, netip.PrefixFrom(addr, 32), hv))(t)
		began := <-up
		took = append(took, arrived.Sub(began))
		ours = append(ours, applied(t, shared.agents[2]).Sub(began))
		harness.Check(t, vm.Unplug(ctx))
		harness.Check(t, p.Delete(ctx))
	}
	report(t, "bound and up -> route at the top of rack", took)
	report(t, "of which ours: bound and up -> path handed to the peers", ours)
	t.Log("the rest is FRR, whose bgpd lets received routes rest 50 ms in its work queue before it selects a path")
}

// A gateway moves to another node, to and fro: each time from the moment the Southbound
// database names the other chassis to the moment that either agent is done. What another
// chassis has, its former one gives up at once. Before that the port is free or down for a
// moment, which proves nothing yet.
func TestMoveLatency(t *testing.T) {
	ctx := harness.Context(t, 5*time.Minute)
	nodes := shared.Chassis[:2]
	s := newSite(t, "latmove", []string{"10.31.0.0/26"}, []string{"172.24.4.251"}, nodes...)
	prefix := netip.MustParsePrefix("172.24.4.251/32")
	at(t, "172.24.4.251", nodes[0])
	watch := watchBound(t)
	var free, withdrawn, announced, took []time.Duration
	for i := range times(t) {
		from, to := i%2, (i+1)%2
		loose := watchPorts(t)(ctx, "cr-"+s.router.GatewayPort(), func(p *observe.PortBinding, _ *observe.Southbound) bool {
			return p.Chassis.IsZero() || p.Down
		})
		bound := watch(ctx, "cr-"+s.router.GatewayPort(), nodes[to].SystemID)
		harness.Check(t, s.router.Prefer(ctx, nodes[to], nodes[from]))
		arrived := harness.Must(shared.Tor.WaitRoute(ctx, prefix, nodes[to]))(t)
		began := <-bound
		took = append(took, arrived.Sub(began))
		select {
		case at := <-loose:
			free = append(free, began.Sub(at))
		default: // both came with one update
		}
		withdrawn = append(withdrawn, applied(t, shared.agents[from]).Sub(began))
		announced = append(announced, applied(t, shared.agents[to]).Sub(began))
		settled(t)
	}
	if len(free) > 0 {
		report(t, "the port is free or down -> another chassis is named", free)
	}
	report(t, "another chassis is named -> route at the top of rack leads there alone", took)
	report(t, "of which the former node: named -> withdrawal handed to the peers", withdrawn)
	report(t, "of which the new node: named -> path handed to the peers", announced)
}

func report(t *testing.T, what string, took []time.Duration) {
	t.Helper()
	slices.Sort(took)
	n := len(took)
	t.Logf("%s, %d times: p50 %s, p90 %s, p99 %s, max %s", what, n, took[n/2], took[n*9/10], took[n*99/100], took[n-1])
}

// applied is when the agent's last round that changed something ended.
func applied(t *testing.T, a *product.Agent) time.Time {
	t.Helper()
	s := harness.Must(a.Status(t.Context()))(t)
	length := s.LastChange.Took()
	return s.LastChange.At.Add(length)
}

// watchUp watches the Southbound database on a connection of its own for a port that is bound
// and up.
func watchUp(t *testing.T) func(context.Context, string) <-chan time.Time {
	t.Helper()
	watch := watchPorts(t)
	return func(ctx context.Context, port string) <-chan time.Time {
		return watch(ctx, port, func(p *observe.PortBinding, _ *observe.Southbound) bool {
			return !p.Chassis.IsZero() && !p.Down
		})
	}
}

// watchBound watches the database for a port that is bound to a chassis.
func watchBound(t *testing.T) func(ctx context.Context, port, chassis string) <-chan time.Time {
	t.Helper()
	watch := watchPorts(t)
	return func(ctx context.Context, port, chassis string) <-chan time.Time {
		return watch(ctx, port, func(p *observe.PortBinding, rows *observe.Southbound) bool {
			return rows.ChassisName(p.Chassis) == chassis
		})
	}
}

type portCondition = func(*observe.PortBinding, *observe.Southbound) bool

func watchPorts(t *testing.T) func(context.Context, string, portCondition) <-chan time.Time {
	t.Helper()
	src, err := sb.Open(t.Context(), ovsdb.Config{Remotes: []string{shared.Central.SBSocket()}})
	harness.Check(t, err)
	t.Cleanup(func() { harness.Check(t, src.Close()) })
	return func(ctx context.Context, port string, holds portCondition) <-chan time.Time {
		at := make(chan time.Time, 1)
		go func() {
			for {
				if rows, err := src.Read(ctx); err == nil {
					if p, ok := rows.Port(port); ok && holds(p, rows) {
						at <- time.Now()
						return
					}
				}
				select {
				case <-ctx.Done():
					return
				case <-src.Changed():
				}
			}
		}()
		return at
	}
}
