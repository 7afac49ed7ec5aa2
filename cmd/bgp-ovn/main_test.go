package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

const fixtures = "../../pkg/observe/file/testdata/"

// run runs one command in this process with a clean environment.
func run(t *testing.T, env map[string]string, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	var out, errs bytes.Buffer
	exit = Main(t.Context(), environment{
		args: append(args, "--socket", filepath.Join(t.TempDir(), "none.sock")), stdout: &out, stderr: &errs,
		getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	return out.String(), errs.String(), exit
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The form of `desired -o json` is a contract: others script against it.
func TestDesiredJSONContract(t *testing.T) {
	out, errs, exit := run(t, nil, "desired", "--snapshot", fixtures+"fip-centralized.json", "--chassis", "hv1", "-o", "json")
	if exit != exitSame {
		t.Fatalf("exit %d: %s", exit, errs)
	}
	var got struct {
		Version int
		Chassis string
		Objects []map[string]any
		Skipped []any
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || got.Chassis == "" || got.Skipped == nil {
		t.Errorf("got version %d, chassis %q, skipped %v", got.Version, got.Chassis, got.Skipped)
	}
	fields := map[string][]string{
		"path": {"family", "prefix", "next_hop"}, "route": {"table", "dst", "dev", "via"},
		"rule": {"priority", "table"}, "flow": {"bridge", "match", "actions", "priority", "cookie"},
	}
	seen := map[string]bool{}
	for _, o := range got.Objects {
		kind, _ := o["kind"].(string)
		seen[kind] = true
		for _, f := range append([]string{"kind", "key", "why"}, fields[kind]...) {
			if _, ok := o[f]; !ok {
				t.Errorf("a %s lacks %s: %v", kind, f, o)
			}
		}
	}
	for kind := range fields {
		if !seen[kind] {
			t.Errorf("no %s in the answer", kind)
		}
	}
}

// The same input gives the same bytes, in every command that computes.
func TestSameBytes(t *testing.T) {
	for _, command := range [][]string{{"desired"}, {"desired", "-o", "json"}, {"plan"}, {"plan", "-o", "json"}, {"explain", "172.24.4.100"}} {
		args := append(command, "--snapshot", fixtures+"gateway-failover-before.json", "--chassis", "hv1")
		first, _, _ := run(t, nil, args...)
		if first == "" {
			t.Fatalf("%v printed nothing", command)
		}
		for range 5 {
			if again, _, _ := run(t, nil, args...); again != first {
				t.Fatalf("%v: two answers differ:\n%s\n%s", command, first, again)
			}
		}
	}
}

func TestPlanJSON(t *testing.T) {
	out, errs, exit := run(t, nil, "plan", "--snapshot", fixtures+"provider-flat.json", "--chassis", "hv3", "-o", "json")
	if exit != exitDiffers {
		t.Fatalf("exit %d, want %d: %s", exit, exitDiffers, errs)
	}
	var got struct {
		Ops []struct {
			Verb, Kind, Key string
			Before, After   any
			Needs, Why      []string
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	last := got.Ops[len(got.Ops)-1]
	if last.Verb != "create" || last.Kind != "path" || last.Before != nil || last.After == nil || len(last.Needs) == 0 || len(last.Why) == 0 {
		t.Errorf("the last step is %+v, want the create of a path with what it needs", last)
	}
}

// explain names the first reason on a line of its own and who would announce.
func TestExplain(t *testing.T) {
	tests := []struct{ name, file, chassis, addr, want string }{
		{"here", "provider-flat.json", "hv1", "172.24.4.11", "WOULD BE ADVERTISED"},
		{"elsewhere", "provider-flat.json", "hv1", "172.24.4.12", "first reason: "},
		{"elsewhere, who", "provider-flat.json", "hv1", "172.24.4.12", "announced by: 5e7d4441-1066-475b-aa85-bb7a87662730 (hv2.lab.example)"},
		{"nobody's", "provider-flat.json", "hv1", "198.51.100.1", "(no-row)"},
		{"not mapped", "multi-provider.json", "hv3", "172.25.201.187", "(not-owner)"},
		{"tenant", "tenant-expose.json", "hv2", "10.20.0.11", "(tenant-not-exposed)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, _ := run(t, nil, "explain", tt.addr, "--snapshot", fixtures+tt.file, "--chassis", tt.chassis)
			if !strings.Contains(out, tt.want) {
				t.Errorf("got\n%s%swant %q in it", out, errs, tt.want)
			}
		})
	}
}

// Bad input gets a message that says what, where and what to do.
func TestBadInput(t *testing.T) {
	tests := []struct {
		name string
		file string
		args []string
		want string
	}{
		{"unknown key", "bgp:\n  as: 1\n  asn: 2\n", nil, "line 3: field asn is not a key here"},
		{"wrong type", "reconcile_interval: often\n", nil, "line 1: cannot unmarshal !!str `often` into int"},
		{"bad peer", "bgp: {peers: [{address: tor-a, as: 65000}]}\n", nil, `bgp.peers[0].address: "tor-a" is not an IP address`},
		{"peer twice", "bgp: {peers: [{address: 192.0.2.1, as: 1}, {address: 192.0.2.1, as: 2}]}\n", nil, "bgp.peers[1]: address 192.0.2.1 stands twice"},
		{"gtsm and multihop", "bgp: {peers: [{address: 192.0.2.1, as: 1, multihop: 2, ttl_security: true}]}\n", nil, "exclude each other"},
		{"relative socket", "ovsdb_connection: unix:db.sock\n", nil, "unix:/absolute/path"},
		{"two problems at once", "log: {level: loud}\nfuse: {share: 2}\n", nil, "fuse.share"},
		{"driver", "", []string{"--drivers", "frr"}, `unknown driver "frr": use one of osp_ovn_bgp_driver`},
		{"range", "routing: {table_range: 200}\n", nil, "LOW-HIGH"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, exit := run(t, nil, append([]string{"config", "check", "--config", writeFile(t, tt.file)}, tt.args...)...)
			if exit != exitError || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, %q%q, want %q", exit, out, errs, tt.want)
			}
		})
	}
}

// Flags win over variables, variables over the file, the file over defaults.
func TestPrecedence(t *testing.T) {
	path := writeFile(t, "bgp: {as: 1, peers: [{address: 192.0.2.1, as: 5}]}\naddress_scopes: [2237917c-7b12-489a-84de-4ef384a2bcae]\n")
	load := func(env map[string]string, args ...string) *Config {
		t.Helper()
		c := &cli{environment: environment{getenv: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}}
		root := c.root()
		if err := root.ParseFlags(append(args, "--config", path)); err != nil {
			t.Fatal(err)
		}
		cfg, err := c.loadConfig()
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	if cfg := load(nil); cfg.BGP.AS != 1 || len(cfg.BGP.Peers) != 1 || cfg.BGP.Listen.Port != 179 {
		t.Errorf("file: %+v", cfg.BGP)
	}
	env := map[string]string{"BGP_OVN_BGP_AS": "2", "BGP_OVN_ADDRESS_SCOPES": ""}
	if cfg := load(env); cfg.BGP.AS != 2 {
		t.Errorf("variable: AS %d", cfg.BGP.AS)
	}
	cfg := load(env, "--bgp-as", "3", "--bgp-peers", "address=2001:db8::1,as=7,families=ipv6-unicast,password=a:b,passive")
	if cfg.BGP.AS != 3 || len(cfg.BGP.Peers) != 1 || cfg.BGP.Peers[0].AS != 7 || cfg.BGP.Peers[0].Password != "a:b" || !cfg.BGP.Peers[0].Passive {
		t.Errorf("flag: %+v", cfg.BGP)
	}
}

// A password is never printed, by no command.
func TestPasswordIsNotPrinted(t *testing.T) {
	for _, command := range []string{"desired", "plan"} {
		for _, form := range []string{"text", "json"} {
			out, errs, _ := run(t, nil, command, "--snapshot", fixtures+"provider-flat.json", "--chassis", "hv1", "-o", form,
				"--bgp-peers", "address=192.0.2.1,as=65000,password=s3cret")
			if !strings.Contains(out, "192.0.2.1") || strings.Contains(out+errs, "s3cret") {
				t.Errorf("%s %s:\n%s%s", command, form, out, errs)
			}
		}
	}
}

func TestSnapshotFileErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"missing":    {[]string{"--snapshot", "/nonexistent/x.json"}, "/nonexistent/x.json"},
		"no chassis": {[]string{"--snapshot", fixtures + "provider-flat.json"}, "set --chassis to one of [hv1"},
		"unknown":    {[]string{"--snapshot", fixtures + "provider-flat.json", "--chassis", "hv9"}, "hv1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, exit := run(t, nil, append([]string{"plan"}, tt.args...)...)
			if exit != exitError || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, %q, want %q", exit, errs, tt.want)
			}
		})
	}
}

func TestStatusWithoutController(t *testing.T) {
	_, errs, exit := run(t, nil, "status")
	if exit != exitError || !strings.Contains(errs, "no controller is running") {
		t.Errorf("exit %d, %q", exit, errs)
	}
}
