package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// source is a file with some variables and flags.
func source(t *testing.T, list drivers.List, file string, env map[string]string, args ...string) Source {
	t.Helper()
	fs := flags(list)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Source{
		Path: writeFile(t, file), Flags: fs,
		Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}

// loaded are settings that must be valid.
func loaded(t *testing.T, file string, env map[string]string, args ...string) Settings {
	t.Helper()
	s, problems := Load(source(t, drivers.All(), file, env, args...))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// written is how each key is written in a file, and as a flag or variable.
var written = map[string]struct{ file, flag string }{
	"chassis": {"cmp-07", "cmp-07"},
	"drivers": {
		"[ovn_evpn_driver, osp_ovn_bgp_driver]", "osp_ovn_evpn_driver,ovn_bgp_driver",
	},
	"state":                    {"/tmp/state.db", "/tmp/state.db"},
	"socket":                   {"/tmp/control.sock", "/tmp/control.sock"},
	"socket_group":             {"adm", "adm"},
	"read_socket":              {"/tmp/read.sock", "/tmp/read.sock"},
	"read_socket_group":        {"adm", "adm"},
	"log.level":                {"WARN", "warn"},
	"log.format":               {"json", "json"},
	"reconcile_interval":       {"0", "0"},
	"startup_grace":            {"1m30s", "90s"},
	"sysctls.manage":           {"off", "false"},
	"fuse.share":               {".25", "0.25"},
	"fuse.least":               {"20", "20"},
	"fuse.hold":                {"2m", "120s"},
	"unbound_hold":             {"20s", "20s"},
	"drain.wait":               {"1m", "60s"},
	"changes":                  {"reviewed", "reviewed"},
	"drain.prepend":            {"0", "0x0"},
	"history.steps":            {"500", "500"},
	"history.age":              {"48h", "48h"},
	"metrics.listen":           {"127.0.0.1:9100", "127.0.0.1:9100"},
	"web.listen":               {"unix:/run/x/web.sock", "unix:/run/x/web.sock"},
	"web.certificate":          {"/etc/c.pem", "/etc/c.pem"},
	"web.private_key":          {"/etc/k.pem", "/etc/k.pem"},
	"web.token_file":           {"/etc/t", "/etc/t"},
	"ovsdb_connection":         {"tcp:127.0.0.1:6640", "tcp:127.0.0.1:6640"},
	"ovsdb_connection_timeout": {"20", "0x14"},
	"ovs_rundir":               {"/run/ovs", "/run/ovs"},
	"ovn_sb_connection": {
		`"ssl:192.0.2.1:6642, ssl:192.0.2.2:6642"`, "ssl:192.0.2.1:6642,ssl:192.0.2.2:6642",
	},
	"ovn_sb_private_key":                 {"/k", "/k"},
	"ovn_sb_certificate":                 {"/c", "/c"},
	"ovn_sb_ca_cert":                     {"/a", "/a"},
	"ovn_sb_probe_interval":              {"5", "5"},
	"ovn_sb_server_name":                 {"sb.example.org, 192.0.2.1", "sb.example.org,192.0.2.1"},
	"ovn_sb_size_limit":                  {"512", "512"},
	"ovn_sb_scope":                       {"local", "local"},
	"ovn_nb_server_name":                 {"nb.example.org", "nb.example.org"},
	"ovn_nb_connection":                  {"unix:/run/nb.sock", "unix:/run/nb.sock"},
	"ovn_nb_private_key":                 {"/k", "/k"},
	"ovn_nb_certificate":                 {"/c", "/c"},
	"ovn_nb_ca_cert":                     {"/a", "/a"},
	"bgp.as":                             {"65000.1", "4259840001"},
	"bgp.router_id":                      {"192.0.2.9", "192.0.2.9"},
	"bgp.speaker":                        {"unix:/run/s.sock", "unix:/run/s.sock"},
	"bgp.listen.address":                 {"2001:db8::9", "2001:DB8:0::9"},
	"bgp.listen.port":                    {"-1", "-1"},
	"bgp.graceful_restart.restart_time":  {"1_000", "1000"},
	"bgp.graceful_restart.deferral_time": {"7", "7"},
	"bgp.prefix_limit_restart":           {"600", "600"},
	"bgp.peers": {
		`[{address: 192.0.2.1, as: 65000, families: [ipv4-unicast, l2vpn-evpn], password: "a,b", passive: yes}]`,
		`address=192.0.2.1,as=65000,families=l2vpn-evpn+ipv4-unicast,"password=a,b",passive`,
	},
	"bgp.origin": {"igp", "igp"},
	"bgp.attributes": {
		"{fip: {communities: [65000:100, no-export], med: 20}}", "class=fip,communities=65000:100+65535:65281,med=20",
	},
	"bgp.export.allow": {
		"[203.0.113.0/24 le 32, 198.51.100.0/24]", "203.0.113.0/24 le 32,198.51.100.0/24",
	},
	"bgp.export.deny": {"[2001:db8::/32 le 128]", "2001:db8::/32 le 128"},
	"learn.accept":    {"[]", ""},
	"bgp.bmp": {
		`[{address: 192.0.2.50, port: 5000, policy: local-rib, statistics: 60}]`,
		"address=192.0.2.50,port=5000,policy=local-rib,statistics=60",
	},
	"bgp.verify.points": {
		`[{address: 192.0.2.60, as: 65100, port: 1790, local_address: 192.0.2.7, local_as: 65001, bmp_port: 11019, ` +
			`covering: yes, ignore: [med, communities]}]`,
		"address=192.0.2.60,as=65100,port=1790,local_address=192.0.2.7,local_as=65001,bmp_port=11019,covering," +
			"ignore=med+communities",
	},
	"bgp.withdraw_unreachable":             {"yes", "true"},
	"bgp.withdraw_hold":                    {"60s", "60s"},
	"bgp.damping.suppress":                 {"6000", "6000"},
	"bgp.damping.reuse":                    {"800", "800"},
	"bgp.damping.half_life":                {"10m", "10m"},
	"bgp.damping.max_suppress":             {"50m", "50m"},
	"bgp.verify.hold":                      {"60", "60"},
	"bgp.verify.router_id":                 {"192.0.2.77", "192.0.2.77"},
	"learn.source4":                        {"192.0.2.7", "192.0.2.7"},
	"learn.source6":                        {"2001:db8::7", "2001:db8::7"},
	"learn.metric":                         {"7", "7"},
	"learn.max":                            {"7", "7"},
	"advertise_loopback":                   {"true", "1"},
	"protect":                              {"[10.9.0.0/16, 2001:db8:9::/48]", "10.9.0.0/16,2001:db8:9::/48"},
	"originate":                            {"[192.0.2.0/24, 2001:db8::/48]", "192.0.2.0/24,2001:db8::/48"},
	"routing.table_range":                  {"300-400", "300 - 400"},
	"routing.rule_priority":                {"31000", "31000"},
	"routing.route_protocol":               {"97", "97"},
	"routing.rule_protocol":                {"96", "96"},
	"routing.tables_files":                 {"[/etc/a, /etc/b]", "/etc/a,/etc/b"},
	"flows.manage":                         {"no", "false"},
	"flows.cookie":                         {"0x3e8", "1000"},
	"flows.priority":                       {"901", "901"},
	"expose_tenant_networks":               {"true", "true"},
	"expose_ipv6_gua_tenant_networks":      {"true", "true"},
	"advertisement_method_tenant_networks": {"subnet", "subnet"},
	"address_scopes": {
		"[2237917c-7b12-489a-84de-4ef384a2bcae]", "2237917c-7b12-489a-84de-4ef384a2bcae",
	},
	"proxy_ndp_plain_ports": {"false", "false"},
	"proxy_ndp_addresses": {
		"[physnet1=2001:db8:4::1, 'physnet1:101=2001:db8:5::1']", "physnet1=2001:db8:4::1,physnet1:101=2001:db8:5::1",
	},
	"require_snat_disabled_for_tenant_networks": {"true", "true"},
	"expose_port_forwardings":                   {"true", "true"},
	"expose_gateway_routers":                    {"true", "true"},
	"provider_unknown_mac_from_cidrs":           {"true", "true"},
	"exposing_method":                           {"underlay", "underlay"},
	"evpn_local_ip":                             {"192.0.2.11", "192.0.2.11"},
	"evpn_nic":                                  {"lo", "lo"},
	"evpn_udp_dstport":                          {"4790", "4790"},
	"delete_vrf_on_disconnect":                  {"false", "false"},
	"evpn.table_offset":                         {"10000", "10000"},
	"kube.load_balancer_class":                  {`["", bgp-ovn.io/bgp]`, `"",bgp-ovn.io/bgp`},
	"kube.advertise":                            {"[egressip, podsubnet]", "egressip,podsubnet"},
	"kube.policies": {
		`[{namespaces: [a, b], selector: {matchLabels: {app: web}, matchExpressions: [{key: old, operator: DoesNotExist}]}, ` +
			`communities: ["65000:1"], med: 5, aggregate4: 24}]`,
		`namespaces=a+b,"selector=app=web,!old",communities=65000:1,med=5,aggregate4=24`,
	},
	"kube.kubeconfig": {"/etc/kubeconfig", "/etc/kubeconfig"},
	"kube.node_name":  {"worker-a", "worker-a"},
	"kube.on_cordon":  {"keep", "keep"},
	"kube.drain_time": {"10s", "10s"},
	"evpn.vnis": {
		`[{vni: 1001, rd: "192.0.2.11:01001", import: ["*:01001", "65000:5"], export: ["64999:1001"]}]`,
		"vni=1001,rd=192.0.2.11:1001,import=*:1001+65000:5,export=64999:1001",
	},
	"evpn.networks": {
		`[{network: physnet1, vlan: 100, method: vrf, vni: 2001, gateways: [172.24.8.1, "2001:db8:8::1"]}]`,
		"network=physnet1,vlan=100,method=vrf,vni=2001,gateways=172.24.8.1+2001:db8:8::1",
	},
	"native.routers":          {"[lr0, gw1]", "lr0,gw1"},
	"native.nexthop":          {"[lrp, gw1=192.0.2.9]", "lrp,gw1=192.0.2.9"},
	"native.export_metric":    {"local-pref", "local-pref"},
	"native.subnets":          {"false", "false"},
	"native.require_kernel":   {"true", "true"},
	"native.learn_accept":     {"[10.0.0.0/8 le 24]", "10.0.0.0/8 le 24"},
	"native.learn_map":        {"{eth1: lr0, eth2: gw1}", "eth1=lr0,eth2=gw1"},
	"native.vrf_mode":         {"never", "never"},
	"native.learned_protocol": {"187", "187"},
	"native.learned_metric":   {"30", "30"},
	"native.targets": {
		`[{router: lr0, vni: 1007, rd: "192.0.2.11:7", rt: ["64999:7"], router_mac: "02:00:00:00:00:07", unicast: true}]`,
		"router=lr0,vni=1007,rd=192.0.2.11:7,rt=64999:7,router_mac=02:00:00:00:00:07,unicast",
	},
	"native.evpn_rt": {`{"10": "64999:1+64999:2"}`, "10=64999:1+64999:2"},
}

// Every key gives the same settings from a file, a variable and a flag, and other
// ones than the default; only exposing_method has but one value.
func TestEveryKey(t *testing.T) {
	base := Defaults()
	all := table(&base)
	for name := range written {
		if !slices.ContainsFunc(all, func(k key.Key) bool { return k.Name == name }) {
			t.Errorf("there is no key %s", name)
		}
	}
	for i, k := range all {
		w, ok := written[k.Name]
		if !ok {
			t.Errorf("%s is not tried", k.Name)
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			extra := ""
			if k.Name == "evpn.networks" {
				extra = "drivers: [osp_ovn_evpn_driver]\n"
			}
			file := loaded(t, extra+document(k.Name, w.file), nil)
			variable := loaded(t, extra, map[string]string{k.Variable(): w.flag})
			flag := loaded(t, extra, nil, "--"+k.Flag()+"="+w.flag)
			if table(&file)[i].Equal(k) && k.Name != "exposing_method" {
				t.Errorf("%s holds the default", w.file)
			}
			if changed, _ := Changes(file, variable); len(changed) > 0 {
				t.Errorf("file and variable differ in %v", changed)
			}
			if changed, _ := Changes(file, flag); len(changed) > 0 {
				t.Errorf("file and flag differ in %v", changed)
			}
			changed, restart := Changes(base, file)
			if extra == "" && k.Name != "exposing_method" && !slices.Equal(changed, []string{k.Name}) {
				t.Errorf("%s changes %v", k.Name, changed)
			}
			if k.Live && k.Name != "drivers" && k.Name != "bgp.peers" && extra == "" && len(restart) > 0 {
				t.Errorf("%s needs a restart: %v", k.Name, restart)
			}
		})
	}
}

// document writes a key with its groups.
func document(name, value string) string {
	parts := strings.Split(name, ".")
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(strings.Repeat("  ", i) + part + ":")
		if i < len(parts)-1 {
			b.WriteString("\n")
		}
	}
	return b.String() + " " + value + "\n"
}

// What a key prints as its default reads back as the same value, so that the
// reference and the help of flags tell the truth.
func TestDefaultsReadBack(t *testing.T) {
	base := Defaults()
	for _, k := range table(&base) {
		text := k.Text()
		if len(k.Fields) > 0 || k.Name == "bgp.router_id" {
			continue
		}
		text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
		again := loaded(t, "", nil, "--"+k.Flag()+"="+text)
		if changed, _ := Changes(base, again); len(changed) > 0 {
			t.Errorf("%s: %q changes %v", k.Name, text, changed)
		}
	}
}

// Flags win over variables, variables over the file, the file over defaults.
func TestPrecedence(t *testing.T) {
	const file = "bgp: {as: 1, peers: [{address: 192.0.2.1, as: 5}]}\n" +
		"address_scopes: [2237917c-7b12-489a-84de-4ef384a2bcae]\n"
	if s := loaded(t, file, nil); s.BGP.AS != 1 || len(s.BGP.Peers) != 1 || s.BGP.ListenPort != 179 ||
		len(s.Shared.AddressScopes) != 1 {
		t.Errorf("file: %+v", s.BGP)
	}
	env := map[string]string{"BGP_OVN_BGP_AS": "2", "BGP_OVN_ADDRESS_SCOPES": ""}
	if s := loaded(t, file, env); s.BGP.AS != 2 || len(s.Shared.AddressScopes) != 0 {
		t.Errorf("variable: AS %d, scopes %v", s.BGP.AS, s.Shared.AddressScopes)
	}
	s := loaded(
		t,
		file,
		env,
		"--bgp-as",
		"3",
		"--bgp-peers",
		"address=2001:db8::1,as=7,families=ipv6-unicast,password=a:b,passive",
	)
	if s.BGP.AS != 3 || len(s.BGP.Peers) != 1 || s.BGP.Peers[0].AS != 7 || s.BGP.Peers[0].Password != "a:b" ||
		!s.BGP.Peers[0].Passive {
		t.Errorf("flag: %+v", s.BGP)
	}
}

// A flag that may be repeated adds up; another one counts as given last.
func TestRepeatedFlags(t *testing.T) {
	s := loaded(
		t,
		"",
		nil,
		"--originate=192.0.2.0/24",
		"--originate=198.51.100.0/24,203.0.113.0/24",
		"--bgp-as=1",
		"--bgp-as=2",
		"--bgp-peers=address=192.0.2.1,as=1",
		"--bgp-peers=address=192.0.2.2,as=2",
		"--advertise-loopback",
	)
	if len(s.Fabric.Originate) != 3 || s.BGP.AS != 2 || len(s.BGP.Peers) != 2 || !s.Fabric.Loopback {
		t.Errorf("%v, AS %d, %d peers, loopback %v", s.Fabric.Originate, s.BGP.AS, len(s.BGP.Peers), s.Fabric.Loopback)
	}
}

// A missing file is a problem only if it was named; a broken one leaves what flags
// and variables say.
func TestUnreadableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	if _, problems := Load(Source{Path: path}); len(problems) != 1 || problems[0].File != path ||
		!strings.Contains(problems[0].Text, "no such file") {
		t.Errorf("got %v", problems)
	}
	src := source(t, drivers.All(), "bgp: [\n", map[string]string{"BGP_OVN_SOCKET": "/tmp/x.sock"})
	s, problems := Load(src)
	if len(problems) != 1 || problems[0].Line == 0 || s.Socket != "/tmp/x.sock" ||
		!reflect.DeepEqual(s.Drivers, []string{"osp_ovn_bgp_driver"}) {
		t.Errorf("got %v, socket %s", problems, s.Socket)
	}
}

// The default file may be missing: nothing is wrong with a node without one.
func TestNothingAtAll(t *testing.T) {
	s, problems := Read("", nil)
	if len(problems) > 0 {
		t.Error(problems)
	}
	if changed, restart := Changes(s, Defaults()); len(changed)+len(restart) != 0 || changed == nil || restart == nil {
		t.Errorf("changed %v, restart %v", changed, restart)
	}
}

// TestNotTranslated: a configuration in which config import has left something to be
// settled is refused, each element with its line and text.
func TestNotTranslated(t *testing.T) {
	for text, want := range map[string]string{
		"not_translated:\n  - 'line 3: x: no'\n  - 'line 4: y: no'\nbgp: {as: 65001}\n": "f.yaml:2: not_translated[0]: " +
			"line 3: x: no: settle it by hand, then remove this element; f.yaml:3: not_translated[1]: line 4: y: no: " +
			"settle it by hand, then remove this element",
		"not_translated: all of it\n": "f.yaml:1: not_translated: all of it: settle it by hand, then remove this key",
		"not_translated:\n":           "",
		"not_translated: []\n":        "",
	} {
		_, problems := Read("f.yaml", []byte(text))
		got := ""
		if err := problems.Err(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
