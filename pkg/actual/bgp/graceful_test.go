package bgp_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A speaker that dies and comes back must not cost one route at the neighbour:
// neither in FRR's table nor in the kernel that forwards.
func TestKilledSpeakerLosesNoRoute(t *testing.T) {
	const n = 300
	f := newFRR(t, frrPeer(ours4)+frrPeer(ours6)+
		" address-family ipv4 unicast\n  no neighbor "+ours6+" activate\n exit-address-family\n"+activate6(ours6))
	p4, p6 := toFRR(frr4, object.IPv4Unicast), toFRR(frr6, object.IPv6Unicast)
	p4.RestartTime, p6.RestartTime = 60, 60
	s := script{Paths: n, Peers: []string{object.Text(p4), object.Text(p6)}}

	first := speakerProcess(t, s)
	f.settled(n, 1)
	lost := f.watchKernel()
	for round := 2; round <= 3; round++ {
		first.Process.Signal(syscall.SIGKILL)
		f.eventuallyStale()
		first = speakerProcess(t, s)
		f.settled(n, round)
		if got := lost(); got != 0 {
			t.Errorf("restart %d: the neighbour's kernel dropped %d routes", round-1, got)
		}
	}
	// The same speaker withdraws at once on request, which also shows
	// that the count above would have seen it.
	first.Process.Signal(syscall.SIGTERM)
	eventually(t, 20*time.Second, func() string {
		return emptyIf(lost() >= 2*n, fmt.Sprintf("%d routes dropped after an orderly end", lost()))
	})
}

// settled waits until both sessions have come up this many times and FRR has n
// routes of each family, none of them stale.
func (f *frr) settled(n, times int) {
	f.t.Helper()
	eventually(f.t, 60*time.Second, func() string {
		for _, address := range []string{ours4, ours6} {
			if got := f.cameUp(address); got != times {
				return fmt.Sprintf("session with %s came up %d times, want %d", address, got, times)
			}
		}
		for _, family := range []object.Family{object.IPv4Unicast, object.IPv6Unicast} {
			if all, stale := f.count(family); all != n || stale != 0 {
				return fmt.Sprintf("%s: %d routes, %d stale, want %d", family, all, stale, n)
			}
		}
		return ""
	})
}

// eventuallyStale waits until FRR has noticed that the speaker is gone.
func (f *frr) eventuallyStale() {
	f.t.Helper()
	eventually(f.t, 20*time.Second, func() string {
		_, stale4 := f.count(object.IPv4Unicast)
		_, stale6 := f.count(object.IPv6Unicast)
		return emptyIf(stale4 > 0 && stale6 > 0, fmt.Sprintf("%d and %d stale routes", stale4, stale6))
	})
}

func (f *frr) cameUp(address string) int {
	f.t.Helper()
	var table map[string]struct {
		BgpState               string
		ConnectionsEstablished int
	}
	f.show("bgp neighbors "+address, &table)
	if table[address].BgpState != "Established" {
		return 0
	}
	return table[address].ConnectionsEstablished
}

// count is the number of routes of a family, and how many of them are stale.
func (f *frr) count(family object.Family) (all, stale int) {
	f.t.Helper()
	var table struct {
		Routes map[string][]struct{ Valid, Stale bool }
	}
	f.show("bgp "+strings.ReplaceAll(family.String(), "-", " "), &table)
	for _, paths := range table.Routes {
		for _, p := range paths {
			if p.Valid {
				all++
			}
			if p.Stale {
				stale++
			}
		}
	}
	return all, stale
}

// watchKernel follows the kernel's routes in FRR's namespace and returns a
// function that counts the ones deleted so far.
func (f *frr) watchKernel() func() int {
	f.t.Helper()
	output := filepath.Join(f.dir, "monitor")
	child(f.t, exec.Command("nsenter", "-t", f.pid, "-n", "ip", "monitor", "route"), output)
	// The monitor is ready once it reports a route of our own.
	eventually(f.t, 10*time.Second, func() string {
		f.run("ip", "route", "replace", "blackhole", "198.18.255.255/32")
		f.run("ip", "route", "del", "blackhole", "198.18.255.255/32")
		return emptyIf(fileHas(output, "198.18.255.255"), "the monitor is silent")
	})
	return func() int {
		b, err := os.ReadFile(output)
		if err != nil {
			f.t.Fatal(err)
		}
		dropped := 0
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "Deleted") && strings.Contains(line, "proto bgp") {
				dropped++
			}
		}
		return dropped
	}
}

// Only what is there when the speaker starts is a restart (RFC 4724 section 3);
// a neighbour that is added later has nothing of ours to keep.
func TestRestartBitIsForTheFirstPeersOnly(t *testing.T) {
	b := start(t, nil)
	first, later := passive("192.0.2.2", object.IPv4Unicast), passive("192.0.2.3", object.IPv4Unicast)
	first.RestartTime, later.RestartTime = 60, 60
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(first))
	apply(t, b, create(later))
	for address, want := range map[string]bool{"192.0.2.2": true, "192.0.2.3": false} {
		n := newNeighbour(t, neighbourAS, address)
		n.dial(address, "192.0.2.1", nil, object.IPv4Unicast)
		n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
		if got := n.sawRestart(); got != want {
			t.Errorf("restart bit towards %s: %t, want %t", address, got, want)
		}
	}
}

// A fabric that comes up all at once must not wait for itself: speakers that
// restart are excluded from those whose End-of-RIB is awaited (RFC 4724
// section 4.1).
func TestRestartingNeighboursDoNotWait(t *testing.T) {
	b := start(t, func(c *bgp.Config) { c.Deferral = time.Hour })
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.RestartTime = 60
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(p))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", func(p *api.Peer) {
		p.GracefulRestart = &api.GracefulRestart{Enabled: true, RestartTime: 60, DeferralTime: 3600, LocalRestarting: true}
		p.AfiSafis[0].MpGracefulRestart.Config.Enabled = true
	}, object.IPv4Unicast)
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
}

// A neighbour that takes its time with its End-of-RIB gets our paths at once: until it has
// them, another end of this process would cost them all (RFC 4724 section 4.2).
func TestPathsDoNotWaitForEndOfRIB(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, func(c *bgp.Config) { c.Deferral = time.Hour })
		p := passive("192.0.2.2", object.IPv4Unicast)
		p.RestartTime = 60
		apply(t, b, create(path("203.0.113.7/32")))
		apply(t, b, create(p))
		n := rawPeerWith(t, speakertest.Families(speakertest.IPv4), speakertest.GracefulRestart(60, speakertest.IPv4))
		eventually(t, 20*time.Second, func() string {
			sent := stateOf(t, b, "192.0.2.2").Families[0].Sent
			// One UPDATE is the path, the other one the End-of-RIB.
			return emptyIf(n.Updates() >= 2 && sent == 1, fmt.Sprintf("%d updates, %d counted as sent", n.Updates(), sent))
		})
	})
}

// What changes while a restarting speaker waits for the End-of-RIB of its neighbours reaches
// them: what is withdrawn then would stay with them until the session ends.
func TestChangesDoNotWaitForEndOfRIB(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, func(c *bgp.Config) { c.Deferral = time.Hour })
		p := passive("192.0.2.2", object.IPv4Unicast)
		p.RestartTime = 60
		gone, kept := path("203.0.113.7/32"), path("203.0.113.8/32")
		apply(t, b, create(gone, kept))
		apply(t, b, create(p))
		n := rawPeerWith(t, speakertest.Families(speakertest.IPv4), speakertest.GracefulRestart(60, speakertest.IPv4))
		eventually(t, 20*time.Second, func() string {
			return emptyIf(n.Updates() >= 2, fmt.Sprintf("%d updates", n.Updates()))
		})
		apply(t, b, remove(gone))
		eventually(t, 20*time.Second, func() string {
			return emptyIf(n.Withdrawals() == 1, fmt.Sprintf("%d withdrawals", n.Withdrawals()))
		})
		before := n.Updates()
		apply(t, b, create(path("203.0.113.9/32")))
		eventually(t, 20*time.Second, func() string {
			return emptyIf(n.Updates() > before, "what is new is not announced")
		})
		if n.Withdrawals() != 1 {
			t.Errorf("%d withdrawals, want 1", n.Withdrawals())
		}
	})
}

// sawRestart reports whether our OPEN announced a restart to the neighbour.
func (n *neighbour) sawRestart() bool {
	n.t.Helper()
	const restartState = 0x08
	saw := false
	err := n.s.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		for _, c := range p.State.RemoteCap {
			if g := c.GetGracefulRestart(); g != nil {
				saw = g.Flags&restartState != 0
			}
		}
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return saw
}
