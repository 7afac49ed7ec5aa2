package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// TestRollOut: the playbook of deploy/ goes over the three nodes of the lab, one after another,
// each only once the one before is well again; a node that does not come back ends it, and the
// nodes behind it are not touched. What is rolled out is a restart.
func TestRollOut(t *testing.T) {
	ctx := harness.Context(t, 5*time.Minute)
	dir := t.TempDir()
	inventory := "[bgp_ovn]\n"
	for i, agent := range shared.agents {
		command := agent.Command(ctx)
		node := filepath.Join(dir, fmt.Sprint("node", i))
		script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = change ]; then\n\ttouch %[1]s.asked\n"+
			"\tuntil [ -e %[1]s.done ]; do sleep 0.1; done\n\texit\nfi\nexec", node)
		last := len(command.Args) - 2 // --config FILE
		for _, word := range slices.Concat(command.Args[:last], []string{`"$@"`}, command.Args[last:]) {
			script += " " + word
		}
		harness.Check(t, os.WriteFile(node, []byte(script+"\n"), 0o755))
		inventory += fmt.Sprintf("node%d ansible_connection=local ansible_python_interpreter=/usr/bin/python3 "+
			"bgp_ovn_command=%s\n", i, node)
	}
	harness.Check(t, os.WriteFile(filepath.Join(dir, "hosts"), []byte(inventory), 0o600))
	harness.Check(t, os.WriteFile(filepath.Join(dir, "change.yml"),
		[]byte("- ansible.builtin.command: \"{{ bgp_ovn_command }} change\"\n"), 0o600))

	again := func(ctx context.Context, node int) error {
		return errors.Join(shared.agents[node].Stop(ctx), shared.agents[node].Start(ctx))
	}
	said, err := rollOut(ctx, t, dir, 60, again)
	if err != nil || len(asked(t, dir)) != 3 {
		t.Fatalf("asked for %v: %v\n%s", asked(t, dir), err, said)
	}
	// The second node stays away.
	harness.AtEnd(t, shared.agents[1].Start)
	said, err = rollOut(ctx, t, dir, 10, func(ctx context.Context, node int) error {
		if node == 1 {
			return shared.agents[node].Stop(ctx)
		}
		return again(ctx, node)
	})
	if got := strings.Join(asked(t, dir), " "); err == nil || got != "node0 node1" {
		t.Errorf("asked for %q, want the first two nodes: %v\n%s", got, err, said)
	}
}

// asked are the nodes that the playbook has changed.
func asked(t *testing.T, dir string) (names []string) {
	t.Helper()
	for _, file := range harness.Must(filepath.Glob(filepath.Join(dir, "*.asked")))(t) {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".asked"))
	}
	return names
}

// rollOut runs the playbook and changes the nodes as it asks for them.
func rollOut(ctx context.Context, t *testing.T, dir string, tries int,
	change func(context.Context, int) error,
) (string, error) {
	t.Helper()
	for _, file := range harness.Must(filepath.Glob(filepath.Join(dir, "node*.*")))(t) {
		harness.Check(t, os.Remove(file))
	}
	cmd := exec.CommandContext(ctx, "ansible-playbook", "-i", filepath.Join(dir, "hosts"),
		"../../deploy/ansible/rollout.yml", "-e", fmt.Sprintf("bgp_ovn_become=false bgp_ovn_soak=0 bgp_ovn_every=1 "+
			"bgp_ovn_tries=%d bgp_ovn_change=%s", tries, filepath.Join(dir, "change.yml")))
	cmd.Env = append(os.Environ(), "ANSIBLE_HOME="+filepath.Join(dir, "ansible"), "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8",
		"ANSIBLE_LOCAL_TEMP="+filepath.Join(dir, "local"), "ANSIBLE_REMOTE_TEMP="+filepath.Join(dir, "remote"))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for node := range shared.agents {
			file := filepath.Join(dir, fmt.Sprint("node", node))
			if harness.Await(ctx, file+" to be asked for", func(context.Context) (bool, error) {
				_, err := os.Stat(file + ".asked")
				return err == nil, nil
			}) != nil {
				return // the playbook has ended
			}
			if change(ctx, node) == nil { // without an answer the playbook waits until the test ends
				_ = os.WriteFile(file+".done", nil, 0o600)
			}
		}
	}()
	out, err := cmd.CombinedOutput()
	cancel()
	<-ended
	return string(out), err
}
