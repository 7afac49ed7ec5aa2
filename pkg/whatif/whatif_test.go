package whatif_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/whatif"
)

// dump reads a dump of a real deployment, as the chassis hv2 sees it.
func dump(t *testing.T, name string) observe.Snapshot {
	t.Helper()
	f, err := file.Read("../observe/file/testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := f.Snapshot("hv2")
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// bindings are the ports that are bound, with their chassis.
func bindings(snap observe.Snapshot) string {
	var out []string
	for p := range snap.SB.Ports.All() {
		if !p.Chassis.IsZero() {
			out = append(out, fmt.Sprintf("%s on %s", p.LogicalPort, snap.SB.ChassisName(p.Chassis)))
		}
	}
	return strings.Join(out, "\n")
}

// TestAsOVNDoes: the rows after an event are those that OVN itself made of it, and the snapshot
// that was given has not changed.
func TestAsOVNDoes(t *testing.T) {
	for _, tt := range []struct {
		before, after string
		edit          whatif.Edit
	}{
		{
			"gateway-failover-before", "gateway-failover-chassis-gone",
			whatif.Edit{Event: whatif.ChassisGone, Chassis: "hv1.lab.example"},
		},
		{
			"gateway-failover-before", "gateway-failover-after",
			whatif.Edit{Event: whatif.Move, Port: "cr-lrp-ad2ab0e6-a741-4e6a-ae22-e2dfb9e110e6", Chassis: "hv2"},
		},
	} {
		before := dump(t, tt.before)
		was := bindings(before)
		got, rows, err := whatif.Apply(before, []whatif.Edit{tt.edit})
		if err != nil {
			t.Fatal(err)
		}
		if want := bindings(dump(t, tt.after)); bindings(got) != want {
			t.Errorf("%s:\n%s\nOVN has\n%s", tt.edit, bindings(got), want)
		}
		if len(rows) == 0 || bindings(before) != was {
			t.Errorf("%s: rows %+v; the snapshot that was given has changed: %t", tt.edit, rows, bindings(before) != was)
		}
	}
}

// TestCompare sorts what moves, what nobody announces and what two do, and names whose
// announcements are not known.
func TestCompare(t *testing.T) {
	keys := map[string]object.Key{}
	for _, p := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"} {
		v, err := object.Parse("path ipv4-unicast " + p + "/32 next-hop self origin igp")
		if err != nil {
			t.Fatal(err)
		}
		keys[p] = v.Key()
	}
	snap := dump(t, "gateway-failover-before")
	id := func(host string) string {
		for _, c := range snap.SB.Chassis {
			if strings.HasPrefix(c.Hostname, host) {
				return c.Name
			}
		}
		t.Fatal(host)
		return ""
	}
	node := func(name string, before, after []string) whatif.Node {
		return whatif.Node{Name: name, Snapshot: snap, Announces: func(s observe.Snapshot, _ []object.Peer) []object.Key {
			list := after
			if s.SB == snap.SB {
				list = before
			}
			var out []object.Key
			for _, p := range list {
				out = append(out, keys[p])
			}
			return out
		}}
	}
	r, err := whatif.Compare([]whatif.Node{
		node(id("hv1"), []string{"10.0.0.1", "10.0.0.2", "10.0.0.4"}, []string{"10.0.0.4"}),
		node(id("hv2"), []string{"10.0.0.3"}, []string{"10.0.0.1", "10.0.0.3", "10.0.0.4"}),
	}, []whatif.Edit{{Event: whatif.Move, Port: "43817047-34bc-4a12-a45a-fcd2c9935447", Chassis: "hv3"}})
	if err != nil {
		t.Fatal(err)
	}
	text := func(list []whatif.Change) string {
		var out []string
		for _, c := range list {
			out = append(out, fmt.Sprint(c.Key.Prefix.Addr(), c.From, c.To))
		}
		return strings.Join(out, "; ")
	}
	if got := text(r.Moves); got != "10.0.0.1 [hv1.lab.example] [hv2.lab.example]" {
		t.Errorf("moves: %s", got)
	}
	if got := text(r.Nobody); got != "10.0.0.2 [hv1.lab.example] []" {
		t.Errorf("nobody: %s", got)
	}
	if got := text(r.Twice); got != "10.0.0.4 [hv1.lab.example] [hv1.lab.example hv2.lab.example]" {
		t.Errorf("twice: %s", got)
	}
	if r.Same != 1 || !slices.Equal(r.Unknown, []string{"hv3.lab.example"}) {
		t.Errorf("as before %d, unknown %v", r.Same, r.Unknown)
	}
	for _, e := range []whatif.Edit{
		{Event: whatif.Move, Port: "none", Chassis: "hv1"},
		{Event: whatif.ChassisGone, Chassis: "none"},
		{Event: whatif.Move, Port: "43817047-34bc-4a12-a45a-fcd2c9935447"},
	} {
		if _, err := whatif.Compare([]whatif.Node{node("hv1", nil, nil)}, []whatif.Edit{e}); err == nil {
			t.Errorf("%s: no error", e)
		}
	}
}
