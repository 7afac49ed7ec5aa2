package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

const policyFile = `bgp:
  attributes:
    fip: {communities: [65000:100, no-export], med: 20}
    gateway: {large_communities: ["4200000000:1:2"], local_pref: 0}
  export: {allow: ["203.0.113.0/24 le 32"], deny: [203.0.113.9/32]}
`

// What the file, a variable or a flag says of a class reaches the drivers.
func TestPolicyReachesTheDrivers(t *testing.T) {
	words := func(of func(...string) (object.Words, error), list ...string) object.Words {
		w, err := of(list...)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	fip := expose.Attributes{
		Communities: words(object.CommunitiesOf, "65000:100", "65535:65281"),
		MED:         object.MetricOf(20),
	}
	gateway := expose.Attributes{
		LargeCommunities: words(object.LargeCommunitiesOf, "4200000000:1:2"),
		LocalPref:        object.MetricOf(0),
	}
	both := map[expose.Class]expose.Attributes{"fip": fip, "gateway": gateway}
	const flag = "class=fip,communities=65000:100+no-export,med=20; " +
		"class=gateway,large_communities=4200000000:1:2,local_pref=0"
	first, second, _ := strings.Cut(flag, ";")
	for name, tt := range map[string]struct {
		file string
		env  map[string]string
		args []string
		want map[expose.Class]expose.Attributes
	}{
		"file":      {policyFile, nil, nil, both},
		"variable":  {"", map[string]string{"BGP_OVN_BGP_ATTRIBUTES": flag}, nil, both},
		"flag":      {"", nil, []string{"--bgp-attributes", flag}, both},
		"two flags": {"", nil, []string{"--bgp-attributes", first, "--bgp-attributes", second}, both},
		"a flag over the file": {
			policyFile, nil,
			[]string{"--bgp-attributes", "class=fip,med=3"},
			map[expose.Class]expose.Attributes{"fip": {MED: object.MetricOf(3)}, "gateway": gateway},
		},
		"a flag over a variable": {
			"", map[string]string{"BGP_OVN_BGP_ATTRIBUTES": second}, []string{"--bgp-attributes", first}, both,
		},
		"a variable takes away": {policyFile, map[string]string{"BGP_OVN_BGP_ATTRIBUTES": ""}, nil, nil},
		"a flag takes away first": {
			policyFile, nil,
			[]string{"--bgp-attributes", "", "--bgp-attributes", first},
			map[expose.Class]expose.Attributes{"fip": fip},
		},
		"nothing": {"", nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := loaded(t, tt.file, tt.env, tt.args...)
			for _, opts := range []expose.Options{s.sharedFor(bgp.Name).Expose, s.shared().Expose} {
				if !reflect.DeepEqual(opts.Attributes, tt.want) {
					t.Errorf("got %+v, want %+v", opts.Attributes, tt.want)
				}
			}
		})
	}
	export := loaded(t, policyFile, nil, "--bgp-export-deny", "203.0.113.8/31 le 32").shared().Expose.Export
	if len(export.Allow) != 1 || export.Allow[0].String() != "203.0.113.0/24 le 32" || len(export.Deny) != 1 ||
		export.Deny[0].String() != "203.0.113.8/31 le 32" {
		t.Errorf("export filter %+v", export)
	}
}

// What is denied holds for every path, whatever is known of it.
func TestForbidden(t *testing.T) {
	if Defaults().Forbidden() != nil {
		t.Error("something is denied by default")
	}
	denied := loaded(t, policyFile, nil).Forbidden()
	for prefix, want := range map[string]bool{"203.0.113.9/32": true, "203.0.113.8/32": false} {
		b := denied(object.Key{Kind: object.KindPath, Prefix: netip.MustParsePrefix(prefix)})
		if (b != nil) != want || want && b.Code != object.BlockFiltered {
			t.Errorf("%s: %v", prefix, b)
		}
	}
}
