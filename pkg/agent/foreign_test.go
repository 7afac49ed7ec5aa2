package agent

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// TestForeignDefaults: a default route of another owner in a table of ours is named with
// what it does and how it is removed; one of ours, or in a table of others, is not.
func TestForeignDefaults(t *testing.T) {
	four, six := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	var r reconcile.Round
	for _, v := range []object.Value{
		object.NewRule(32000, 201, false),
		object.Link{Name: "vrf-7", Type: object.LinkVRF, Table: 7},
		object.Route{Table: 7, Dst: six, Dev: "br-7"},
	} {
		r.Want.Put(object.Item{Value: v})
	}
	for _, it := range []object.Item{
		{Value: object.Route{Table: 201, Dst: four, Dev: "eth0", Metric: 5}},
		{Value: object.Route{Table: 7, Dst: four, Dev: "eth0"}},
		{Value: object.Route{Table: 7, Dst: six, Dev: "br-7"}},                       // wanted
		{Value: object.Route{Table: 7, Dst: six, Dev: "x", Metric: 9}, Marked: true}, // ours
		{Value: object.Route{Table: object.TableMain, Dst: four, Dev: "eth0"}},
		{Value: object.Route{Table: 201, Dst: netip.MustParsePrefix("192.0.2.0/24"), Dev: "eth0"}},
		{Value: object.Route{Table: 99, Dst: four, Dev: "eth0"}}, // of a table that is not ours
	} {
		r.Have.Put(it)
	}
	s := statusReport{}
	s.foreignDefaults(r)
	var got []string
	for _, f := range s.found {
		got = append(got, f.Text[strings.Index(f.Text, "table"):]+"; "+f.Try)
	}
	want := []string{
		"table 7 (dev eth0) takes what no other route of the table is for; ip route del default table 7",
		"table 201 (dev eth0) has no effect while our rule ignores it (suppress_prefixlength 0), and takes the traffic of " +
			"this node with any other rule for the table; ip route del default table 201 metric 5",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !problem.Known("foreign-default") {
		t.Error("nobody knows how bad it is")
	}
}
