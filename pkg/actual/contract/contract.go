// Package contract is the one suite of tests that every backend must pass: the
// kernel in a fresh network namespace, GoBGP, Open vSwitch, and the model that
// replaces them in tests. Without a common suite the model would drift from them.
//
// Each case is a sentence about [actual.Backend]: the comment of its function is the
// sentence. A kind or type of link that a world cannot hold, such as a VRF in a kernel
// without them, is named in the Subject with the reason, and the suite logs that.
//
// Read next: contract.go for the cases, samples.go and samplesevpn.go for the values.
package contract

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Subject is a backend under test and the names of what its world offers.
type Subject struct {
	// New returns a backend on a world that has the devices below and nothing
	// of ours. It registers its own clean-up.
	New func(t *testing.T) actual.Backend
	// Device is the name of an existing device that is up; it is also the
	// parent of links. Bridge is the name of an existing OVS bridge.
	Device, Bridge string
	// Foreign puts a value there as another owner would; nil if the world has
	// no other owners.
	Foreign func(t *testing.T, b actual.Backend, v object.Value)
	// Omit are kinds that this world cannot hold, with the reason; the reason
	// is logged. OmitLinks is the same for types of links.
	Omit      map[object.Kind]string
	OmitLinks map[string]string
}

// sample is a value with another value for the same key; other is nil where a
// value is nothing but its key. before are values that it depends on and that are
// made first and removed last.
type sample struct {
	value, other object.Value
	name         string // distinguishes it from others of its kind
	before       []object.Value
}

// Run runs the suite, once for each kind that the backend holds.
func Run(t *testing.T, s Subject) {
	t.Helper()
	for _, kind := range s.New(t).Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			if why, omit := s.Omit[kind]; omit {
				t.Logf("kind %s is not tested here: %s", kind, why)
				return
			}
			for _, smp := range s.samples(t, kind) {
				if kind, why := s.omitted(smp); why != "" {
					t.Logf("%s needs a link of type %s: %s", smp.value.Key().Text(), kind, why)
					continue
				}
				if smp.name == "" {
					s.run(t, smp)
					continue
				}
				t.Run(smp.name, func(t *testing.T) { s.run(t, smp) })
			}
			if !kind.IsSetting() {
				t.Run("batch", func(t *testing.T) { s.batch(t, kind) })
			}
		})
	}
}

// omitted names a type of link that this world cannot hold and that the sample is
// or depends on.
func (s Subject) omitted(smp sample) (kind, why string) {
	for _, v := range append(smp.before[:len(smp.before):len(smp.before)], smp.value) {
		if l, ok := v.(object.Link); ok && s.OmitLinks[l.Type] != "" {
			return l.Type, s.OmitLinks[l.Type]
		}
	}
	return "", ""
}

// run is the list of cases for one sample. Settings such as sysctls always exist and are
// never created or deleted, so they have a case of their own.
func (s Subject) run(t *testing.T, smp sample) {
	kind := smp.value.Key().Kind
	t.Run("absent", func(t *testing.T) { s.absent(t, smp) })
	if kind.IsSetting() {
		t.Run("set", func(t *testing.T) { s.set(t, smp) })
		return
	}
	t.Run("roundtrip", func(t *testing.T) { s.roundTrip(t, smp) })
	t.Run("idempotent", func(t *testing.T) { s.idempotent(t, smp) })
	if smp.other != nil {
		t.Run("update", func(t *testing.T) { s.update(t, smp) })
	}
	if s.Foreign != nil && smp.other != nil && smp.name == "" {
		t.Run("foreign", func(t *testing.T) { s.foreign(t, smp) })
	}
}

// ground returns a backend on which the sample can be made.
func (s Subject) ground(t *testing.T, smp sample) actual.Backend {
	t.Helper()
	b := s.New(t)
	read(t, b, smp.value) // a backend may subscribe with its first read
	for _, v := range smp.before {
		apply(t, b, object.Change{After: v})
	}
	return b
}

// absent: nothing of ours is there at first.
func (s Subject) absent(t *testing.T, smp sample) {
	b := s.New(t)
	if smp.value.Key().Kind.IsSetting() {
		return
	}
	if _, ok := read(t, b, smp.value).Get(smp.value.Key()); ok {
		t.Errorf("%s is there before it was created", smp.value.Key().Text())
	}
}

// roundTrip: what was created is read back equal, from notifications and in
// full, and is gone after a delete.
func (s Subject) roundTrip(t *testing.T, smp sample) {
	b := s.ground(t, smp)
	apply(t, b, object.Change{After: smp.value})
	for _, complete := range []bool{false, true} {
		it, ok := readAs(t, b, complete, smp.value).Get(smp.value.Key())
		if !ok || it.Value != smp.value {
			t.Fatalf("complete=%t: got %v, %t, want %s", complete, it.Value, ok, object.Text(smp.value))
		}
	}
	// The notification of a delete must remove it from what an incremental read answers.
	apply(t, b, object.Change{Before: smp.value})
	for _, complete := range []bool{false, true} {
		if it, ok := readAs(t, b, complete, smp.value).Get(smp.value.Key()); ok {
			t.Errorf("complete=%t: %s is there after its delete", complete, object.Text(it.Value))
		}
	}
}

// idempotent: creating what is there, and deleting what is gone, succeed.
func (s Subject) idempotent(t *testing.T, smp sample) {
	b := s.ground(t, smp)
	// A plan may be repeated after a crash between the change and its record.
	for range 2 {
		apply(t, b, object.Change{After: smp.value})
	}
	for range 2 {
		apply(t, b, object.Change{Before: smp.value})
	}
}

// update: a change in place is read back.
func (s Subject) update(t *testing.T, smp sample) {
	b := s.ground(t, smp)
	apply(t, b, object.Change{After: smp.value})
	apply(t, b, object.Change{Before: smp.value, After: smp.other})
	for _, complete := range []bool{false, true} {
		it, ok := readAs(t, b, complete, smp.other).Get(smp.other.Key())
		if !ok || it.Value != smp.other {
			t.Errorf("complete=%t: got %v, want %s", complete, it.Value, object.Text(smp.other))
		}
	}
}

// set: a setting is read, changed and restored, and never deleted.
func (s Subject) set(t *testing.T, smp sample) {
	b := s.New(t)
	before, ok := read(t, b, smp.value).Get(smp.value.Key())
	if !ok {
		t.Fatalf("%s cannot be read", smp.value.Key().Text())
	}
	// The last step restores what the world had before.
	for _, v := range []object.Value{smp.other, smp.value, before.Value} {
		now, _ := read(t, b, v).Get(v.Key())
		apply(t, b, object.Change{Before: now.Value, After: v})
		if got, _ := readAs(t, b, true, v).Get(v.Key()); got.Value != v {
			t.Errorf("got %v, want %s", got.Value, object.Text(v))
		}
	}
}

// batch: many changes at once, one of them impossible; each has its own
// outcome.
func (s Subject) batch(t *testing.T, kind object.Kind) {
	many := s.many(kind, 300)
	if many == nil {
		return
	}
	b := s.New(t)
	focus := actual.Focus{Want: setOf(t, many...)}
	readFocus(t, b, focus)
	var creates, deletes []object.Change
	for _, v := range many {
		creates = append(creates, object.Change{After: v})
		deletes = append(deletes, object.Change{Before: v})
	}
	apply(t, b, creates...)
	got := readFocus(t, b, focus)
	for _, v := range many {
		if it, ok := got.Get(v.Key()); !ok || it.Value != v {
			t.Fatalf("got %v, want %s", it.Value, object.Text(v))
		}
	}
	// The impossible change is in the middle: those before and after it must be made.
	if bad := s.impossible(kind); bad != nil {
		errs := b.Apply(t.Context(), []object.Change{deletes[0], {After: bad}, creates[0]})
		if errs[0] != nil || errs[1] == nil || errs[2] != nil {
			t.Errorf("got %v, want only the second one to fail", errs)
		}
	}
	apply(t, b, deletes...)
	// The world may hold values of others, which are not in the batch.
	for k := range readFocus(t, b, focus).AllOf(kind) {
		if focus.Want.Has(k) {
			t.Errorf("%s is left", k.Text())
		}
	}
}

// foreign: another owner's value under our key is seen, unmarked, and neither
// overwritten by a create nor taken away by a delete of ours.
func (s Subject) foreign(t *testing.T, smp sample) {
	b := s.New(t)
	read(t, b, smp.value)
	s.Foreign(t, b, smp.other)
	it, ok := readAs(t, b, true, smp.value).Get(smp.value.Key())
	if !ok || it.Marked {
		t.Fatalf("got %v, marked %t, want the foreign value, unmarked", it.Value, it.Marked)
	}
	if !markedKind(smp.value.Key().Kind) {
		return // the planner, which has the ledger, is what protects these
	}
	if errs := b.Apply(t.Context(), []object.Change{{After: smp.value}}); errs[0] == nil {
		t.Errorf("creating %s over a foreign one succeeded", smp.value.Key().Text())
	} else if !object.IsUntouched(errs[0]) {
		t.Errorf("creating %s over a foreign one: %v; want proof that nothing was made", smp.value.Key().Text(), errs[0])
	}
	if it, ok := readAs(t, b, true, smp.value).Get(smp.value.Key()); !ok || it.Marked {
		t.Errorf("the foreign %s is gone or ours now: %v", smp.value.Key().Text(), it.Value)
	}
}

// markedKind reports whether a backend itself recognises values of other owners: by
// rtm_protocol, FRA_PROTOCOL, cookie or external_ids. object.Kind.HasMark is wider:
// links, paths and peers of other owners are in the tests of their backends.
func markedKind(k object.Kind) bool {
	return k == object.KindRoute || k == object.KindFlow || k == object.KindRule || k == object.KindOVSPort
}

// read is an incremental read with one value in focus.
func read(t *testing.T, b actual.Backend, v object.Value) object.Set {
	t.Helper()
	return readAs(t, b, false, v)
}

// readAs reads in full if complete is set, else from what the backend was notified of.
func readAs(t *testing.T, b actual.Backend, complete bool, v object.Value) object.Set {
	t.Helper()
	return readFocus(t, b, actual.Focus{Want: setOf(t, v), Complete: complete})
}

// readFocus reads and ends the test if that fails: no case expects an error.
func readFocus(t *testing.T, b actual.Backend, f actual.Focus) object.Set {
	t.Helper()
	s, err := b.Read(t.Context(), f)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return s
}

// apply makes changes, all of one kind, that must succeed.
func apply(t *testing.T, b actual.Backend, changes ...object.Change) {
	t.Helper()
	for i, err := range b.Apply(t.Context(), changes) {
		if err != nil {
			t.Fatalf("apply %s: %v", changes[i].Key().Text(), err)
		}
	}
}

// setOf is the desired set of the values.
func setOf(t *testing.T, values ...object.Value) object.Set {
	t.Helper()
	s, err := object.SetOf(values...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// many returns n values of a kind of which there may be many, both families;
// nil for the others.
func (s Subject) many(kind object.Kind, n int) []object.Value {
	var out []object.Value
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		// Both families are in one batch.
		if i%2 == 1 {
			a = netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", i+1))
		}
		host := netip.PrefixFrom(a, a.BitLen())
		switch kind {
		case object.KindRoute:
			out = append(out, object.NewRoute(201, host, s.Device, netip.Addr{}))
		case object.KindNeigh:
			out = append(out, object.Neigh{Dev: s.Device, Addr: a, MAC: object.MAC{0xfa, 0x16, 0x3e, 0, byte(i >> 8), byte(i)}})
		case object.KindAddress:
			out = append(out, object.Address{Dev: s.Device, Prefix: host})
		case object.KindOVSPort:
			mac := object.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}
			out = append(out, object.OVSPort{
				Name: fmt.Sprintf("vlan-%d", 2000+i), Bridge: s.Bridge, Type: object.OVSInternal, Tag: uint16(i + 1), MAC: mac,
			})
		case object.KindPath:
			out = append(out, object.NewPath(host, object.OriginIncomplete))
		case object.KindEVPN:
			out = append(out, manyEVPN(host))
		case object.KindFlow:
			out = append(out, object.Flow{
				Bridge: s.Bridge, Priority: 900, Match: fmt.Sprintf("ip,in_port=%d", i+1),
				Actions: "mod_dl_dst:3a:f7:e9:54:e8:4d,NORMAL", Cookie: 0x3e7,
			})
		default:
			return nil
		}
	}
	return out
}

// impossible returns a value of the kind that cannot be created because its device or
// bridge does not exist; nil for kinds that depend on none.
func (s Subject) impossible(kind object.Kind) object.Value {
	nowhere := "no-such-dev"
	addr := netip.MustParseAddr("192.0.2.77")
	switch kind {
	case object.KindRoute:
		return object.NewRoute(201, netip.PrefixFrom(addr, 32), nowhere, netip.Addr{})
	case object.KindNeigh:
		return object.Neigh{Dev: nowhere, Addr: addr, MAC: object.MAC{2, 0, 0, 0, 0, 1}}
	case object.KindAddress:
		return object.Address{Dev: nowhere, Prefix: netip.PrefixFrom(addr, 32)}
	case object.KindOVSPort:
		return object.OVSPort{Name: "vlan-1", Bridge: nowhere, Type: object.OVSInternal}
	default:
		return nil
	}
}
