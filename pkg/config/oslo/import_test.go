package oslo

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s", path, got)
	}
}

// read are the settings of what was translated, which must be valid but for what could
// not be translated: of that there is a problem for each.
func read(t *testing.T, res Imported) config.Settings {
	t.Helper()
	s, problems := config.Read("imported.yaml", []byte(res.YAML))
	left := len(res.Problems)
	for _, o := range res.Options {
		if o.Refused {
			left++
		}
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Key, config.NotTranslated) {
			left--
			continue
		}
		t.Errorf("the result is not valid: %s", p.Key+": "+p.Text)
	}
	if left != 0 {
		t.Errorf("of what could not be translated %d are missing among the problems: %v", left, problems.Err())
	}
	return s
}

// Every option is named in the answer; what is printed is a configuration that
// passes our own checks and says what the predecessor's said.
func TestImport(t *testing.T) {
	const source = "testdata/bgp-agent.conf"
	raw, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	res := Import(source, string(raw))
	if res.Complete() {
		t.Error("nothing is remarked")
	}
	golden(t, "testdata/import.golden", res.YAML+"-- stderr --\n"+strings.Join(res.Remarks(), "\n")+"\n")
	assignments, _ := parse(string(raw))
	unused := ownOptions()
	delete(unused, "agent/root_helper_daemon") // the same as root_helper
	for _, a := range assignments {
		delete(unused, a.key())
	}
	for name := range unused {
		t.Errorf("the fixture does not have %s", name)
	}
	s := read(t, res)
	if s.BGP.AS != 1<<16|10 || s.AuditInterval.Seconds() != 120 || !s.Shared.TenantNetworks ||
		len(s.Shared.AddressScopes) != 2 ||
		!s.Shared.SubnetMethod || strings.Join(s.Southbound.Remotes, " ") != "ssl:192.0.2.1:6642 ssl:192.0.2.2:6642" ||
		!s.UseNorthbound ||
		strings.Join(s.Northbound.Remotes, " ") != "ssl:192.0.2.1:6641" ||
		s.Northbound.CA != "/etc/ipa/ca.crt" ||
		s.Log.Level.String() != "DEBUG" {
		t.Errorf("got %+v", s)
	}
}

// What needs a look is remarked; the result says what is missing in it.
func TestRemarks(t *testing.T) {
	tests := []struct{ name, conf, remark, yaml string }{
		{"empty", "", "", "as: 64999"},
		{"clean", "[DEFAULT]\nbgp_AS=65001\nexposing_method=underlay\n", "", "as: 65001"},
		{"unknown", "[DEFAULT]\nfoo=1\n", "foo = 1: dropped: unknown option, which ovn-bgp-agent ignores", "as: 64999"},
		{
			"not valid here", "[DEFAULT]\nadvertisement_method_tenant_networks=both\n",
			`cannot be translated: advertisement_method_tenant_networks: unknown value "both": use host or subnet`, "as: 64999",
		},
		{
			"relative socket", "[DEFAULT]\novsdb_connection=unix:db.sock\n",
			`cannot be translated: ovsdb_connection: "unix:db.sock" is not the address of a database`, "as: 64999",
		},
		{"no number", "[DEFAULT]\nreconcile_interval=often\n", "it is not a number", "as: 64999"},
		{"neither", "[DEFAULT]\nexpose_tenant_networks=perhaps\n", "it is neither true nor false", "as: 64999"},
		{"reference", "[DEFAULT]\nbgp_AS=$other\n", "it refers to $other, which this file does not have", "as: 64999"},
		{
			"no AS", "[DEFAULT]\nbgp_AS=many\n",
			`cannot be translated: bgp.as: "many" is not an autonomous system number`, "as: 64999",
		},
		{"reserved AS", "[DEFAULT]\nbgp_AS=0\n", "cannot be translated: bgp.as: 0 is reserved (RFC 7607)", "as: 64999"},
		{
			"northbound", "[DEFAULT]\ndriver=nb_ovn_bgp_driver\nrequire_snat_disabled_for_tenant_networks=true\n",
			"every node needs to reach it",
			"require_snat_disabled_for_tenant_networks: true",
		},
		{"evpn", "[DEFAULT]\ndriver=ovn_evpn_driver\nevpn_nic=lo\n", "needs l2vpn-evpn", "osp_ovn_evpn_driver"},
		{"vrf", "[DEFAULT]\nexposing_method=vrf\n", "evpn.networks", "as: 64999"},
		{"ovn", "[DEFAULT]\nexposing_method=ovn\n", "only underlay is supported", "as: 64999"},
		{"stretched", "[DEFAULT]\ndriver=ovn_stretched_l2_bgp_driver\n", "no such driver", "as: 64999"},
		{"colon", "[ovn]\novn_sb_connection: tcp:192.0.2.1:6642\n", "", "ovn_sb_connection: tcp:192.0.2.1:6642"},
		{"table in range", "[DEFAULT]\nbgp_vrf_table_id=200\n", "that table is in routing.table_range", "as: 64999"},
		{"table", "[DEFAULT]\nbgp_vrf_table_id=10\n", "does not have that table in it", "as: 64999"},
		{"logging", "[DEFAULT]\nuse_syslog=true\n", "bgp-ovn logs to standard error", "as: 64999"},
		{"privsep", "[privsep_x]\nuser=root\n", "starts no helper as root", "as: 64999"},
		{"no debug", "[DEFAULT]\ndebug=false\nclear_vrf_routes_on_startup=false\n", "", "as: 64999"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := Import("x.conf", tt.conf)
			remarks := strings.Join(res.Remarks(), "\n")
			if res.Complete() != (tt.remark == "") || !strings.Contains(remarks, tt.remark) ||
				!strings.Contains(res.YAML, tt.yaml) ||
				!strings.Contains(remarks, "still to be set: bgp.peers") {
				t.Errorf("complete %v\n%s\n%s", res.Complete(), res.YAML, remarks)
			}
			read(t, res)
		})
	}
}

// translated is what becomes of each option of the predecessor alone, by group and
// name.
var translated = []struct {
	option, value, key string
	want               any
	remark             string
}{
	{"DEFAULT/reconcile_interval", "120", "reconcile_interval", 120, ""},
	{"DEFAULT/frr_reconcile_interval", "15", "", nil, "it is about FRR's configuration"},
	{"DEFAULT/expose_tenant_networks", "yes", "expose_tenant_networks", true, ""},
	{"DEFAULT/expose_ipv6_gua_tenant_networks", "0", "expose_ipv6_gua_tenant_networks", false, ""},
	{
		"DEFAULT/advertisement_method_tenant_networks", "subnet",
		"advertisement_method_tenant_networks", "subnet", "bgp-ovn announces subnets then",
	},
	{"DEFAULT/advertisement_method_tenant_networks", "host", "advertisement_method_tenant_networks", "host", ""},
	{
		"DEFAULT/require_snat_disabled_for_tenant_networks", "on",
		"require_snat_disabled_for_tenant_networks", true, "needs the Northbound database",
	},
	{
		"DEFAULT/require_snat_disabled_for_tenant_networks", "off",
		"require_snat_disabled_for_tenant_networks", false, "",
	},
	{
		"DEFAULT/address_scopes", "2237917c-7b12-489a-84de-4ef384a2bcae, 11111111-7b12-489a-84de-4ef384a2bcae",
		"address_scopes",
		[]string{"2237917c-7b12-489a-84de-4ef384a2bcae", "11111111-7b12-489a-84de-4ef384a2bcae"},
		"",
	},
	{"DEFAULT/driver", "ovn_bgp_driver", "drivers", []string{"osp_ovn_bgp_driver"}, ""},
	{"DEFAULT/driver", "osp_ovn_bgp_driver", "drivers", []string{"osp_ovn_bgp_driver"}, ""},
	{"DEFAULT/driver", "ovn_evpn_driver", "drivers", []string{"osp_ovn_evpn_driver"}, "FRR's part is the speaker's"},
	{"DEFAULT/driver", "nb_ovn_bgp_driver", "drivers", []string{"osp_ovn_bgp_driver"}, "every node needs to reach it"},
	{"DEFAULT/driver", "ovn_stretched_l2_bgp_driver", "", nil, "there is no such driver here"},
	{"DEFAULT/exposing_method", "underlay", "", nil, ""},
	{"DEFAULT/exposing_method", "l2vni", "", nil, "method: l2vni"},
	{"DEFAULT/exposing_method", "dynamic", "", nil, "only underlay is supported"},
	{"DEFAULT/ovsdb_connection", "tcp:127.0.0.1:6640", "ovsdb_connection", "tcp:127.0.0.1:6640", ""},
	{"DEFAULT/ovsdb_connection_timeout", "90", "ovsdb_connection_timeout", 90, ""},
	{"DEFAULT/bgp_AS", "64999", "bgp.as", uint32(64999), ""},
	{"DEFAULT/bgp_AS", "1.10", "bgp.as", uint32(65546), ""},
	{"DEFAULT/bgp_router_id", "192.0.2.7", "bgp.router_id", "192.0.2.7", ""},
	{"DEFAULT/bgp_nic", "bgp-nic", "", nil, "no such device is used"},
	{"DEFAULT/bgp_nic", "ovn", "", nil, "bgp-ovn adopt --remove-frr-interfaces --bgp-nic ovn"},
	{"DEFAULT/bgp_vrf", "red", "", nil, "bgp-ovn adopt --remove-frr-interfaces --bgp-vrf red"},
	{"DEFAULT/bgp_vrf_table_id", "10", "", nil, "does not have that table in it"},
	{"DEFAULT/clear_vrf_routes_on_startup", "False", "", nil, ""},
	{"DEFAULT/clear_vrf_routes_on_startup", "True", "", nil, "there is no VRF to clear"},
	{"DEFAULT/delete_vrf_on_disconnect", "False", "delete_vrf_on_disconnect", false, ""},
	{"DEFAULT/evpn_local_ip", "192.0.2.7", "evpn_local_ip", "192.0.2.7", ""},
	{"DEFAULT/evpn_nic", "lo", "evpn_nic", "lo", ""},
	{"DEFAULT/evpn_udp_dstport", "4790", "evpn_udp_dstport", 4790, ""},
	{"DEFAULT/debug", "true", "log.level", "debug", ""},
	{"DEFAULT/debug", "false", "", nil, ""},
	{"agent/root_helper", "sudo x", "", nil, "starts no helper as root"},
	{"agent/root_helper_daemon", "sudo x", "", nil, "starts no helper as root"},
	{"agent/use_helper_for_ns_read", "False", "", nil, "starts no helper as root"},
	{
		"ovn/ovn_sb_connection", "tcp:192.0.2.1:6642, tcp:192.0.2.2:6642",
		"ovn_sb_connection", "tcp:192.0.2.1:6642,tcp:192.0.2.2:6642", "",
	},
	{"ovn/ovn_sb_private_key", "/k", "ovn_sb_private_key", "/k", ""},
	{"ovn/ovn_sb_certificate", "/c", "ovn_sb_certificate", "/c", ""},
	{"ovn/ovn_sb_ca_cert", "/a", "ovn_sb_ca_cert", "/a", ""},
	{"ovn/ovn_nb_connection", "tcp:192.0.2.1:6641", "ovn_nb_connection", "tcp:192.0.2.1:6641", ""},
	{"ovn/ovn_nb_private_key", "/k", "ovn_nb_private_key", "/k", ""},
	{"ovn/ovn_nb_certificate", "/c", "ovn_nb_certificate", "/c", ""},
	{"ovn/ovn_nb_ca_cert", "/a", "ovn_nb_ca_cert", "/a", ""},
	{"DEFAULT/ovn_sb_connection", "unix:/s", "ovn_sb_connection", "unix:/s", ""},
	{"DEFAULT/ovn_sb_private_key", "/k", "ovn_sb_private_key", "/k", ""},
	{"DEFAULT/ovn_sb_certificate", "/c", "ovn_sb_certificate", "/c", ""},
	{"DEFAULT/ovn_sb_ca_cert", "/a", "ovn_sb_ca_cert", "/a", ""},
	{"DEFAULT/ovn_nb_connection", "ssl:[::1]:6641", "ovn_nb_connection", "ssl:[::1]:6641", ""},
	{"DEFAULT/ovn_nb_private_key", "/k", "ovn_nb_private_key", "/k", ""},
	{"DEFAULT/ovn_nb_certificate", "/c", "ovn_nb_certificate", "/c", ""},
	{"DEFAULT/ovn_nb_ca_cert", "/a", "ovn_nb_ca_cert", "/a", ""},
	{"local_ovn_cluster/ovn_nb_connection", "unix:/x", "", nil, "exposing_method = ovn only"},
	{"local_ovn_cluster/external_nics", "eth1", "", nil, "exposing_method = ovn only"},
	{"local_ovn_cluster/peer_ips", "100.64.1.5", "", nil, "exposing_method = ovn only"},
	{"local_ovn_cluster/provider_networks_pool_prefixes", "192.168.0.0/16", "", nil, "exposing_method = ovn only"},
	{"local_ovn_cluster/bgp_chassis_id", "bgp", "", nil, "exposing_method = ovn only"},
}

// Each option of the predecessor has the key and the value that it stands for, or a
// remark that says why not.
func TestEveryOption(t *testing.T) {
	untried := maps.Clone(predecessorOptions())
	for _, tt := range translated {
		delete(untried, tt.option)
		group, name, _ := strings.Cut(tt.option, "/")
		res := Import("x.conf", "["+group+"]\n"+name+" = "+tt.value+"\n")
		if len(res.Options) != 1 {
			t.Errorf("%s: %d options", tt.option, len(res.Options))
			continue
		}
		got := res.Options[0]
		if got.Group != group || got.Name != name || got.Line != 2 {
			t.Errorf("%s is called [%s] %s in line %d", tt.option, got.Group, got.Name, got.Line)
		}
		if got.Key != tt.key || !reflect.DeepEqual(got.Value, tt.want) {
			t.Errorf("%s = %s: %s: %v, want %s: %v", tt.option, tt.value, got.Key, got.Value, tt.key, tt.want)
		}
		if (got.Remark == "") != (tt.remark == "") || !strings.Contains(got.Remark, tt.remark) {
			t.Errorf("%s = %s: remark %q, want %q", tt.option, tt.value, got.Remark, tt.remark)
		}
		read(t, res)
	}
	for name := range untried {
		t.Errorf("%s is not tried", name)
	}
}

// Texts that YAML would take for the end of a comment, or that are not UTF-8, do
// not make the result invalid.
func TestUnprintable(t *testing.T) {
	for _, text := range []string{
		"[DEFAULT]\nfoo = a\rb\n", "[DEFAULT]\nevpn_nic = a\x00b\n", "[DEFAULT]\nevpn_nic = a\xffb\n",
		"[DEFAULT]\nevpn_nic = a\u2028b\n", "[DEFAULT]\nevpn_nic = \"*x\"\n", "[DEFAULT]\nevpn_nic = a: b # c\n",
	} {
		res := Import("x\n.conf", text)
		read(t, res)
		if len(res.Options) != 1 || strings.Count(strings.Join(res.Remarks(), "|"), "\n") > 0 {
			t.Errorf("%q: %+v", text, res)
		}
	}
}

// The JSON is a contract: others script against it.
func TestJSON(t *testing.T) {
	raw, err := json.Marshal(
		Import("x.conf", "[DEFAULT]\nbgp_AS=1.10\nfoo=1\nnonsense\nrequire_snat_disabled_for_tenant_networks=yes\n"),
	)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"source":"x.conf","options":[` +
		`{"line":2,"group":"DEFAULT","name":"bgp_AS","key":"bgp.as","value":65546,"remark":"","refused":false},` +
		`{"line":3,"group":"DEFAULT","name":"foo","key":"","value":null,` +
		`"remark":"unknown option, which ovn-bgp-agent ignores","refused":false},` +
		`{"line":5,"group":"DEFAULT","name":"require_snat_disabled_for_tenant_networks",` +
		`"key":"require_snat_disabled_for_tenant_networks","value":true,"remark":"the Southbound driver of ovn-bgp-agent ` +
		`ignores it; bgp-ovn withdraws subnets that a router translates, and needs the Northbound database for that: ` +
		`write false if nothing is to change","refused":false}],` +
		`"problems":["line 4: neither an option nor a group: nonsense"],` +
		`"to_set":["bgp.peers: the neighbours that FRR has now (show running-config)",` +
		`"bgp.router_id: FRR's, unless the first IPv4 address in external_ids:ovn-encap-ip is right",` +
		`"ovn_nb_connection: the Northbound database, unless external_ids:ovn-nb-remote of Open_vSwitch names it"],` +
		`"yaml":"# Made by bgp-ovn config import from x.conf.\n` +
		`# What could not be translated and is missing below. bgp-ovn does not start with this key.\n` +
		`not_translated:\n  - 'line 4: neither an option nor a group: nonsense'\n` +
		`# line 5: [DEFAULT] require_snat_disabled_for_tenant_networks = yes\n` +
		`require_snat_disabled_for_tenant_networks: true\nbgp:\n  # line 2: [DEFAULT] bgp_AS = 1.10\n  as: 65546\n` +
		`  # still to be set: the neighbours, such as\n  # peers:\n  #   - {address: 192.0.2.1, as: 65000}\n"}`
	if string(raw) != want {
		t.Errorf("got\n%s\nwant\n%s", raw, want)
	}
}

// The form of oslo.config: groups, both signs, comments, continuations, quotes, and
// of an option that is set twice the last value.
func TestParse(t *testing.T) {
	got, problems := parse("a = 1\r\n# c\n; c\n[g]\nb: x:y\n  z\nb = 'q'\n\n  lost\nd =\n \"e\"\n[x\n=1\n")
	want := []assignment{
		{"DEFAULT", "a", "1", 1}, {"g", "b", "q", 7}, {"g", "d", `"e"`, 10},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	if strings.Join(
		problems,
		"|",
	) != "line 9: it continues nothing: lost|"+
		"line 12: neither an option nor a group: [x|line 13: neither an option nor a group: =1" {
		t.Errorf("problems %q", problems)
	}
}

// FuzzImport holds that whatever the predecessor's file holds, the result is valid.
func FuzzImport(f *testing.F) {
	raw, err := os.ReadFile("testdata/bgp-agent.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add("[DEFAULT]\nbgp_AS=65001\nbgp_router_id=x\naddress_scopes=a,b\n")
	f.Add("[ovn]\novn_sb_connection = *x, {y\n")
	f.Fuzz(func(t *testing.T, text string) { read(t, Import("x.conf", text)) })
}
