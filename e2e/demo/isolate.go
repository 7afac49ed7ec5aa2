package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// outside runs this program again in a network namespace of its own, waits for
// its end and removes what it left. Namespaces need no removing: they end with
// the processes in them, and each process ends with its parent.
func outside() error {
	// Pdeathsig means the thread that forked, so it has to stay.
	runtime.LockOSThread()
	dir, err := os.MkdirTemp("", "bgp-ovn-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	cmd, err := isolated(dir)
	if err != nil {
		return err
	}
	go func() {
		for range signals {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		_ = os.RemoveAll(dir)
		os.Exit(exit.ExitCode()) // it has said why
	}
	return err
}

// isolated starts the inner process; with a user namespace if that is needed to
// be allowed a network namespace.
func isolated(dir string) (*exec.Cmd, error) {
	plain := inner(dir, syscall.CLONE_NEWNET)
	err := plain.Start()
	if err == nil {
		return plain, nil
	}
	if !errors.Is(err, syscall.EPERM) {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	user := inner(dir, syscall.CLONE_NEWNET|syscall.CLONE_NEWUSER)
	user.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	user.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	if err := user.Start(); err != nil {
		return nil, fmt.Errorf("make a user namespace: %w; this machine keeps them from ordinary users "+
			"(user.max_user_namespaces, kernel.unprivileged_userns_clone, AppArmor, a container): run as root", err)
	}
	return user, nil
}

func inner(dir string, flags uintptr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = filepath.Base(os.Args[0])
	cmd.Env = append(os.Environ(), dirVariable+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGTERM}
	return cmd
}
