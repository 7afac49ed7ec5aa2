package interop_test

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/unnumbered"
)

// The link-local addresses of every wire: the same on all, as where a switch has one MAC
// address on all its ports.
const (
	ourLink, theirLink, otherLink = "fe80::1", "fe80::2", "fe80::3"
)

// linkLocal gives the ends of a wire these addresses and takes away all others. The kernel
// makes none of its own when a link comes up: FRR's BFD may keep the one it has seen first.
func linkLocal(w *wire) {
	harness.Run(w.t, "ip", "link", "set", w.ourDev, "addrgenmode", "none")
	w.run("ip", "link", "set", w.theirDev, "addrgenmode", "none")
	for _, args := range [][]string{
		{"ip", "-6", "addr", "flush", "dev", w.ourDev},
		{"ip", "-4", "addr", "flush", "dev", w.ourDev},
		{"ip", "-6", "addr", "add", ourLink + "/64", "dev", w.ourDev, "scope", "link", "nodad"},
	} {
		harness.Run(w.t, args...)
	}
	w.run("ip", "-6", "addr", "flush", "dev", w.theirDev)
	w.run("ip", "-4", "addr", "flush", "dev", w.theirDev)
	w.run("ip", "-6", "addr", "add", theirLink+"/64", "dev", w.theirDev, "scope", "link", "nodad")
}

// seeker is what a controller does with neighbours on interfaces: it looks for them, and puts
// those that are there into the speaker.
type seeker struct {
	*node
	fixed  []object.Item
	source *unnumbered.Source
	have   map[object.Key]object.Value
}

func newSeeker(n *node, devices []string, peer func(dev string) object.Peer) *seeker {
	n.t.Helper()
	s := &seeker{node: n, have: map[object.Key]object.Value{}}
	for _, dev := range devices {
		p := peer(dev)
		p.Address = object.Unnumbered(dev)
		s.fixed = append(s.fixed, object.Item{Value: p})
	}
	var err error
	if s.source, err = unnumbered.Open(unnumbered.Config{Interfaces: devices}); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { s.source.Close() })
	return s
}

// sync makes the peers those of the neighbours that are there.
func (s *seeker) sync() {
	s.t.Helper()
	now, err := s.source.Read(context.Background())
	if err != nil {
		return // nothing has been heard yet
	}
	items, _ := desired.Neighbours(observe.Snapshot{Unnumbered: now}, s.fixed)
	want := map[object.Key]object.Value{}
	for _, it := range items {
		want[it.Value.Key()] = it.Value
	}
	for k, v := range s.have {
		if want[k] == nil {
			s.remove(v)
			delete(s.have, k)
		}
	}
	for k, v := range want {
		if s.have[k] == nil {
			s.change(nil, v)
			s.have[k] = v
		}
	}
}

// learnedFrom are the prefixes that the neighbour on a device announces, with its next hops.
func learnedFrom(t testing.TB, n *node, dev string) map[string]string {
	t.Helper()
	out := map[string]string{}
	table := rib.TableOf(n.Conn(), nil)
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		paths, err := table.Learned(context.Background(), netip.MustParsePrefix(all), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if !strings.HasSuffix(p.Peer, "%"+dev) {
				continue
			}
			hop := p.NextHop
			if p.LinkLocal.IsValid() {
				hop = p.LinkLocal
			}
			out[p.Prefix.String()] = hop.WithZone("").String()
		}
	}
	return out
}

// linkEnd is a router at the other end of a wire that has link-local addresses alone.
type linkEnd struct {
	name string
	bfd  bool
	// routes are what it announces, of both families.
	routes []string
	*wire
	router
	seeker *seeker
}

// missing is what a session with it by its address lacks; empty for nothing.
func (e *linkEnd) missing(address string) string {
	e.seeker.sync()
	st := e.seeker.state(address + "%" + e.ourDev)
	if st.State != bgp.Established || e.bfd && st.BFD.State != bfd.Up {
		now, err := e.seeker.source.Read(context.Background())
		return fmt.Sprintf("%s: %+v; links %+v, %v", e.name, st, now, err)
	}
	want := map[string]string{e.routes[0]: address, e.routes[1]: address}
	have := learnedFrom(e.wire.t, e.seeker.node, e.ourDev)
	return unless(fmt.Sprint(have) == fmt.Sprint(want), fmt.Sprintf("%s: learned %v, want %v", e.name, have, want))
}

// up waits for the session.
func (e *linkEnd) up(address string) {
	t := e.wire.t
	t.Helper()
	harness.Eventually(t, time.Minute, func() string { return e.missing(address) })
	expect(t, e, v4, map[string]string{"203.0.113.7/32": ourLink})
	expect(t, e, v6, map[string]string{"2001:db8:113::7/128": ourLink})
}

// lose takes the link down, and awaitLoss waits until we have forgotten the neighbour.
func (e *linkEnd) lose() { e.run("ip", "link", "set", e.theirDev, "down") }

func (e *linkEnd) awaitLoss() {
	e.wire.t.Helper()
	harness.Eventually(e.wire.t, time.Minute, func() string {
		e.seeker.sync()
		return unless(e.seeker.state(theirLink+"%"+e.ourDev).Address == "", e.name+": the peer is still there")
	})
}

// back brings the link up, and the session. FRR 8.4 was once left "Waiting for Peer IPv6 LLA", while it had heard us
// and BFD was up: it has a second try.
func (e *linkEnd) back() {
	e.wire.t.Helper()
	bring := func() {
		e.run("ip", "link", "set", e.theirDev, "up")
		e.run("ip", "-6", "addr", "add", theirLink+"/64", "dev", e.theirDev, "scope", "link", "nodad")
	}
	bring()
	ctx, cancel := harness.WithTimeout(e.wire.t.Context(), 30*time.Second)
	defer cancel()
	err := harness.Until(ctx, "the session", func() bool { return e.missing(theirLink) == "" })
	if err != nil && strings.HasPrefix(e.name, "frr-") {
		e.wire.t.Logf("the link goes down once more: %s", e.missing(theirLink))
		e.lose()
		e.awaitLoss()
		bring()
	}
	e.up(theirLink)
}

// Neighbours on interfaces without any address but link-local ones: IPv4 and IPv6 prefixes
// go both ways (RFC 8950), with GTSM and BFD where the router has them for such neighbours;
// the session follows a link that goes down, and a neighbour's address that changes. All
// routers have the same link-local address.
func TestUnnumbered(t *testing.T) {
	t.Parallel()
	n := newBFDNode(t)
	n.want(path("203.0.113.7/32"), path("2001:db8:113::7/128"))
	ends := []*linkEnd{
		{name: "frr-8.4", bfd: true}, {name: "frr-10.3", bfd: true}, {name: "frr-10.3"}, {name: "bird"}, {name: "gobgpd"},
	}
	var devices []string
	for i, e := range ends {
		e.wire = newWire(t)
		linkLocal(e.wire)
		devices = append(devices, e.ourDev)
		e.routes = []string{fmt.Sprintf("198.51.%d.0/24", 100+i), fmt.Sprintf("2001:db8:%d::/48", 100+i)}
	}
	s := newSeeker(n, devices, func(dev string) object.Peer {
		i := slices.Index(devices, dev)
		p := toRouter("", v4, v6)
		p.AS, p.TTLSecurity = 0, ends[i].name != "gobgpd"
		p.BFD = object.BFD{On: ends[i].bfd}
		return p
	})
	for _, e := range ends {
		e.seeker = s
		if e.name == "gobgpd" { // it looks for us once, in the kernel's table
			harness.Eventually(t, time.Minute, func() string {
				out, _ := exec.Command("nsenter", "-t", e.pid, "-n", "ip", "-6", "neigh", "show", "dev", e.theirDev).Output()
				return unless(strings.Contains(string(out), ourLink+" "), "gobgpd's kernel does not know us: "+string(out))
			})
		}
		e.router = routers[e.name](e.wire, session{
			dev: e.theirDev, families: []object.Family{v4, v6}, gtsm: e.name != "gobgpd", bfd: e.bfd,
			announce: e.routes,
		})
	}
	for _, e := range ends {
		e.up(theirLink)
	}
	for _, e := range ends { // the link is lost
		e.lose()
	}
	for _, e := range ends {
		e.awaitLoss()
	}
	for _, e := range ends {
		if e.name != "gobgpd" { // which never looks for us again
			e.back()
		}
	}
	for _, e := range ends { // the neighbour has another address
		if e.name == "gobgpd" || e.name == "frr-10.3" && e.bfd {
			continue // FRR 10.3 waits for its BFD session, which keeps the old address, for ever
		}
		e.run("ip", "-6", "addr", "del", theirLink+"/64", "dev", e.theirDev)
		e.run("ip", "-6", "addr", "add", otherLink+"/64", "dev", e.theirDev, "scope", "link", "nodad")
		e.up(otherLink)
	}
}
