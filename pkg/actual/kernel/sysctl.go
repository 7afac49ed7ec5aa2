package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// writeSysctl sets one setting. The file must exist: it is the kernel's.
func (b *Backend) writeSysctl(s object.Sysctl) error {
	name, err := b.sysctlFile(s.Path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sysctl %s does not exist; its device or module may be missing: %w", s.Path, actual.ErrGone)
	}
	if err != nil {
		return fmt.Errorf("open sysctl: %w", err)
	}
	_, err = file.WriteString(s.Val + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %q: %w", s.Val, err)
	}
	return nil
}

// readSysctl is the inverse of writeSysctl; false when there is none. Values
// of several words are separated by one blank.
func (b *Backend) readSysctl(path string) (object.Sysctl, bool, error) {
	name, err := b.sysctlFile(path)
	if err != nil {
		return object.Sysctl{}, false, err
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return object.Sysctl{}, false, nil
	}
	if err != nil {
		return object.Sysctl{}, false, fmt.Errorf("read sysctl: %w", err)
	}
	return object.Sysctl{Path: path, Val: strings.Join(strings.Fields(string(text)), " ")}, true, nil
}

// sysctlFile refuses a path that leads out of where sysctls are: paths are made
// of device names, which others choose.
func (b *Backend) sysctlFile(path string) (string, error) {
	if !filepath.IsLocal(path) || filepath.Clean(path) != path {
		return "", fmt.Errorf("%q is not the path of a sysctl", path)
	}
	return filepath.Join(b.procSys, path), nil
}

// applySysctls writes on a thread of our namespace: whose settings a file under
// net/ shows depends on who opens it.
func (b *Backend) applySysctls(changes []object.Change, errs []error) {
	err := b.ns.Do(func() error {
		for i, c := range changes {
			if c.After == nil {
				errs[i] = errNeverDeleted
				continue
			}
			errs[i] = b.writeSysctl(c.After.(object.Sysctl))
		}
		return nil
	})
	if err != nil {
		fill(errs, err)
	}
}

func (b *Backend) readSysctls(context.Context) error {
	var items []object.Item
	err := b.ns.Do(func() error {
		for path := range b.scope.sysctls {
			s, ok, err := b.readSysctl(path)
			if err != nil {
				return err
			}
			if ok {
				items = append(items, object.Item{Value: s})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.mirror.replace(object.KindSysctl, items)
	return nil
}
