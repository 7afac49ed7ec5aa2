package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// writeSysctl sets one setting. The file must exist: it is the kernel's.
func (b *Backend) writeSysctl(s object.Sysctl) error {
	name, err := b.sysctlFile(s.Path)
	if err != nil {
		return err
	}
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sysctl %s does not exist; its device or module may be missing: %w", s.Path, actual.ErrGone)
	}
	if err != nil {
		return fmt.Errorf("open sysctl %s: %w", s.Path, err)
	}
	// One write: the kernel parses each as a value of its own (proc_dointvec).
	_, err = unix.Write(fd, []byte(s.Val+"\n"))
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("write %q to sysctl %s: %w", s.Val, s.Path, err)
	}
	return nil
}

// readSysctl is the inverse of writeSysctl; false when there is none. Values
// of several words are separated by one blank.
// The kernel separates them by tabs (proc_dointvec), sysctl(8) prints blanks.
func (b *Backend) readSysctl(path string) (object.Sysctl, bool, error) {
	name, err := b.sysctlFile(path)
	if err != nil {
		return object.Sysctl{}, false, err
	}
	val, ok, err := readSysctlFile(name)
	if err != nil {
		return object.Sysctl{}, false, fmt.Errorf("read sysctl: %w", err)
	}
	return object.Sysctl{Path: path, Val: val}, ok, nil
}

// sysctlMost is more than the longest value that is wanted of any setting.
const sysctlMost = 512

// readSysctlFile reads with three system calls, where os.ReadFile takes eight: a
// node with 500 VRFs has 3500 settings. The kernel gives all of a value at once.
func readSysctlFile(name string) (val string, ok bool, err error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var buf [sysctlMost]byte
	n, err := unix.Read(fd, buf[:])
	_ = unix.Close(fd) // nothing was written
	if err != nil {
		return "", false, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return strings.Join(strings.Fields(string(buf[:n])), " "), true, nil
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
// net/ shows depends on who opens it. What has its value already is left alone: a
// device made in this plan has the namespace's defaults, and the kernel notifies
// every listener of each write.
func (b *Backend) applySysctls(ctx context.Context, changes []object.Change, errs []error) {
	have := b.settingsOf(ctx, func(yield func(string) bool) {
		for _, c := range changes {
			if s, ok := c.After.(object.Sysctl); ok && !yield(s.Path) {
				return
			}
		}
	})
	err := b.ns.Do(func() error {
		for i, c := range changes {
			want, ok := c.After.(object.Sysctl)
			if !ok {
				errs[i] = errNeverDeleted
				continue
			}
			if val, ok := have[want.Path]; !ok || val != want.Val {
				errs[i] = b.writeSysctl(want)
			}
		}
		return nil
	})
	if err != nil {
		fill(errs, err)
	}
}

func (b *Backend) readSysctls(ctx context.Context) error {
	dumped := b.settingsOf(ctx, maps.Keys(b.scope.sysctls))
	var items []object.Item
	err := b.ns.Do(func() error {
		for path := range b.scope.sysctls {
			if val, ok := dumped[path]; ok {
				items = append(items, object.Item{Value: object.Sysctl{Path: path, Val: val}})
				continue
			}
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
