// Package rtnl speaks rtnetlink: it encodes requests, sends many of them in
// one system call, dumps with the kernel's own filters and listens to
// notifications. It is bytes and sequence numbers only.
//
// It refuses to know which objects exist and whose they are (package kernel
// does). It is here instead of a library because no library batches requests,
// and because half of the attributes that ownership rests on (FRA_PROTOCOL with
// full selectors, NDA_PROTOCOL, IFA_PROTO) are missing from those there are.
//
// Read next: batch.go for requests, dump.go for reading, watch.go for notifications.
package rtnl

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxBatch is how many requests go into one sendmsg. Beyond 200 nothing is
// gained, and the errors of 200 still fit a default receive buffer.
const maxBatch = 200

// Conn is one rtnetlink socket for requests. It is not safe for concurrent use.
type Conn struct {
	fd   int
	port uint32
	seq  uint32
	buf  []byte
}

// Dial opens a socket in the namespace, with strict checking of dump requests
// (without it the kernel ignores filters) and the kernel's own texts in errors.
func Dial(ns *Namespace) (*Conn, error) {
	fd, err := ns.socket(0)
	if err != nil {
		return nil, err
	}
	c := &Conn{fd: fd, buf: make([]byte, receiveBuffer)}
	if err := c.setup(); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return c, nil
}

// receiveBuffer holds the largest datagram of the kernel: dumps come in pieces
// of up to 32 KiB.
const receiveBuffer = 64 << 10

func (c *Conn) setup() error {
	for _, option := range []struct {
		name string
		id   int
	}{
		{"strict checking", unix.NETLINK_GET_STRICT_CHK},
		{"extended acknowledgements", unix.NETLINK_EXT_ACK},
		{"capped acknowledgements", unix.NETLINK_CAP_ACK},
	} {
		if err := unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, option.id, 1); err != nil {
			return fmt.Errorf("ask netlink for %s: %w", option.name, err)
		}
	}
	setBuffer(c.fd, 4<<20)
	// A request is answered within the system call that sends it; the limit
	// only keeps a kernel that lost an answer from holding us for ever.
	limit := unix.Timeval{Sec: 30}
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return fmt.Errorf("limit netlink waits: %w", err)
	}
	port, err := portOf(c.fd)
	c.port = port
	return err
}

// Port is the number by which the kernel names this socket in the
// notifications that its requests cause.
func (c *Conn) Port() uint32 { return c.port }

// Close releases the socket.
func (c *Conn) Close() error { return os.NewSyscallError("close netlink socket", unix.Close(c.fd)) }

// socket opens an rtnetlink socket that lives in the namespace, whoever uses
// it later.
func (ns *Namespace) socket(flags int) (int, error) {
	fd := -1
	err := ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return -1, errors.Join(fmt.Errorf("bind netlink socket: %w", err), unix.Close(fd))
	}
	return fd, nil
}

func portOf(fd int) (uint32, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("read the port of a netlink socket: %w", err)
	}
	address, ok := name.(*unix.SockaddrNetlink)
	if !ok {
		return 0, fmt.Errorf("read the port of a netlink socket: got a %T", name)
	}
	return address.Pid, nil
}

// setBuffer asks for a receive buffer beyond the system's limit and takes what
// the limit allows where that is not permitted. Too small a buffer is
// survivable: what does not fit is reported as lost and read again.
func setBuffer(fd, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
}

// send hands one datagram to the kernel, which works it off before returning.
func (c *Conn) send(b []byte) error {
	for {
		_, err := unix.Write(c.fd, b) // without an address it goes to the kernel
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("send netlink request", err)
		}
	}
}

// receive reads one datagram and yields its messages until one says stop.
func (c *Conn) receive(visit func(Message) (stop bool, err error)) (stop bool, err error) {
	n, err := unix.Read(c.fd, c.buf)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, os.NewSyscallError("receive netlink answer", err)
	}
	rest := c.buf[:n]
	for len(rest) > 0 {
		var m Message
		if m, rest, err = parseMessage(rest); err != nil {
			return false, err
		}
		if stop, err := visit(m); stop || err != nil {
			return stop, err
		}
	}
	return false, nil
}

// expired turns the end of a context into an error with its cause.
func expired(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
