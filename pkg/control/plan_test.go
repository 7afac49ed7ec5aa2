package control_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

var (
	row  = object.Source{Driver: "osp_ovn_bgp_driver", Rule: "R1", Table: "Port_Binding", Row: "vm-a"}
	path = object.NewPath(netip.MustParsePrefix("192.0.2.7/32"), object.OriginIncomplete)
	rt   = object.Route{Table: 201, Dst: netip.MustParsePrefix("192.0.2.7/32"), Dev: "br-ex"}
)

func samplePlan() plan.Plan {
	return plan.Plan{
		Ops: []plan.Op{
			{Verb: plan.Create, Phase: plan.Build, After: rt, Why: []object.Source{row}},
			{Verb: plan.Create, Phase: plan.Build, After: path, Needs: []object.Key{rt.Key()}, Why: []object.Source{row}},
		},
		Notes: []plan.Note{{
			Key: path.Key(), Value: path, Block: object.Block{Code: object.BlockFiltered, Text: "bgp.export.deny 192.0.2.0/24"},
		}},
	}
}

// The JSON form of a plan is a contract: each step and note has these fields.
func TestPlanFields(t *testing.T) {
	p, err := control.PlanOf(samplePlan())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version int
		Ops     []map[string]any
		Notes   []map[string]any
		Summary string
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	create := got.Ops[1]
	if got.Version != 1 || create["verb"] != "create" || create["kind"] != "path" || create["key"] != path.Key().String() {
		t.Errorf("version %d, step %v", got.Version, create)
	}
	if before, there := create["before"]; !there || before != nil {
		t.Errorf("before of a create: %v, %t, want null", before, there)
	}
	if after, ok := create["after"].(map[string]any); !ok || after["prefix"] != "192.0.2.7/32" {
		t.Errorf("after: %v", create["after"])
	}
	need := map[string]any{"kind": "route", "key": rt.Key().String()}
	if needs := create["needs"]; !reflect.DeepEqual(needs, []any{need}) {
		t.Errorf("needs %v", needs)
	}
	source := map[string]any{"driver": row.Driver, "rule": row.Rule, "table": row.Table, "row": row.Row}
	if why := create["why"]; !reflect.DeepEqual(why, []any{source}) {
		t.Errorf("why %v", why)
	}
	note := got.Notes[0]
	if note["code"] != object.BlockFiltered || note["text"] == "" || note["intentional"] != true {
		t.Errorf("note %v", note)
	}
	for _, list := range []any{got.Ops[0]["needs"], note["why"]} {
		if list == nil {
			t.Error("an empty list is null")
		}
	}
	if create["line"] != samplePlan().Ops[1].String() || got.Summary != samplePlan().Summary() {
		t.Errorf("line %v, summary %q", create["line"], got.Summary)
	}
}

func TestDiffers(t *testing.T) {
	tests := []struct {
		name string
		p    control.Plan
		want bool
	}{
		{"nothing", control.Plan{}, false},
		{"a step", control.Plan{Ops: []control.Step{{}}}, true},
		{"a note", control.Plan{Notes: []control.Note{{Code: object.BlockForeign}}}, true},
		{"an intentional note", control.Plan{Notes: []control.Note{{Code: object.BlockFiltered, Intentional: true}}}, false},
		{"both notes", control.Plan{Notes: []control.Note{{Intentional: true}, {}}}, true},
	}
	for _, tt := range tests {
		if got := tt.p.Differs(); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// The JSON form of what is desired is a contract: flat objects, what must wait
// beside what was skipped.
func TestDesiredFields(t *testing.T) {
	var want object.Set
	blocked := object.Item{Value: rt, Block: &object.Block{Code: object.BlockNotWired, Text: "no br-ex"}}
	for _, it := range []object.Item{{Value: path, Why: []object.Source{row}}, blocked} {
		if err := want.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	d, err := control.DesiredOf("hv1", want, []observe.Skip{{
		Table: "Port_Binding", Row: "vm-b",
		Code: observe.SkipUnreadable, Text: "mac",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Objects) != 1 || !strings.HasPrefix(d.Objects[0].Line(), object.Text(path)) ||
		!strings.HasSuffix(d.Objects[0].Line(), "# "+row.String()) {
		t.Errorf("objects: %q", d.Objects[0].Line())
	}
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Objects []map[string]any
		Skipped []control.Skipped
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	o := got.Objects[0]
	if o["kind"] != "path" || o["prefix"] != "192.0.2.7/32" || o["line"] != object.Text(path) || o["why"] == nil {
		t.Errorf("object %v", o)
	}
	if len(got.Skipped) != 2 || got.Skipped[0].Kind != "route" || got.Skipped[0].Code != object.BlockNotWired ||
		got.Skipped[1].Row != "vm-b" {
		t.Errorf("skipped %+v", got.Skipped)
	}
	empty, err := control.DesiredOf("hv1", object.Set{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := json.Marshal(empty); err != nil ||
		string(raw) != `{"version":1,"chassis":"hv1","objects":[],"skipped":[],"names":{}}` {
		t.Errorf("nothing: %s, %v", raw, err)
	}
}
