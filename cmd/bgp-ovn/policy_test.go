package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// loaded is the configuration from a file, variables and flags.
func loaded(t *testing.T, file string, env map[string]string, args ...string) *Config {
	t.Helper()
	c := &cli{environment: environment{getenv: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}}
	root := c.root()
	if err := root.ParseFlags(append(args, "--config", writeFile(t, file))); err != nil {
		t.Fatal(err)
	}
	cfg, err := c.loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

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
	fip := expose.Attributes{Communities: words(object.CommunitiesOf, "65000:100", "65535:65281"), MED: object.MetricOf(20)}
	gateway := expose.Attributes{LargeCommunities: words(object.LargeCommunitiesOf, "4200000000:1:2"), LocalPref: object.MetricOf(0)}
	const flag = "class=fip,communities=65000:100+no-export,med=20; class=gateway,large_communities=4200000000:1:2,local_pref=0"
	for name, tt := range map[string]struct {
		file string
		env  map[string]string
		args []string
		want map[expose.Class]expose.Attributes
	}{
		"file":                  {policyFile, nil, nil, map[expose.Class]expose.Attributes{"fip": fip, "gateway": gateway}},
		"variable":              {"", map[string]string{"BGP_OVN_BGP_ATTRIBUTES": flag}, nil, map[expose.Class]expose.Attributes{"fip": fip, "gateway": gateway}},
		"flag":                  {"", nil, []string{"--bgp-attributes", flag}, map[expose.Class]expose.Attributes{"fip": fip, "gateway": gateway}},
		"two flags":             {"", nil, []string{"--bgp-attributes", strings.Split(flag, ";")[0], "--bgp-attributes", strings.Split(flag, ";")[1]}, map[expose.Class]expose.Attributes{"fip": fip, "gateway": gateway}},
		"a flag over the file":  {policyFile, nil, []string{"--bgp-attributes", "class=fip,med=3"}, map[expose.Class]expose.Attributes{"fip": {MED: object.MetricOf(3)}, "gateway": gateway}},
		"a variable takes away": {policyFile, map[string]string{"BGP_OVN_BGP_ATTRIBUTES": ""}, nil, nil},
		"nothing":               {"", nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := loaded(t, tt.file, tt.env, tt.args...).driverConfig()
			for _, opts := range []expose.Options{d.BGP.Expose, d.Fabric.Expose} {
				if !reflect.DeepEqual(opts.Attributes, tt.want) {
					t.Errorf("got %+v, want %+v", opts.Attributes, tt.want)
				}
			}
		})
	}
	export := loaded(t, policyFile, nil, "--bgp-export-deny", "203.0.113.8/31 le 32").driverConfig().BGP.Expose.Export
	if len(export.Allow) != 1 || export.Allow[0].String() != "203.0.113.0/24 le 32" || len(export.Deny) != 1 || export.Deny[0].String() != "203.0.113.8/31 le 32" {
		t.Errorf("export filter %+v", export)
	}
}

// The text of the flag reads back, because that is how flags are put on top of
// the rest.
func TestAttributesFlagRoundTrip(t *testing.T) {
	var a, b attributesFlag
	const text = "class=fip,communities=65000:100+no-export,med=20;class=vip,large_communities=1:2:3+4:5:6,local_pref=7"
	if err := a.Set(text); err != nil {
		t.Fatal(err)
	}
	var from pflag.Value = &a
	if err := b.Set(from.String()); err != nil || from.String() != text || !reflect.DeepEqual(a, b) {
		t.Errorf("%q, %v, %v", from.String(), b, err)
	}
}

// Bad policy gets a message with the key and the remedy.
func TestBadPolicy(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		args []string
		want string
	}{
		"class":           {"bgp: {attributes: {fips: {med: 1}}}\n", nil, `bgp.attributes: unknown class "fips": use one of gateway, fip, vip, provider, tenant, subnet, loopback, originate`},
		"community":       {"bgp: {attributes: {fip: {communities: [65536:1]}}}\n", nil, `bgp.attributes.fip.communities: community "65536:1": use AS:VALUE, 0 to 65535 each, or a well-known name`},
		"large community": {"bgp: {attributes: {vip: {large_communities: [1:2]}}}\n", nil, `bgp.attributes.vip.large_communities: large community "1:2": use AS:VALUE:VALUE`},
		"key":             {"bgp:\n  attributes:\n    fip:\n      metric: 1\n", nil, "line 4: field metric is not a key here"},
		"MED":             {"bgp:\n  attributes:\n    fip: {med: -1}\n", nil, "line 3: cannot unmarshal !!int `-1` into uint32"},
		"allow":           {"bgp: {export: {allow: [10.0.0.0/33]}}\n", nil, `bgp.export.allow: "10.0.0.0/33": 10.0.0.0/33 is not a prefix`},
		"deny":            {"bgp: {export: {deny: [10.0.0.0/8 ge 24]}}\n", nil, "bgp.export.deny: \"10.0.0.0/8 ge 24\": use PREFIX or PREFIX le LENGTH"},
		"export key":      {"bgp:\n  export:\n    permit: []\n", nil, "line 3: field permit is not a key here"},
		"flag, no class":  {"", []string{"--bgp-attributes", "med=3"}, "begin with class=NAME, one of gateway"},
		"flag, key":       {"", []string{"--bgp-attributes", "class=fip,metric=3"}, "field metric is not a key here"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, exit := run(t, nil, append([]string{"config", "check", "--config", writeFile(t, tt.file)}, tt.args...)...)
			if exit != exitError || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, %q%q, want %q", exit, out, errs, tt.want)
			}
		})
	}
}

// A path that the filter keeps back is shown by every command, and is nothing
// wrong.
func TestFilteredIsShown(t *testing.T) {
	args := []string{"--snapshot", fixtures + "provider-flat.json", "--chassis", "hv1", "--bgp-export-deny", "172.24.4.0/24 le 32"}
	for _, tt := range []struct {
		command []string
		want    []string
	}{
		{[]string{"plan"}, []string{"+ route   172.24.4.11/32", "! path    ipv4-unicast 172.24.4.11/32  filtered-by-policy: bgp.export.deny has 172.24.4.0/24 le 32", "filtered by policy"}},
		{[]string{"desired"}, []string{"! path ipv4-unicast 172.24.4.11/32  filtered-by-policy"}},
		{[]string{"explain", "172.24.4.11"}, []string{"NOT ADVERTISED", "BLOCKED filtered-by-policy", "first reason: ", "try:          change bgp.export"}},
		{[]string{"plan", "-o", "json"}, []string{`"code": "filtered-by-policy"`}},
	} {
		out, errs, _ := run(t, nil, append(tt.command, args...)...)
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: got\n%s%swant %q in it", tt.command, out, errs, want)
			}
		}
		if strings.Contains(out, "not as wanted") || strings.Contains(out, "+ path    ipv4-unicast 172.24.4.11/32") {
			t.Errorf("%v: got\n%s", tt.command, out)
		}
	}
}
