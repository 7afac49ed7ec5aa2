package bgp_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// inEachProcess runs a test on the speakers in processes of their own.
func inEachProcess(t *testing.T, run func(*testing.T, string)) {
	t.Helper()
	for form := range forms {
		t.Run(form, func(t *testing.T) { run(t, form) })
	}
}

// A controller that was restarted, or replaced by another version, finds what
// the one before it has left and writes nothing; the neighbour notices nothing.
func TestControllerRestartKeepsSessions(t *testing.T) {
	inEachProcess(t, func(t *testing.T, form string) {
		f := newFRR(t, frrPeer(ours4)+frrPeer(ours6)+
			" address-family ipv4 unicast\n  no neighbor "+ours6+" activate\n exit-address-family\n"+activate6(ours6))
		p := spawn(t, form)
		first := dial(t, p, noListener)
		p4, p6 := toFRR(frr4, object.IPv4Unicast), toFRR(frr6, object.IPv6Unicast)
		p4.RestartTime, p6.RestartTime = 60, 60
		apply(t, first, create(bothFamilies(100)...))
		apply(t, first, create(p4, p6))
		f.settled(100, 1)
		left := text(read(t, first, true))
		lost := f.watchKernel()
		for round := range 3 {
			first.Close()
			var seen events
			first = dial(t, p, func(c *bgp.Config) {
				noListener(c)
				c.OnPeer = seen.add
			})
			if got := text(read(t, first, false)); got != left {
				t.Fatalf("found\n%swant\n%s", got, left)
			}
			if seen.entered(bgp.Established) != 2 {
				t.Errorf("the new controller was not notified of sessions that are up: %+v", seen.list)
			}
			if s := stateOf(t, first, frr4); s.State != bgp.Established || time.Since(s.Since) > time.Minute ||
				s.Families[0].Sent != 100 {
				t.Errorf("restart %d: %+v", round, s)
			}
		}
		f.settled(100, 1)
		if got := lost(); got != 0 {
			t.Errorf("the neighbour's kernel dropped %d routes", got)
		}
		if err := first.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		f.expect(object.IPv4Unicast, map[string]string{})
	})
}

// A speaker that is killed comes back with nothing. The controller, which goes
// on, puts everything back, paths first, and no route is lost.
func TestKilledSpeakerProcessLosesNoRoute(t *testing.T) {
	inEachProcess(t, func(t *testing.T, form string) {
		const n = 300
		f := newFRR(t, frrPeer(ours4)+frrPeer(ours6)+
			" address-family ipv4 unicast\n  no neighbor "+ours6+" activate\n exit-address-family\n"+activate6(ours6))
		p := spawn(t, form)
		b := dial(t, p, noListener)
		p4, p6 := toFRR(frr4, object.IPv4Unicast), toFRR(frr6, object.IPv6Unicast)
		p4.RestartTime, p6.RestartTime = 60, 60
		apply(t, b, create(bothFamilies(n)...))
		apply(t, b, create(p4, p6))
		f.settled(n, 1)
		lost := f.watchKernel()
		for {
			select { // what is signalled from here on is the loss
			case <-b.Changed():
				continue
			default:
			}
			break
		}
		p.kill()
		awaitSignal(t, b)
		f.eventuallyStale()
		if set, err := b.Read(context.Background(), actual.Focus{}); err == nil {
			t.Errorf("read %d values without a speaker", set.Len())
		}
		if errs := b.Apply(context.Background(), create(path("198.51.100.9/32"))); errs[0] == nil {
			t.Error("a change without a speaker succeeded")
		}
		p.start(t, form)
		awaitSignal(t, b)
		// A plan made before must not be carried out now.
		eventually(t, 10*time.Second, func() string {
			err := fmt.Sprint(b.Apply(context.Background(), create(p4))[0])
			return emptyIf(strings.Contains(err, "until it has been read again"), err)
		})
		ready(t, b)
		if got := read(t, b, false).Len(); got != 0 {
			t.Errorf("a fresh speaker holds %d values", got)
		}
		apply(t, b, create(bothFamilies(n)...))
		apply(t, b, create(p4, p6))
		f.settled(n, 2)
		if got := lost(); got != 0 {
			t.Errorf("the neighbour's kernel dropped %d routes", got)
		}
	})
}

// What is not ours stays: a path for the same prefix, a path and a peer beside
// ours, the export policy of a daemon that others use too.
func TestForeignPathsAndPeersStay(t *testing.T) {
	inEachProcess(t, func(t *testing.T, form string) {
		p := spawn(t, form)
		start := &api.StartBgpRequest{Global: &api.Global{Asn: localAS, RouterId: "192.0.2.1", ListenPort: -1}}
		if _, err := p.api(t).StartBgp(context.Background(), start); err != nil {
			t.Fatal(err)
		}
		same, other := path("203.0.113.7/32"), path("203.0.113.8/32")
		same.Origin = object.OriginIGP
		p.foreign(t, same)
		p.foreign(t, other)
		p.foreign(t, passive("192.0.2.77", object.IPv4Unicast))
		before := p.everything(t)
		b := dial(t, p, noListener)
		if got := read(t, b, true).Len(); got != 0 {
			t.Errorf("%d values of others are taken for ours", got)
		}
		ours := path("203.0.113.7/32")
		apply(t, b, create(ours, path("203.0.113.9/32")))
		apply(t, b, create(passive("192.0.2.11", object.IPv4Unicast)))
		if errs := b.Apply(context.Background(), create(passive("192.0.2.77", object.IPv4Unicast))); errs[0] == nil {
			t.Error("the peer of another owner was overwritten")
		}
		if it, _ := read(t, b, true).Get(ours.Key()); it.Value != object.Value(ours) || !it.Marked {
			t.Errorf("our path reads as %v", it)
		}
		apply(t, b, remove(other)) // not ours: nothing to do
		if err := b.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if after := p.everything(t); after != before {
			t.Errorf("before:\n%safter:\n%s", before, after)
		}
	})
}

// everything is what the speaker holds, in its own words.
func (p *process) everything(t testing.TB) string {
	t.Helper()
	var out strings.Builder
	c, ctx := p.api(t), context.Background()
	paths, err := c.ListPath(ctx, &api.ListPathRequest{
		TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: wireFamily(object.IPv4Unicast),
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for rsp, err := paths.Recv(); err == nil; rsp, err = paths.Recv() {
		for _, path := range rsp.Destination.Paths {
			path.Age = nil
			lines[rsp.Destination.Prefix] += path.String()
		}
	}
	fmt.Fprintln(&out, lines)
	peers, err := c.ListPeer(ctx, &api.ListPeerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for rsp, err := peers.Recv(); err == nil; rsp, err = peers.Recv() {
		fmt.Fprintln(&out, rsp.Peer.Conf)
	}
	policies, err := c.ListPolicyAssignment(ctx, &api.ListPolicyAssignmentRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for rsp, err := policies.Recv(); err == nil; rsp, err = policies.Recv() {
		fmt.Fprintln(&out, rsp.Assignment)
	}
	return strings.ReplaceAll(out.String(), "  ", " ") // protobuf varies it
}

// Clean-up takes what is ours out of whatever speaker there is.
func TestAttach(t *testing.T) {
	inEachProcess(t, func(t *testing.T, form string) {
		attach := func(c *bgp.Config) {
			*c = bgp.Config{Config: speaker.Config{Socket: c.Socket, Attach: true, Logger: c.Logger}}
		}
		p := spawn(t, form)
		if got := read(t, dial(t, p, attach), true).Len(); got != 0 {
			t.Errorf("a speaker without BGP holds %d values", got)
		}
		b := dial(t, p, noListener)
		apply(t, b, create(path("203.0.113.7/32")))
		apply(t, b, create(passive("192.0.2.11", object.IPv4Unicast)))
		cleaner := dial(t, p, attach)
		if got := read(t, cleaner, true).Len(); got != 2 {
			t.Errorf("found %d values, want 2", got)
		}
		if err := cleaner.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := read(t, b, true).Len(); got != 0 {
			t.Errorf("%d values are left", got)
		}
	})
}

// A speaker with another AS is refused, with both values in the message.
func TestAnotherSpeakerIsRefused(t *testing.T) {
	inEachProcess(t, func(t *testing.T, form string) {
		p := spawn(t, form)
		dial(t, p, noListener)
		_, err := bgp.Dial(config(func(c *bgp.Config) { c.Socket, c.AS = p.socket, 65099 }))
		for _, part := range []string{"AS 65001", "AS 65099", p.socket} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("got error %v, want one with %q", err, part)
			}
		}
	})
}

// A controller may start before its speaker.
func TestSpeakerComesLater(t *testing.T) {
	p := &process{socket: "unix:" + t.TempDir() + "/s"}
	b, err := bgp.Dial(config(func(c *bgp.Config) {
		c.Socket = p.socket
		noListener(c)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if _, err := b.Read(context.Background(), actual.Focus{}); err == nil ||
		!strings.Contains(err.Error(), "no such file") {
		t.Errorf("got error %v", err)
	}
	p.start(t, "speaker")
	awaitSignal(t, b)
	ready(t, b)
	apply(t, b, create(path("203.0.113.7/32")))
}

// The socket is for root and its group, and no second speaker takes it over.
// On SIGTERM the process leaves no socket behind, however early that comes.
func TestSpeakerSocket(t *testing.T) {
	for range 20 {
		p := spawn(t, "speaker")
		p.cmd.Process.Signal(syscall.SIGTERM)
		if err := p.cmd.Wait(); err != nil || exists(strings.TrimPrefix(p.socket, "unix:")) {
			t.Fatalf("ended early with %v, socket left: %t", err, exists(strings.TrimPrefix(p.socket, "unix:")))
		}
	}
	p := spawn(t, "speaker")
	name := strings.TrimPrefix(p.socket, "unix:")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o660 {
		t.Errorf("mode %o", got)
	}
	if err := speaker.Serve(context.Background(), p.socket, logger(), nil); err == nil ||
		!strings.Contains(err.Error(), "another process answers") {
		t.Errorf("a second speaker got %v", err)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil || exists(name) {
		t.Errorf("ended with %v, socket left: %t", err, exists(name))
	}
}

// RFC 4724: what a neighbour learned from the speaker before SIGTERM
// stays, because the session ends without a CEASE.
func TestSpeakerEndsWithoutCease(t *testing.T) {
	f := newFRR(t, frrPeer(ours4))
	p := spawn(t, "speaker")
	b := dial(t, p, noListener)
	peer := toFRR(frr4, object.IPv4Unicast)
	peer.RestartTime = 60
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(peer))
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours4})
	p.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, 20*time.Second, func() string {
		all, stale := f.count(object.IPv4Unicast)
		return emptyIf(all == 1 && stale == 1, fmt.Sprintf("%d routes, %d stale", all, stale))
	})
}
