package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// TestDrainComputeHost runs the script that drains a compute node, with programs in place of
// openstack and bgp-ovn that note what they are asked for: the order, and what becomes of a server
// that cannot be migrated, of a refused login and of a drain that takes too long.
func TestDrainComputeHost(t *testing.T) {
	script := harness.Must(filepath.Abs("nova/drain-compute-host"))(t)
	const (
		disable = "openstack compute service set --disable --disable-reason drained by bgp-ovn cmp-7 nova-compute"
		list    = "openstack server list --all-projects --host cmp-7 -f value -c ID"
		migrate = "openstack server migrate --live-migration --wait "
	)
	for _, tt := range []struct {
		name, args, fails string // fails is a part of the call that fails
		exit              int
		did               []string
		says              string
	}{
		{"all moves", "--host cmp-7", "", 0, []string{
			disable, "bgp-ovn drain", list, migrate + "aaa", migrate + "bbb", "bgp-ovn drain --wait=15m",
		}, "cmp-7 is safe to stop"},
		{"one does not move", "--host cmp-7", "aaa", 1, []string{
			disable, "bgp-ovn drain", list, migrate + "aaa", migrate + "bbb",
		}, "still on cmp-7, and are announced from here as a last resort: aaa\n"},
		{"no login", "--host cmp-7", "--disable", 1, []string{disable}, ""},
		{"no controller", "--host cmp-7", "bgp-ovn drain", 1, []string{disable, "bgp-ovn drain"}, ""},
		{"nobody tells of servers", "--host cmp-7", "server list", 1, []string{disable, "bgp-ovn drain", list}, ""},
		{"not in time", "--host cmp-7 --wait 5m", "--wait=5m", 2, []string{
			disable, "bgp-ovn drain", list, migrate + "aaa", migrate + "bbb", "bgp-ovn drain --wait=5m",
		}, ""},
		{"back", "--back --host cmp-7", "", 0, []string{
			"bgp-ovn undrain", "openstack compute service set --enable cmp-7 nova-compute",
		}, ""},
		{"no host", "--host", "", 1, nil, "usage: "},
		{"another word", "cmp-7", "", 1, nil, "usage: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(dir, "log")
			for name, answer := range map[string]string{
				"openstack": `case "$*" in "server list"*) echo aaa; echo bbb;; esac`, "bgp-ovn": "",
			} {
				text := "#!/bin/sh\nsaid=\"${0##*/} $*\"\necho \"$said\" >>" + log + "\n" +
					`if [ -n "$FAILS" ]; then case "$said" in *--wait=5m) exit 2;; *"$FAILS"*) exit 1;; esac; fi` + "\n" +
					answer + "\n"
				harness.Check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
			}
			cmd := exec.Command(script, strings.Fields(tt.args)...)
			cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "FAILS=" + tt.fails}
			out, err := cmd.CombinedOutput()
			var ended *exec.ExitError
			if err != nil && !errors.As(err, &ended) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != tt.exit || !strings.Contains(string(out), tt.says) {
				t.Errorf("exit status %d, want %d with %q:\n%s", got, tt.exit, tt.says, out)
			}
			text, err := os.ReadFile(log)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			var did []string
			for line := range strings.Lines(string(text)) {
				did = append(did, strings.TrimSuffix(line, "\n"))
			}
			if diff := cmp.Diff(tt.did, did); diff != "" {
				t.Errorf("(-want +did):\n%s", diff)
			}
		})
	}
}
