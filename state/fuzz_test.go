package state

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzFile overwrites bytes of a state file: each five bytes of data are an offset and what
// is written there. Nothing of it may panic, hang, or be an error without a file.
func FuzzFile(f *testing.F) {
	var raw []byte
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0x10, 0xff})
	f.Add([]byte{0, 0, 0x40, 0x08, 1, 0, 0, 0x40, 0x0a, 0xff, 0, 0, 0x40, 0x0b, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if raw == nil {
			raw = used(t, 70)
		}
		mutated := append([]byte(nil), raw...)
		for ; len(data) >= 5; data = data[5:] {
			mutated[int(binary.BigEndian.Uint32(data))%len(mutated)] = data[4]
		}
		path := filepath.Join(inMemory(t), "state.db")
		if err := os.WriteFile(path, mutated, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := use(path); err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("the error names no file: %v", err)
		}
	})
}

// inMemory is a directory for files that need not outlive the test: in memory where the
// system has such a place, because what bbolt waits for is the disk.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bgp-ovn-state-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
