package vm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Marks between the suites' outputs, on lines of their own whatever came before.
const (
	startMark = "\x1estart "
	endMark   = "\x1eend "
	sayEnd    = `printf '\n\036end %d\n' $?`
)

func sayStart(pkg string) string { return `printf '\n\036start %s\n' ` + pkg }

// run is what became of one suite.
type run struct {
	pkg    string
	status string // of the process; empty if it never ended
	output string
}

// split takes the output of all suites apart.
func split(output string) []run {
	var runs []run
	for _, part := range strings.Split(output, startMark)[1:] {
		pkg, text, _ := strings.Cut(part, "\n")
		text, end, _ := strings.Cut(text, endMark)
		status, _, _ := strings.Cut(end, "\n")
		runs = append(runs, run{pkg, status, text})
	}
	return runs
}

// result is one test of a suite, with the tests in it.
type result struct {
	name, action string
	output       strings.Builder
	inner        []*result
}

// find returns the test with this path, which it makes if it is new.
func (r *result) find(path []string) *result {
	if len(path) == 0 {
		return r
	}
	i := slices.IndexFunc(r.inner, func(in *result) bool { return in.name == path[0] })
	if i < 0 {
		i = len(r.inner)
		r.inner = append(r.inner, &result{name: path[0]})
	}
	return r.inner[i].find(path[1:])
}

// report makes a subtest of each test. A process that failed without a failing
// test, or that never ended, is a failure with all it said.
func (r run) report(t *testing.T) {
	root := r.decode(t)
	for _, in := range root.inner {
		t.Run(in.name, in.report)
	}
	switch {
	case len(root.inner) == 0:
		t.Errorf("no test ran:\n%s", r.output)
	case r.status == "":
		t.Errorf("it never ended; it last said:\n%s", tail(r.output))
	case r.status != "0" && !t.Failed():
		t.Errorf("no test failed but the process ended with %s:\n%s", r.status, tail(r.output))
	}
}

func (r *result) report(t *testing.T) {
	for _, in := range r.inner {
		t.Run(in.name, in.report)
	}
	said := r.output.String()
	switch r.action {
	case "pass":
		if testing.Verbose() {
			t.Log(said)
		}
	case "skip":
		t.Errorf("skipped in the guest, where nothing may be skipped: %s", said)
	default: // "fail", or nothing because the process died in the middle
		t.Errorf("%s\n%s", r.action, said)
	}
}

// decode reads the output of a test binary with the toolchain's own parser.
func (r run) decode(t *testing.T) *result {
	t.Helper()
	cmd := exec.Command("go", "tool", "test2json")
	cmd.Stdin = strings.NewReader(r.output)
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("go tool test2json: %v", err)
	}
	root := new(result)
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var e struct{ Action, Test, Output string }
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Test == "" {
			continue
		}
		at := root.find(strings.Split(e.Test, "/"))
		switch e.Action {
		case "output":
			at.output.WriteString(e.Output)
		case "pass", "fail", "skip":
			at.action = e.Action
		}
	}
}

// tail is the end of an output that nobody wants to read in full.
func tail(s string) string {
	const most = 8000
	return s[max(0, len(s)-most):]
}
