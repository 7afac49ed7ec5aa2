package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// The units are valid, with the program where the package has it, and hardened.
func TestUnits(t *testing.T) {
	for _, unit := range []string{"bgp-ovn.service", "bgp-ovn-speaker.service"} {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range regexp.MustCompile(`(?m)^ExecStart=(\S+)`).FindAllStringSubmatch(string(text), -1) {
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
		for _, other := range []string{"bgp-ovn.service", "bgp-ovn-speaker.service"} {
			text, err := os.ReadFile(other)
			if err != nil {
				t.Fatal(err)
			}
			text = regexp.MustCompile(`(?m)^(ExecStart=)/usr/bin/bgp-ovn|^Documentation=.*$`).ReplaceAll(text, []byte("${1}"))
			text = []byte(strings.ReplaceAll(string(text), "ExecStart= ", "ExecStart=/bin/true "))
			if err := os.WriteFile(filepath.Join(dir, other), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if said := output(t, "systemd-analyze", "verify", filepath.Join(dir, unit)); strings.Contains(said, unit+":") {
			t.Errorf("%s", said)
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
