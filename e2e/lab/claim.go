package lab

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// claimDir holds one file per lab, named for its id and containing its
// directory. The owner keeps it locked; the kernel unlocks it when the owner
// dies, however it dies, so an unlocked claim is a dead lab.
const claimDir = "/run/bgp-ovn-lab"

type claim struct {
	id   string
	file *os.File
}

// newClaim picks an unused id and claims it.
func newClaim(dir string) (*claim, error) {
	if err := os.MkdirAll(claimDir, 0o755); err != nil {
		return nil, err
	}
	for range 16 {
		c, err := tryClaim(dir)
		if err == nil || !errors.Is(err, os.ErrExist) {
			return c, err
		}
	}
	return nil, errors.New("no free lab id")
}

func tryClaim(dir string) (*claim, error) {
	random := make([]byte, 2)
	rand.Read(random)
	id := "bo" + hex.EncodeToString(random)
	// Written and locked under another name first: a sweep that runs now must
	// never see it unlocked.
	file, err := os.CreateTemp(claimDir, ".new-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(dir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := os.Link(file.Name(), filepath.Join(claimDir, id)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &claim{id: id, file: file}, nil
}

func (c *claim) release() error {
	return errors.Join(os.Remove(filepath.Join(claimDir, c.id)), c.file.Close())
}

// Sweep removes what labs left behind whose owner died without Close: their
// processes, namespaces and directories. Living labs are not touched.
func Sweep() error {
	paths, err := filepath.Glob(filepath.Join(claimDir, "bo*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, sweepClaim(path))
	}
	return errors.Join(errs...)
}

func sweepClaim(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // its owner lives, or somebody else is sweeping it
	}
	if err := harness.RemoveNamespaces(filepath.Base(path) + "-"); err != nil {
		return err
	}
	dir, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if strings.Contains(string(dir), "bgp-ovn-lab-") {
		if err := os.RemoveAll(string(dir)); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget %s: %w", path, err)
	}
	return nil
}
