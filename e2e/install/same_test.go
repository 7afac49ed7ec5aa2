package install

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// The source of one commit gives the same bytes in another directory, with other times of
// its files, at another time and under another name of the builder's home.
func TestSameBytes(t *testing.T) {
	source, into := filepath.Join(t.TempDir(), "elsewhere"), t.TempDir()
	harness.Run(t, "git", "clone", "-q", "--shared", "../..", source)
	// With what is not committed yet: the first one was built with it.
	if diff := harness.Must(exec.Command("git", "-C", "../..", "diff", "--binary", "HEAD").Output())(t); len(diff) > 0 {
		patch := filepath.Join(into, "patch")
		harness.Check(t, os.WriteFile(patch, diff, 0o600))
		harness.Run(t, "git", "-C", source, "apply", patch)
	}
	harness.Run(t, "sh", "-c", `find "$0" -name .git -prune -o -type f -exec touch -d 2001-02-03 {} +`, source)
	// Where Go looks for its caches unless it is told.
	for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE"} {
		t.Setenv(name, string(bytes.TrimSpace(harness.Must(exec.Command("go", "env", name).Output())(t))))
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("TZ", "Asia/Kathmandu")
	harness.Check(t, build(testContext(t), source, into, newer))
	for _, file := range []string{debOf(newer), rpmOf(newer), sbomOf(newer)} {
		first := harness.Must(os.ReadFile(file))(t)
		second := harness.Must(os.ReadFile(filepath.Join(into, filepath.Base(file))))(t)
		if !bytes.Equal(first, second) {
			t.Errorf("%s: %d and %d bytes that differ: diffoscope, or ar x and cmp, tells where", filepath.Base(file),
				len(first), len(second))
		}
	}
}
