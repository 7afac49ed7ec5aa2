package guest

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// filesystem is one line of an fstab.
type filesystem struct {
	target, kind, data string
}

// share mounts the host's scratch directory for writing, at its own path. It is
// needed twice: to learn the order, and again in the new root.
func share(scratch string) error {
	return filesystem{scratch, "hostfs", scratch}.mount()
}

func (f filesystem) mount() error {
	if err := os.MkdirAll(f.target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("none", f.target, f.kind, 0, f.data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", f.kind, f.target, err)
	}
	return nil
}

func mountAll(list []filesystem) error {
	for _, f := range list {
		if err := f.mount(); err != nil {
			return err
		}
	}
	return nil
}

// newRoot lays a file system in memory over the host's tree and makes it the
// root, with what a running machine has mounted. State in /run is not seen.
//
// pivot_root and not chroot: the kernel starts its module loader in the root of
// process 1, so that "ip link add type ifb" finds its module by itself.
func newRoot() error {
	const top = "/mnt/root"
	if err := (filesystem{"/mnt", "tmpfs", "mode=755"}).mount(); err != nil {
		return err
	}
	for _, dir := range []string{"/mnt/up", "/mnt/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	err := mountAll([]filesystem{
		{top, "overlay", "lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work"},
		{top + "/proc", "proc", ""},
		{top + "/sys", "sysfs", ""},
		{top + "/sys/fs/cgroup", "cgroup2", ""},
		{top + "/dev", "devtmpfs", ""},
		{top + "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666"},
		{top + "/dev/shm", "tmpfs", "mode=1777"},
		{top + "/run", "tmpfs", "mode=755"},
	})
	if err != nil {
		return err
	}
	if err := os.Chdir(top); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "mnt"); err != nil {
		return fmt.Errorf("pivot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Unmount("/mnt", unix.MNT_DETACH)
}

// settle does the rest of what the start of a machine does.
func settle() error {
	for name, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "fd/0", "/dev/stdout": "fd/1", "/dev/stderr": "fd/2",
	} {
		if err := os.Symlink(target, name); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if err := unix.Sethostname([]byte("guest")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	files := unix.Rlimit{Cur: 65536, Max: 65536}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return bringUpLoopback()
}

func bringUpLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	return nil
}
