package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every option is named in the answer; what is printed is a configuration that
// passes our own checks and says what the predecessor's said.
func TestImport(t *testing.T) {
	const source = "testdata/bgp-agent.conf"
	out, errs, exit := run(t, nil, "config", "import", source)
	if exit != exitDiffers {
		t.Errorf("exit %d, want %d", exit, exitDiffers)
	}
	golden(t, "testdata/import.golden", out+"-- stderr --\n"+errs)
	raw, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	options, _ := parseINI(string(raw))
	unused := predecessorOptions()
	delete(unused, "agent/root_helper_daemon") // the same as root_helper
	for _, o := range options {
		delete(unused, o.group+"/"+o.name)
	}
	for name := range unused {
		t.Errorf("the fixture does not have %s", name)
	}
	path := writeFile(t, out)
	if _, errs, exit := run(t, nil, "config", "check", "--config", path); exit != exitSame {
		t.Errorf("the result is not valid: %s", errs)
	}
	c := &cli{environment: environment{getenv: func(string) (string, bool) { return "", false }}, configPath: path}
	c.root()
	c.configPath = path
	cfg, err := c.loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.BGP.AS != 1<<16|10 || cfg.ReconcileInterval != 120 || !cfg.ExposeTenantNetworks || len(cfg.AddressScopes) != 2 ||
		cfg.AdvertisementMethodTenant != "subnet" || cfg.SBConnection != "ssl:192.0.2.1:6642,ssl:192.0.2.2:6642" ||
		!cfg.RequireSNATDisabled || cfg.NBConnection != "ssl:192.0.2.1:6641" || cfg.NBCACert != "/etc/ipa/ca.crt" || cfg.Log.Level != "debug" {
		t.Errorf("got %+v", cfg)
	}
}

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

func TestImportExit(t *testing.T) {
	tests := []struct{ name, conf, stderr, yaml string }{
		{"empty", "", "", "as: 64999"},
		{"clean", "[DEFAULT]\nbgp_AS=65001\nexposing_method=underlay\n", "", "as: 65001"},
		{"unknown", "[DEFAULT]\nfoo=1\n", "line 2: [DEFAULT] foo = 1: dropped: unknown option", "as: 64999"},
		{"not valid here", "[DEFAULT]\nadvertisement_method_tenant_networks=both\n", "left out: advertisement_method_tenant_networks", "as: 64999"},
		{"relative socket", "[DEFAULT]\novsdb_connection=unix:db.sock\n", "left out: database address", "as: 64999"},
		{"reference", "[DEFAULT]\nbgp_AS=$other\n", "refers to another option", "as: 64999"},
		{"northbound", "[DEFAULT]\nrequire_snat_disabled_for_tenant_networks=true\n", "", "require_snat_disabled_for_tenant_networks: true"},
		{"evpn", "[DEFAULT]\ndriver=ovn_evpn_driver\nevpn_nic=lo\n", "needs l2vpn-evpn", "osp_ovn_evpn_driver"},
		{"vrf", "[DEFAULT]\nexposing_method=vrf\n", "evpn.networks", "as: 64999"},
		{"stretched", "[DEFAULT]\ndriver=ovn_stretched_l2_bgp_driver\n", "no such driver", "as: 64999"},
		{"colon", "[ovn]\novn_sb_connection: tcp:192.0.2.1:6642\n", "", "ovn_sb_connection: tcp:192.0.2.1:6642"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, exit := run(t, nil, "config", "import", writeFile(t, tt.conf))
			want := exitSame
			if tt.stderr != "" {
				want = exitDiffers
			}
			if exit != want || !strings.Contains(errs, tt.stderr) || !strings.Contains(out, tt.yaml) || !strings.Contains(errs, "still to be set: bgp.peers") {
				t.Errorf("exit %d, want %d\n%s%s", exit, want, out, errs)
			}
			if _, errs, exit := run(t, nil, "config", "check", "--config", writeFile(t, out)); exit != exitSame {
				t.Errorf("not valid: %s", errs)
			}
		})
	}
	if _, _, exit := run(t, nil, "config", "import", filepath.Join(t.TempDir(), "none")); exit != exitError {
		t.Errorf("a missing file: exit %d", exit)
	}
}

func TestImportJSON(t *testing.T) {
	out, _, _ := run(t, nil, "config", "import", "testdata/bgp-agent.conf", "-o", "json")
	var got struct {
		Version int
		Options []struct{ Group, Name, Key, Remark string }
		ToSet   []string `json:"to_set"`
		YAML    string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || len(got.Options) < 35 || len(got.ToSet) != 1 || got.YAML == "" {
		t.Errorf("got %+v", got)
	}
}
