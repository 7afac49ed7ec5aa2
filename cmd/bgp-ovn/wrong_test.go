package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

// wrong is one wrong input, and what the one line about it has to say.
type wrong struct {
	name string
	args []string
	file string // a configuration; none if empty
	env  map[string]string
	want string
}

// patience bounds a command. Nothing here takes as long, unless it waits for a database.
const patience = time.Minute

// answer runs a command on a node without any database or controller.
func (w wrong) answer(t *testing.T) (stdout, stderr string, exit int) {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{}, w.args...)
	if len(args) == 0 {
		args = []string{"config", "check"}
	}
	if w.file != "" {
		path := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(path, []byte(w.file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	env := map[string]string{
		"BGP_OVN_SOCKET": filepath.Join(dir, "none.sock"), "BGP_OVN_STATE": filepath.Join(dir, "state.db"),
		"BGP_OVN_OVSDB_CONNECTION": "unix:" + filepath.Join(dir, "none-ovs.sock"),
	}
	for name, value := range w.env {
		env[name] = value
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	exit = Main(ctx, environment{
		args: args, stdout: &out, stderr: &errs,
		getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	if ctx.Err() != nil {
		t.Errorf("%s: it waited for %v", w.name, patience)
	}
	return out.String(), errs.String(), exit
}

// check wants one line on standard error that says what is wanted, exit status 1, and
// nothing that was done or waited for before.
func (w wrong) check(t *testing.T) {
	t.Helper()
	stdout, stderr, exit := w.answer(t)
	line, rest, ended := strings.Cut(stderr, "\n")
	switch {
	case exit != exitError || stdout != "" || !ended || rest != "" || !strings.HasPrefix(line, "bgp-ovn: "):
		t.Errorf("%s: exit %d, stdout %.200q, stderr\n%.600s", w.name, exit, stdout, stderr)
	case !strings.Contains(line, w.want):
		t.Errorf("%s: got\n%s\nwant %q in it", w.name, line, w.want)
	case len(line) > 600 || strings.Contains(line, "strconv.") || strings.Contains(line, ": yaml: ") ||
		strings.Contains(line, "goroutine"):
		t.Errorf("%s: this is no message for an operator:\n%.600s", w.name, line)
	}
}

// referenceRow is a key in the table of docs/configuration.md.
var referenceRow = regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\| `--([a-z0-9-]+)` \\|")

// ofEveryKey is what can be wrong with each key of the configuration: its type in the
// file, its name, and its value as a flag and as a variable.
func ofEveryKey(t *testing.T) (all []wrong) {
	t.Helper()
	bad := map[string]string{
		"bool": "perhaps", "int": "many", "float": "half", "duration": "soon", "peer": "192.0.2.1", "vni": "red",
		"network": "red", "class": "fip",
	}
	flags := config.Flags()
	rows := referenceRow.FindAllStringSubmatch(config.Reference(), -1)
	if len(rows) < 50 {
		t.Fatalf("%d keys in the reference", len(rows))
	}
	check := []string{"config", "check"}
	for _, row := range rows {
		name, flag := row[1], row[2]
		path := strings.Split(name, ".")
		all = append(all, wrong{
			name: "type of " + name, args: check, file: nest(path, "{nonsense: [1]}"), want: name,
		})
		mistyped := append([]string{}, path...)
		mistyped[len(mistyped)-1] += "zz"
		all = append(all, wrong{
			name: "name of " + name, args: check, file: nest(mistyped, "1"),
			want: strings.Join(mistyped, ".") + ": unknown key: ",
		})
		f := flags.Lookup(flag)
		if f == nil {
			t.Errorf("there is no flag --%s", flag)
			continue
		}
		value, ok := bad[f.Value.Type()]
		if !ok {
			continue // any text may be right, or it is tried below
		}
		variable := "BGP_OVN_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
		all = append(all,
			wrong{name: "--" + flag, args: append(check, "--"+flag+"="+value), want: "--" + flag + ": " + name},
			wrong{name: variable, args: check, env: map[string]string{variable: value}, want: variable + ": " + name})
	}
	return all
}

// nest writes a value under a path of keys.
func nest(path []string, value string) string {
	for i := len(path) - 1; i >= 0; i-- {
		value = "{" + path[i] + ": " + value + "}"
	}
	return value + "\n"
}

// Every wrong input is answered by one line that says what is wrong, where, and what to
// do, with exit status 1, before any database is waited for.
func TestWrongInputs(t *testing.T) {
	all := ofEveryKey(t)
	all = append(all, wrongCommandLines...)
	all = append(all, wrongConfigurations...)
	all = append(all, wrongSnapshots(t)...)
	if len(all) < 236 {
		t.Errorf("%d wrong inputs, want at least 236", len(all))
	}
	seen := map[string]bool{}
	for _, w := range all {
		key := fmt.Sprint(w.args, w.file, w.env)
		if seen[key] {
			t.Errorf("%s: it is tried twice", w.name)
		}
		seen[key] = true
		w.check(t)
	}
}

// pipe is a named pipe into which nobody writes.
func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
