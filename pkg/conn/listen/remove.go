package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// background is for calls that take a context and do not wait.
var background = context.Background()

const (
	// answerLimit is how long a socket that exists is asked whether somebody listens.
	answerLimit = time.Second
	// lockLimit is how long another process that makes a socket in the same directory
	// is waited for; making one takes less than a millisecond.
	lockLimit = time.Second
	lockPause = 5 * time.Millisecond
)

// Remove removes the socket of a process that was killed, so that its path can be
// listened on. A path where nothing exists is no error. Everything else is: a socket
// that somebody listens on, and a file that is no socket, which may be anything.
func Remove(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("socket %s: %w", path, err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("socket %s: %s exists there, which is left as it is; choose another path, or remove it by hand",
			path, TypeName(info.Mode()))
	}
	conn, err := net.DialTimeout("unix", path, answerLimit)
	switch {
	case err == nil:
		conn.Close()
		return fmt.Errorf("socket %s: another process answers there; stop it, or choose another path", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil // it has been removed meanwhile
	default: // with EAGAIN somebody listens who is busy
		return fmt.Errorf("socket %s: it exists, and whether another process listens there is not known (%w); "+
			"stop that process, or remove the socket by hand", path, cause(err))
	}
}

// cause is the error without the operation and the address around it.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// TypeName says in words what sort of file a mode is that of.
func TypeName(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "a regular file"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeSocket:
		return "a socket"
	case fs.ModeNamedPipe:
		return "a named pipe"
	default:
		return "a device"
	}
}

// lockDirectory keeps other processes that make a socket in the directory waiting
// until the function that it returns is called. Whoever may read the directory can
// hold this lock, so after lockLimit it is done without.
func lockDirectory(dir string) (unlock func()) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	for end := time.Now().Add(lockLimit); time.Now().Before(end); {
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		<-time.After(lockPause)
	}
	return func() { unix.Close(fd) }
}
