package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// standIn plays bgp-ovn on a node: it notes what is asked, and answers as a node whose
// session comes back some questions after a change. On the node that is broken it never does.
const standIn = `#!/bin/sh
dir=$(dirname "$0")
echo "${dir##*/} $*" >>"$dir/../log"
session=Established
problems= state=0
down=$(cat "$dir/down" 2>/dev/null || echo 0)
if [ "$down" -gt 0 ]; then
	[ "$1" != status ] || echo $((down - 1)) >"$dir/down"
	session=Idle problems='{"code":"peer-down"}' state=2
fi
case "$1" in
drain) touch "$dir/drained"; exit 0 ;;
undrain) rm "$dir/drained"; exit 0 ;;
change) echo "${CHANGE:-2}" >"$dir/down"; exit 0 ;;
esac
if [ -e "$dir/drained" ]; then
	problems=${problems:+$problems,}'{"code":"drained"}' state=2
fi
echo "{\"problems\":[$problems],\"peers\":[{\"state\":\"$session\"},{\"state\":\"Active\"}]}"
exit $state
`

// changeTasks take the place of an upgrade.
const changeTasks = `- ansible.builtin.command: "{{ bgp_ovn_command }} change"
  environment: {CHANGE: "{{ lasts | default(2) }}"}
`

// rollOut runs the real playbook over three nodes, and returns what each was asked to do.
func rollOut(t *testing.T, prepare func(dir string), vars ...string) (asked []string, said string, err error) {
	t.Helper()
	dir := t.TempDir()
	inventory := "[bgp_ovn]\n"
	for _, node := range []string{"one", "two", "three"} {
		harness.Check(t, os.Mkdir(filepath.Join(dir, node), 0o755))
		program := filepath.Join(dir, node, "bgp-ovn")
		harness.Check(t, os.WriteFile(program, []byte(standIn), 0o755))
		inventory += node + " ansible_connection=local ansible_python_interpreter=/usr/bin/python3 bgp_ovn_command=" +
			program + "\n"
	}
	if prepare != nil {
		prepare(dir)
	}
	hosts, change := filepath.Join(dir, "hosts"), filepath.Join(dir, "change.yml")
	harness.Check(t, os.WriteFile(hosts, []byte(inventory), 0o600))
	harness.Check(t, os.WriteFile(change, []byte(changeTasks), 0o600))
	args := []string{"-i", hosts, "ansible/rollout.yml", "-e", "bgp_ovn_become=false bgp_ovn_soak=0 bgp_ovn_tries=4 " +
		"bgp_ovn_every=0 bgp_ovn_change=" + change}
	for _, v := range vars {
		args = append(args, "-e", v)
	}
	cmd := exec.CommandContext(t.Context(), "ansible-playbook", args...)
	cmd.Env = append(os.Environ(), "ANSIBLE_HOME="+filepath.Join(dir, "ansible"), "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8",
		"ANSIBLE_LOCAL_TEMP="+filepath.Join(dir, "local"), "ANSIBLE_REMOTE_TEMP="+filepath.Join(dir, "remote"))
	out, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(dir, "log")) // nobody was asked
	return strings.Split(strings.TrimSpace(string(log)), "\n"), string(out), err
}

// Nodes are changed one after another, each only once the one before is well, and the first
// that is not ends it. Ansible itself runs the playbook; the nodes are scripts.
func TestRollOut(t *testing.T) {
	const status = "status -o json"
	node := func(name string, asked ...string) (out []string) {
		for _, a := range asked {
			out = append(out, name+" "+a)
		}
		return out
	}
	whole := []string{status, "change", status, status, status, "status"} // twice down, then up
	drained := []string{status, "drain --wait=10m", "change", status, status, status, "undrain", "status"}
	for _, tt := range []struct {
		name    string
		prepare func(dir string)
		vars    []string
		want    [][]string
		fails   bool
	}{
		{"all are well", nil, nil, [][]string{node("one", whole...), node("two", whole...), node("three", whole...)}, false},
		{
			"drained meanwhile", nil,
			[]string{"bgp_ovn_drain=true"},
			[][]string{node("one", drained...), node("two", drained...), node("three", drained...)},
			false,
		},
		{
			"the second does not come back", nil,
			[]string{`{"lasts": "{{ 99 if inventory_hostname == 'two' else 2 }}"}`},
			[][]string{node("one", whole...), node("two", status, "change", status, status, status, status, status)},
			true,
		},
		{"the second is not well before", func(dir string) {
			harness.Check(t, os.WriteFile(filepath.Join(dir, "two", "down"), []byte("9"), 0o600))
		}, nil, [][]string{node("one", whole...), node("two", status)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked, said, err := rollOut(t, tt.prepare, tt.vars...)
			var want []string
			for _, w := range tt.want {
				want = append(want, w...)
			}
			if got, want := strings.Join(asked, "\n"), strings.Join(want, "\n"); got != want || (err != nil) != tt.fails {
				t.Errorf("%v\n%s\nasked\n%s\nwant\n%s", err, said, got, want)
			}
		})
	}
}

// What the playbook does for a package and without one is known to Ansible.
func TestRollOutSyntax(t *testing.T) {
	harness.Run(t, "ansible-playbook", "-i", "ansible/inventory.example", "--syntax-check", "ansible/rollout.yml")
}
