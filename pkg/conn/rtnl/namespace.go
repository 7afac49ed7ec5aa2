package rtnl

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace, kept alive by a descriptor.
type Namespace struct {
	file *os.File
	id   os.FileInfo
}

// current is the namespace of the calling thread, not of the process: threads
// of one process may differ.
const current = "/proc/thread-self/ns/net"

// OpenNamespace opens the namespace at a path such as /run/netns/blue; an empty
// path is that of the calling thread.
func OpenNamespace(path string) (*Namespace, error) {
	if path == "" {
		path = current
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	id, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("identify network namespace: %w", err), file.Close())
	}
	return &Namespace{file, id}, nil
}

// Do runs fn on a thread that is in the namespace. Sockets opened and files
// under /proc/sys/net looked up there belong to it.
func (ns *Namespace) Do(fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The usual case, and the only one that works without CAP_SYS_ADMIN.
	if here, err := os.Stat(current); err == nil && os.SameFile(here, ns.id) {
		return fn()
	}
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread is not to be used for anything else, so
		// it ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- fn()
	}()
	return <-done
}

// Close lets the namespace go.
func (ns *Namespace) Close() error { return ns.file.Close() }
