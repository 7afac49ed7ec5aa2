package bgp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// row is a row in OVSDB's JSON notation.
type row = map[string]any

// dump is a snapshot file whose rows of the balancer are to be rewritten.
type dump struct {
	raw      map[string]any
	sb       map[string]any
	balancer row
	switches []string // the logical switches that the balancer is on
	router   string   // the router that leads to them
	other    string   // a datapath that is no router of the balancer
}

// TestBalancerGenerations rewrites the Load_Balancer rows of real dumps into
// every generation of columns that OVN had. The VIP is announced from the same
// chassis each time, for both shapes of the VIP's port: without a MAC, and with
// one as newer Octavia providers leave it.
func TestBalancerGenerations(t *testing.T) {
	generations := []struct {
		name    string
		rewrite func(*dump)
		gone    bool // nobody may announce a VIP on the provider network
	}{
		{name: "datapaths", rewrite: func(d *dump) { d.columns(d.switches, "") }},
		{name: "datapath_group", rewrite: func(d *dump) { d.columns(nil, d.group(d.switches...)) }},
		{name: "ls_datapath_group", rewrite: func(d *dump) { d.newest(d.group(d.switches...), "") }},
		{name: "ls and lr_datapath_group", rewrite: func(d *dump) { d.newest(d.group(d.switches...), d.group(d.router)) }},
		{name: "all columns, the newest filled", rewrite: func(d *dump) {
			d.newest(d.group(d.switches...), d.group(d.router))
			d.balancer["datapath_group"], d.balancer["datapaths"] = none(), none()
		}},
		{name: "one row a protocol, the first on nothing", rewrite: func(d *dump) {
			d.columns(nil, d.group(d.switches...))
			d.twin("udp")
		}},
		{name: "on no switch", rewrite: func(d *dump) { d.newest("", d.group(d.router)) }, gone: true},
		{name: "another router", rewrite: func(d *dump) { d.newest(d.group(d.switches...), d.group(d.other)) }, gone: true},
		{name: "no row", rewrite: func(d *dump) { d.sb["Load_Balancer"] = []any{} }, gone: true},
	}
	for _, name := range []string{"ovn-lb-provider", "ovn-lb-provider-vipowner", "ovn-lb-tenant-fip"} {
		for _, gen := range generations {
			t.Run(name+"/"+gen.name, func(t *testing.T) {
				d := readDump(t, name)
				gen.rewrite(d)
				snap := d.decode(t)
				for node, modes := range expectations(t)[name] {
					for mode, want := range modes {
						want = deviate(want, name, node, mode)
						if gen.gone {
							want = slices.DeleteFunc(want, func(a string) bool { return a == "172.24.4.140" })
						}
						view, err := snap.Snapshot(node)
						if err != nil {
							t.Fatal(err)
						}
						got := announced(desired.Compute(view, nil, bgp.New(fixtureConfig(t, mode))).Want)
						if diff := cmp.Diff(sorted(want), got); diff != "" {
							t.Errorf("%s %s (-want +got):\n%s", node, mode, diff)
						}
					}
				}
			})
		}
	}
}

// TestVIPPortShapes makes sure that the dumps have both shapes of a VIP's port.
func TestVIPPortShapes(t *testing.T) {
	for name, withMAC := range map[string]bool{"ovn-lb-provider": false, "ovn-lb-provider-vipowner": true} {
		snap, err := file.Read(filepath.Join(fixtures, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for p := range snap.Southbound.Ports.All() {
			if !p.IsBalancerVIP() {
				continue
			}
			seen++
			if got := len(p.Addresses) > 0; got != withMAC {
				t.Errorf("%s: VIP port %s has addresses: %v, want %v", name, p.LogicalPort, got, withMAC)
			}
		}
		if seen == 0 {
			t.Errorf("%s has no VIP port", name)
		}
	}
}

func readDump(t *testing.T, name string) *dump {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	d := &dump{raw: map[string]any{}}
	if err := json.Unmarshal(text, &d.raw); err != nil {
		t.Fatal(err)
	}
	d.sb = d.raw["sb"].(map[string]any)
	rows := d.sb["Load_Balancer"].([]any)
	if len(rows) != 1 {
		t.Fatalf("%s has %d Load_Balancer rows, want 1", name, len(rows))
	}
	d.balancer = rows[0].(row)
	snap, err := file.Read(filepath.Join(fixtures, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	switches, _ := snap.Southbound.BalancerDatapaths(snap.Southbound.Balancers[0])
	for _, u := range switches {
		d.switches = append(d.switches, u.String())
	}
	for p := range snap.Southbound.Ports.All() {
		if p.Type == "chassisredirect" {
			d.router = p.Datapath.String()
		}
	}
	for _, dp := range snap.Southbound.Datapaths {
		if u := dp.UUID.String(); u != d.router && !slices.Contains(d.switches, u) {
			d.other = u
		}
	}
	if len(d.switches) == 0 || d.router == "" || d.other == "" {
		t.Fatalf("%s: switches %v, router %q, other %q", name, d.switches, d.router, d.other)
	}
	return d
}

func (d *dump) decode(t *testing.T) *file.File {
	t.Helper()
	text, err := json.Marshal(d.raw)
	if err != nil {
		t.Fatal(err)
	}
	f, err := file.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// columns writes the older generations. Without a group that column is not in
// the schema.
func (d *dump) columns(datapaths []string, group string) {
	d.clear()
	d.balancer["datapaths"] = refs(datapaths...)
	if group != "" {
		d.balancer["datapath_group"] = []any{"uuid", group}
	}
}

// newest writes the newest generation, in which switches and routers have a
// group each; an empty name is an empty reference.
func (d *dump) newest(switches, routers string) {
	d.clear()
	d.balancer["ls_datapath_group"], d.balancer["lr_datapath_group"] = ref(switches), ref(routers)
}

func (d *dump) clear() {
	for _, column := range []string{"datapaths", "datapath_group", "ls_datapath_group", "lr_datapath_group"} {
		delete(d.balancer, column)
	}
}

// group adds a row of Logical_DP_Group and returns its UUID.
func (d *dump) group(datapaths ...string) string {
	rows := d.sb["Logical_DP_Group"].([]any)
	uuid := fmt.Sprintf("00000000-0000-4000-8000-%012x", len(rows))
	d.sb["Logical_DP_Group"] = append(rows, row{"_uuid": uuid, "datapaths": refs(datapaths...)})
	return uuid
}

// twin adds a row of the same name before the balancer's, on no datapath.
func (d *dump) twin(protocol string) {
	other := row{}
	for k, v := range d.balancer {
		other[k] = v
	}
	other["_uuid"], other["protocol"] = "00000000-0000-4000-8000-0000000000ff", protocol
	other["datapaths"], other["datapath_group"] = none(), none()
	d.sb["Load_Balancer"] = []any{other, d.balancer}
}

func ref(uuid string) any {
	if uuid == "" {
		return none()
	}
	return []any{"uuid", uuid}
}

func refs(uuids ...string) any {
	members := []any{}
	for _, u := range uuids {
		members = append(members, []any{"uuid", u})
	}
	return []any{"set", members}
}

func none() any { return []any{"set", []any{}} }
