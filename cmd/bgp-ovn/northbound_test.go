package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is exposed and explained of a tenant subnet depends on the NAT rows that a
// snapshot file has, and only where the option is on.
func TestSNATOfASnapshotFile(t *testing.T) {
	const translated, plain = fixtures + "ovn-lb-tenant-fip.json", fixtures + "tenant-expose.json"
	const option = "--require-snat-disabled-for-tenant-networks"
	raw, err := os.ReadFile(translated)
	if err != nil {
		t.Fatal(err)
	}
	without := filepath.Join(t.TempDir(), "without-nb.json")
	if err := os.WriteFile(without, bytes.Replace(raw, []byte("\n\"nb\": {"), []byte("\n\"other\": {"), 1),
		0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file, chassis, addr string
		args                      []string
		want                      []string
		path                      bool
	}{
		{"translated", translated, "hv1", "10.40.0.11", []string{option}, []string{
			"BLOCKED snat-enabled", "translates source addresses of 10.40.0.0/24 to 172.24.4.130", "--disable-snat",
		}, false},
		{"the option is off", translated, "hv1", "10.40.0.11", nil, []string{"WOULD BE ADVERTISED"}, true},
		{
			"not translated", plain, "hv2", "10.20.0.11",
			[]string{option},
			[]string{"router r2 does not translate", "WOULD BE ADVERTISED"},
			true,
		},
		{
			"unknown", without, "hv1", "10.40.0.11",
			[]string{option},
			[]string{"BLOCKED snat-unknown", "the Northbound database was not read"},
			false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"--expose-tenant-networks", "--snapshot", tt.file, "--chassis", tt.chassis}, tt.args...)
			out, errs, _ := run(t, nil, append([]string{"explain", tt.addr}, args...)...)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("got\n%s%swant %q in it", out, errs, want)
				}
			}
			out, errs, _ = run(t, nil, append([]string{"plan"}, args...)...)
			if got := strings.Contains(out, "+ path    ipv4-unicast "+tt.addr+"/32"); got != tt.path || errs != "" {
				t.Errorf("a path: %t, want %t\n%s%s", got, tt.path, out, errs)
			}
		})
	}
}

// config check says what of the Northbound database it cannot know, and what has
// no effect.
func TestNorthboundNotes(t *testing.T) {
	const option = "require_snat_disabled_for_tenant_networks: true\nexpose_tenant_networks: true\n"
	for _, tt := range []struct{ name, file, want string }{
		{"nothing", "", ""},
		{"complete", option + "ovn_nb_connection: tcp:192.0.2.1:6641\n", ""},
		{
			"left to Open_vSwitch", option,
			"ovn_nb_connection is not set: the controller starts only if external_ids:ovn-nb-remote",
		},
		{
			"no tenants", "require_snat_disabled_for_tenant_networks: true\novn_nb_connection: tcp:192.0.2.1:6641\n",
			"has no effect: no tenant network is exposed",
		},
		{"not used", "ovn_nb_connection: tcp:192.0.2.1:6641\n", "ovn_nb_connection has no effect"},
	} {
		out, errs, exit := run(t, nil, "config", "check", "--config", writeFile(t, tt.file))
		if exit != exitSame || !strings.HasPrefix(out, "configuration is valid\n") || errs != "" {
			t.Errorf("%s: exit %d, %q, %q", tt.name, exit, out, errs)
		}
		if !strings.Contains(out, tt.want) || tt.want == "" && strings.Contains(out, "note:") {
			t.Errorf("%s: got %q, want %q", tt.name, out, tt.want)
		}
	}
	_, errs, exit := run(t, nil, "config", "check", "--ovn-nb-connection", "unix:nb.sock")
	if exit != exitError || !strings.Contains(errs,
		`"unix:nb.sock" is not the address of a database: use unix:/absolute/path`) {
		t.Errorf("exit %d, %q", exit, errs)
	}
}
