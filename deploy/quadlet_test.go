package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// podman is where scripts/install-deps unpacks that of Debian 13, and trixie the root that
// scripts/debian-root makes.
const (
	podman = "/var/cache/bgp-ovn-test/podman"
	trixie = "/var/cache/bgp-ovn-test/machines/trixie"
)

// generateScript lays podman over the root, with the quadlets of a directory in their place, and
// has the generator of podman make units of them as systemd would at boot. What it makes is
// printed, behind what systemd says of it.
const generateScript = `set -e
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$DIR/upper,workdir=$DIR/work" "$DIR/root"
mount -t proc proc "$DIR/root/proc"
mkdir -p "$DIR/root/etc/containers/systemd"
cp "$QUADLETS"/*.container "$DIR/root/etc/containers/systemd/"
exec chroot "$DIR/root" sh -ec '
	mkdir /out
	/usr/lib/systemd/system-generators/podman-system-generator /out /out /out
	SYSTEMD_UNIT_PATH=/out: systemd-analyze verify --man=no /out/*.service
	ls /out/multi-user.target.wants
	cat /out/*.service'`

// generate returns the units that podman makes of the quadlets of a directory, and what was said.
func generate(t *testing.T, quadlets string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"upper", "work", "root"} {
		harness.Check(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", generateScript)
	cmd.Env = append(os.Environ(), "LOWER="+podman+":"+trixie, "DIR="+dir, "QUADLETS="+quadlets)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestQuadletsGenerate: the generator of podman understands each key of the quadlets, and
// systemd has nothing to say of the units that it makes.
func TestQuadletsGenerate(t *testing.T) {
	if _, err := os.Stat(filepath.Join(podman, "usr/libexec/podman/quadlet")); err != nil {
		t.Fatalf("scripts/install-deps test unpacks podman: %v", err)
	}
	harness.Run(t, "../scripts/debian-root", "trixie")
	units, err := generate(t, "podman")
	if err != nil {
		t.Fatalf("%v\n%s", err, units)
	}
	said, units, _ := strings.Cut(units, "bgp-ovn-speaker.service\nbgp-ovn.service\n")
	for line := range strings.Lines(said) { // others of the root are no matter of ours
		if strings.Contains(line, "bgp-ovn") || strings.Contains(line, "quadlet") {
			t.Errorf("the generator or systemd says: %s", line)
		}
	}
	var starts []string
	for line := range strings.Lines(units) {
		if command, ok := strings.CutPrefix(line, "ExecStart=/usr/bin/podman run "); ok {
			starts = append(starts, strings.TrimSpace(command))
		}
	}
	if len(starts) != 2 {
		t.Fatalf("%d containers are started:\n%s", len(starts), units)
	}
	for i, wants := range [][]string{
		{"--name bgp-ovn-speaker ", " --cap-drop all --cap-add cap_net_bind_service --", "/bgp-ovn:0.1.0 speaker"},
		{
			"--name bgp-ovn ", " --cap-drop all --cap-add cap_net_admin --cap-add cap_net_bind_service --cap-add " +
				"cap_dac_override --", " --sdnotify=container ", " -v /var/lib/bgp-ovn:/var/lib/bgp-ovn ",
			" -v /run/openvswitch:/run/openvswitch ", "unmask=/proc/sys", "/bgp-ovn:0.1.0 run",
		},
	} {
		for _, want := range append(wants, " --network host ", " --read-only ", "no-new-privileges", " -v /run/bgp-ovn:") {
			if !strings.Contains(starts[i], want) {
				t.Errorf("%q is not in\n%s", want, starts[i])
			}
		}
	}
}

// TestQuadletsThatAreWrong: a key that podman does not know makes no unit, and the test above
// would see it.
func TestQuadletsThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	text := string(harness.Must(os.ReadFile("podman/bgp-ovn.container"))(t))
	wrong := strings.Replace(text, "\nReadOnly=true\n", "\nReadOnlyRoot=true\n", 1)
	harness.Check(t, os.WriteFile(filepath.Join(dir, "bgp-ovn.container"), []byte(wrong), 0o600))
	if said, err := generate(t, dir); err == nil || !strings.Contains(said, "unsupported key 'ReadOnlyRoot'") {
		t.Errorf("the generator says, with error %v:\n%s", err, said)
	}
}
