package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/gather"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/withdraw"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// forwarder is a node on which a controller runs against a model of the world, and of which
// the kernel forwards what the test says.
type forwarder struct {
	t     *testing.T
	world *model.World
	reach *reachability
	ctl   *reconcile.Controller
	snap  observe.Snapshot
	// refused are the addresses that a route of others refuses; blind says that nothing can be
	// read; asked counts the questions about each address.
	refused map[string]bool
	blind   bool
	asked   map[string]int
}

// Snapshot is the same at all times.
func (f *forwarder) Snapshot(context.Context) (observe.Snapshot, error) { return f.snap, nil }

// Changed never tells.
func (f *forwarder) Changed() []<-chan struct{} { return nil }

// Facts are those of a node that is well, but for what is refused.
func (f *forwarder) Facts(_ context.Context, questions []gather.Question) []reach.Facts {
	out := make([]reach.Facts, len(questions))
	for i, q := range questions {
		src := netip.MustParseAddr("192.0.2.1")
		own := netip.PrefixFrom(q.Addr, q.Addr.BitLen())
		route := reach.Route{Type: "unicast", Dst: own, Table: q.Table, Hops: []reach.Hop{{Dev: q.Dev}}}
		back := reach.Route{Type: "unicast", Dst: netip.MustParsePrefix("0.0.0.0/0"), Hops: []reach.Hop{{Dev: "eth0"}}}
		out[i] = reach.Facts{
			Way: q.Way, ForwardAll: true,
			Uplinks: []reach.Device{{Name: "eth0", Up: true, Carrier: true, Forwarding: true}},
			Device:  reach.Device{Name: q.Dev, Up: true, Carrier: true, Forwarding: true, ProxyARP: true},
			In:      []reach.Lookup{{From: "eth0", Src: src, Dst: q.Addr, Route: route}},
			Back:    []reach.Lookup{{From: q.Dev, Src: q.Addr, Dst: src, Route: back}},
			Rules:   []reach.Rule{{Priority: q.Priority, Table: q.Table, Ours: true}},
		}
		if q.Overlay != nil {
			ofVNI(&out[i])
		}
		f.asked[q.Addr.String()]++
		if f.refused[q.Addr.String()] {
			out[i].In[0].Refused, out[i].In[0].Route = reach.RefusedBlackhole, reach.Route{}
			out[i].Refusing = []reach.Route{{Type: "blackhole", Dst: own, Table: q.Table}}
		}
		if f.blind { // as after a deadline: no lookup was answered
			out[i].In[0].Route, out[i].Incomplete, out[i].Unread = reach.Route{}, true, []string{"routes: deadline exceeded"}
		}
	}
	return out
}

// ofVNI makes facts of packets that come in by a VNI.
func ofVNI(f *reach.Facts) {
	o := f.Overlay
	up := func(name, kind, master string) reach.Device {
		return reach.Device{Name: name, Up: true, Carrier: true, Forwarding: true, Kind: kind, Master: master}
	}
	f.Device = up(f.Dev, "veth", o.VRF)
	f.Tunnel = &reach.Tunnel{
		VRF: up(o.VRF, "vrf", ""), Bridge: up(o.Bridge, "bridge", o.VRF), VXLAN: up(o.VXLAN, "vxlan", o.Bridge),
		Port: up(o.Port, "veth", ""), Local: reach.Lookup{Route: reach.Route{Type: "local"}},
	}
	f.Tunnel.VRF.Table, f.Tunnel.VXLAN.VNI = f.Table, o.VNI
	f.In[0].From, f.Rules = o.Bridge, []reach.Rule{{Priority: 1000, L3MDev: true, More: true}}
	f.Back[0].Route.Hops = []reach.Hop{{Dev: o.Bridge}}
}

// newForwarder runs a node with so many VMs.
func newForwarder(t *testing.T, vms int) *forwarder {
	t.Helper()
	text := "include base\n"
	for n := range vms {
		text += fmt.Sprintf("port vm%d on dp-pub mac \"fa:16:3e:15:9e:%02x 172.24.4.%d\" chassis cmp-1 up\n", n, n, 100+n)
	}
	return newForwarderOf(t, text, "cmp-1", bgp.New(bgp.Config{
		Expose: expose.DefaultOptions(), TenantMethod: bgp.MethodHost,
	}))
}

// newForwarderOf runs a node of a story with a driver.
func newForwarderOf(t *testing.T, text, node string, driver desired.Driver) *forwarder {
	t.Helper()
	s, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{t: t, world: model.New(), refused: map[string]bool{}, asked: map[string]int{}}
	f.world.Set(false, s.Devices()...)
	if f.snap, err = s.Snapshot(node); err != nil {
		t.Fatal(err)
	}
	reader, err := actual.NewReader(f.world)
	if err != nil {
		t.Fatal(err)
	}
	f.reach = &reachability{
		reader: f, log: slog.New(slog.DiscardHandler), woken: make(chan struct{}, 1),
		behind: map[netip.Addr]string{}, defaults: map[bool]bool{},
		withdrawing: withdrawing{conf: withdraw.Config{On: true, Hold: 10 * time.Second}},
	}
	peer := object.Item{Value: object.Peer{Address: "192.0.2.1", AS: 64999, Port: 179}}
	f.ctl = reconcile.New(reconcile.Config{
		Observer: f, Backends: reader, Journal: reconcile.NoJournal{}, Fixed: []object.Item{peer},
		Drivers:     []desired.Driver{driver},
		Unreachable: f.reach.blocked,
	})
	f.reach.changed = f.ctl.Reconsider
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.ctl.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	f.pass(time.Second)
	return f
}

// pass lets time pass.
func (f *forwarder) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// check makes a check of all, or of suspects only, after a while.
func (f *forwarder) check(after time.Duration, all bool) *statusReport {
	f.pass(after)
	r, _ := f.ctl.Last()
	if all {
		f.reach.check(f.t.Context(), r, 0)
	} else {
		f.reach.recheck(f.t.Context(), r)
	}
	f.pass(time.Second)
	s := &statusReport{}
	s.reachability(f.reach.latest())
	s.withdrawn(f.reach.latest())
	return s
}

// announced demands how many paths are announced, and returns them.
func (f *forwarder) announced(what string, want int) object.Set {
	f.t.Helper()
	have, err := f.world.Read(f.t.Context(), actual.Focus{})
	if err != nil {
		f.t.Fatal(err)
	}
	if got := have.LenOf(object.KindPath) + have.LenOf(object.KindEVPN); got != want {
		f.t.Fatalf("%s: %d paths are announced, want %d", what, got, want)
	}
	return have
}

func (f *forwarder) found(s *statusReport, codes ...string) {
	f.t.Helper()
	var got []string
	for _, p := range s.found {
		if got = append(got, p.Code); !problem.Known(p.Code) || p.Text == "" || p.Try == "" {
			f.t.Errorf("problem without a class, a text or a remedy: %+v", p)
		}
	}
	if strings.Join(got, " ") != strings.Join(codes, " ") {
		f.t.Errorf("problems %v, want %v: %+v", got, codes, s.found)
	}
}

// TestWithdrawUnreachable: a node withdraws what its kernel refuses, says so, looks at it
// each time and announces it again as soon as the kernel forwards it.
func TestWithdrawUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForwarder(t, 6)
		all := f.announced("at first", 6).LenOf(object.KindRoute)
		f.refused["172.24.4.102"] = true
		f.found(f.check(time.Second, true), reach.CodeForeignRoute)
		f.announced("after the first check", 6)
		f.check(5*time.Second, false)
		f.announced("before the hold is over", 6)
		f.found(f.check(10*time.Second, false), object.BlockUnreachable)
		have := f.announced("after the hold", 5)
		if have.LenOf(object.KindRoute) != all {
			t.Error("steering went with the path: it could not be seen that it is reachable again")
		}
		before := f.asked["172.24.4.102"]
		f.found(f.check(time.Second, true), object.BlockUnreachable)
		if f.asked["172.24.4.102"] != before+1 {
			t.Error("a check did not look at what is withdrawn")
		}
		r, _ := f.ctl.Last()
		if e := f.reach.explain(t.Context(), r, netip.MustParseAddr("172.24.4.102")); e == nil || e.Reachable {
			t.Errorf("the way to what is withdrawn is not explained: %+v", e)
		}
		delete(f.refused, "172.24.4.102")
		f.found(f.check(time.Second, false))
		f.announced("once it is reachable", 6)
	})
}

// TestWithdrawNothingUnproven: a check that cannot read withdraws nothing, and lets come
// back what was withdrawn.
func TestWithdrawNothingUnproven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForwarder(t, 6)
		f.blind = true
		for range 5 {
			f.check(time.Minute, true)
		}
		f.announced("blind", 6)
		f.blind, f.refused["172.24.4.101"] = false, true
		f.check(time.Second, true)
		f.check(20*time.Second, false)
		f.announced("proven", 5)
		f.blind = true
		f.check(2*time.Minute, false)
		f.announced("blind for too long", 6)
	})
}

// TestWithdrawGuard: what befalls most is told and withdrawn of nobody, and the setting can
// be turned off.
func TestWithdrawGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForwarder(t, 6)
		for n := range 4 {
			f.refused[fmt.Sprintf("172.24.4.%d", 100+n)] = true
		}
		f.check(time.Second, true)
		s := f.check(20*time.Second, true)
		f.announced("guarded", 6)
		if got := s.found[len(s.found)-1]; got.Code != "unreachable-guard" || !strings.HasPrefix(got.Text, "4 of 6") {
			t.Errorf("got %+v", got)
		}
		delete(f.refused, "172.24.4.100")
		f.check(time.Second, true)
		f.announced("half", 3)
		f.reach.setWithdraw(withdraw.Config{})
		f.pass(time.Second)
		f.announced("off", 6)
	})
}

// TestWithdrawTenant: an address in a VNI is withdrawn and comes back as any other, by the
// paths of the VNI in which it is not reachable.
func TestWithdrawTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "include evpn\n"
		for n := range 4 {
			text += fmt.Sprintf("port more%d on dp-priv mac \"fa:16:3e:15:9e:%02x 10.0.0.%d\" chassis cmp-2 up\n", n, n, 20+n)
		}
		f := newForwarderOf(t, text, "gw-1", evpn.New(evpn.Config{
			Expose: expose.DefaultOptions(), LocalIP: netip.MustParseAddr("99.99.1.1"), Port: 4789, AS: 64999,
		}))
		r, _ := f.ctl.Last()
		paths := r.Want.LenOf(object.KindEVPN)
		f.found(f.check(time.Second, true))
		f.announced("at first", paths)
		f.refused["10.0.0.21"] = true
		s := f.check(time.Second, true)
		f.found(s, reach.CodeForeignRoute)
		if got := s.found[0].Text; !strings.Contains(got, "10.0.0.21 in VNI 1001 is announced and not reachable here") {
			t.Errorf("the problem is %s", got)
		}
		s = f.check(15*time.Second, false)
		f.found(s, object.BlockUnreachable)
		if w := s.Reach.Withdrawn; len(w) != 1 || w[0].VNI != 1001 || !strings.Contains(s.found[0].Text, "in VNI 1001") {
			t.Errorf("withdrawn: %+v, %s", w, s.found[0].Text)
		}
		f.announced("after the hold", paths-1)
		delete(f.refused, "10.0.0.21")
		f.found(f.check(time.Second, false))
		f.announced("once it is reachable", paths)
	})
}
