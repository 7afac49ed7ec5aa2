package lab

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

// netnsDir is where iproute2 looks for named namespaces.
const netnsDir = "/run/netns"

// inNamespace runs f on a thread inside ns. If the thread cannot come back it
// is thrown away, because the next goroutine on it would be in a wrong world.
func inNamespace(ns netns.NsHandle, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			result <- fmt.Errorf("remember namespace: %w", err)
			return
		}
		defer func() { _ = home.Close() }()
		if err := netns.Set(ns); err != nil {
			result <- fmt.Errorf("enter namespace: %w", err)
			return
		}
		err = f()
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// newNamespace makes a named namespace with quick IPv6 and forwarding on.
func newNamespace(name string) (netns.NsHandle, error) {
	type made struct {
		ns  netns.NsHandle
		err error
	}
	result := make(chan made, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			result <- made{err: err}
			return
		}
		defer func() { _ = home.Close() }()
		ns, err := netns.NewNamed(name)
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
		result <- made{ns, err}
	}()
	m := <-result
	if m.err != nil {
		return m.ns, fmt.Errorf("make namespace %s: %w", name, m.err)
	}
	return m.ns, inNamespace(m.ns, func() error { return writeSysctls(baseSysctls) })
}

// baseSysctls hold in every namespace, also for links that are yet to come.
// Duplicate address detection would keep IPv6 addresses unusable for a second.
var baseSysctls = []string{
	"ipv4.ip_forward=1",
	"ipv4.conf.all.rp_filter=0",
	"ipv4.conf.default.rp_filter=0",
	"ipv6.conf.all.disable_ipv6=0",
	"ipv6.conf.default.disable_ipv6=0",
	"ipv6.conf.all.accept_dad=0",
	"ipv6.conf.default.accept_dad=0",
	"ipv6.conf.default.dad_transmits=0",
	"ipv6.conf.default.accept_ra=0",
	"ipv6.conf.all.forwarding=1",
	"ipv6.conf.default.forwarding=1",
}

// writeSysctls writes KEY=VALUE below net in the thread's namespace.
func writeSysctls(settings []string) error {
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		path := "/proc/sys/net/" + strings.ReplaceAll(key, ".", "/")
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return fmt.Errorf("set net.%s: %w", s, err)
		}
	}
	return nil
}

// removeNamespaces removes all namespaces of a lab, and before that ends the
// processes that live in them.
func removeNamespaces(id string) error {
	names, err := filepath.Glob(filepath.Join(netnsDir, id+"-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range names {
		errs = append(errs, removeNamespace(path))
	}
	return errors.Join(errs...)
}

func removeNamespace(path string) error {
	var ns unix.Stat_t
	if err := unix.Stat(path, &ns); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	err := await(context.Background(), "processes in "+path+" to end", func(context.Context) (bool, error) {
		left, err := killIn(ns)
		return left == 0, err
	})
	if err != nil {
		return err
	}
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
