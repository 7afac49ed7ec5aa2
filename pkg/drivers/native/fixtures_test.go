package native_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// expectation is one node of expected.json.
type expectation struct {
	Export  map[string]uint32   `json:"export"`
	Blocked map[string]string   `json:"blocked"`
	Status  map[string][]string `json:"status"`
	Import  *struct {
		AsCaptured result `json:"as_captured"`
		WithVRF    result `json:"with_vrf_ovnvrf10"`
	} `json:"import"`
}

type result struct {
	Routes []route             `json:"routes"`
	Status map[string][]string `json:"status"`
}

type route struct {
	Table    uint32       `json:"table"`
	Dst      netip.Prefix `json:"dst"`
	Protocol uint8        `json:"protocol"`
	Metric   uint32       `json:"metric"`
	NextHops []object.Hop `json:"nexthops"`
}

// String is the route as the driver's object prints it.
func (r route) String() string {
	v := object.Route{Table: r.Table, Dst: r.Dst, Protocol: r.Protocol, Metric: r.Metric}
	return object.Text(v.WithHops(r.NextHops...))
}

func defaults() native.Config {
	cfg := native.Defaults()
	cfg.Expose = expose.DefaultOptions()
	cfg.AS = 64999
	return cfg
}

// TestFixtures compares what the driver makes of snapshots of a running OVN 26.03 with
// what was worked out by hand.
func TestFixtures(t *testing.T) {
	raw, err := os.ReadFile("testdata/fixtures/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		Nodes map[string]expectation `json:"nodes"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f, err := file.Read(filepath.Join("testdata/fixtures", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range slices.Sorted(maps.Keys(all[name].Nodes)) {
			want := all[name].Nodes[node]
			t.Run(name+" "+node, func(t *testing.T) {
				snap, err := f.Snapshot(node)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, snap, want)
			})
		}
	}
}

func compare(t *testing.T, snap observe.Snapshot, want expectation) {
	t.Helper()
	got := desired.Compute(snap, nil, native.New(defaults()))
	exported, blocked := map[string]uint32{}, map[string]string{}
	for k, it := range got.Want.AllOf(object.KindPath) {
		path := it.Value.(object.Path)
		if it.Block != nil {
			blocked[k.Prefix.String()] = it.Block.Code
			continue
		}
		if path.NextHop.IsValid() {
			t.Errorf("%s: next hop is %s, want self", k.Prefix, path.NextHop)
		}
		exported[k.Prefix.String()] = path.MED.Value
	}
	if !maps.Equal(exported, want.Export) {
		t.Errorf("exported %v, want %v", exported, want.Export)
	}
	if !maps.Equal(blocked, want.Blocked) {
		t.Errorf("blocked %v, want %v", blocked, want.Blocked)
	}
	hasStatus(t, got, want.Status)
	if want.Import == nil {
		return
	}
	hasRoutes(t, got, want.Import.AsCaptured)
	host := *snap.Host
	vrf := observe.Link{Name: "ovnvrf10", Index: 99, Up: true, MTU: 65575, Table: 10}
	host.Links = append(slices.Clone(host.Links), vrf)
	slices.SortFunc(host.Links, func(a, b observe.Link) int { return strings.Compare(a.Name, b.Name) })
	snap.Host = &host
	hasRoutes(t, desired.Compute(snap, nil, native.New(defaults())), want.Import.WithVRF)
}

func hasStatus(t *testing.T, got desired.Result, want map[string][]string) {
	t.Helper()
	for code, rows := range want {
		for _, row := range rows {
			if !slices.ContainsFunc(got.Skipped, func(s observe.Skip) bool { return s.Code == code && s.Row == row }) {
				t.Errorf("%s of %s is not reported: %v", code, row, got.Skipped)
			}
		}
	}
}

func hasRoutes(t *testing.T, got desired.Result, want result) {
	t.Helper()
	hasStatus(t, got, want.Status)
	var have, expected []string
	for _, it := range got.Want.Sorted() {
		if k := it.Value.Key().Kind; k == object.KindRoute || k == object.KindLink {
			have = append(have, object.Text(it.Value))
			if it.Block != nil {
				t.Errorf("%s is blocked: %v", object.Text(it.Value), it.Block)
			}
		}
	}
	for _, r := range want.Routes {
		expected = append(expected, r.String())
	}
	slices.Sort(have)
	slices.Sort(expected)
	if fmt.Sprint(have) != fmt.Sprint(expected) {
		t.Errorf("routes\n%v, want\n%v", have, expected)
	}
}
