package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var _ actual.Backend = (*bgp.Backend)(nil)

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
	b := start(t, noListener)
	paths := []object.Path{
		path("203.0.113.7/32"), path("203.0.113.0/25"), path("0.0.0.0/0"), path("2001:db8:1::7/128"), path("2001:db8:2::/61"), path("::/0"),
		via(path("198.51.100.1/32"), "192.0.2.9"), via(path("2001:db8:3::1/128"), "2001:db8::9"),
		via(path("198.51.100.2/32"), "2001:db8::9"),
		object.NewPath(netip.MustParsePrefix("198.51.100.3/32"), object.OriginIGP),
		object.NewPath(netip.MustParsePrefix("198.51.100.4/32"), object.OriginEGP),
	}
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
	b := start(t, nil)
	plain := passive("192.0.2.11", object.IPv4Unicast)
	full := object.Peer{
		Address: "2001:db8::11", Port: 1179, AS: 4200000001, HoldTime: 30, RestartTime: 120, Password: "secret",
		Families: object.WordsOf("ipv6-unicast", "ipv4-unicast"), TTLSecurity: true, Passive: true,
	}
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
	changed := full
	changed.HoldTime, changed.TTLSecurity, changed.Multihop = 60, false, 5
	apply(t, b, []object.Change{{Before: full, After: changed}})
	if it, _ := read(t, b, true).Get(full.Key()); it.Value != object.Value(changed) {
		t.Errorf("after an update it reads as %v", it)
	}
	if it, _ := before.Get(full.Key()); it.Value != object.Value(full) {
		t.Error("a set that was handed out has changed")
	}
	apply(t, b, remove(plain, changed, far))
	if got := read(t, b, true).Len(); got != 0 {
		t.Errorf("%d peers are left", got)
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
		"exclude each other":    with(func(p *object.Peer) { p.TTLSecurity, p.Multihop = true, 2 }),
		"hold time 2":           with(func(p *object.Peer) { p.HoldTime = 2 }),
		"no address family":     with(func(p *object.Peer) { p.Families = object.Words{} }),
		"unknown address":       with(func(p *object.Peer) { p.Families = object.WordsOf("ipv4-labelled") }),
		"AS 0":                  with(func(p *object.Peer) { p.AS = 0 }),
		"restart time 4096":     with(func(p *object.Peer) { p.RestartTime = 4096 }),
		"over 80 bytes":         with(func(p *object.Peer) { p.Password = strings.Repeat("x", 81) }),
		"not an IP address":     with(func(p *object.Peer) { p.Address = "tor-a" }),
		"write it as":           with(func(p *object.Peer) { p.Address = "2001:DB8::1" }),
		"needs its interface":   with(func(p *object.Peer) { p.Address = "fe80::1" }),
		"what it stands on":     with(func(p *object.Peer) { p.Address = "fe80::1%gone0" }),
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

// GoBGP takes a request that names nothing for one that names everything.
func TestEmptyDeleteIsRefused(t *testing.T) {
	b := start(t, noListener)
	apply(t, b, create(path("203.0.113.7/32")))
	for _, p := range []*api.Path{nil, {}, {Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}}} {
		if err := b.DeletePath(p); err == nil {
			t.Errorf("%v was not refused", p)
		}
	}
	if got := read(t, b, true).Len(); got != 1 {
		t.Errorf("%d paths are left, want 1", got)
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
