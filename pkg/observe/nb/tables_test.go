package nb

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

const northboundCopy = `{"Logical_Router":{"aaaaaaaa-0000-0000-0000-00000000000a":{"initial":{"name":"neutron-r1",
	"nat":["set",[["uuid","cccccccc-0000-0000-0000-00000000000c"],["uuid","dddddddd-0000-0000-0000-00000000000d"]]]}}},
 "NAT":{"cccccccc-0000-0000-0000-00000000000c":
    {"initial":{"type":"snat","logical_ip":"10.0.0.0/26","external_ip":"172.24.4.146"}},
  "dddddddd-0000-0000-0000-00000000000d":
    {"initial":{"type":"dnat_and_snat","logical_ip":"10.0.0.5","external_ip":"172.24.4.199"}}}}`

func northbound(t *testing.T, schema wire.Schema) *wire.Store[observe.Northbound] {
	t.Helper()
	s, err := Database.NewStore(schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ReadCopy(wire.NewDecoder(strings.NewReader(northboundCopy)), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// What is written of a Northbound database is what is read back.
func TestNorthboundAsAFile(t *testing.T) {
	want := northbound(t, nil).Publish()
	if len(want.Routers) != 1 || len(want.Routers[0].NAT) != 2 || len(want.NATs) != 2 ||
		want.NATs[0].ExternalIP != "172.24.4.146" {
		t.Fatalf("got %+v", want)
	}
	again, err := Database.NewStore(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range want.Tables {
		text, err := Database.AppendRows(nil, want, table)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.ReadList(wire.NewDecoder(bytes.NewReader(text)), table); err != nil {
			t.Fatal(err)
		}
	}
	if got := again.Publish(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A column that the schema lacks is not asked for, and the rest is read.
func TestNorthboundColumnsOfTheSchema(t *testing.T) {
	s := northbound(t, wire.Schema{
		"Logical_Router": {"name": {Kind: "string"}, "nat": {Kind: "uuid", Many: true}},
		"NAT":            {"type": {Kind: "string"}, "logical_ip": {Kind: "string"}},
	})
	want := map[string][]string{"Logical_Router": {"name", "nat"}, "NAT": {"type", "logical_ip"}}
	if got := s.Columns(); !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
	if nat := s.Publish().NATs[0]; nat.LogicalIP != "10.0.0.0/26" || nat.ExternalIP != "" {
		t.Errorf("got %+v", nat)
	}
}
