package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespaces is where iproute2 looks for network namespaces that have a name.
const namespaces = "/run/netns"

// NamespacePath is the file that stands for a named namespace.
func NamespacePath(name string) string { return filepath.Join(namespaces, name) }

// Inside runs f on a thread inside ns. If the thread cannot come back it is thrown
// away, because the next goroutine on it would be in a wrong world.
func Inside(ns netns.NsHandle, f func() error) error {
	return onThread(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter namespace: %w", err)
		}
		return f()
	})
}

// onThread calls f on a thread of its own and brings the thread back into the
// namespace that it came from.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			result <- fmt.Errorf("remember namespace: %w", err)
			return
		}
		defer func() { _ = home.Close() }()
		err = f()
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// NewNamespace makes a namespace that "ip netns" knows by this name.
func NewNamespace(name string) (ns netns.NsHandle, err error) {
	unlock, err := prepare()
	if err != nil {
		return ns, fmt.Errorf("prepare %s: %w", namespaces, err)
	}
	defer unlock()
	err = onThread(func() error {
		ns, err = netns.NewNamed(name)
		return err
	})
	if err != nil {
		return ns, fmt.Errorf("make namespace %s: %w", name, err)
	}
	return ns, nil
}

// prepare makes /run/netns what the first "ip netns add" of a machine makes it: a
// mount of itself that is shared with the mount namespaces of others. Whoever
// mounts names there without this has them covered by the first one who does it:
// they can be neither seen nor removed any more. As in iproute2 a lock on the
// directory keeps two from doing it at the same time, one mount on the other.
func prepare() (unlock func(), err error) {
	if err := os.MkdirAll(namespaces, 0o755); err != nil {
		return nil, err
	}
	unlock, err = lock(namespaces)
	if err != nil {
		return nil, err
	}
	err = unix.Mount("", namespaces, "none", unix.MS_SHARED|unix.MS_REC, "")
	if errors.Is(err, unix.EINVAL) { // it is no mount yet
		err = unix.Mount(namespaces, namespaces, "none", unix.MS_BIND|unix.MS_REC, "")
		if err == nil {
			err = unix.Mount("", namespaces, "none", unix.MS_SHARED|unix.MS_REC, "")
		}
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// RemoveNamespaces removes all namespaces whose names begin with prefix, and
// before that ends the processes that live in them.
func RemoveNamespaces(prefix string) error {
	paths, err := filepath.Glob(NamespacePath(prefix + "*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, RemoveNamespace(path))
	}
	return errors.Join(errs...)
}

// RemoveNamespace removes one by the path of its name. What was left there by a
// namespace that is no more is removed as well.
func RemoveNamespace(path string) error {
	var ns unix.Stat_t
	if err := unix.Stat(path, &ns); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	err := Await(context.Background(), "processes in "+path+" to end", func(context.Context) (bool, error) {
		left, err := killIn(ns)
		return left == 0, err
	})
	if err != nil {
		return err
	}
	// EINVAL: a file that is no mount, because its owner died between the two.
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// killIn kills what runs in a namespace and counts it. The namespace is the
// proof that it is ours: a process id that was written down may long belong to
// another. What has ended is not in any namespace.
func killIn(ns unix.Stat_t) (int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return 0, err
	}
	count := 0
	var errs []error
	for _, link := range links {
		var have unix.Stat_t
		if unix.Stat(link, &have) != nil || have.Ino != ns.Ino || have.Dev != ns.Dev {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil || pid == os.Getpid() {
			continue
		}
		count++
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("kill %d: %w", pid, err))
		}
	}
	return count, errors.Join(errs...)
}
