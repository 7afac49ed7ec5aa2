package drivers

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
)

// filled sets keys as flags do.
func filled(t *testing.T, table []key.Key, values map[string]string) {
	t.Helper()
	var r key.Reading
	set := 0
	for _, k := range table {
		if text, ok := values[k.Name]; ok {
			set++
			r.SetText(k, []string{text}, key.Place{})
		}
	}
	if err := r.Problems().Err(); err != nil || set != len(values) {
		t.Fatalf("%v; %d of %d keys", err, set, len(values))
	}
}

func tenants() Shared {
	s := DefaultShared()
	s.AS, s.TenantNetworks, s.TenantGUA, s.SubnetMethod, s.AddressScopes = 65001, true, true, true, []string{"x"}
	s.Expose.Cookie, s.Expose.Reserved = 7, []expose.NetworkRef{{Network: "other"}}
	return s
}

// The settings of the BGP driver, own and shared, arrive at the driver.
func TestBGPOptions(t *testing.T) {
	o := newBGPOptions()
	if o.Needs().Northbound ||
		!reflect.DeepEqual(
			o.Driver(DefaultShared()),
			bgp.New(bgp.Config{Expose: expose.DefaultOptions(), TenantMethod: bgp.MethodHost}),
		) {
		t.Error("the defaults are others")
	}
	filled(t, o.Keys(), map[string]string{
		"require_snat_disabled_for_tenant_networks": "true", "expose_port_forwardings": "true",
		"expose_gateway_routers":          "true",
		"provider_unknown_mac_from_cidrs": "true",
	})
	want := bgp.New(bgp.Config{
		Expose: tenants().Expose, TenantNetworks: true, TenantGUA: true, TenantMethod: bgp.MethodSubnet,
		AddressScopes:       []string{"x"},
		RequireSNATDisabled: true, UnknownMACFromCIDRs: true, PortForwardings: true, GatewayRouters: true,
	})
	if got := o.Driver(tenants()); !reflect.DeepEqual(got, want) || !o.Needs().Northbound {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The settings of the Kubernetes driver arrive at it, a selector in any of its forms.
func TestKubeOptions(t *testing.T) {
	o := newKubeOptions()
	if needs := o.Needs(); !needs.Kubernetes || needs.EgressIPs {
		t.Errorf("needs %+v", needs)
	}
	filled(t, o.Keys(), map[string]string{
		"kube.load_balancer_class": `"",x`, "kube.advertise": "egressip",
		"kube.policies": `namespaces=a,"selector=app=web,tier in (a,b)",local_pref=7,aggregate6=64`,
	})
	selector, err := kube.ParseSelector("app=web,tier in (a,b)")
	if err != nil {
		t.Fatal(err)
	}
	shared := tenants()
	shared.KubeNode, shared.KubeKeepCordoned = "worker-a", true
	want := kube.New(kube.Config{
		NodeName: "worker-a", Classes: []string{"", "x"}, Advertise: []kube.Kind{kube.KindEgressIP}, KeepCordoned: true,
		Policies: []kube.Policy{{
			Namespaces: []string{"a"}, Selector: selector, Attributes: expose.Attributes{LocalPref: object.MetricOf(7)},
			Aggregate6: 64,
		}},
		Expose: shared.Expose,
	})
	if got := o.Driver(shared); !reflect.DeepEqual(got, want) || !o.Needs().EgressIPs {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	field := func(name, value string) key.Field {
		return key.Field{Name: name, Value: key.Node{Kind: key.Scalar, Text: value}}
	}
	list := key.Node{Kind: key.List, Items: []key.Node{field("", "a").Value, field("", "b").Value}}
	for text, form := range map[string]key.Node{
		"app=web,tier in (a,b)": {Kind: key.Map, Fields: []key.Field{
			{Name: "matchLabels", Value: key.Node{Kind: key.Map, Fields: []key.Field{field("app", "web")}}},
			{Name: "matchExpressions", Value: key.Node{Kind: key.List, Items: []key.Node{{
				Kind: key.Map, Fields: []key.Field{field("key", "tier"), field("operator", "In"), {Name: "values", Value: list}},
			}}}},
		}},
		"app=web": {Kind: key.Map, Fields: []key.Field{field("app", "web")}},
	} {
		if s, err := parseSelector(form); err != nil || s.String() != text {
			t.Errorf("got %q (%v), want %q", s, err, text)
		}
	}
	for _, bad := range []string{"a in b", "a in (b", "=x", "!", "a of (b)", "a b"} {
		if s, err := parseSelector(key.Node{Kind: key.Scalar, Text: bad}); err == nil {
			t.Errorf("%q is read as %q", bad, s)
		}
	}
}

// The settings of the EVPN driver arrive at it in one form.
func TestEVPNOptions(t *testing.T) {
	o := newEVPNOptions()
	if got := o.Driver(DefaultShared()); !reflect.DeepEqual(
		got,
		evpn.New(evpn.Config{Expose: expose.DefaultOptions(), Port: 4789}),
	) {
		t.Errorf("the defaults are %+v", got)
	}
	filled(t, o.Keys(), map[string]string{
		"evpn_local_ip": "192.0.2.11", "evpn_nic": "lo", "evpn_udp_dstport": "4790",
		"delete_vrf_on_disconnect": "false", "evpn.table_offset": "10000",
		"evpn.vnis":     "vni=1001,rd=192.0.2.11:01001,import=*:01001+65000:5,export=64999:1001",
		"evpn.networks": "network=physnet1,vlan=100,method=vrf,vni=2001,gateways=172.24.8.1+2001:db8:8::1",
	})
	ref := expose.NetworkRef{Network: "physnet1", VLAN: 100}
	want := evpn.New(evpn.Config{
		Expose: tenants().Expose, LocalIP: netip.MustParseAddr("192.0.2.11"), NIC: "lo", Port: 4790,
		KeepVRF: true, TableOffset: 10000,
		SubnetMethod: true, TenantNetworks: true, TenantGUA: true, AddressScopes: []string{"x"}, AS: 65001,
		VNIs: []evpn.VNIConfig{
			{VNI: 1001, RD: "192.0.2.11:1001", Import: []string{"*:1001", "65000:5"}, Export: []string{"64999:1001"}},
		},
		Networks: []evpn.NetworkConfig{{
			NetworkRef: ref, Method: evpn.MethodVRF, VNI: 2001,
			Gateways: []netip.Addr{netip.MustParseAddr("172.24.8.1"), netip.MustParseAddr("2001:db8:8::1")},
		}},
	})
	if got := o.Driver(tenants()); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	needs := Needs{
		VTEPDevice: "lo",
		VXLANPort:  4790,
		Cookie:     evpn.FlowCookie,
		Family:     "l2vpn-evpn",
		Reserved:   []expose.NetworkRef{ref},
	}
	if got := o.Needs(); !reflect.DeepEqual(got, needs) {
		t.Errorf("needs %+v", got)
	}
}

// A driver is found by its name and by those that the predecessor gave it.
func TestFind(t *testing.T) {
	for name, want := range map[string]string{
		bgp.Name: bgp.Name, "ovn_bgp_driver": bgp.Name, evpn.Name: evpn.Name, "ovn_evpn_driver": evpn.Name,
	} {
		spec, err := All().Find(name)
		if err != nil || spec.Name != want || spec.Options().Driver(DefaultShared()).Name() != want {
			t.Errorf("%s: %s, %v", name, spec.Name, err)
		}
	}
	if _, err := All().Find("frr"); err == nil ||
		!strings.Contains(err.Error(), `unknown driver "frr": use one of osp_ovn_bgp_driver`) {
		t.Error(err)
	}
}

// The driver of the node's own routes runs if something is asked of it.
func TestNewFabric(t *testing.T) {
	if _, asked := NewFabric(fabric.Config{Metric: 1}, DefaultShared()); asked {
		t.Error("it runs without anything to do")
	}
	d, asked := NewFabric(fabric.Config{Loopback: true}, tenants())
	if want := fabric.New(fabric.Config{Loopback: true, Expose: tenants().Expose}); !asked ||
		!reflect.DeepEqual(d, want) {
		t.Errorf("%v, %+v", asked, d)
	}
}
