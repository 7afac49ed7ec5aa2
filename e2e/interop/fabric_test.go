package interop_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
)

// Two top of rack routers of different make: each learns what is ours from us,
// and neither what the other one announces.
func TestTwoTopOfRackRouters(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	wa, wb := newWire(t), newWire(t)
	a := newFRR(wa, session{
		ours: wa.ours6, theirs: wa.theirs6, families: []object.Family{v4, v6},
		announce: []string{"198.51.100.0/25", "2001:db8:a::/48"},
	})
	b := newBIRD(wb, session{
		ours: wb.ours6, theirs: wb.theirs6, families: []object.Family{v4, v6},
		announce: []string{"198.51.100.128/25", "2001:db8:b::/48"},
	})
	n.want(path("203.0.113.7/32"), path("2001:db8:1::7/128"), toRouter(wa.theirs6, v4, v6), toRouter(wb.theirs6, v4, v6))
	for _, tor := range []struct {
		*wire
		router
	}{{wa, a}, {wb, b}} {
		expect(t, tor, v4, map[string]string{"203.0.113.7/32": tor.ours6})
		expect(t, tor, v6, map[string]string{"2001:db8:1::7/128": tor.ours6})
		n.learns(tor.theirs6, 1, "0.0.0.0/0", "::/0")
	}
	// Both have been heard, so that what is not passed on now never is.
	expect(t, a, v4, map[string]string{"203.0.113.7/32": wa.ours6})
	expect(t, b, v4, map[string]string{"203.0.113.7/32": wb.ours6})
	// One goes away: the other one does not notice.
	n.remove(toRouter(wa.theirs6, v4, v6))
	expect(t, a, v4, map[string]string{})
	expect(t, b, v4, map[string]string{"203.0.113.7/32": wb.ours6})
	if s := n.state(wb.theirs6); s.State != bgp.Established || s.Flaps != 0 {
		t.Errorf("%+v", s)
	}
}

// receives waits until this many prefixes of each family have come in, among them what
// a router sends back to where it has it from.
func (n *node) receives(address string, want uint64) {
	n.t.Helper()
	harness.Eventually(n.t, 30*time.Second, func() string {
		s := n.state(address)
		for _, f := range s.Families {
			if f.Received != want {
				return fmt.Sprintf("received %+v", s)
			}
		}
		return unless(len(s.Families) > 0, "no session")
	})
}

// learned counts the prefixes within another one that a neighbour announces and that
// may be used.
func (n *node) learned(address, within string) (count int) {
	n.t.Helper()
	paths, err := rib.TableOf(n.Conn(), nil).Learned(n.t.Context(), netip.MustParsePrefix(within), false)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, p := range paths {
		if p.Peer == address {
			count++
		}
	}
	return count
}

// learns waits until this many prefixes of each family are learned from a neighbour.
func (n *node) learns(address string, want int, everything ...string) {
	n.t.Helper()
	for _, within := range everything {
		harness.Eventually(n.t, 30*time.Second, func() string {
			have := n.learned(address, within)
			return unless(have == want, fmt.Sprintf("%d within %s, want %d: %+v", have, within, want, n.state(address)))
		})
	}
}

// RFC 4271 section 9.1.2 refuses a path with our own AS in it, unless that is
// asked for.
func TestOwnAS(t *testing.T) {
	t.Parallel()
	for times, want := range map[uint8]int{0: 0, 1: 1} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			t.Parallel()
			w, n := newWire(t), newNode(t)
			newBIRD(w, session{
				ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4},
				announce: []string{"198.51.100.0/24"}, loop: true,
			})
			p := toRouter(w.theirs4, v4)
			p.AllowOwnAS = times
			n.want(p)
			n.receives(w.theirs4, 1)
			if got := n.learned(w.theirs4, "0.0.0.0/0"); got != want {
				t.Errorf("learned %d paths, want %d", got, want)
			}
		})
	}
}

// RFC 4486: one prefix too many ends the session for good; a higher limit lets
// it come back. The path of our own makes room for one more than the limit.
func TestPrefixLimit(t *testing.T) {
	t.Parallel()
	w, n := newWire(t), newNode(t)
	newBIRD(w, session{
		ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4},
		announce: []string{"198.51.100.0/26", "198.51.100.64/26", "198.51.100.128/26", "198.51.100.192/26"},
	})
	p := toRouter(w.theirs4, v4)
	p.PrefixLimit = 2
	n.want(path("203.0.113.7/32"), p)
	harness.Eventually(t, 20*time.Second, func() string {
		s := n.state(w.theirs4)
		return unless(s.Flaps > 0 && strings.Contains(s.LastError, "prefix limit"), fmt.Sprintf("%+v", s))
	})
	more := p
	more.PrefixLimit = 3
	n.change(p, more)
	harness.Eventually(t, 30*time.Second, func() string {
		s := n.state(w.theirs4)
		return unless(s.State == bgp.Established && s.Families[0].Received == 4, fmt.Sprintf("%+v", s))
	})
}

// RFC 7911, as far as a router can tell: it is negotiated.
func TestAddPathReceive(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{
			ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4},
			announce: []string{"198.51.100.0/24"},
		})
		p := toRouter(w.theirs4, v4)
		p.AddPathReceive = true
		n.want(path("203.0.113.7/32"), p)
		expect(t, r, v4, map[string]string{"203.0.113.7/32": w.ours4})
		n.learns(w.theirs4, 1, "0.0.0.0/0")
	})
}
