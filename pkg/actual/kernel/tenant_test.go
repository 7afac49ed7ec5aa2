package kernel

import (
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// tenant is one L3VNI, as lines in the order in which they are made. What this
// kernel has no VRF for is left out of it.
func tenant(t *testing.T) []object.Value {
	t.Helper()
	lines := []string{
		"link vrf-1001 type vrf table 1001 up",
		"link br-1001 type bridge mac 02:00:00:00:10:01 master vrf-1001 up",
		"link veth-ovs-1001 type veth peer veth-vrf-1001 mac 02:00:00:00:10:04 up",
		"link veth-vrf-1001 type veth peer veth-ovs-1001 mac 02:00:00:00:10:03 master vrf-1001 up",
		"link vxlan-1001 type vxlan id 1001 local 192.0.2.1 port 4789 mac 02:00:00:00:10:02 master br-1001 nolearning " +
			"neigh_suppress up",
		"neigh 172.24.4.146 dev veth-vrf-1001 lladdr fa:16:3e:74:e6:3b",
		"neigh 192.0.2.2 dev br-1001 lladdr 52:54:00:aa:bb:02 extern_learn",
		"neigh ::ffff:192.0.2.2 dev br-1001 lladdr 52:54:00:aa:bb:02 extern_learn",
		"fdb self 52:54:00:aa:bb:02 dev vxlan-1001 dst 192.0.2.2",
		"fdb master 52:54:00:aa:bb:02 dev vxlan-1001",
		"route 172.24.4.146/32 table 1001 metric 0 dev veth-vrf-1001",
		"route 10.0.0.0/26 table 1001 metric 0 dev veth-vrf-1001 via 172.24.4.146",
		"route 10.9.0.0/24 table 1001 metric 20 dev br-1001 via 192.0.2.2",
		"route 10.9.1.0/24 table 1001 metric 20 nexthop 192.0.2.2 dev br-1001 nexthop 192.0.2.3 dev br-1001",
		"route 2001:db8:9::/64 table 1001 metric 1044 dev br-1001 via ::ffff:192.0.2.2",
		"route 2001:db8:a::/64 table 1001 metric 1044 nexthop ::ffff:192.0.2.2 dev br-1001 " +
			"nexthop ::ffff:192.0.2.3 dev br-1001",
		"route 0.0.0.0/0 table 1001 metric 4278198272 unreachable",
		"route ::/0 table 1001 metric 4278198272 unreachable",
	}
	var out []object.Value
	for _, line := range lines {
		if !canLink(t, object.LinkVRF) {
			if strings.Contains(line, "type vrf") {
				continue
			}
			line = strings.ReplaceAll(line, " master vrf-1001", "")
		}
		out = append(out, parse(t, line))
	}
	return out
}

// runs calls f with the values kind by kind and, of links, layer by layer: as the
// executor hands them out.
func runs(values []object.Value, f func([]object.Value)) {
	layer := func(v object.Value) int {
		_, layer := object.PlaceOf(v)
		return layer
	}
	for len(values) > 0 {
		n := 1
		for n < len(values) && values[n].Key().Kind == values[0].Key().Kind && layer(values[n]) == layer(values[0]) {
			n++
		}
		f(values[:n])
		values = values[n:]
	}
}

// A tenant is made, read back equal and marked as ours also by a backend that has
// just started, made again without an error, and taken down to nothing.
func TestTenant(t *testing.T) {
	l := newLab(t)
	want := tenant(t)
	made := func(v object.Value) object.Change { return create(v) }
	for range 2 {
		runs(want, func(values []object.Value) { l.must(changes(values, made)...) })
		l.agrees(want)
	}
	l.quiet()
	fresh := lab{t: t}
	fresh.open(Config{})
	have := fresh.read(complete(actual.Focus{}))
	for _, v := range want {
		it, ok := have.Get(v.Key())
		if !ok || it.Value != v || !it.Marked {
			t.Errorf("a fresh process finds %v, marked %t, want %s", it.Value, it.Marked, object.Text(v))
		}
	}
	slices.Reverse(want)
	runs(want, func(values []object.Value) {
		l.must(changes(values, func(v object.Value) object.Change { return object.Change{Before: v} })...)
	})
	if left := text(l.read(complete(wanting(t, want...)))); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

func changes(values []object.Value, of func(object.Value) object.Change) []object.Change {
	out := make([]object.Change, len(values))
	for i, v := range values {
		out[i] = of(v)
	}
	return out
}

// Both ends of a veth carry our alias as soon as one is made, and no automatic
// address is on the bridge: neighbours on the VXLAN would get it.
func TestTenantMarks(t *testing.T) {
	l := newLab(t)
	leg := parse(t, "link veth-vrf-1001 type veth peer veth-ovs-1001 mac 02:00:00:00:10:03 up")
	bridge := parse(t, "link br-1001 type bridge mac 02:00:00:00:10:01 up")
	l.must(create(leg))
	l.must(create(bridge))
	have := l.read(complete(actual.Focus{}))
	if it, ok := have.Get(object.Key{Kind: object.KindLink, Name: "veth-ovs-1001"}); !ok || !it.Marked {
		t.Errorf("the other end is %v, marked %t", it.Value, it.Marked)
	}
	if out := l.ip("-6 addr show dev br-1001"); strings.Contains(out, "inet6") {
		t.Errorf("the bridge has an address:\n%s", out)
	}
}

// A device that the kernel refuses is proven not to be made, and so is the other end of a veth.
func TestTenantRefused(t *testing.T) {
	l := newLab(t)
	leg := parse(t, "link veth-vrf-1001 type veth peer veth-ovs-1001 mac 02:00:00:00:10:03 up").(object.Link)
	end := parse(t, "link veth-ovs-1001 type veth peer veth-vrf-1001 mac 02:00:00:00:10:04 up").(object.Link)
	l.ip("link add veth-ovs-1001 type bridge")
	for i, err := range l.apply(create(leg), create(end)) {
		if !object.IsUntouched(err) {
			t.Errorf("end %d: %v", i, err)
		}
	}
	l.ip("link del veth-ovs-1001")
	other := leg
	other.Name, other.Peer = "veth-a", leg.Name // the kernel has its other end under that name soon
	errs := l.apply(create(leg), create(other), create(end))
	if errs[0] != nil || !object.IsUntouched(errs[1]) || errs[2] != nil {
		t.Errorf("got %v", errs)
	}
	loop := parse(t, "link br-1001 type bridge mac ff:ff:ff:ff:ff:ff up") // no MAC of a device
	if err := l.apply(create(loop))[0]; err == nil {
		t.Error("a bridge with the broadcast address was made")
	} else if _, there := l.read(complete(wanting(t, loop))).Get(loop.Key()); there == object.IsUntouched(err) {
		t.Errorf("it is there: %t, but %v", there, err)
	}
}

// What another owner does to a tenant's devices is noticed.
func TestTenantDisturbed(t *testing.T) {
	for _, disturb := range []string{
		"link set br-1001 address 02:00:00:00:10:77",
		"link set vxlan-1001 nomaster",
		"link set vxlan-1001 type bridge_slave neigh_suppress off",
		"link del veth-ovs-1001",
		"link set br-1001 down",
		"neigh del 192.0.2.2 dev br-1001",
	} {
		t.Run(disturb, func(t *testing.T) {
			l := newLab(t)
			want := tenant(t)
			runs(want, func(values []object.Value) { l.must(changes(values, create)...) })
			l.agrees(want)
			l.clearSignals()
			l.ip(disturb)
			l.woken()
			kept := text(l.read(wanting(t, want...)))
			if fresh := text(l.read(complete(wanting(t, want...)))); kept != fresh {
				t.Errorf("the mirror has:\n%s\nthe kernel has:\n%s", kept, fresh)
			}
		})
	}
}

// Forwarding entries that others take away are noticed, too.
func TestForwardingEntryDeleted(t *testing.T) {
	l := newLab(t)
	want := tenant(t)
	runs(want, func(values []object.Value) { l.must(changes(values, create)...) })
	l.agrees(want)
	l.clearSignals()
	l.run("bridge", strings.Fields("fdb del 52:54:00:aa:bb:02 dev vxlan-1001 self dst 192.0.2.2")...)
	l.woken()
	if l.read(wanting(t, want...)).Has(parse(t, "fdb self 52:54:00:aa:bb:02 dev vxlan-1001 dst 192.0.2.2").Key()) {
		t.Error("the entry is still remembered as being there")
	}
}

// A MAC that moves from one port of a bridge to another is one entry to the
// kernel and two to us: whichever change comes first, the new place wins.
func TestStationMoves(t *testing.T) {
	l := newLab(t)
	want := tenant(t)
	runs(want, func(values []object.Value) { l.must(changes(values, create)...) })
	leg := parse(t, "link veth-br-7 type veth peer veth-ovs-7 mac 02:00:00:00:10:05 master br-1001 nolearning up")
	l.must(create(leg))
	here := parse(t, "fdb master fa:16:3e:00:00:07 dev veth-br-7")
	there := parse(t, "fdb master fa:16:3e:00:00:07 dev vxlan-1001")
	for _, step := range []struct{ from, to object.Value }{{nil, here}, {here, there}, {there, here}} {
		l.must(create(step.to))
		if step.from != nil {
			l.must(object.Change{Before: step.from})
		}
		have := l.read(complete(wanting(t, here, there)))
		for _, v := range []object.Value{here, there} {
			if have.Has(v.Key()) != (v == step.to) {
				t.Errorf("after %s: %s is there: %t", object.Text(step.to), object.Text(v), have.Has(v.Key()))
			}
		}
	}
}
