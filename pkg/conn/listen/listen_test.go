package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shortDir is a directory whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "listen")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// dead leaves a socket behind, as a process does that was killed.
func dead(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever is no dead socket stays as it is, and the error names it.
func TestOnlyADeadSocketIsReplaced(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"regular file": {
			func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("precious"), 0o600)) }, "a regular file exists",
		},
		"empty file": {
			func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) }, "a regular file exists",
		},
		"empty directory": {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "a directory exists"},
		"named pipe":      {func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o600)) }, "a named pipe exists"},
		"link to nothing": {
			func(t *testing.T, path string) { must(t, os.Symlink("nothing", path)) }, "a symbolic link exists",
		},
		"link to a dead socket": {func(t *testing.T, path string) {
			dead(t, path+".other")
			must(t, os.Symlink(path+".other", path))
		}, "a symbolic link exists"},
		"live socket": {func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			must(t, err)
			t.Cleanup(func() { l.Close() })
		}, "another process answers there"},
		"busy socket": {fillBacklog, "another process listens there is not known"},
		"socket of datagrams": {func(t *testing.T, path string) {
			c, err := net.ListenPacket("unixgram", path)
			must(t, err)
			t.Cleanup(func() { c.Close() })
		}, "another process listens there is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "s")
			tt.make(t, path)
			before, err := os.Lstat(path)
			must(t, err)
			if l, err := Unix(Socket{Path: path, Mode: 0o660, Group: -1, Limit: 1}); err == nil {
				l.Close()
				t.Error("it listens there")
			} else if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and the path in it", err, tt.want)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("it was replaced: %v", err)
			}
		})
	}
	path := filepath.Join(shortDir(t), "made", "s")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	dead(t, path)
	l, err := Unix(Socket{Path: path, Mode: 0o660, Group: -1, Limit: 1})
	must(t, err)
	must(t, l.Close())
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

// fillBacklog makes a socket whose owner lives and accepts nobody any more.
func fillBacklog(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	must(t, unix.Listen(fd, 0))
	for {
		c, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		must(t, err)
		t.Cleanup(func() { unix.Close(c) })
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: path}); errors.Is(err, unix.EAGAIN) {
			return
		}
	}
}

// A socket is never open to more than its owner before it has its group.
func TestModeFromTheStart(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	s := Socket{Path: filepath.Join(shortDir(t), "s"), Mode: 0o660, Group: 12345, Limit: 1}
	l, err := bind(s)
	must(t, err)
	info, err := os.Stat(s.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v between bind and chmod, want 0600", info.Mode(), err)
	}
	if _, err := s.open(); err != nil {
		t.Error(err)
	}
	info, err = os.Stat(s.Path)
	must(t, err)
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || info.Mode().Perm() != 0o660 || st.Gid != 12345 {
		t.Errorf("mode %v, %+v", info.Mode(), info.Sys())
	}
	l.Close()
}

// Mode and group go to the socket that was made, not to what somebody puts in its place.
func TestModeFollowsNoLink(t *testing.T) {
	dir := shortDir(t)
	s := Socket{Path: filepath.Join(dir, "s"), Mode: 0o660, Group: 12345, Limit: 1}
	l, err := bind(s)
	must(t, err)
	defer l.Close()
	secret := filepath.Join(dir, "shadow")
	must(t, os.WriteFile(secret, []byte("x"), 0o600))
	must(t, os.Remove(s.Path))
	must(t, os.Symlink(secret, s.Path))
	if own, err := s.open(); err == nil || own != (Identity{}) {
		t.Errorf("%v, %v", own, err)
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of a file behind a link is %v, %v", info.Mode(), err)
	}
}

// Who closes removes its own socket only.
func TestCloseLeavesTheSocketOfAnother(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	first, err := Unix(Socket{Path: path, Mode: 0o600, Group: -1, Limit: 1})
	must(t, err)
	must(t, os.Remove(path)) // an operator's mistake
	second, err := Unix(Socket{Path: path, Mode: 0o600, Group: -1, Limit: 1})
	must(t, err)
	defer second.Close()
	must(t, first.Close())
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the socket of the second one was removed: %v", err)
	}
	conn.Close()
}

// One client more than the limit waits until another one ends.
func TestLimit(t *testing.T) {
	const limit = 3
	path := filepath.Join(shortDir(t), "s")
	l, err := Unix(Socket{Path: path, Mode: 0o600, Group: -1, Limit: limit})
	must(t, err)
	defer l.Close()
	accepted := make(chan net.Conn, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	for range limit + 5 {
		c, err := net.Dial("unix", path)
		must(t, err)
		defer c.Close()
	}
	var served []net.Conn
	for range limit {
		served = append(served, <-accepted)
	}
	select {
	case <-accepted:
		t.Fatalf("more than %d are served at once", limit)
	case <-time.After(50 * time.Millisecond): // nothing may come, so that there is nothing to wait for
	}
	must(t, served[0].Close())
	select {
	case <-accepted:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody is served after another one has ended")
	}
}

// Two that start at once make one listener, and neither removes the other's socket.
func TestTwoAtOnce(t *testing.T) {
	for range 50 {
		path := filepath.Join(shortDir(t), "s")
		dead(t, path)
		type result struct {
			l   net.Listener
			err error
		}
		results := make(chan result, 2)
		for range 2 {
			go func() {
				l, err := Unix(Socket{Path: path, Mode: 0o600, Group: -1, Limit: 1})
				results <- result{l, err}
			}()
		}
		a, b := <-results, <-results
		if (a.err == nil) == (b.err == nil) {
			t.Fatalf("%v, %v", a.err, b.err)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the one that listens cannot be reached: %v", err)
		}
		conn.Close()
		for _, r := range []result{a, b} {
			if r.err == nil {
				r.l.Close()
			}
		}
	}
}
