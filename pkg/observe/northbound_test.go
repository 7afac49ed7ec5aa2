package observe

import (
	"net/netip"
	"testing"
)

func id(n byte) UUID { return UUID{15: n} }

func TestNorthboundRouter(t *testing.T) {
	nb := &Northbound{Routers: []*LogicalRouter{
		{UUID: id(1), Name: "neutron-a"}, {UUID: id(2), Name: "neutron-b"}, {UUID: id(3), Name: "twin"}, {
			UUID: id(4),
			Name: "twin",
		},
	}}
	for _, tt := range []struct {
		name string
		ids  map[string]string
		want UUID // zero: none
	}{
		{"by UUID", map[string]string{"logical-router": id(2).String(), "name": "neutron-b"}, id(2)},
		{"the UUID wins over the name", map[string]string{"logical-router": id(2).String(), "name": "neutron-a"}, id(2)},
		{"by name, without a UUID", map[string]string{"name": "neutron-a"}, id(1)},
		{
			"by name, with a UUID that is not there",
			map[string]string{"logical-router": id(9).String(), "name": "neutron-a"},
			id(1),
		},
		{"two of one name", map[string]string{"name": "twin"}, UUID{}},
		{"two of one name, told apart", map[string]string{"logical-router": id(4).String(), "name": "twin"}, id(4)},
		{"neither", map[string]string{"logical-router": "rubbish", "name": "neutron-z"}, UUID{}},
		{"nothing is said", nil, UUID{}},
	} {
		r, ok := nb.Router(&Datapath{ExternalIDs: tt.ids})
		if ok != !tt.want.IsZero() || ok && r.UUID != tt.want {
			t.Errorf("%s: got %+v", tt.name, r)
		}
	}
}

func TestSourceNAT(t *testing.T) {
	nb := &Northbound{NATs: []*NAT{
		{UUID: id(1), Type: "snat", LogicalIP: "10.0.0.0/26"},
		{UUID: id(2), Type: "dnat_and_snat", LogicalIP: "10.0.1.1"},
		{UUID: id(3), Type: "snat", LogicalIP: "2001:db8:1::/64"},
		{UUID: id(4), Type: "snat", LogicalIP: "everything"},
		{UUID: id(5), Type: "snat", LogicalIP: "0.0.0.0/0"},
		{UUID: id(6), Type: "snat", LogicalIP: "10.0.2.1"},
		{UUID: id(7), Type: "dnat", LogicalIP: "rubbish"},
		{UUID: id(8), Type: "snat", LogicalIP: "10.0.3.9/24"}, // not masked
	}}
	for _, tt := range []struct {
		name string
		nat  []UUID
		addr string
		want string // off, the row's logical_ip, or unknown
	}{
		{"no NAT", nil, "10.0.0.1", "off"},
		{"inside", []UUID{id(1)}, "10.0.0.1", "10.0.0.0/26"},
		{"another subnet", []UUID{id(1)}, "10.0.0.65", "off"},
		{"a floating IP", []UUID{id(2)}, "10.0.1.1", "off"},
		{"the other family", []UUID{id(1)}, "2001:db8:1::1", "off"},
		{"the other family, everything of it", []UUID{id(5)}, "2001:db8:1::1", "off"},
		{"IPv6", []UUID{id(3)}, "2001:db8:1::1", "2001:db8:1::/64"},
		{"nested networks", []UUID{id(5)}, "10.9.9.1", "0.0.0.0/0"},
		{"one address", []UUID{id(6)}, "10.0.2.1", "10.0.2.1"},
		{"an unmasked network", []UUID{id(8)}, "10.0.3.1", "10.0.3.9/24"},
		{"unreadable", []UUID{id(4)}, "10.0.0.1", "unknown"},
		{"unreadable, but another row says it", []UUID{id(1), id(4)}, "10.0.0.1", "10.0.0.0/26"},
		{"unreadable, but no SNAT", []UUID{id(7)}, "10.0.0.1", "off"},
		{"a row that is missing", []UUID{id(2), id(99)}, "10.0.0.1", "unknown"},
	} {
		n, err := nb.SourceNAT(&LogicalRouter{NAT: tt.nat}, netip.MustParseAddr(tt.addr))
		got := "off"
		switch {
		case err != nil:
			got = "unknown"
		case n != nil:
			got = n.LogicalIP
		}
		if got != tt.want {
			t.Errorf("%s: got %s (%v), want %s", tt.name, got, err, tt.want)
		}
	}
}
