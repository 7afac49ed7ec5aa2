package frr_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/config/frr"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

// text is the answer as people see it: the configuration, then the remarks.
func text(r frr.Imported) string {
	return r.YAML + "---\n" + strings.Join(r.Remarks(), "\n") + "\n"
}

// valid checks that what was made passes our own checks, but for what is named.
func valid(t *testing.T, r frr.Imported) {
	t.Helper()
	_, problems := config.Read("imported.yaml", []byte(r.YAML))
	for _, p := range problems {
		if !strings.HasPrefix(p.Key, config.NotTranslated) {
			t.Errorf("the result is not valid: %v\n%s", p, r.YAML)
		}
	}
}

// TestImport translates files as the installer and Neutron's devstack plugin make them.
func TestImport(t *testing.T) {
	for _, name := range []string{"edpm", "devstack"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".conf"))
		if err != nil {
			t.Fatal(err)
		}
		if !frr.Looks(string(raw)) {
			t.Errorf("%s is not recognised", name)
		}
		r := frr.Import(name+".conf", string(raw))
		valid(t, r)
		got, path := text(r), filepath.Join("testdata", name+".golden")
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the password is printed", name)
		}
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
}

// TestUnnumbered: a neighbour on an interface is translated, or named as missing.
func TestUnnumbered(t *testing.T) {
	const conf = `router bgp 64999
 bgp router-id 192.0.2.10
 neighbor uplink peer-group
 neighbor uplink remote-as external
 neighbor uplink bfd profile fast
 neighbor br-bgp-0 interface peer-group uplink
 neighbor br-bgp-1 interface remote-as 65001
bfd
 profile fast
  detect-multiplier 10
  transmit-interval 500
`
	r := frr.Import("x", conf)
	valid(t, r)
	for line, dev := range map[int]string{6: "br-bgp-0", 7: "br-bgp-1"} {
		named := slices.ContainsFunc(r.Left, func(l frr.Left) bool { return l.Line == line && l.Refused })
		if !named && !strings.Contains(r.YAML, "interface: "+dev) {
			t.Errorf("%s is neither translated nor named:\n%s", dev, text(r))
		}
	}
}

// FuzzImport: no text panics, prints a password, or makes a configuration that is not
// valid.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"edpm", "devstack"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".conf"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	f.Add("router bgp 0\n neighbor x interface\n neighbor 1.2.3.4 remote-as 0\nip prefix-list a permit any ge 7\n")
	f.Add("router bgp 1\n neighbor 192.0.2.1 remote-as 2\n neighbor 192.0.2.1 timers 1 1\n bgp router-id 0.0.0.0\n")
	f.Fuzz(func(t *testing.T, conf string) {
		valid(t, frr.Import("x", conf))
	})
}
