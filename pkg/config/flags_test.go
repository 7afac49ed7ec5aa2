package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every key is a flag; the help shows few of them, with their defaults.
func TestFlags(t *testing.T) {
	fs := Flags()
	s := Defaults()
	for _, k := range table(&s) {
		f := fs.Lookup(k.Flag())
		if f == nil || f.Usage == "" || f.Value.Type() == "" {
			t.Errorf("%s has no flag with a meaning and a type", k.Name)
		}
	}
	var shown []string
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			shown = append(shown, f.Name)
		}
	})
	if !slices.Equal(shown, []string{"chassis", "drivers", "log-level", "socket", "state"}) {
		t.Errorf("shown are %v", shown)
	}
	help := fs.FlagUsages()
	for _, want := range []string{
		`--chassis string     system-id of this node (default: external_ids:system-id of Open_vSwitch)`,
		`--drivers strings    drivers to run (default [osp_ovn_bgp_driver])`,
		`--socket string      control socket (default "/run/bgp-ovn/control.sock")`,
	} {
		if !strings.Contains(help, want) {
			t.Errorf("the help is\n%s", help)
		}
	}
}

// A shell offers the words that a value can be.
func TestValues(t *testing.T) {
	for flag, want := range map[string]string{
		"drivers":   "osp_ovn_bgp_driver osp_ovn_evpn_driver ovn_native_driver k8s_ovn_bgp_driver",
		"log-level": "debug info warn error", "log-format": "text json", "bgp-origin": "igp egp incomplete",
		"advertisement-method-tenant-networks": "host subnet", "chassis": "", "none": "",
	} {
		if got := strings.Join(Values(flag), " "); got != want {
			t.Errorf("%s: %s", flag, got)
		}
	}
}

// A flag of the same name that another package declared counts by its text.
func TestForeignFlag(t *testing.T) {
	fs := pflag.NewFlagSet("other", pflag.ContinueOnError)
	fs.String("socket", "/default", "")
	if err := fs.Parse([]string{"--socket=/tmp/y.sock"}); err != nil {
		t.Fatal(err)
	}
	if s, problems := Load(Source{Path: writeFile(t, ""), Flags: fs}); len(problems) > 0 || s.Socket != "/tmp/y.sock" {
		t.Errorf("%s, %v", s.Socket, problems)
	}
}
