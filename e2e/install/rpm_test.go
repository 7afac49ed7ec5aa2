package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// rpmRoot is the root of a Debian release in layers, in which no systemd runs, and an rpm
// database of its own.
type rpmRoot struct{ lower, dir string }

// inRoot runs a command where the root is $ROOT, in a mount namespace of its own.
func (r rpmRoot) inRoot(t *testing.T, command string, args ...string) string {
	t.Helper()
	const script = `set -e
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$LAYERS/upper,workdir=$LAYERS/work" "$ROOT"
`
	cmd := exec.CommandContext(testContext(t), "unshare", append([]string{
		"--mount", "sh", "-c", script + command, "rpm",
	}, args...)...)
	cmd.Env = append(os.Environ(), "LOWER="+r.lower, "LAYERS="+r.dir,
		"ROOT="+filepath.Join(r.dir, "root"), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", command, args, err, out)
	}
	return string(out)
}

// rpm runs the real rpm on the root. Dependencies are not asked for: what a Debian has is in
// no database of rpm. A scriptlet that fails is a warning in its output.
func (r rpmRoot) rpm(t *testing.T, args ...string) string {
	t.Helper()
	said := r.inRoot(t, `exec rpm --root "$ROOT" --dbpath /var/lib/rpm "$@"`, args...)
	if strings.Contains(said, "scriptlet failed") || strings.Contains(said, "warning: %") {
		t.Errorf("rpm %s: %s", strings.Join(args, " "), said)
	}
	return said
}

// files lists what is in the root, each with its mode and owner, without rpm's database and
// what it has of the machine while a command runs.
func (r rpmRoot) files(t *testing.T) []string {
	t.Helper()
	said := r.inRoot(t, `cd "$ROOT"; find . \( -path ./var/lib/rpm -o -path ./proc -o -path ./sys -o -path ./dev \) -prune `+
		`-o -printf '%P %M %U:%G\n'`)
	return strings.Split(strings.TrimSpace(said), "\n")
}

// From an installation by rpm to its removal, where systemd does not run: files, owners and
// modes, and what is left.
func TestRPM(t *testing.T) {
	r := rpmRoot{filepath.Join(roots, "bookworm"), t.TempDir()}
	for _, layer := range []string{"upper", "work", "root"} {
		harness.Check(t, os.Mkdir(filepath.Join(r.dir, layer), 0o755))
	}
	before := r.files(t)

	r.rpm(t, "--install", "--nodeps", rpmOf(former))
	id := strings.TrimSpace(r.inRoot(t, `chroot "$ROOT" id -u bgp-ovn; chroot "$ROOT" id -g bgp-ovn`))
	user, group, _ := strings.Cut(id, "\n")
	after := r.files(t)
	for _, want := range []string{
		"usr/bin/bgp-ovn -rwxr-xr-x 0:0",
		"etc/bgp-ovn/config.yaml -rw-r----- 0:" + group,
		"etc/iproute2/rt_protos.d/bgp-ovn.conf -rw-r--r-- 0:0",
		"etc/iproute2/rt_tables.d/bgp-ovn.conf -rw-r--r-- 0:0",
		"usr/lib/systemd/system/bgp-ovn.service -rw-r--r-- 0:0",
		"usr/lib/systemd/system/bgp-ovn-speaker.service -rw-r--r-- 0:0",
		"usr/share/doc/bgp-ovn/sysctl.conf -rw-r--r-- 0:0",
		fmt.Sprintf("var/lib/bgp-ovn drwxr-x--- %s:%s", user, group),
	} {
		if !slices.Contains(after, want) {
			path, _, _ := strings.Cut(want, " ")
			i := slices.IndexFunc(after, func(f string) bool { return strings.HasPrefix(f, path+" ") })
			if i < 0 {
				t.Errorf("%s is missing", path)
			} else {
				t.Errorf("got %s, want %s", after[i], want)
			}
		}
	}
	version := func() string {
		return r.inRoot(t, `chroot "$ROOT" bgp-ovn version`)
	}
	if said := version(); !strings.Contains(said, "bgp-ovn "+former+" ") {
		t.Errorf("version: %s", said)
	}

	const own = "bgp.as: 64999"
	r.inRoot(t, `echo "$1" >>"$ROOT/etc/bgp-ovn/config.yaml"; touch "$ROOT/var/lib/bgp-ovn/state.db"`, own)
	r.rpm(t, "--upgrade", "--nodeps", rpmOf(newer))
	if said := version(); !strings.Contains(said, "bgp-ovn "+newer+" ") {
		t.Errorf("version after the upgrade: %s", said)
	}
	config := r.inRoot(t, `cat "$ROOT/etc/bgp-ovn/config.yaml"; ls "$ROOT/etc/bgp-ovn" "$ROOT/var/lib/bgp-ovn"`)
	if !strings.Contains(config, own) || !strings.Contains(config, "state.db") || strings.Contains(config, ".rpm") {
		t.Errorf("configuration and state after the upgrade: %s", config)
	}
	r.rpm(t, "--erase", "--nodeps", "bgp-ovn")
	// The user stays, and directories that programs share do where none of them is installed.
	shared := regexp.MustCompile(`^etc/(passwd|group|shadow|gshadow)-? |^usr/lib/systemd/networkd.conf.d d|^usr/share/fish\S* d`)
	for _, file := range r.files(t) {
		if !slices.Contains(before, file) && !shared.MatchString(file) && !strings.HasPrefix(file, "etc/bgp-ovn") {
			t.Errorf("%s is left", file)
		}
	}
	if left := r.inRoot(t, `ls "$ROOT/etc/bgp-ovn"`); left != "config.yaml.rpmsave\n" {
		t.Errorf("of the configuration is left: %s", left)
	}
}
