package file_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// same compares snapshots; errors are compared by what they say.
var same = cmp.Options{
	cmp.Transformer("rows", rowlist.List[*observe.PortBinding].Slice),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b *observe.RowError) bool { return a.Error() == b.Error() }),
}

func fixtures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range paths {
		if !strings.HasPrefix(filepath.Base(p), "expected") {
			out = append(out, p)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d fixtures", len(out))
	}
	return out
}

func read(t testing.TB, path string) *file.File {
	t.Helper()
	f, err := file.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t testing.TB, snap observe.Snapshot) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := file.Write(&out, snap); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// roundTrip writes a snapshot and reads it back, twice.
func roundTrip(t *testing.T, want observe.Snapshot) []byte {
	t.Helper()
	text := write(t, want)
	f, err := file.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	have, err := f.Snapshot(want.Chassis)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, have, same); d != "" {
		t.Fatalf("-written +read back:\n%s", d)
	}
	if again := write(t, have); !bytes.Equal(text, again) {
		t.Fatalf("an equal snapshot made another file: %s", cmp.Diff(string(text), string(again)))
	}
	return text
}

func TestRoundTripOfEveryFixture(t *testing.T) {
	for _, path := range fixtures(t) {
		f := read(t, path)
		for _, name := range []string{"hv1", "hv2", "hv3"} {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				snap, err := f.Snapshot(name)
				if err != nil {
					t.Fatal(err)
				}
				if len(snap.SB.BadRows) > 0 || len(snap.OVS.Problems) > 0 {
					t.Fatalf("bad rows %v, problems %v", snap.SB.BadRows, snap.OVS.Problems)
				}
				for p := range snap.SB.Ports.All() {
					if len(p.Problems) > 0 {
						t.Fatalf("%s: %v", p.LogicalPort, p.Problems)
					}
				}
				roundTrip(t, snap)
			})
		}
	}
}

func TestRoundTripOfTheRest(t *testing.T) {
	snap, err := read(t, "testdata/multi-provider.json").Snapshot("hv1")
	if err != nil {
		t.Fatal(err)
	}
	sb := *snap.SB
	sb.Revision, sb.Stale = 812, `no connection to "ssl:[2001:db8::1]:6642"`
	sb.BadRows = []*observe.RowError{{Table: "Encap", Row: "hv9", Err: errors.New(`column ip: "x" is not an address`)}}
	ovs := *snap.OVS
	ovs.Revision, ovs.Stale = 7, "connection refused"
	ovs.Mappings = []observe.BridgeMapping{
		{Position: 2, Network: "physnet1", Bridge: "br-ex"}, {Position: 5, Network: "physnet2", Bridge: "br-ex2"},
	}
	ovs.Problems = []string{`ovn-bridge-mappings: item 1, "broken", is not physnet:bridge`}
	ovs.Bridges = slices.Clone(ovs.Bridges)
	ovs.Bridges[0].Made = []observe.MadePort{{Name: "veth-ovs-1001", OFPort: 7}, {Name: "vlan-1002"}}
	ovs.NBRemotes = []string{"tcp:192.0.2.1:6641"}
	snap.SB, snap.OVS = &sb, &ovs
	snap.NB = &observe.Northbound{
		Revision: 9, Stale: "closed", Tables: []string{"Logical_Router", "NAT"},
		Routers: []*observe.LogicalRouter{{UUID: observe.UUID{1}, Name: "neutron-r1", NAT: []observe.UUID{{2}, {3}}}},
		NATs:    []*observe.NAT{{UUID: observe.UUID{2}, Type: "snat", LogicalIP: "10.0.0.0/26", ExternalIP: "172.24.4.146"}},
		BadRows: []*observe.RowError{{
			Table: "NAT", Row: observe.UUID{3}.String(),
			Err: errors.New("column type: a number where a string was expected"),
		}},
	}
	snap.Host = &observe.Host{
		Revision: 3,
		Links: []observe.Link{
			{Name: "br-ex", Index: 4, MAC: object.MAC{2, 0, 0, 0, 0, 1}, Up: true, MTU: 1500},
			{Name: "vrf-1001", Index: 5, MAC: object.MAC{2, 0, 0, 0, 0, 2}, Up: true, MTU: 65575, Table: 1001, Ours: true},
		},
		Tables: []observe.RoutingTable{{ID: 254, Name: "main", Foreign: true}},
		Gateways: []observe.Gateway{{
			Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1"), Dev: "br-ex",
		}},
	}
	snap.Protected = observe.Protect(snap, observe.Own{Protect: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}})
	text := roundTrip(t, snap)
	if bytes.Count(text, []byte("\n    {\"_uuid\"")) < sb.Ports.Len() {
		t.Errorf("not a row a line:\n%s", text)
	}
}

// A dump has the whole Northbound database; a file without one has no rows, which
// is something else than an empty database.
func TestNorthbound(t *testing.T) {
	snap, err := read(t, "testdata/fip-centralized.json").Snapshot("hv1")
	if err != nil {
		t.Fatal(err)
	}
	if snap.NB == nil || len(snap.NB.Routers) == 0 || len(snap.NB.NATs) == 0 || len(snap.NB.BadRows) != 0 {
		t.Fatalf("got %+v", snap.NB)
	}
	for _, d := range snap.SB.Datapaths {
		if d.ExternalIDs["logical-router"] == "" {
			continue
		}
		row, ok := snap.NB.Router(d)
		if !ok || row.Name != d.ExternalIDs["name"] {
			t.Errorf("the row of %s is %+v", d.Name(), row)
		}
	}
	for text, want := range map[string]bool{
		`{"sb": {}, "ovs": {"hv1": null}}`: false, `{"nb": null, "sb": {}, "ovs": {"hv1": null}}`: false,
		`{"nb": {}, "sb": {}, "ovs": {"hv1": null}}`: true,
	} {
		f, err := file.Decode(strings.NewReader(text))
		if err != nil || (f.Northbound != nil) != want {
			t.Errorf("%s: got %+v, %v", text, f, err)
		}
	}
}

func TestRoundTripOfAwkwardRows(t *testing.T) {
	sb := `{"sb": {"Port_Binding": [
		{"_uuid": "00000000-0000-0000-0000-000000000001", "logical_port": "a\"\\\u0001é\u2028<&>", "up": false,
		 "mac": ["set", ["garbage 300.1.1.1", "fa:16:3e:00:00:01  10.0.0.1 ", "unknown"]],
		 "nat_addresses": "fa:16:3e:00:00:02 1.2.3.4 is_chassis_resident(\"b\")",
		 "options": ["map", [["b", "2"], ["a", ""]]]},
		{"_uuid": "00000000-0000-0000-0000-000000000002", "logical_port": "b", "tunnel_key": "seven"}]},
		"ovs": {"here": null}}`
	f, err := file.Decode(strings.NewReader(sb))
	if err != nil {
		t.Fatal(err)
	}
	ports := f.Southbound.Ports.Slice()
	if len(ports) != 1 || len(ports[0].Problems) != 1 || len(f.Southbound.BadRows) != 1 {
		t.Fatalf("%+v", f.Southbound)
	}
	snap, err := f.Snapshot("")
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, snap)
}

func TestHandMadePortsKeepTheirAddresses(t *testing.T) {
	p := &observe.PortBinding{
		UUID: observe.UUID{1}, LogicalPort: "vm", Unknown: true,
		Addresses: []observe.PortAddress{{
			MAC:   object.MAC{2, 0, 0, 0, 0, 1},
			Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("2001:db8::1/64")},
		}},
		NAT: []observe.NATAddress{{
			MAC: object.MAC{2, 0, 0, 0, 0, 2}, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.9")}, Resident: "cr-lrp-x",
		}},
	}
	want := observe.Snapshot{Chassis: "hv1", SB: &observe.Southbound{
		Revision: 1, Tables: []string{"Port_Binding"}, Ports: rowlist.Of(p),
	}}
	f, err := file.Decode(bytes.NewReader(write(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	have := f.Southbound.Ports.Slice()[0]
	if d := cmp.Diff(p, have, same, cmpopts.IgnoreFields(observe.PortBinding{}, "RawMAC", "RawNAT")); d != "" {
		t.Error(d)
	}
}

func TestOpenVSwitchOfAFixture(t *testing.T) {
	snap, err := read(t, "testdata/multi-provider.json").Snapshot("hv1")
	if err != nil {
		t.Fatal(err)
	}
	o := snap.OVS
	if snap.Chassis != o.SystemID || o.Hostname != "hv1.lab.example" || o.IntegrationBridge != "br-int" {
		t.Errorf("%+v", o)
	}
	want := []observe.BridgeMapping{
		{Position: 1, Network: "physnet1", Bridge: "br-ex"}, {Position: 2, Network: "physnet2", Bridge: "br-ex2"},
	}
	if d := cmp.Diff(want, o.Mappings); d != "" {
		t.Error(d)
	}
	ex, ok := o.Bridge("br-ex")
	if !ok || ex.MAC.IsZero() || ex.DatapathType != "netdev" || len(ex.Patches) != 1 || ex.Patches[0].OFPort == 0 {
		t.Errorf("br-ex: %+v", ex)
	}
	if _, ok := snap.SB.ChassisByName(snap.Chassis); !ok {
		t.Errorf("chassis %s is not in the Southbound rows", snap.Chassis)
	}
}

func TestKeysOfOneInstanceComeFirst(t *testing.T) {
	f, err := file.Decode(strings.NewReader(`{"sb": {}, "ovs": {"hv1": {"Open_vSwitch": [{
		"_uuid": "00000000-0000-0000-0000-000000000001",
		"external_ids": ["map", [["system-id", "one"], ["ovn-bridge", "br-two"],
			["ovn-bridge-mappings", "a:br-a"], ["ovn-bridge-mappings-one", " b:br-b ,nonsense,c:br-c,"],
			["ovn-encap-ip", "192.0.2.1, nonsense,2001:db8::1"], ["ovn-remote", "tcp:192.0.2.1:6642, ssl:[2001:db8::1]:6642"],
			["ovn-nb-remote", "tcp:192.0.2.1:6641"], ["ovn-nb-remote-one", "ssl:192.0.2.2:6641"]]]}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &observe.OpenVSwitch{
		Revision: 1, SystemID: "one", IntegrationBridge: "br-two",
		Remotes:   []string{"tcp:192.0.2.1:6642", "ssl:[2001:db8::1]:6642"},
		NBRemotes: []string{"ssl:192.0.2.2:6641"},
		EncapIPs:  []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		Mappings: []observe.BridgeMapping{
			{Position: 1, Network: "b", Bridge: "br-b"}, {Position: 3, Network: "c", Bridge: "br-c"},
		},
		Problems: []string{
			`ovn-encap-ip: "nonsense" is not an address`,
			`ovn-bridge-mappings: item 2, "nonsense", is not physnet:bridge`,
		},
	}
	if d := cmp.Diff(want, f.OVS["hv1"], same); d != "" {
		t.Error(d)
	}
}

func TestNames(t *testing.T) {
	f := read(t, "testdata/provider-flat.json")
	byKey, err := f.Snapshot("hv2")
	if err != nil {
		t.Fatal(err)
	}
	byID, err := f.Snapshot(byKey.Chassis)
	if err != nil || byID.OVS != byKey.OVS {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"", "hv9"} {
		_, err := f.Snapshot(name)
		if err == nil || !strings.Contains(err.Error(), "hv1 (96df9bb5-6738-4b5a-ad7a-821f445814ea), hv2") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestBadFiles(t *testing.T) {
	cut, err := os.ReadFile("testdata/provider-flat.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", "the file is empty"},
		"cut short":  {string(cut[:len(cut)/2]), "the file was cut short"},
		"not JSON":   {"<html>", "line 1 (byte 0): '<' where a value was expected; this is not a snapshot"},
		"no sb":      {`{"nb": {}}`, `no member "sb"`},
		"an array":   {`[]`, "the file: an array where an object was expected"},
		"two values": {`{"sb": {}} {}`, "data follows"},
		"syntax": {
			"{\"sb\": {\n\"Chassis\": [\n{\"_uuid\": 5}]}}",
			"line 3 (byte 34): Chassis: row 1 has no usable _uuid",
		},
		"no uuid": {`{"sb": {"Chassis": [{"name": "x"}]}}`, "Chassis: row 1 has no usable _uuid"},
		"twice": {
			`{"sb": {"Encap": [{"_uuid": "00000000-0000-0000-0000-000000000001", "ip": "1.1.1.1"},
			{"_uuid": "00000000-0000-0000-0000-000000000001"}]}}`,
			"line 2", // and
		},
		"not a table": {`{"sb": {"Chassis": {}}}`, "Chassis: an object where an array was expected"},
		"bad column": {
			`{"sb": {}, "ovs": {"hv1": {"Bridge": [{"_uuid": "00000000-0000-0000-0000-000000000001", "name": 5}]}}}`,
			"ovs hv1 Bridge: row 00000000-0000-0000-0000-000000000001: column name: a number where a string was expected",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := file.Decode(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			t.Log(err)
		})
	}
	_, err = file.Read("testdata/nothing.json")
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
