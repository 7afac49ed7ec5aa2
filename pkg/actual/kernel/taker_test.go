package kernel

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestOverridden: what others have that wins over ours wakes and is named, and so is
// that it has gone.
func TestOverridden(t *testing.T) {
	const route, rule = "route 10.0.0.5/32 table 201 metric 0  dev d0",
		"rule inet priority 32000 lookup 201 suppress_prefixlength 0"
	for _, tc := range []struct{ do, undo, of, by string }{
		{
			"rule add priority 100 to 10.0.0.0/24 blackhole", "rule del priority 100", rule,
			"100: from all to 10.0.0.0/24 blackhole",
		},
		{
			"rule add priority 100 to 10.0.0.5 lookup 77", "rule del priority 100", rule,
			"100: from all to 10.0.0.5 lookup 77",
		},
		{"rule add priority 90 prohibit", "rule del priority 90", rule, "90: from all prohibit"},
		{
			"route prepend blackhole 10.0.0.5 table 201", "route del blackhole 10.0.0.5 table 201", route,
			"route 10.0.0.5/32 table 201 metric 0  dev type/blackhole (protocol boot, comes first)",
		},
	} {
		t.Run(strings.ReplaceAll(tc.do, "/", " "), func(t *testing.T) {
			l := newLab(t)
			want := []object.Value{parse(t, route), parse(t, rule)}
			focus := wanting(t, want...)
			l.read(focus)
			l.build(want)
			l.read(focus)
			l.clearSignals()
			l.ip(tc.do)
			l.woken()
			k := parse(t, tc.of).Key()
			if it, _ := l.read(focus).Get(k); !it.Marked || it.Overridden() != tc.by {
				t.Errorf("got %q, want %q", it.Overridden(), tc.by)
			}
			l.ip(tc.undo)
			l.woken()
			if it, _ := l.read(focus).Get(k); it.Overridden() != "" {
				t.Errorf("it has gone, and yet: %q", it.Overridden())
			}
		})
	}
}

// TestBetterMetricWakes: another owner's route that wins over ours by its metric is under
// another key, and is noticed all the same; in the main table it is everybody's business.
func TestBetterMetricWakes(t *testing.T) {
	l := newLab(t)
	want := []object.Value{
		parse(t, "route 2001:db8::5/128 table 201 metric 1024  dev d0"),
		parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0"),
	}
	focus := wanting(t, want...)
	l.read(focus)
	l.build(want)
	l.read(focus)
	for _, do := range []string{"add", "del"} {
		l.clearSignals()
		l.ip("-6 route " + do + " 2001:db8::5 dev d1 table 201 metric 1")
		l.woken()
	}
	other := parse(t, "route 2001:db8::5/128 table 201 metric 1  dev d1").(object.Route)
	if !l.b.scope.wantsBeside(other) {
		t.Error("a route with a better metric counts as harmless")
	}
	other.Dst = netip.MustParsePrefix("2001:db8::6/128")
	if l.b.scope.wantsBeside(other) {
		t.Error("a route to another destination counts as beside ours")
	}
}

// TestHarmlessRules: a rule that takes nothing from ours is not reported as one.
func TestHarmlessRules(t *testing.T) {
	l := newLab(t)
	want := []object.Value{
		parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0"),
		parse(t, "rule inet priority 32000 lookup 201 suppress_prefixlength 0"),
	}
	focus := wanting(t, want...)
	l.read(focus)
	l.build(want)
	for _, args := range []string{
		"rule add priority 10 to 198.51.100.0/24 blackhole", // another destination
		"rule add priority 11 from 192.0.2.7 lookup 77",     // the node's own traffic
		"rule add priority 12 fwmark 7 lookup 77",
		"rule add priority 13 lookup 77", // may be empty
		"rule add priority 14 lookup main suppress_prefixlength 0",
		"rule add priority 15 lookup local",
		"rule add priority 16 to 10.0.0.5 lookup 201", // ours
		"rule add priority 33000 blackhole",           // after ours
		"-6 rule add priority 17 blackhole",           // of the other family
	} {
		l.ip(args)
	}
	for k, it := range l.read(complete(focus)).All() {
		if it.Overridden() != "" {
			t.Errorf("%s: %s", k.Text(), it.Overridden())
		}
	}
	shadows, err := l.b.Shadows(t.Context(), 32000)
	if err != nil || !slices.ContainsFunc(shadows, func(r ForeignRule) bool {
		return strings.Contains(r.Text, "from 192.0.2.7")
	}) {
		t.Errorf("got %v, %v; want what may take some packets listed all the same", shadows, err)
	}
}
