package guest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The terminals that are the command's standard output and error outside.
const (
	outputTerminal = "/dev/tty1"
	errorTerminal  = "/dev/tty2"
)

// mercy is how long a command may take to end after SIGQUIT, upon which a Go
// program prints all its goroutines.
const mercy = 10 * time.Second

// Statuses of a command that did not run or did not end, as of a shell.
const (
	statusNotFound = 127
	statusTimedOut = 124
)

// run runs the command to its end. Whatever it leaves running is cut off with
// the machine.
func (o Order) run() (status int, timedOut bool, err error) {
	pid, err := o.start()
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return statusNotFound, false, err
	}
	if err != nil {
		return 0, false, err
	}
	var late atomic.Bool
	limit := time.AfterFunc(o.Limit, func() {
		late.Store(true)
		_ = unix.Kill(pid, unix.SIGQUIT)
		time.AfterFunc(mercy, func() { _ = unix.Kill(-pid, unix.SIGKILL) })
	})
	defer limit.Stop()
	end, err := reap(pid)
	if err != nil {
		return 0, false, err
	}
	if late.Load() {
		return statusTimedOut, true, nil
	}
	if end.Signaled() {
		return 128 + int(end.Signal()), false, nil
	}
	return end.ExitStatus(), false, nil
}

func (o Order) start() (int, error) {
	for _, pair := range o.Env {
		if path, ok := strings.CutPrefix(pair, "PATH="); ok {
			if err := os.Setenv("PATH", path); err != nil {
				return 0, err
			}
		}
	}
	path := o.Args[0]
	if !strings.Contains(path, "/") {
		var err error
		if path, err = exec.LookPath(path); err != nil {
			return 0, err
		}
	}
	files, err := streams()
	if err != nil {
		return 0, err
	}
	process, err := os.StartProcess(path, o.Args, &os.ProcAttr{
		Dir: o.Dir, Env: o.Env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", path, err)
	}
	return process.Pid, nil
}

// streams opens the command's input, output and error.
func streams() ([]*os.File, error) {
	input, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	files := []*os.File{input}
	for _, path := range []string{outputTerminal, errorTerminal} {
		// Not as our controlling terminal, nor the command's.
		file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY, 0)
		if err != nil {
			return nil, err
		}
		if err := raw(int(file.Fd())); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		files = append(files, file)
	}
	return files, nil
}

// raw lets bytes pass as they are: a terminal would write \r\n for \n.
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// reap waits for the command and meanwhile for all orphans, whose parent is
// process 1.
func reap(pid int) (unix.WaitStatus, error) {
	for {
		var end unix.WaitStatus
		ended, err := unix.Wait4(-1, &end, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return end, fmt.Errorf("wait for the command: %w", err)
		case ended == pid && (end.Exited() || end.Signaled()):
			return end, nil
		}
	}
}
