package sb

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

const (
	first  = "00000000-0000-0000-0000-000000000001"
	second = "00000000-0000-0000-0000-000000000002"
)

// loaded is a store with two ports and a chassis.
func loaded(t testing.TB) *wire.Store[observe.Southbound] {
	t.Helper()
	s, err := Database.NewStore(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"Port_Binding": {
		"` + first + `": {"initial": {"logical_port": "b", "mac": ["set", ["fa:16:3e:00:00:01 10.0.0.1", "unknown"]],
			"options": ["map", [["k", "v"], ["l", "w"]]], "tag": 5, "gateway_chassis": ["uuid", "` + second + `"]}},
		"` + second + `": {"new": {"logical_port": "a", "up": false}}},
		"Chassis": {"` + first + `": {"insert": {"name": "hv1"}}}, "Unknown": {"x": [1, {"y": null}]}}`
	if err := s.ReadCopy(wire.NewDecoder(strings.NewReader(text)), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func updated(t testing.TB, s *wire.Store[observe.Southbound], text string) (bool, error) {
	t.Helper()
	return s.ReadUpdate(wire.NewDecoder(strings.NewReader(text)))
}

func onePort(id, update string) string {
	return fmt.Sprintf(`{"Port_Binding": {%q: %s}}`, id, update)
}

func TestDifferences(t *testing.T) {
	for name, c := range map[string]struct {
		modify string
		holds  func(*observe.PortBinding) bool
	}{
		"element added": {`{"mac": "fa:16:3e:00:00:02"}`, func(p *observe.PortBinding) bool {
			return len(p.Addresses) == 2 &&
				p.Unknown
		}},
		"element gone": {`{"mac": "unknown"}`, func(p *observe.PortBinding) bool {
			return len(p.Addresses) == 1 &&
				!p.Unknown
		}},
		"set replaced": {
			`{"mac": ["set", ["unknown", "fa:16:3e:00:00:01 10.0.0.1", "router"]]}`,
			func(p *observe.PortBinding) bool {
				return len(p.Addresses) == 0 && reflect.DeepEqual(p.RawMAC, []string{"router"})
			},
		},
		"reference gone": {
			`{"gateway_chassis": ["uuid", "` + second + `"]}`,
			func(p *observe.PortBinding) bool { return p.GWChassis == nil },
		},
		"pair gone": {
			`{"options": ["map", [["k", "v"]]]}`,
			func(p *observe.PortBinding) bool { return len(p.Options) == 1 },
		},
		"pair changed": {
			`{"options": ["map", [["k", "x"]]]}`,
			func(p *observe.PortBinding) bool { return p.Options["k"] == "x" && p.Options["l"] == "w" },
		},
		"all pairs gone": {
			`{"options": ["map", [["k", "v"], ["l", "w"]]]}`,
			func(p *observe.PortBinding) bool { return p.Options == nil },
		},
		"optional gone": {`{"tag": ["set", []]}`, func(p *observe.PortBinding) bool { return p.Tag == 0 }},
		"optional new":  {`{"tag": 6, "up": false}`, func(p *observe.PortBinding) bool { return p.Tag == 6 && p.Down }},
	} {
		t.Run(name, func(t *testing.T) {
			s := loaded(t)
			before := s.Publish()
			kept := fmt.Sprintf("%+v", *before.Ports.Slice()[1])
			changed, err := updated(t, s, onePort(first, `{"modify": `+c.modify+`}`))
			if err != nil || !changed {
				t.Fatal(changed, err)
			}
			p, _ := s.Publish().Port("b")
			if !c.holds(p) {
				t.Errorf("%+v", p)
			}
			if got := fmt.Sprintf("%+v", *before.Ports.Slice()[1]); got != kept {
				t.Errorf("the row before changed from %s to %s", kept, got)
			}
		})
	}
}

// One element that cannot be read costs neither the row nor the other elements.
func TestBadElementOfAPort(t *testing.T) {
	s := loaded(t)
	text := onePort(first, `{"modify": {"mac": ["set", ["garbage 300.1.1.1"]]}}`)
	if _, err := updated(t, s, text); err != nil {
		t.Fatal(err)
	}
	have := s.Publish()
	p, _ := have.Port("b")
	if len(have.BadRows) != 0 || len(p.Problems) != 1 || !p.Unknown || len(p.Addresses) != 1 {
		t.Errorf("bad rows %v, port %+v", have.BadRows, p)
	}
}

func TestSortedAfterRenaming(t *testing.T) {
	s := loaded(t)
	if _, err := updated(t, s, `{"Port_Binding": {"`+second+`": {"modify": {"logical_port": "z"}}, "`+
		"00000000-0000-0000-0000-000000000003"+`": {"insert": {"logical_port": "b"}}}}`); err != nil {
		t.Fatal(err)
	}
	var names []string
	for p := range s.Publish().Ports.All() {
		names = append(names, p.LogicalPort)
	}
	if got := strings.Join(names, " "); got != "b b z" {
		t.Error(got)
	}
}

func TestUpdateIsAppliedWholeOrNot(t *testing.T) {
	s := loaded(t)
	before := s.Publish()
	for _, text := range []string{
		`{"Chassis": {"` + first + `": {"delete": null}}, "Port_Binding": {"` + first +
			`": {"modify": {"tag": 9}}, "x": {}}}`,
		`{"Chassis": {"` + first + `": {"delete": null}}, "Port_Binding": {"` + first + `": {"modify": {"tag": 9`,
	} {
		if _, err := updated(t, s, text); err == nil {
			t.Fatalf("accepted: %s", text)
		}
	}
	if after := s.Publish(); !reflect.DeepEqual(before, after) || before.Ports.Slice()[0] != after.Ports.Slice()[0] {
		t.Error("half an update was applied")
	}
	if changed, err := updated(t, s, onePort(first, `{"modify": {"tag": 5}}`)); changed || err != nil {
		t.Errorf("an update without a change: %t, %v", changed, err)
	}
}

func TestSchemaOfAnotherKind(t *testing.T) {
	for _, c := range []wire.ColumnType{{Kind: "integer"}, {Kind: "string", Many: true}} {
		_, err := Database.NewStore(wire.Schema{"Chassis": {"name": c}})
		if err == nil || !strings.Contains(err.Error(), "Chassis.name") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// FuzzUpdate feeds updates of any text to a store: it must not fall, a refused
// update must not leave a trace, and how the bytes arrive must not matter.
func FuzzUpdate(f *testing.F) {
	for _, s := range []string{
		onePort(first, `{"modify": {"mac": ["set", ["a", "b"]], "options": ["map", [["k", "v"]]], "up": ["set", []]}}`),
		onePort(second, `{"delete": null}`), onePort(first, `{"old": {}, "new": {"logical_port": "c\u0041"}}`),
		onePort(first, `{"modify": {"chassis": ["uuid", 5], "tag": "x", "options": ["map", [["k", ["set", []]]]]}}`),
		`{"SB_Global": {"` + first + `": {"insert": {"options": ["map", [["a", "b"]]]}}}, "Encap": {"` + second +
			`": {"insert": {"ip": "x"}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		whole, slow := loaded(t), loaded(t)
		before := whole.Publish()
		_, err := whole.ReadUpdate(wire.NewDecoder(bytes.NewReader(text)))
		_, errSlow := slow.ReadUpdate(wire.NewDecoder(iotest.OneByteReader(bytes.NewReader(text))))
		if (err == nil) != (errSlow == nil) {
			t.Fatalf("%q: %v at once, %v byte by byte", text, err, errSlow)
		}
		after := whole.Publish()
		if a, b := printed(after), printed(slow.Publish()); a != b {
			t.Fatalf("%q:\n%s\n%s", text, a, b)
		}
		if err != nil && !reflect.DeepEqual(before, after) {
			t.Fatalf("%q: refused (%v) but applied", text, err)
		}
		for i := 1; i < after.Ports.Len(); i++ {
			if !ordered(after.Ports.Slice()[i-1], after.Ports.Slice()[i]) {
				t.Fatalf("%q: not sorted", text)
			}
		}
	})
}

// ordered reports whether a comes before b: by name, then by UUID.
func ordered(a, b *observe.PortBinding) bool {
	if a.LogicalPort != b.LogicalPort {
		return a.LogicalPort < b.LogicalPort
	}
	return bytes.Compare(a.UUID[:], b.UUID[:]) < 0
}

func printed(sb *observe.Southbound) string {
	var out []byte
	for _, table := range sb.Tables {
		out, _ = Database.AppendRows(out, sb, table)
	}
	return fmt.Sprintf("%s %v", out, sb.BadRows)
}

// A group of datapaths is shared by balancers and rewritten in place: that is a
// change, and what balancers are attached to follows.
func TestGroupRewrittenInPlace(t *testing.T) {
	s, err := Database.NewStore(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"Logical_DP_Group": {"` + first + `": {"initial": {"datapaths": ["set", [["uuid", "` + first + `"]]]}}},
		"Load_Balancer": {"` + second + `": {"initial": {"name": "L1", "ls_datapath_group": ["uuid", "` + first + `"]}}}}`
	if err := s.ReadCopy(wire.NewDecoder(strings.NewReader(text)), nil); err != nil {
		t.Fatal(err)
	}
	attached := func() []string {
		sb := s.Publish()
		switches, _ := sb.BalancerDatapaths(sb.Balancers[0])
		var out []string
		for _, u := range switches {
			out = append(out, u.String())
		}
		return out
	}
	for _, step := range []struct {
		modify string // the difference, as in an update2 notification
		want   []string
	}{
		{`["uuid", "` + second + `"]`, []string{first, second}},
		{`["set", [["uuid", "` + first + `"], ["uuid", "` + second + `"]]]`, nil},
	} {
		changed, err := updated(t, s, `{"Logical_DP_Group": {"`+first+`": {"modify": {"datapaths": `+step.modify+`}}}}`)
		if err != nil || !changed {
			t.Fatal(changed, err)
		}
		if got := attached(); !reflect.DeepEqual(got, step.want) {
			t.Errorf("after %s: on %v, want %v", step.modify, got, step.want)
		}
	}
}
