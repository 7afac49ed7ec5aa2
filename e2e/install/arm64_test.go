package install

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// TestArm64: the package of arm64 is one, and its program runs: it reads the configuration that
// comes with it, and derives from the rows of real databases what the one of amd64 derives, to
// the byte.
func TestArm64(t *testing.T) {
	qemu, dir := harness.Arm64(t), t.TempDir()
	ctx := harness.Context(t, 10*time.Minute) // nothing of Go's own library is built for arm64 yet
	harness.Check(t, buildFor(ctx, "../..", dir, newer, "arm64"))
	deb := filepath.Join(dir, fmt.Sprintf("bgp-ovn_%s_arm64.deb", newer))
	if arch := harness.Run(t, "dpkg-deb", "--field", deb, "Architecture"); arch != "arm64\n" {
		t.Errorf("the deb is for %q", arch)
	}
	rpm := filepath.Join(dir, fmt.Sprintf("bgp-ovn-%s-1.aarch64.rpm", newer))
	if arch := harness.Run(t, "rpm", "--query", "--package", "--queryformat", "%{ARCH}", rpm); arch != "aarch64" {
		t.Errorf("the rpm is for %q", arch)
	}
	ours, theirs := filepath.Join(dir, "amd64"), filepath.Join(dir, "arm64")
	harness.Run(t, "dpkg-deb", "--extract", debOf(newer), ours)
	harness.Run(t, "dpkg-deb", "--extract", deb, theirs)
	run := func(args ...string) (string, error) {
		command := append([]string{filepath.Join(theirs, "usr/bin/bgp-ovn")}, args...)
		out, err := exec.CommandContext(ctx, qemu, command...).CombinedOutput()
		return string(out), err
	}
	if said, err := run("version"); err != nil || !strings.Contains(said, "bgp-ovn "+newer+" ") ||
		!strings.Contains(said, "linux/arm64") {
		t.Errorf("version: %v\n%s", err, said)
	}
	if said, err := run("--config", filepath.Join(theirs, "etc/bgp-ovn/config.yaml"), "config", "check"); err != nil {
		t.Errorf("config check: %v\n%s", err, said)
	}
	files := harness.Must(filepath.Glob("../../pkg/observe/file/testdata/[^e]*-*.json"))(t)
	if len(files) < 10 {
		t.Fatalf("there are only %d snapshots", len(files))
	}
	for i, file := range files {
		questions := [][]string{{"desired", "--snapshot", file, "--chassis", "hv1", "-o", "json"}}
		if i == 0 {
			questions = append(questions, []string{"plan", "--snapshot", file, "--chassis", "hv1"})
		}
		for _, args := range questions {
			want, wantErr := exec.CommandContext(ctx, filepath.Join(ours, "usr/bin/bgp-ovn"), args...).CombinedOutput()
			got, gotErr := run(args...)
			if !strings.Contains(string(want), "br-ex") {
				t.Errorf("%q: nothing is derived:\n%s", args, want)
			}
			if !bytes.Equal(want, []byte(got)) || fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
				t.Errorf("%q: %v\n%s\nof amd64: %v\n%s", args, gotErr, got, wantErr, want)
			}
		}
	}
}
