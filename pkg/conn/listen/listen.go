// Package listen makes the listeners of this program: sockets in the file system
// whose mode and group are right from the first instant and which replace nothing but
// a socket that nobody listens on, and a bound on how many clients one listener
// serves at once.
//
// It refuses to know what is said on a connection.
//
// Read next: [Unix], then [Remove] for what is never removed.
package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// Socket says how a unix socket is made.
type Socket struct {
	// Path is where it is; its directory is made with mode 0755 if it is missing.
	Path string
	// Mode are its permission bits. Group owns it; -1 leaves it to the process.
	Mode  fs.FileMode
	Group int
	// Limit is how many clients are served at once. Others wait to be accepted until
	// one of them ends, and cost this process nothing meanwhile.
	Limit int
}

// Unix listens on a unix socket. A socket on which nobody listens any more is
// replaced. Whatever else exists at the path is an error, and stays as it is.
// Closing the listener removes the socket, unless somebody has put another one in
// its place.
func Unix(s Socket) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o755); err != nil {
		return nil, fmt.Errorf("create the directory of the socket: %w", err)
	}
	// Two processes that start at once must not remove each other's socket.
	unlock := lockDirectory(filepath.Dir(s.Path))
	defer unlock()
	if err := Remove(s.Path); err != nil {
		return nil, err
	}
	l, err := bind(s)
	if err != nil {
		return nil, fmt.Errorf("listen on socket %s: %w", s.Path, err)
	}
	made := &socket{UnixListener: l, path: s.Path}
	if made.own, err = s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", s.Path, err), made.Close())
	}
	return netutil.LimitListener(made, s.Limit), nil
}

// bind makes the socket. The mode that a socket has before bind(2) is that of the file,
// less the umask, so that it is never open to more than it shall be.
func bind(s Socket) (*net.UnixListener, error) {
	narrow := func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), uint32(s.Mode.Perm()&0o600)) })
		return errors.Join(err, failed)
	}
	addr := &net.UnixAddr{Net: "unix", Name: s.Path}
	config := net.ListenConfig{Control: narrow}
	l, err := config.Listen(background, addr.Net, addr.Name)
	if err != nil {
		return nil, err
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is no unix listener", l), l.Close())
	}
	u.SetUnlinkOnClose(false) // the path may name another process's socket by then
	return u, nil
}

// Identity tells a file from every other one that has or had its name. The zero value
// is that of no file.
type Identity struct{ dev, inode uint64 }

// Identify returns the identity of the socket at the path; zero if there is none.
func Identify(path string) Identity {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return Identity{}
	}
	return Identity{st.Dev, st.Ino}
}

// Remove removes the socket at the path if it is this one.
func (i Identity) Remove(path string) {
	if i != (Identity{}) && Identify(path) == i {
		os.Remove(path)
	}
}

// open gives the socket its group, and then its mode. Both go to the very file that
// was made here, whatever has its name by now. What it returns is zero if that is not
// the socket.
func (s Socket) open() (own Identity, err error) {
	fd, err := unix.Open(s.Path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return Identity{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Identity{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return Identity{}, errors.New("somebody has put another file in its place")
	}
	own = Identity{st.Dev, st.Ino}
	if s.Group >= 0 {
		if err := unix.Fchownat(fd, "", -1, s.Group, unix.AT_EMPTY_PATH); err != nil {
			return own, fmt.Errorf("give it to group %d: %w", s.Group, err)
		}
	}
	// fchmod(2) takes no descriptor of O_PATH.
	if err := os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), s.Mode.Perm()); err != nil {
		return own, fmt.Errorf("set its mode: %w", err)
	}
	return own, nil
}

// socket is a listener that removes its own socket, and no other.
type socket struct {
	*net.UnixListener
	path string
	own  Identity
}

// Close ends listening and removes the socket.
func (s *socket) Close() error {
	s.own.Remove(s.path)
	return s.UnixListener.Close()
}
