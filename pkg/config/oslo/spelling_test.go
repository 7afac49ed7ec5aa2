package oslo

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// spellings are ways in which oslo.config takes an option, and what becomes of it.
var spellings = []struct {
	name, conf, key string
	want            any
	remark          string
}{
	{"a colon", "[DEFAULT]\nbgp_AS: 65001\n", "bgp.as", uint32(65001), ""},
	{"no blanks", "[DEFAULT]\nbgp_AS=65001", "bgp.as", uint32(65001), ""},
	{"blanks", "[DEFAULT]\nbgp_AS \t=\t 65001 \t\n", "bgp.as", uint32(65001), ""},
	{"carriage returns", "[DEFAULT]\r\nbgp_AS = 65001\r\n", "bgp.as", uint32(65001), ""},
	{"old Mac", "[DEFAULT]\rbgp_AS = 65001\r", "bgp.as", uint32(65001), ""},
	{"single quotes", "[DEFAULT]\nbgp_AS = '65001'\n", "bgp.as", uint32(65001), ""},
	{"double quotes", "[DEFAULT]\nbgp_AS = \"65001\"\n", "bgp.as", uint32(65001), ""},
	{"a comment behind a value is part of it", "[DEFAULT]\nbgp_AS = 65001 # ours\n", "", nil, "65001 # ours"},
	{"a colon in a value", "[ovn]\novn_sb_connection = tcp:192.0.2.1:1\n", "ovn_sb_connection", "tcp:192.0.2.1:1", ""},
	{
		"the sign that comes first", "[ovn]\novn_sb_connection:tcp:192.0.2.1:6642\n", "ovn_sb_connection",
		"tcp:192.0.2.1:6642", "",
	},
	{"a group in capitals", "[OVN]\novn_sb_connection = unix:/s\n", "ovn_sb_connection", "unix:/s", ""},
	{"a group in mixed case", "[Ovn]\novn_sb_connection = unix:/s\n", "ovn_sb_connection", "unix:/s", ""},
	{"the group of old", "[DEFAULT]\novn_sb_connection = unix:/s\n", "ovn_sb_connection", "unix:/s", ""},
	{"DEFAULT in lower case is another group", "[default]\nbgp_AS = 65001\n", "", nil, "is spelled [DEFAULT]"},
	{"blanks in a group are part of it", "[ ovn ]\novn_sb_connection = unix:/s\n", "", nil, "unknown option"},
	{"an option in another case", "[DEFAULT]\nBGP_AS = 65001\n", "", nil, "unknown option"},
	{
		"a continued list", "[DEFAULT]\naddress_scopes =\n  2237917c-7b12-489a-84de-4ef384a2bcae,\n" +
			"\t11111111-7b12-489a-84de-4ef384a2bcae,\n", "address_scopes",
		[]string{"2237917c-7b12-489a-84de-4ef384a2bcae", "11111111-7b12-489a-84de-4ef384a2bcae"},
		"",
	},
	{"a list with blanks", "[ovn]\novn_sb_connection = unix:/a , unix:/b,\n", "ovn_sb_connection", "unix:/a,unix:/b", ""},
	{"a number with a sign", "[DEFAULT]\nreconcile_interval = +300\n", "reconcile_interval", 300, ""},
	{"a number of Python", "[DEFAULT]\nreconcile_interval = 1_000\n", "reconcile_interval", 1000, ""},
	{
		"a reference", "[DEFAULT]\nevpn_local_ip = $bgp_router_id\nbgp_router_id = 192.0.2.7\n", "evpn_local_ip",
		"192.0.2.7", "",
	},
	{"a reference in braces", "[DEFAULT]\nevpn_nic = ${bgp_vrf}0\nbgp_vrf = lo\n", "evpn_nic", "lo0", ""},
	{"a reference to another group", "[DEFAULT]\nevpn_nic = ${Mine.x}\n[mine]\nx = lo\n", "evpn_nic", "lo", ""},
	{
		"a reference from a group to DEFAULT", "[ovn]\novn_sb_connection = tcp:$ip:6642\n[DEFAULT]\nip = 192.0.2.1\n",
		"ovn_sb_connection", "tcp:192.0.2.1:6642", "",
	},
	{"a reference to a reference", "[DEFAULT]\nevpn_nic = $a\na = $b\nb = lo\n", "evpn_nic", "lo", ""},
	{"a circle", "[DEFAULT]\nevpn_nic = $a\na = $evpn_nic\n", "", nil, "it refers to $"},
	{"a dollar", "[DEFAULT]\nevpn_nic = a$$b\n", "evpn_nic", "a$b", ""},
	{"a dollar of old", "[DEFAULT]\nevpn_nic = a\\$b\n", "evpn_nic", "a$b", ""},
}

// TestSpellings: whatever oslo.config accepts means the same here.
func TestSpellings(t *testing.T) {
	for _, tt := range spellings {
		t.Run(tt.name, func(t *testing.T) {
			res := Import("x.conf", tt.conf)
			if len(res.Options) == 0 {
				t.Fatal("there is no option")
			}
			got := res.Options[0]
			if got.Key != tt.key || !reflect.DeepEqual(got.Value, tt.want) || (got.Remark == "") != (tt.remark == "") ||
				!strings.Contains(got.Remark, tt.remark) || len(res.Problems) > 0 {
				t.Errorf("got %+v, problems %v", got, res.Problems)
			}
			read(t, res)
		})
	}
}

// TestBooleans: the words for yes and no, in every case.
func TestBooleans(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "True": true, "1": true, "on": true, "ON": true, "yes": true, "YES": true,
		"false": false, "False": false, "0": false, "off": false, "Off": false, "no": false, "NO": false,
	} {
		got := Import("x.conf", "[DEFAULT]\nexpose_tenant_networks = "+text+"\n").Options[0]
		if got.Key != "expose_tenant_networks" || got.Value != want || got.Remark != "" {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

// TestGroupOfOldLoses: an option that is in both of its groups counts in the new one,
// whatever the case of that and the order.
func TestGroupOfOldLoses(t *testing.T) {
	old, now := "[DEFAULT]\novn_sb_connection = unix:/old\n", "[OVN]\novn_sb_connection = unix:/new\n"
	for _, conf := range []string{old + now, now + old} {
		res := Import("x.conf", conf)
		s := read(t, res)
		if fmt.Sprint(s.Southbound.Remotes) != "[unix:/new]" ||
			!strings.Contains(strings.Join(res.Remarks(), "\n"), "it has no effect, line ") {
			t.Errorf("got %v\n%s", s.Southbound.Remotes, res.YAML)
		}
	}
}

// TestHarmless: the options of the libraries that every OpenStack service has are
// known, and none makes the result invalid.
func TestHarmless(t *testing.T) {
	all := libraryOptions()
	for name, why := range all {
		group, option, _ := strings.Cut(name, "/")
		res := Import("x.conf", fmt.Sprintf("[%s]\n%s = $nothing\n", group, option))
		if got := res.Options[0]; got.Refused || got.Key != "" || got.Remark != why {
			t.Errorf("%s: got %+v", name, got)
		}
		read(t, res)
	}
	if len(all) < 40 {
		t.Errorf("only %d are known", len(all))
	}
	for _, group := range []string{"privsep", "privsep_ovs_vsctl", "privsep_vtysh", "Privsep"} {
		res := Import("x.conf", "["+group+"]\nhelper_command = sudo x\n")
		if got := res.Options[0]; got.Refused || !strings.Contains(got.Remark, "starts no helper as root") {
			t.Errorf("[%s]: got %+v", group, got)
		}
	}
}

// TestRefused: what cannot be translated and would be missing makes the result invalid,
// and the problem names line and reason.
func TestRefused(t *testing.T) {
	for conf, reason := range map[string]string{
		"[DEFAULT]\ndriver = ovn_stretched_l2_bgp_driver\n":   "there is no such driver here",
		"[DEFAULT]\nexposing_method = dynamic\n":              "only underlay is supported",
		"[DEFAULT]\nexposing_method = ovn\n":                  "only underlay is supported",
		"[DEFAULT]\nexposing_method = vrf\n":                  "evpn.networks, with method: vrf",
		"[DEFAULT]\nexposing_method = l2vni\n":                "evpn.networks, with method: l2vni",
		"[DEFAULT]\nbgp_AS = many\n":                          "not an autonomous system number",
		"[DEFAULT]\nreconcile_interval = often\n":             "it is not a number",
		"[DEFAULT]\nexpose_tenant_networks = perhaps\n":       "it is neither true nor false",
		"[DEFAULT]\nbgp_AS = $other\n":                        "which this file does not have",
		"[DEFAULT]\novsdb_connection = db.sock\n":             "not the address of a database",
		"[DEFAULT]\nwhat is this\n":                           "neither an option nor a group",
		"[DEFAULT]\nbgp_AS = 65001\n# c\n  65002\n":           "it continues nothing",
		"[DEFAULT]\nbgp_router_id = 2001:db8::1\n":            "bgp.router_id",
		"[DEFAULT]\nadvertisement_method_tenant_networks=x\n": "use host or subnet",
	} {
		res := Import("x.conf", conf)
		remarks := strings.Join(res.Remarks(), "\n")
		if !strings.Contains(remarks, reason) || !strings.Contains(remarks, "line ") {
			t.Errorf("%q: remarks %s", conf, remarks)
		}
		if !strings.Contains(res.YAML, "not_translated:\n") {
			t.Errorf("%q: the result has no problem:\n%s", conf, res.YAML)
		}
		read(t, res)
	}
}
