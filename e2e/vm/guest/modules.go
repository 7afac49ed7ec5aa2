package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// modules loads kernel modules with what they need, as modprobe does. It keeps
// their directory open, and the modules are looked up by name once.
type modules struct {
	dir    string
	needs  map[string][]string // path to the paths it needs, last first
	path   map[string]string   // name to path
	loaded map[string]bool
}

func (m *modules) open() error {
	text, err := os.ReadFile(filepath.Join(m.dir, "modules.dep"))
	if err != nil {
		return fmt.Errorf("kernel modules: %w", err)
	}
	m.needs, m.path, m.loaded = make(map[string][]string), make(map[string]string), make(map[string]bool)
	for _, line := range strings.Split(string(text), "\n") {
		path, needs, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		m.path[strings.TrimSuffix(filepath.Base(path), ".ko")] = path
		m.needs[path] = strings.Fields(needs)
	}
	return nil
}

func (m *modules) load(name string) error {
	path, ok := m.path[name]
	if !ok {
		return fmt.Errorf("the kernel has no module %s in %s", name, m.dir)
	}
	needs := m.needs[path]
	for i := len(needs) - 1; i >= 0; i-- {
		if err := m.insert(needs[i]); err != nil {
			return err
		}
	}
	return m.insert(path)
}

func (m *modules) insert(path string) error {
	if m.loaded[path] {
		return nil
	}
	file, err := os.Open(filepath.Join(m.dir, path))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.FinitModule(int(file.Fd()), m.parameters(path), 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load %s: %w", path, err)
	}
	m.loaded[path] = true
	return nil
}

// parameters keep drivers from making devices nobody asked for. The kernel
// gives modules what stands in its own boot line only through modprobe.
func (m *modules) parameters(path string) string {
	switch filepath.Base(path) {
	case "dummy.ko":
		return "numdummies=0"
	case "ifb.ko":
		return "numifbs=0"
	default:
		return ""
	}
}

// offer lets modprobe find the modules, which the kernel runs when a device of
// another kind is asked for.
func (m *modules) offer() error {
	if err := os.MkdirAll("/lib/modules", 0o755); err != nil {
		return err
	}
	err := os.Symlink(m.dir, filepath.Join("/lib/modules", filepath.Base(m.dir)))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}
