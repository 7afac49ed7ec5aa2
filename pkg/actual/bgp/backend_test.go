package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

func path(prefix string) object.Path {
	return object.NewPath(netip.MustParsePrefix(prefix), object.OriginIncomplete)
}

func via(p object.Path, hop string) object.Path {
	p.NextHop.Addr = netip.MustParseAddr(hop)
	return p
}

func peer(address string, families ...object.Family) object.Peer {
	var names []string
	for _, f := range families {
		names = append(names, f.String())
	}
	return object.Peer{Address: address, AS: neighbourAS, HoldTime: 9, Families: object.WordsOf(names...)}
}

// passive is a peer that our backend waits for.
func passive(address string, families ...object.Family) object.Peer {
	p := peer(address, families...)
	p.Passive = true
	return p
}

func create[T object.Value](values ...T) []object.Change {
	out := make([]object.Change, len(values))
	for i, v := range values {
		out[i] = object.Change{After: v}
	}
	return out
}

func remove[T object.Value](values ...T) []object.Change {
	out := make([]object.Change, len(values))
	for i, v := range values {
		out[i] = object.Change{Before: v}
	}
	return out
}

func apply(t testing.TB, b *bgp.Backend, changes []object.Change) {
	t.Helper()
	for i, err := range b.Apply(context.Background(), changes) {
		if err != nil {
			t.Fatalf("%s: %v", changes[i].Key().Text(), err)
		}
	}
}

func read(t testing.TB, b *bgp.Backend, complete bool) object.Set {
	t.Helper()
	set, err := b.Read(context.Background(), actual.Focus{Complete: complete})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// text is a set in one line a value.
func text(s object.Set) string {
	var b strings.Builder
	for _, it := range s.Sorted() {
		fmt.Fprintf(&b, "%s marked=%t\n", object.Text(it.Value), it.Marked)
	}
	return b.String()
}

// established waits until the session with address is up.
func established(t testing.TB, b *bgp.Backend, address string) bgp.PeerState {
	t.Helper()
	var found bgp.PeerState
	eventually(t, 30*time.Second, func() string {
		found = stateOf(t, b, address)
		if found.State != bgp.Established {
			return fmt.Sprintf("session with %s is %s, last error %q", address, found.State, found.LastError)
		}
		return ""
	})
	return found
}

func stateOf(t testing.TB, b *bgp.Backend, address string) bgp.PeerState {
	t.Helper()
	list, err := b.Peers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Address == address {
			return p
		}
	}
	return bgp.PeerState{}
}

func TestPathsComeBackAsWritten(t *testing.T) {
	inEachForm(t, func(t *testing.T, start func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		pathsComeBack(t, start(t, noListener))
	})
}

// samplePaths are paths of every form.
func samplePaths(t *testing.T) []object.Path {
	communities, err := object.CommunitiesOf("65000:100", "no-export", "065000:7")
	if err != nil {
		t.Fatal(err)
	}
	large, err := object.LargeCommunitiesOf("4200000000:1:2", "1:2:3")
	if err != nil {
		t.Fatal(err)
	}
	rich4, rich6, crossed := path("198.51.100.5/32"), path("2001:db8:4::1/128"),
		via(path("198.51.100.6/32"), "2001:db8::9")
	for _, p := range []*object.Path{&rich4, &rich6, &crossed} {
		p.Communities, p.LargeCommunities = communities, large
		p.MED, p.LocalPref = object.MetricOf(0), object.MetricOf(4294967295)
	}
	prepended := rich4.Lowered(object.LastResort{Prepend: object.Prepend{AS: 4200000001, Times: 3}}).(object.Path)
	prepended.Prefix = netip.MustParsePrefix("198.51.100.7/32")
	return []object.Path{
		path("203.0.113.7/32"), path("203.0.113.0/25"), path("0.0.0.0/0"), path("2001:db8:1::7/128"),
		path("2001:db8:2::/61"), path("::/0"),
		via(path("198.51.100.1/32"), "192.0.2.9"), via(path("2001:db8:3::1/128"), "2001:db8::9"),
		via(path("198.51.100.2/32"), "2001:db8::9"),
		object.NewPath(netip.MustParsePrefix("198.51.100.3/32"), object.OriginIGP),
		object.NewPath(netip.MustParsePrefix("198.51.100.4/32"), object.OriginEGP),
		rich4, rich6, crossed, prepended,
	}
}

func pathsComeBack(t *testing.T, b *bgp.Backend) {
	paths := samplePaths(t)
	apply(t, b, create(paths...))
	mirrored := read(t, b, false)
	if got := mirrored.Len(); got != len(paths) {
		t.Errorf("read %d paths, want %d", got, len(paths))
	}
	// The listing must agree so well that the mirror is not even replaced.
	if got, want := text(read(t, b, true)), text(mirrored); got != want {
		t.Errorf("GoBGP holds\n%swant\n%s", got, want)
	}
	for _, p := range paths {
		if it, ok := mirrored.Get(p.Key()); !ok || it.Value != object.Value(p) || !it.Marked {
			t.Errorf("%s reads as %v", object.Text(p), it)
		}
	}
	apply(t, b, remove(paths...))
	if got := read(t, b, true).Len(); got != 0 {
		t.Errorf("%d values are left", got)
	}
}

func TestPeersComeBackAsWritten(t *testing.T) {
	inEachForm(t, func(t *testing.T, start func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		peersComeBack(t, start(t, nil))
	})
}

// fullPeer is a peer with everything set.
func fullPeer() object.Peer {
	return object.Peer{
		Address: "2001:db8::11", Port: 1179, AS: 4200000001, HoldTime: 30, RestartTime: 120, Password: "secret",
		Families: object.WordsOf("ipv6-unicast", "ipv4-unicast"), TTLSecurity: true, Passive: true,
		LLGRTime: 3600, LocalAddress: netip.MustParseAddr("2001:db8::1"), AllowOwnAS: 2, AddPathReceive: true,
		PrefixLimit: 1000, ConnectRetry: 10,
	}
}

func peersComeBack(t *testing.T, b *bgp.Backend) {
	plain, full := passive("192.0.2.11", object.IPv4Unicast), fullPeer()
	far := passive("192.0.2.12", object.IPv6Unicast)
	far.Multihop, far.AS = 3, localAS
	peers := []object.Peer{plain, full, far}
	apply(t, b, create(peers...))
	before := read(t, b, false)
	for _, complete := range []bool{false, true} {
		set := read(t, b, complete)
		for _, p := range peers {
			if it, ok := set.Get(p.Key()); !ok || it.Value != object.Value(p) || !it.Marked {
				t.Errorf("complete=%t: %s reads as %v", complete, object.Text(p), it)
			}
		}
	}
	now := full
	for _, change := range peerChanges() {
		next := now
		change(&next)
		apply(t, b, []object.Change{{Before: now, After: next}})
		if it, _ := read(t, b, true).Get(full.Key()); it.Value != object.Value(next) {
			t.Errorf("after an update it reads as %v", it)
		}
		now = next
	}
	if it, _ := before.Get(full.Key()); it.Value != object.Value(full) {
		t.Error("a set that was handed out has changed")
	}
	apply(t, b, remove(plain, now, far))
	if got := read(t, b, true).Len(); got != 0 {
		t.Errorf("%d peers are left", got)
	}
}

// peerChanges change every field once.
func peerChanges() []func(*object.Peer) {
	return []func(*object.Peer){
		func(p *object.Peer) { p.HoldTime, p.TTLSecurity, p.Multihop = 60, false, 5 },
		func(p *object.Peer) { p.PrefixLimit, p.ConnectRetry = 7, 0 },
		func(p *object.Peer) { p.LLGRTime = 60 },
		func(p *object.Peer) { p.LLGRTime, p.PrefixLimit = 0, 0 },
		func(p *object.Peer) { p.LocalAddress = netip.Addr{} },
		func(p *object.Peer) { p.AllowOwnAS, p.AddPathReceive = 0, false },
		func(p *object.Peer) { p.RestartTime, p.Passive, p.Password, p.Port = 0, false, "", 1180 },
		func(p *object.Peer) { p.Families, p.AS = object.WordsOf("ipv4-unicast"), 7 },
	}
}

func TestApplyIsIdempotent(t *testing.T) {
	b := start(t, noListener)
	p, q := path("203.0.113.7/32"), passive("192.0.2.11", object.IPv4Unicast)
	for range 2 {
		apply(t, b, create(p))
		apply(t, b, create(q))
	}
	first := read(t, b, false)
	apply(t, b, create(p))
	for range 2 {
		apply(t, b, remove(q))
		apply(t, b, remove(p))
	}
	if got := read(t, b, true).Len(); got != 0 {
		t.Errorf("%d values are left", got)
	}
	if got := first.Len(); got != 2 {
		t.Errorf("the set handed out has %d values now, want 2", got)
	}
}

func TestRefused(t *testing.T) {
	b := start(t, noListener)
	good := passive("192.0.2.11", object.IPv4Unicast)
	with := func(change func(*object.Peer)) object.Peer {
		p := good
		change(&p)
		return p
	}
	for want, v := range map[string]object.Value{
		"exclude each other": with(func(p *object.Peer) { p.TTLSecurity, p.Multihop = true, 2 }),
		"hold time 2":        with(func(p *object.Peer) { p.HoldTime = 2 }),
		"no address family":  with(func(p *object.Peer) { p.Families = object.Words{} }),
		"unknown address":    with(func(p *object.Peer) { p.Families = object.WordsOf("ipv4-labelled") }),
		"restart time 4096":  with(func(p *object.Peer) { p.RestartTime = 4096 }),
		"over 80 bytes":      with(func(p *object.Peer) { p.Password = strings.Repeat("x", 81) }),
		"not an IP address":  with(func(p *object.Peer) { p.Address = "tor-a" }),
		"connect retry 3":    with(func(p *object.Peer) { p.ConnectRetry = 3 }),
		"connect retry 1 is": with(func(p *object.Peer) { p.ConnectRetry = 1 }),
		"needs graceful":     with(func(p *object.Peer) { p.LLGRTime = 3600 }),
		"over 16777215 s":    with(func(p *object.Peer) { p.RestartTime, p.LLGRTime = 60, 1<<24 }),
		"cannot reach 192":   with(func(p *object.Peer) { p.LocalAddress = netip.MustParseAddr("2001:db8::1") }),
		"cannot be used":     with(func(p *object.Peer) { p.LocalAddress = netip.IPv4Unspecified() }),
		"write them as 1:2": object.Path{
			Family: object.IPv4Unicast, Prefix: netip.MustParsePrefix("10.0.0.0/8"),
			Communities: object.WordsOf("01:2"),
		},
		"large community": object.Path{
			Family: object.IPv4Unicast, Prefix: netip.MustParsePrefix("10.0.0.0/8"),
			LargeCommunities: object.WordsOf("1:2"),
		},
		"write it as":           with(func(p *object.Peer) { p.Address = "2001:DB8::1" }),
		"needs its interface":   with(func(p *object.Peer) { p.Address = "fe80::1" }),
		"no longer exists":      with(func(p *object.Peer) { p.Address = "fe80::1%gone0" }),
		"leave it out":          via(path("198.51.100.1/32"), "0.0.0.0"),
		"cannot carry":          via(path("2001:db8::/32"), "192.0.2.1"),
		"is not ipv4-unicast":   object.Path{Family: object.IPv4Unicast, Prefix: netip.MustParsePrefix("::/0")},
		"is not a prefix":       object.Path{Family: object.IPv4Unicast, Prefix: netip.MustParsePrefix("10.0.0.1/8")},
		"the speaker holds no ": object.Neigh{},
	} {
		err := b.Apply(context.Background(), []object.Change{{After: v}})[0]
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got error %v, want one with %q", v, err, want)
		}
	}
	if got := read(t, b, true).Len(); got != 0 {
		t.Errorf("%d values were taken", got)
	}
}

func TestUnchangedSetIsShared(t *testing.T) {
	b := start(t, noListener)
	p, q := path("203.0.113.7/32"), path("203.0.113.8/32")
	apply(t, b, create(p))
	first := read(t, b, false)
	if read(t, b, true); !first.Has(p.Key()) {
		t.Error("a complete read took a path away")
	}
	if allocs := testing.AllocsPerRun(100, func() { read(t, b, false) }); allocs > 0 {
		t.Errorf("an idle read allocates %v times", allocs)
	}
	apply(t, b, create(q))
	apply(t, b, remove(p))
	if !first.Has(p.Key()) || first.Has(q.Key()) {
		t.Error("a set that was handed out has changed")
	}
}

func TestCanceledReadIsAnError(t *testing.T) {
	b := start(t, noListener)
	apply(t, b, create(path("203.0.113.7/32")))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if set, err := b.Read(ctx, actual.Focus{Complete: true}); err == nil {
		t.Errorf("a read that was cut off returned %d values", set.Len())
	}
}
