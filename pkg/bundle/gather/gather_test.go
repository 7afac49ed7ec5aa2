package gather

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program makes a program that does what a shell script says.
func program(t *testing.T, script string) Command {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Command{Member: "x", Args: []string{path}}
}

// Output is bounded, failures have the words of the program, and keys are taken out.
func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		script, out, err string
	}{
		"good":    {"echo hello", "hello\n", ""},
		"fails":   {"echo half; echo no such thing >&2; exit 3", "half\n", "exit status 3: no such thing"},
		"endless": {"yes aaaaaaa", "aaaaaaa\n", "cut off after 8 MiB"},
		"keys": {
			`echo 'options: {psk="swordfish", remote_ip="192.0.2.2"}'; echo psk=trout; echo 'password: tuna, x'`,
			"options: {psk=(removed), remote_ip=\"192.0.2.2\"}\npsk=(removed)\npassword: (removed), x\n", "",
		},
		"keys in an error": {"echo bad psk=swordfish >&2; exit 1", "", "bad psk=(removed)"},
		"no table":         {"echo Error: ipv6: FIB table does not exist. >&2; exit 2", "[]\n", ""},
	} {
		out, err := Run(t.Context(), program(t, tt.script))
		if name == "endless" {
			if len(out) < MaxOutput/2 || len(out) > MaxOutput {
				t.Errorf("%s: %d octets", name, len(out))
			}
			out = out[:8]
		}
		if string(out) != tt.out || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	if _, err := Run(t.Context(), Command{Args: []string{"no-such-program-here"}}); err == nil ||
		!strings.Contains(err.Error(), "is not installed") {
		t.Errorf("a program that is missing: %v", err)
	}
}

// A program that does not end is ended, and so is waiting for what it has started.
func TestRunHanging(t *testing.T) {
	out, err := Run(t.Context(), program(t, "echo begun; sleep 1000 & sleep 1000"))
	if string(out) != "begun\n" || err == nil || !strings.Contains(err.Error(), "no end within") {
		t.Errorf("%q, %v", out, err)
	}
}

// The names of members are all different, and hostile names of bridges make no options.
func TestCommands(t *testing.T) {
	n := Node{Tables: []uint32{254, 201}, Bridges: []string{"-db", "br-ex", "br.ex", "br_ex"}, Protocol: 98}
	var names []string
	for _, c := range Commands(n) {
		names = append(names, c.Member)
		if slices.Contains(c.Args[1:], "-db") {
			t.Errorf("%v has the name of a bridge as an option", c.Args)
		}
	}
	all := len(names)
	slices.Sort(names)
	if len(slices.Compact(names)) != all {
		t.Errorf("two members have one name: %q", names)
	}
	for i := range uint32(1000) {
		n.Tables, n.Bridges = append(n.Tables, i), append(n.Bridges, "b"+string(rune('a'+i%26)))
	}
	if got := len(Commands(n)); got > 250 {
		t.Errorf("%d commands are run", got)
	}
}
