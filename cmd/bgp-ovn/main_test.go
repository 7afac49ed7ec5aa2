package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	out, errs, exit := run(t, nil, "desired", "--snapshot", fixtures+"fip-centralized.json", "--chassis", "hv1", "-o",
		"json")
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
	for _, command := range [][]string{
		{"desired"},
		{"desired", "-o", "json"},
		{"plan"},
		{"plan", "-o", "json"},
		{"explain", "172.24.4.100"},
	} {
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
			Needs, Why      []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	last := got.Ops[len(got.Ops)-1]
	if last.Verb != "create" || last.Kind != "path" || last.Before != nil || last.After == nil || len(last.Needs) == 0 ||
		len(last.Why) == 0 {
		t.Errorf("the last step is %+v, want the create of a path with what it needs", last)
	}
}

// explain names the first reason on a line of its own and who would announce.
func TestExplain(t *testing.T) {
	tests := []struct{ name, file, chassis, addr, want string }{
		{"here", "provider-flat.json", "hv1", "172.24.4.11", "WOULD BE ADVERTISED"},
		{"elsewhere", "provider-flat.json", "hv1", "172.24.4.12", "first reason: "},
		{
			"elsewhere, who", "provider-flat.json", "hv1", "172.24.4.12",
			"announced by: 5e7d4441-1066-475b-aa85-bb7a87662730 (hv2.lab.example)",
		},
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

// Each problem of the configuration is a line of its own that says where it is.
func TestBadConfiguration(t *testing.T) {
	path := writeFile(t, "log: {level: loud}\nfuse: {share: 2}\nasn: 1\n")
	for _, command := range [][]string{{"config", "check"}, {"run"}, {"audit", "--repair"}, {"plan"}} {
		_, errs, exit := run(t, nil, append(command, "--config", path)...)
		lines := strings.Split(strings.TrimSpace(errs), "\n")
		if exit != exitError || len(lines) != 3 {
			t.Errorf("%v: exit %d, want three lines:\n%s", command, exit, errs)
		}
		for _, want := range []string{path + ":1: log.level", path + ":2: fuse.share", path + ":3: asn"} {
			if !strings.Contains(errs, want) {
				t.Errorf("%v: %q is not in\n%s", command, want, errs)
			}
		}
	}
	if out, errs, exit := run(t, nil, "config", "check", "--config", writeFile(t, "")); exit != exitSame ||
		out != "configuration is valid\n" {
		t.Errorf("exit %d, %q%q", exit, out, errs)
	}
}

// Arguments are checked before anything is asked or opened.
func TestBadArguments(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"status", "-o", "xml"}, `--output "xml": use text, json or yaml`},
		{[]string{"evpn", "banana"}, `evpn "banana": give a VNI, 1 to 16777215`},
		{
			[]string{"plan", "--snapshot", fixtures + "provider-flat.json", "--against", "moon"},
			`--against "moon": use model or actual`,
		},
		{[]string{"desired", "--driver", "frr", "--snapshot", fixtures + "provider-flat.json"}, `unknown driver "frr"`},
		{[]string{"explain"}, "give one address or name"},
		{[]string{"nonsense"}, `unknown command "nonsense"`},
		{[]string{"config", "import", "/nonexistent/x.conf"}, "/nonexistent/x.conf"},
		{[]string{"audit", "--repair"}, "start one with bgp-ovn run"},
	} {
		_, errs, exit := run(t, nil, tt.args...)
		if exit != exitError || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: exit %d, %q, want %q", tt.args, exit, errs, tt.want)
		}
	}
}

func TestVersion(t *testing.T) {
	out, _, exit := run(t, nil, "version")
	if exit != exitSame || !strings.HasPrefix(out, "bgp-ovn ") {
		t.Errorf("exit %d, %q", exit, out)
	}
	var got map[string]string
	if out, _, _ := run(t, nil, "version", "-o", "json"); json.Unmarshal([]byte(out), &got) != nil ||
		got["version"] == "" {
		t.Errorf("got %q", out)
	}
}

// The reference that the program prints is the one in docs.
func TestReference(t *testing.T) {
	want, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if out, _, exit := run(t, nil, "config", "reference"); exit != exitSame || out != string(want) {
		t.Error("docs/configuration.md is not what bgp-ovn config reference prints")
	}
}
