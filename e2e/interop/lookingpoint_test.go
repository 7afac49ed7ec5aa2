package interop_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify/lookingpoint"
)

// A second session with a router, from another address, shows what it has made of our
// announcements: one as it was sent, although it has a better path for it (RFC 7911), one
// with a community more, one not at all. The session with the speaker is not disturbed.
func TestLookingPoint(t *testing.T) {
	t.Parallel()
	for name, start := range routers {
		if name == "gobgpd" {
			continue // a router that tells all paths to a neighbour has to be configured otherwise
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, n := newWire(t), newNode(t)
			start(w, session{
				ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4, v6}, refuse: "203.0.113.9/32",
				tag: "203.0.113.8/32",
			}, session{
				ours: w.alias4, theirs: w.theirs4, families: []object.Family{v4, v6}, looking: true,
				announce: []string{"203.0.113.7/32", "203.0.112.0/20", "0.0.0.0/0", "198.51.100.0/24"},
			})
			paths := []object.Path{
				path("203.0.113.7/32"), path("203.0.113.8/32"), path("203.0.113.9/32"), path("2001:db8:1::7/128"),
			}
			paths[1].Communities = object.WordsOf("65000:1")
			paths[3].NextHop.Addr = netip.MustParseAddr(w.ours6)
			for _, p := range paths {
				n.want(p)
			}
			n.want(toRouter(w.theirs4, v4, v6))
			look := newLook(t, w, false, values(paths)...)
			look.shows(n, "203.0.113.7/32 found", "203.0.113.8/32 changed "+
				"communities 65002:7 added", "203.0.113.9/32 filtered", "2001:db8:1::7/128 found")
			if s := look.Status(); !s.AddPath || s.Kept > 6 || s.Router.String() != w.theirs4 {
				t.Errorf("%+v", s)
			}
			n.remove(paths[0])
			look.holds(paths[0], 1) // the router's own
			n.want(paths[0])
			look.holds(paths[0], 2)
			look.shows(n, "203.0.113.7/32 found")
			if name != "bird" { // which puts itself in as next hop: the path may be anybody's
				look.toldApart(paths[1])
			}
			if s := n.state(w.theirs4); s.Flaps != 0 || s.State != "established" && s.State != "Established" {
				t.Errorf("the session with the speaker: %+v", s)
			}
		})
	}
}

// A router that tells by BMP what it has behind its policy shows the same, on a session of its
// own: one as it was sent, one changed, one that it refuses.
func TestLookingPointByBMP(t *testing.T) {
	t.Parallel()
	for name, release := range frrReleases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, n := newWire(t), newNode(t)
			const port = 11019
			release.start(w, session{
				ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4, v6}, refuse: "203.0.113.9/32",
				tag: "203.0.113.8/32", bmp: port,
			})
			paths := []object.Path{
				path("203.0.113.7/32"), path("203.0.113.8/32"), path("203.0.113.9/32"), path("2001:db8:1::7/128"),
			}
			paths[3].NextHop.Addr = netip.MustParseAddr(w.ours6)
			again := []object.Path{paths[0], paths[3]}
			if name == "frr-8.4" { // it tells of IPv6 paths by BMP that they are withdrawn, and never that they are there
				paths, again = paths[:3], again[:1]
			}
			for _, p := range paths {
				n.want(p)
			}
			n.want(toRouter(w.theirs4, v4, v6))
			look := newLookBy(t, w, lookingpoint.Config{
				Remote: netip.AddrPortFrom(netip.MustParseAddr(w.theirs4), 0),
				BMP:    netip.AddrPortFrom(netip.MustParseAddr(w.ours4), port),
			}, values(paths)...)
			look.shows(n, "203.0.113.7/32 found", "203.0.113.8/32 changed communities 65002:7 added",
				"203.0.113.9/32 filtered")
			for _, p := range again {
				n.remove(p)
				look.holds(p, 0)
				n.want(p)
				look.shows(n, verify.Text(p.Key())+" found")
			}
			look.toldApart(values(again)...)
		})
	}
}

// tenantPaths are paths of three tenants: a router that is told so refuses what is of VNI 71,
// and adds a community to what is of VNI 72.
func tenantPaths(w *wire) []object.EVPNPath {
	vtep := netip.MustParseAddr(w.ours4)
	of := func(vni uint32, p object.EVPNPath) object.EVPNPath {
		p.RD, p.VNI, p.NextHop, p.Origin = fmt.Sprintf("%s:%d", vtep, vni), vni, vtep, object.OriginIGP
		p.Targets = object.WordsOf(fmt.Sprintf("%d:%d", nodeAS, vni))
		return p
	}
	mac, host := object.MAC{2, 0, 0, 0, 0, 7}, netip.MustParsePrefix("10.0.0.7/32")
	return []object.EVPNPath{
		of(70, object.EVPNPath{Type: object.EVPNMacIP, MAC: mac}),
		of(70, object.EVPNPath{Type: object.EVPNMacIP, MAC: mac, Prefix: host}),
		of(70, object.EVPNPath{Type: object.EVPNMulticast, Prefix: netip.PrefixFrom(vtep, 32)}),
		of(70, object.EVPNPath{Type: object.EVPNPrefix, Prefix: host, RouterMAC: mac}),
		of(71, object.EVPNPath{Type: object.EVPNPrefix, Prefix: host, RouterMAC: mac}),
		of(72, object.EVPNPath{Type: object.EVPNPrefix, Prefix: host, RouterMAC: mac}),
	}
}

// Routes of EVPN are seen as those of prefixes are, each by its own NLRI: the same address of
// three tenants is three routes, of which the router refuses one and changes one. Both a
// session with it and BMP tell that, where it has EVPN by BMP.
func TestLookingPointWithEVPN(t *testing.T) {
	t.Parallel()
	for name, release := range frrReleases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, n := newWire(t), newNode(t)
			const port = 11020
			families := []object.Family{v4, object.L2VPNEVPN}
			release.start(w, session{
				ours: w.ours4, theirs: w.theirs4, families: families, refuseVNI: 71, tagVNI: 72, bmp: port,
			}, session{ours: w.alias4, theirs: w.theirs4, families: families, looking: true})
			paths := tenantPaths(w)
			for _, p := range paths {
				n.want(p)
			}
			n.want(toRouter(w.theirs4, families...))
			rd := w.ours4
			want := []string{
				"type-2 02:00:00:00:00:07 rd " + rd + ":70 found", "type-2 02:00:00:00:00:07 10.0.0.7 rd " + rd + ":70 found",
				"type-3 " + rd + " rd " + rd + ":70 found", "type-5 10.0.0.7/32 rd " + rd + ":70 found",
				"type-5 10.0.0.7/32 rd " + rd + ":71 filtered",
				"type-5 10.0.0.7/32 rd " + rd + ":72 changed communities 65002:7 added",
			}
			bySession := newLook(t, w, true, values(paths)...)
			bySession.shows(n, want...)
			byBMP := newLookBy(t, w, lookingpoint.Config{
				Remote: netip.AddrPortFrom(netip.MustParseAddr(w.theirs4), 0), EVPN: true,
				BMP: netip.AddrPortFrom(netip.MustParseAddr(w.ours4), port),
			}, values(paths)...)
			byBMP.shows(n, want...)
			bySession.toldApart(values(paths[:4])...)
			byBMP.toldApart(values(paths[:4])...)
			n.remove(paths[1])
			for _, l := range []look{bySession, byBMP} {
				l.holds(paths[1], 0)
				l.holds(paths[0], 1)
			}
		})
	}
}

// look is a session with a looking point.
type look struct {
	*lookingpoint.Session
	t     testing.TB
	w     *wire
	paths []object.Value
	name  string
}

// toldApart has nothing wanted for a while: then what the router has of this node, and only
// that, is held against it; and nothing is once another node's identifier and addresses are
// taken for ours. Afterwards all is as before.
func (l look) toldApart(extra ...object.Value) {
	l.t.Helper()
	want := map[verify.NLRI]bool{}
	for _, p := range extra {
		want[p.Key()] = true
	}
	var rest []verify.NLRI
	for _, p := range l.paths {
		if !want[p.Key()] {
			rest = append(rest, p.Key())
		}
	}
	verify.Sort(rest)
	us := verify.Self{
		AS: nodeAS, RouterID: netip.MustParseAddr("10.99.0.1"),
		Ends: []netip.Addr{netip.MustParseAddr(l.w.ours4), netip.MustParseAddr(l.w.ours6)},
	}
	other := us
	other.RouterID, other.Ends = netip.MustParseAddr("10.99.0.2"), []netip.Addr{netip.MustParseAddr(l.w.theirs4)}
	for _, self := range []verify.Self{other, us} {
		l.Is(self)
		l.Want(rest)
		harness.Eventually(l.t, 30*time.Second, func() string {
			have := 0
			odd := ""
			l.Extra(func(n verify.NLRI, held []verify.Held) {
				_, sure := self.Extra(verify.View{Exact: held}, 0)
				if have++; !sure || !want[n] {
					odd = fmt.Sprintf("%s: %+v", verify.Text(n), held)
				}
			})
			return unless(odd == "" && (have == len(want)) == self.Equal(us), fmt.Sprint(have, " held, ", odd))
		})
	}
	var all []verify.NLRI
	for _, p := range l.paths {
		all = append(all, p.Key())
	}
	verify.Sort(all)
	l.Want(all)
	for _, p := range extra {
		l.holds(p, 1)
	}
}

// values are paths of one type as what they have in common.
func values[T object.Value](paths []T) (out []object.Value) {
	for _, p := range paths {
		out = append(out, p)
	}
	return out
}

func newLook(t testing.TB, w *wire, evpn bool, paths ...object.Value) look {
	t.Helper()
	return newLookBy(t, w, lookingpoint.Config{
		Remote: netip.AddrPortFrom(netip.MustParseAddr(w.theirs4), 179), Local: netip.MustParseAddr(w.alias4), AS: routerAS,
		LocalAS: nodeAS, RouterID: netip.MustParseAddr("10.99.128.1"), EVPN: evpn,
	}, paths...)
}

func newLookBy(t testing.TB, w *wire, cfg lookingpoint.Config, paths ...object.Value) look {
	t.Helper()
	l := look{t: t, w: w, paths: paths, name: w.theirs4}
	cfg.Retry, cfg.Logger = 200*time.Millisecond, slog.New(slog.DiscardHandler)
	l.Session = lookingpoint.New(cfg)
	var list []verify.NLRI
	for _, p := range paths {
		list = append(list, p.Key())
	}
	verify.Sort(list)
	l.Want(list)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	return l
}

// sentPath is a path of ours as package verify has it.
func sentPath(v object.Value, sent []bgp.Sent) verify.Path {
	out := verify.Path{NLRI: v.Key()}
	switch p := v.(type) {
	case object.Path:
		out.Origin, out.Communities = p.Origin, p.Communities
	case object.EVPNPath:
		out.Origin = p.Origin
		out.Overlay = verify.Overlay{VNI: p.VNI, Targets: p.Targets, RouterMAC: p.RouterMAC, Encapsulation: verify.VXLAN}
	}
	for _, s := range sent {
		out.Sent = append(out.Sent, verify.Sent{Peer: s.Peer, AS: s.AS, Router: s.Router, NextHop: s.NextHop})
	}
	return out
}

// shows waits until each of the paths is as a line has it: NLRI, state, and the text of
// what was changed.
func (l look) shows(n *node, want ...string) {
	l.t.Helper()
	harness.Eventually(l.t, 40*time.Second, func() string {
		a, err := n.Announcements(context.Background(), "")
		if err != nil {
			return err.Error()
		}
		st := l.Status()
		point := verify.Point{Name: l.name, Router: st.Router}
		if !st.Established || !st.Complete {
			point.Blind = fmt.Sprint("not complete: ", st.Err)
		}
		have := map[string]bool{}
		var texts []string
		for _, p := range l.paths {
			v := sentPath(p, a.To(p, nil))
			l.View([]verify.NLRI{p.Key()}, func(_ int, exact []verify.Held, cover *verify.Held) {
				r := verify.Compare(verify.Node{AS: nodeAS, RouterID: netip.MustParseAddr("10.99.0.1")}, v,
					[]verify.View{{Point: point, Exact: exact, Cover: cover}})[0]
				text := verify.Text(p.Key()) + " " + string(r.State)
				if r.State == verify.Changed {
					text += " " + r.Text
				}
				have[text] = true
				texts = append(texts, text+" ("+r.Text+")")
			})
		}
		for _, w := range want {
			if !have[w] {
				return fmt.Sprintf("no %q in %q", w, texts)
			}
		}
		return ""
	})
}

// holds waits until so many paths are held for the NLRI of one.
func (l look) holds(p object.Value, count int) {
	l.t.Helper()
	harness.Eventually(l.t, 30*time.Second, func() (missing string) {
		l.View([]verify.NLRI{p.Key()}, func(_ int, exact []verify.Held, _ *verify.Held) {
			missing = unless(len(exact) == count, fmt.Sprintf("%+v", exact))
		})
		return missing
	})
}
