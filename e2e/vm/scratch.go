package vm

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// scratchPattern names the directories that both sides write. Their paths must
// be short: a socket of the kernel's is in there.
const scratchPattern = "bgp-ovn-vm-"

// newScratch makes a directory, which release removes, and removes those of
// others that were killed. Each owner keeps a lock on its directory, which ends
// with its process however that ends.
func newScratch() (dir string, release func(), err error) {
	sweep()
	if dir, err = os.MkdirTemp("", scratchPattern); err != nil {
		return "", nil, err
	}
	claim, err := lock(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, func() {
		_ = os.RemoveAll(dir)
		_ = claim.Close()
	}, nil
}

func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchPattern+"*"))
	for _, dir := range left {
		// An empty one may be just made and not locked yet.
		if _, err := os.Stat(filepath.Join(dir, "init")); err != nil {
			continue
		}
		claim, err := lock(dir)
		if err != nil {
			continue // its owner lives
		}
		_ = os.RemoveAll(dir)
		_ = claim.Close()
	}
}

func lock(dir string) (*os.File, error) {
	claim, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(claim.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = claim.Close()
		return nil, err
	}
	return claim, nil
}
