package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// TestRing: each chassis is named by two others, and nobody by itself.
func TestRing(t *testing.T) {
	for _, tt := range []struct{ all, self, next string }{
		{"a", "a", ""},
		{"a b", "b", "a"},
		{"a b c d", "a", "b c"},
		{"a b c d", "d", "a b"},
	} {
		sb := new(observe.Southbound)
		for name := range strings.FieldsSeq(tt.all) {
			sb.Chassis = append(sb.Chassis, &observe.Chassis{Name: name})
		}
		own, next := ring(sb, tt.self)
		var names []string
		for _, m := range next {
			names = append(names, m.Chassis)
		}
		if got := strings.Join(names, " "); got != tt.next || len(own) != 1 || own[0].Chassis != tt.self {
			t.Errorf("%s of %s: got %v, %q, want %q", tt.self, tt.all, own, got, tt.next)
		}
	}
	if own, next := ring(new(observe.Southbound), "a"); own != nil || next != nil {
		t.Errorf("a chassis without a row: %v %v", own, next)
	}
}

// madeUp is a driver that counts how often it is asked.
type madeUp struct{ asked int }

func (m *madeUp) Everywhere(*observe.Southbound) []netip.Prefix {
	m.asked++
	return []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}
}

// TestFleetIsComputedOnce: for the same rows and the same settings nothing is computed.
func TestFleetIsComputedOnce(t *testing.T) {
	var v fleetView
	d, loaded, sb := new(madeUp), time.Unix(1, 0), new(observe.Southbound)
	driver := func() (everywhere, time.Time) { return d, loaded }
	for range 2 {
		if !v.update(sb, driver) || d.asked != 1 {
			t.Fatalf("asked %d times", d.asked)
		}
	}
	if loaded = time.Unix(2, 0); !v.update(sb, driver) || d.asked != 2 {
		t.Error("other settings are not noticed")
	}
	if !v.update(new(observe.Southbound), driver) || d.asked != 3 {
		t.Error("other rows are not noticed")
	}
	if v.update(sb, func() (everywhere, time.Time) { return nil, loaded }) {
		t.Error("without a driver something is known")
	}
}
