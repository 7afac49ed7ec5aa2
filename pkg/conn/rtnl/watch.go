package rtnl

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Watch is a socket on which the kernel reports changes.
//
// Everything that happened before an answer to a request of ours was queued
// here before that answer: emptying the queue after a request gives a view that
// is at least as new as the request.
type Watch struct {
	file   *os.File
	raw    syscall.RawConn
	buf    []byte
	closed atomic.Bool
}

// Listen subscribes to the groups (RTNLGRP_*). Buffer is the size of the
// receive queue; a notification costs it about a kilobyte.
func Listen(ns *Namespace, buffer int, groups ...int) (*Watch, error) {
	fd, err := ns.socket(unix.SOCK_NONBLOCK)
	if err != nil {
		return nil, err
	}
	setBuffer(fd, buffer)
	for _, group := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			return nil, errors.Join(fmt.Errorf("subscribe to rtnetlink group %d: %w", group, err), unix.Close(fd))
		}
	}
	// An os.File of a non-blocking socket waits in Go's poller instead of in a
	// thread, and its Close ends the wait.
	file := os.NewFile(uintptr(fd), "rtnetlink notifications")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("poll rtnetlink notifications: %w", err), file.Close())
	}
	return &Watch{file: file, raw: raw, buf: make([]byte, receiveBuffer)}, nil
}

// Wait blocks until there is something to drain. After Close it returns an
// error that is [os.ErrClosed].
func (w *Watch) Wait() error {
	err := w.raw.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		return n > 0 && err == nil
	})
	if err != nil && w.closed.Load() {
		return os.ErrClosed // the poller's own error for this is not exported
	}
	return err
}

// Drain takes everything that is queued, without waiting. Lost reports that
// the queue had run over: what was missed must be read again. So must be what
// visit could not read: its errors do not keep the other messages back and are
// returned in the end.
func (w *Watch) Drain(visit func(Message) error) (lost bool, err error) {
	controlErr := w.raw.Control(func(fd uintptr) { lost, err = w.drain(int(fd), visit) })
	return lost, errors.Join(controlErr, err)
}

func (w *Watch) drain(fd int, visit func(Message) error) (lost bool, err error) {
	var unread error // the first one: a thousand would say no more
	for {
		n, err := unix.Read(fd, w.buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return lost, unread
		case errors.Is(err, unix.ENOBUFS):
			// Reported once; what was queued before the loss still follows.
			lost = true
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return lost, errors.Join(unread, os.NewSyscallError("receive rtnetlink notifications", err))
		}
		if err := EachMessage(w.buf[:n], visit); err != nil && unread == nil {
			unread = err
		}
	}
}

// Close ends the subscription and any Wait.
func (w *Watch) Close() error {
	w.closed.Store(true)
	return w.file.Close()
}
