package names_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// snapshot is one of a real deployment.
func snapshot(t *testing.T, name string) observe.Snapshot {
	t.Helper()
	f, err := file.Read("../file/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := f.Snapshot("hv1")
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// text is a result in lines.
func text(r names.Result) string {
	var b strings.Builder
	for _, m := range r.Matches {
		fmt.Fprintf(&b, "%s %s by %s", m.Kind, m.Name, m.By)
		if m.Network != "" {
			fmt.Fprintf(&b, " of %s", m.Network)
		}
		if m.Chassis != "" {
			fmt.Fprintf(&b, " on %s", m.Chassis)
		}
		for _, a := range m.Addresses {
			fmt.Fprintf(&b, " %s=%s", a.Relation, a.Addr)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestFind(t *testing.T) {
	const vm = "port 43817047-34bc-4a12-a45a-fcd2c9935447 by %s of priv on hv2.lab.example " +
		"own=10.10.0.12 floating=172.24.4.102\n"
	for _, tt := range []struct{ name, file, ask, want string }{
		{"logical port", "", "43817047-34bc-4a12-a45a-fcd2c9935447", fmt.Sprintf(vm, "name")},
		{"the first part of it", "", "43817047", fmt.Sprintf(vm, "uuid")},
		{"too little of it", "", "4381704", ""},
		{"UUID of the row", "", "6e41367d-9f9a-43d3-9e3d-789292bd0df8", fmt.Sprintf(vm, "uuid")},
		{"VM", "", "b130576c-6ba4-4863-a73f-a858e3d0fcbd", fmt.Sprintf(vm, "device-id")},
		{"MAC address", "", "fa:16:3e:ad:be:69", fmt.Sprintf(vm, "mac-address")},
		{"address", "", "10.10.0.12", strings.Replace(fmt.Sprintf(vm, "address"), " floating=172.24.4.102", "", 1)},
		{
			"prefix", "", "172.24.4.102/31", "port 43817047-34bc-4a12-a45a-fcd2c9935447 by address of priv on hv2.lab.example " +
				"floating=172.24.4.102\nport d806d935-f5cb-40d6-ac97-9cfe65746cb2 by address of priv on hv3.lab.example " +
				"floating=172.24.4.103\n",
		},
		{
			"prefix that a router advertises", "../../../drivers/native/testdata/fixtures/centralised-nat.json", "10.9.0.0/16",
			"router lr0 by prefix advertised=10.9.0.0\n",
		},
		{"router", "", "r1", "router r1 by name own=172.24.4.100 own=10.10.0.1\n"},
		{
			"router by its UUID", "", "e7001f82-c503-4d31-ab78-950c8d52ae67",
			"router r1 by uuid own=172.24.4.100 own=10.10.0.1\n",
		},
		{
			"network", "", "public",
			"network public by name floating=172.24.4.100 floating=172.24.4.102 floating=172.24.4.103\n",
		},
		{
			"port of a router", "", "lrp-ad2ab0e6-a741-4e6a-ae22-e2dfb9e110e6",
			"port lrp-ad2ab0e6 of router r1 by name of r1 own=172.24.4.100\n",
		},
		{"chassis", "", "hv2.lab.example", "chassis hv2.lab.example by name\n"},
		{"bridge", "", "br-ex", "bridge br-ex by name\n"},
		{"nothing", "", "nonsense", ""},
		{"no name of a port is empty", "", "", ""},
		{
			"port by the name that the user gave", "virtual-port.json", "octavia-lb-3dd2f706-d144-4bb9-a767-98d4d2539505",
			"port octavia-lb-3dd2f706-d144-4bb9-a767-98d4d2539505 by name of public on hv1.lab.example own=172.24.4.170\n",
		},
		{
			"VNI", "evpn-router.json", "1001",
			"network eva by vni own=10.60.0.11 own=fd00:60::11 own=10.60.0.12 own=fd00:60::12\n" +
				"network evpub by vni floating=172.24.111.100 floating=172.24.111.150 floating=172.24.111.101\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := tt.file
			if name == "" {
				name = "fip-distributed.json"
			}
			if got := text(names.Find(snapshot(t, name), tt.ask)); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// TestFindLooksAtEverything: what was looked at is told, also where nothing is found, and
// of an empty snapshot.
func TestFindLooksAtEverything(t *testing.T) {
	r := names.Find(snapshot(t, "fip-distributed.json"), "nonsense")
	const want = "[{ports 11} {networks and routers 3} {load balancers 0} {chassis 3} {bridges 4}]"
	if got := fmt.Sprint(r.Looked); got != want || r.Matches == nil {
		t.Errorf("got %s, want %s", got, want)
	}
	if r := names.Find(observe.Snapshot{}, "x"); len(r.Matches) != 0 || r.Matches == nil || r.Looked == nil {
		t.Errorf("got %+v", r)
	}
}

// TestFindIsBounded: a prefix that has everything gives some of it, and says how much
// there is.
func TestFindIsBounded(t *testing.T) {
	snap := snapshot(t, "fip-distributed.json")
	sb := *snap.SB
	ports := sb.Ports.Slice()
	for i := range 1000 {
		p := *ports[0]
		p.LogicalPort = fmt.Sprintf("zz%04d", i)
		p.ExternalIDs = map[string]string{"neutron:port_name": "same"}
		ports = append(ports, &p)
	}
	sb.Ports = rowlist.Of(ports...)
	snap.SB = &sb
	if r := names.Find(snap, "same"); len(r.Matches) != names.MostMatches || r.Total != 1000 {
		t.Errorf("%d of %d", len(r.Matches), r.Total)
	}
}

// TestLabels: texts get the names of what they mention by UUID, once for each mention.
func TestLabels(t *testing.T) {
	book := names.Of(snapshot(t, "virtual-port.json"))
	const line = "+ route 172.24.4.170/32  # Port_Binding 31c4951b-2fb5-475c-a9cc-1468df707f4a (x R2), " +
		"provnet-5cc4c90a-5d10-4351-ade0-e6775c2c793a and 00000000-2fb5-475c-a9cc-1468df707f4a"
	labels := map[string]string{}
	book.Collect(labels, line, line)
	const want = "+ route 172.24.4.170/32  # Port_Binding octavia-lb-3dd2f706-d144-4bb9-a767-98d4d2539505 (x R2), " +
		"provnet-5cc4c90a of network public and 00000000-2fb5-475c-a9cc-1468df707f4a"
	if got := names.Relabel(line, labels); got != want || len(labels) != 2 {
		t.Errorf("got %s\n%v", got, labels)
	}
	if got := names.Relabel(line, nil); got != line {
		t.Errorf("got %s", got)
	}
	none := names.Of(observe.Snapshot{})
	if got := none.Label("x"); got != "" {
		t.Errorf("got %q", got)
	}
	if got := names.Short("43817047-34bc-4a12-a45a-fcd2c9935447") + names.Short("web-1"); got != "43817047web-1" {
		t.Errorf("got %s", got)
	}
}
