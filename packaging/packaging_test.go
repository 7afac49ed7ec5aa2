package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxExposure is how exposed a unit may be, of 10 (systemd-analyze(1), security).
const maxExposure = 2.5

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var units = []string{"bgp-ovn.service", "bgp-ovn-speaker.service", "bgp-ovn-drain.service"}

// The units are valid, with the program where the package has it, and hardened.
func TestUnits(t *testing.T) {
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		commands := regexp.MustCompile(`(?m)^Exec(?:Start|Stop)=-?(\S+)`)
		for _, command := range commands.FindAllStringSubmatch(string(text), -1) {
			if command[1] != "/usr/bin/bgp-ovn" {
				t.Errorf("%s starts %s", unit, command[1])
			}
		}
		said := output(t, "systemd-analyze", "security", "--offline=true", unit)
		level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(said)
		if level == nil {
			t.Fatalf("%s: no level in\n%s", unit, said)
		}
		if n, err := strconv.ParseFloat(level[1], 64); err != nil || n > maxExposure {
			t.Errorf("%s: exposure %s, want at most %v", unit, level[1], maxExposure)
		}
		// Verified where ExecStart exists: the program itself is not installed here.
		dir := t.TempDir()
		for _, other := range units {
			text, err := os.ReadFile(other)
			if err != nil {
				t.Fatal(err)
			}
			installed := regexp.MustCompile(`(?m)^(Exec(?:Start|Stop)=)-?/usr/bin/bgp-ovn|^Documentation=.*$`)
			text = installed.ReplaceAll(text, []byte("${1}"))
			text = []byte(regexp.MustCompile("Exec(Start|Stop)= ").ReplaceAllString(string(text), "Exec$1=/bin/true "))
			if err := os.WriteFile(filepath.Join(dir, other), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if said := output(t, "systemd-analyze", "verify", filepath.Join(dir, unit)); strings.Contains(said, unit+":") {
			t.Errorf("%s", said)
		}
	}
}

// What runs on the node is restarted only by an upgrade, and removed only by a removal:
// each way in which dpkg and rpm call the scripts. What fails in them stops neither.
func TestScripts(t *testing.T) {
	stubs := t.TempDir()
	log := filepath.Join(stubs, "log")
	for _, name := range []string{"systemctl", "bgp-ovn", "systemd-sysusers", "install", "chgrp", "rm"} {
		text := "#!/bin/sh\necho \"${0##*/} $*\" >>" + log + "\n[ \"${0##*/}\" != \"$FAILS\" ]\n"
		if err := os.WriteFile(filepath.Join(stubs, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const (
		restart = "systemctl try-restart bgp-ovn.service"
		disable = "systemctl --no-reload disable"
		cleanup = "bgp-ovn cleanup"
	)
	all := []string{restart, disable, cleanup, "rm -rf"}
	for _, tt := range []struct {
		call string
		want []string // of all
	}{
		{"postinstall configure", nil},
		{"postinstall configure 1.0", []string{restart}},
		{"postinstall abort-upgrade 1.0", nil},
		{"postinstall 1", nil},
		{"postinstall 2", []string{restart}},
		{"preremove upgrade 2.0", nil},
		{"preremove failed-upgrade 2.0", nil},
		{"preremove 1", nil},
		{"preremove remove", []string{disable, cleanup}},
		{"preremove 0", []string{disable, cleanup}},
		{"postremove upgrade 2.0", nil},
		{"postremove remove", nil},
		{"postremove 1", nil},
		{"postremove purge", []string{"rm -rf"}},
		{"postremove 0", []string{"rm -rf"}},
	} {
		for _, fails := range []string{"", "systemctl", "bgp-ovn"} {
			if err := os.WriteFile(log, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			words := strings.Fields(tt.call)
			// The scripts ask whether systemd runs: here it does.
			text, err := os.ReadFile(filepath.Join("scripts", words[0]))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", append([]string{
				"-c", strings.ReplaceAll(string(text), "/run/systemd/system", stubs), words[0],
			}, words[1:]...)...)
			cmd.Env = []string{"PATH=" + stubs + ":/usr/bin:/bin", "FAILS=" + fails}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s while %q fails: %v\n%s", tt.call, fails, err, out)
			}
			did, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range all {
				want := slices.Contains(tt.want, what) && (what != restart || fails != "bgp-ovn")
				if got := strings.Contains(string(did), what); got != want {
					t.Errorf("%s while %q fails: %q: %v, want %v:\n%s", tt.call, fails, what, got, want, did)
				}
			}
		}
	}
}

// What the package description names is there, and the scripts are shell.
func TestContents(t *testing.T) {
	text, err := os.ReadFile("nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sources := regexp.MustCompile(`(?m)(?:src: |install: |remove: )"?([^",}\s]+)`).FindAllStringSubmatch(string(text), -1)
	if len(sources) < 15 {
		t.Fatalf("%d files are named", len(sources))
	}
	for _, s := range sources {
		if strings.HasPrefix(s[1], "$") {
			continue // made by scripts/packages
		}
		if _, err := os.Stat(filepath.Join("..", s[1])); err != nil {
			t.Error(err)
		}
	}
	scripts, err := filepath.Glob("scripts/*")
	if err != nil || len(scripts) != 3 {
		t.Fatalf("%v, %v", scripts, err)
	}
	for _, script := range append(scripts, "../scripts/packages") {
		output(t, "sh", "-n", script)
	}
}
