package state

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// sameEntries compares entries as they are in memory.
var sameEntries = cmp.Options{
	cmp.Comparer(func(a, b object.Value) bool { return a == b }), cmpopts.IgnoreUnexported(Entry{}),
}

// drawEntry draws an entry; every field of a reason is filled, so that a new one that is not
// stored is noticed.
func drawEntry(t *rapid.T) Entry {
	values := []object.Value{sysctlOn, sysctlOff, neigh, route}
	keys := func(name string) []object.Key {
		var out []object.Key
		for range rapid.IntRange(0, 3).Draw(t, name) {
			out = append(out, rapid.SampledFrom(values).Draw(t, name).Key())
		}
		return out
	}
	e := Entry{
		Value: rapid.SampledFrom(values).Draw(t, "value"), Cause: plan.Cause(rapid.String().Draw(t, "cause")),
		Since:     time.Unix(0, rapid.Int64().Draw(t, "since")).UTC(),
		Relations: object.Relations{After: keys("after"), Shared: keys("shared"), Keeps: keys("keeps")},
	}
	if rapid.Bool().Draw(t, "has a prior value") {
		e.Prior = rapid.SampledFrom(values).Draw(t, "prior")
	}
	for range rapid.IntRange(0, 3).Draw(t, "reasons") {
		var s object.Source
		v := reflect.ValueOf(&s).Elem()
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.String:
				f.SetString(rapid.String().Draw(t, v.Type().Field(i).Name))
			case reflect.Bool:
				f.SetBool(rapid.Bool().Draw(t, v.Type().Field(i).Name))
			default:
				t.Fatalf("a reason has a field of kind %v: store it, and draw it here", f.Kind())
			}
		}
		e.Why = append(e.Why, s)
	}
	return e
}

// TestEntriesSurvive: what is read is what was written, whatever was written before it in the
// same transaction, and an entry of which a bit is another, or that is cut, is an error.
func TestEntriesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		enc, dec := newEncoder(), newDecoder()
		for range rapid.IntRange(1, 4).Draw(t, "entries") {
			e := drawEntry(t)
			raw := enc.encode(e)
			got, err := dec.decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, got, sameEntries); diff != "" {
				t.Fatalf("-written +read:\n%s", diff)
			}
			at := rapid.IntRange(0, len(raw)*8-1).Draw(t, "bit")
			hurt := bytes.Clone(raw)
			hurt[at/8] ^= 1 << (at % 8)
			if _, err := dec.decode(hurt); err == nil {
				t.Fatalf("bit %d is another, and it was read", at)
			}
			if _, err := dec.decode(raw[:at/8]); err == nil {
				t.Fatalf("it was cut after %d octets, and read", at/8)
			}
		}
	})
}

// FuzzEntry reads anything as an entry, with a right checksum, which must not panic; what is read
// without an error is written and read again as the same.
func FuzzEntry(f *testing.F) {
	enc := newEncoder()
	f.Add(enc.encode(Entry{Value: sysctlOn, Prior: sysctlOff, Why: []object.Source{{Driver: "d", Decides: true}}}))
	f.Add(enc.encode(Entry{Value: route, Relations: object.Relations{After: []object.Key{neigh.Key()}}}))
	f.Add([]byte(`{"v":2,"line":"sysctl net/ipv4/ip_forward  = 1","needs":["route 10.0.0.0/8 table 7 metric 0"]}`))
	f.Add([]byte{entryVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 4 && raw[0] == entryVersion {
			raw = appendSum(bytes.Clone(raw[:len(raw)-4]))
		}
		e, err := newDecoder().decode(raw)
		if err != nil || e.Since.Before(time.Unix(0, -1<<63)) || e.Since.After(time.Unix(0, 1<<63-1)) {
			return // a time of an old entry that nobody wrote
		}
		again, err := newDecoder().decode(newEncoder().encode(e))
		if err != nil {
			t.Fatal(err)
		}
		e.Since = e.Since.UTC()
		if diff := cmp.Diff(e, again, sameEntries, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-first +again:\n%s", diff)
		}
	})
}
