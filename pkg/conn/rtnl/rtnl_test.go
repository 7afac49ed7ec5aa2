package rtnl

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a connection to a kernel that answers as scripted: a pair of
// sockets instead of netlink.
func scripted(t *testing.T) (c *Conn, kernel int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	return &Conn{fd: pair[0], buf: make([]byte, receiveBuffer)}, pair[1]
}

func message(kind, flags uint16, seq uint32, body ...byte) []byte {
	b := order.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	b = order.AppendUint16(b, kind)
	b = order.AppendUint16(b, flags)
	b = order.AppendUint32(b, seq)
	b = append(b, 0, 0, 0, 0)
	b = append(b, body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func answer(t *testing.T, kernel int, datagrams ...[]byte) {
	t.Helper()
	for _, d := range datagrams {
		if _, err := unix.Write(kernel, d); err != nil {
			t.Fatal(err)
		}
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestDumpRetries: rows of an interrupted dump are forgotten, wherever the
// kernel put the flag, and so are answers to another request.
func TestDumpRetries(t *testing.T) {
	errno := -int32(unix.EINTR)
	eintr := order.AppendUint32(nil, uint32(errno))
	c, kernel := scripted(t)
	answer(t, kernel,
		message(40, unix.NLM_F_MULTI, 77, 1), // another owner's
		message(40, unix.NLM_F_MULTI, 1, 1), message(40, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, 1, 2),
		message(unix.NLMSG_DONE, 0, 1, 0, 0, 0, 0),
		message(40, unix.NLM_F_MULTI, 2, 3), message(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, 2, 0, 0, 0, 0),
		message(40, unix.NLM_F_MULTI, 3, 4), message(unix.NLMSG_DONE, 0, 3, eintr...),
		join(message(40, unix.NLM_F_MULTI, 4, 5), message(40, unix.NLM_F_MULTI, 4, 6),
			message(unix.NLMSG_DONE, 0, 4, 0, 0, 0, 0)),
	)
	var rows []byte
	err := c.Dump(t.Context(), func(q *Batch) { q.Begin(unix.RTM_GETROUTE, 0, RtMsg{}) }, func() { rows = nil },
		func(m Message) error { rows = append(rows, m.Body[0]); return nil })
	if err != nil || !bytes.Equal(rows, []byte{5, 6}) {
		t.Errorf("got %v, %v; want the rows of the fourth attempt", rows, err)
	}
}

// TestDumpGivesUp: a kernel that is never calm is an error, not part of the
// truth.
func TestDumpGivesUp(t *testing.T) {
	c, kernel := scripted(t)
	for i := range uint32(attempts) {
		answer(t, kernel, message(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, i+1, 0, 0, 0, 0))
	}
	err := c.Dump(t.Context(), func(q *Batch) { q.Begin(unix.RTM_GETROUTE, 0, RtMsg{}) }, func() {},
		func(Message) error { return nil })
	if !errors.Is(err, errInterrupted) {
		t.Errorf("got %v", err)
	}
}

// TestDumpCancelled: the rest is read, so that the socket can be used again.
func TestDumpCancelled(t *testing.T) {
	c, kernel := scripted(t)
	ctx, cancel := context.WithCancel(t.Context())
	answer(t, kernel, message(40, 0, 1, 1), message(40, 0, 1, 2), message(unix.NLMSG_DONE, 0, 1, 0, 0, 0, 0))
	rows := 0
	err := c.Dump(ctx, func(q *Batch) { q.Begin(unix.RTM_GETROUTE, 0, RtMsg{}) }, func() {},
		func(Message) error { rows++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || rows != 1 {
		t.Errorf("got %d rows, %v", rows, err)
	}
	poll := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	if n, _ := unix.Poll(poll, 0); n != 0 {
		t.Error("something of the dump is left in the socket")
	}
}

// TestExecuteMatchesErrors: by sequence number, in whatever datagrams they come.
func TestExecuteMatchesErrors(t *testing.T) {
	refused := func(seq uint32, e unix.Errno) []byte {
		body := order.AppendUint32(nil, -uint32(e))
		return message(unix.NLMSG_ERROR, unix.NLM_F_CAPPED, seq, append(body, make([]byte, 16)...)...)
	}
	c, kernel := scripted(t)
	answer(t, kernel, refused(99, unix.EPERM), join(refused(2, unix.EEXIST), refused(3, unix.ESRCH)), refused(5, 0))
	var q Batch
	for range 5 {
		q.Begin(unix.RTM_NEWROUTE, 0, RtMsg{})
	}
	got := map[int]unix.Errno{}
	if err := c.Execute(t.Context(), &q, func(i int, err *Error) { got[i] = err.Errno }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[1] != unix.EEXIST || got[2] != unix.ESRCH {
		t.Errorf("got %v", got)
	}
}

// TestDumpMalformed: a row that cannot be read fails the dump, the rest of which
// is read all the same, so that the socket can be used again.
func TestDumpMalformed(t *testing.T) {
	c, kernel := scripted(t)
	answer(t, kernel,
		message(unix.RTM_NEWROUTE, 0, 1, 1, 2, 3), message(unix.RTM_NEWROUTE, 0, 1, make([]byte, unix.SizeofRtMsg)...),
		message(unix.NLMSG_DONE, 0, 1, 0, 0, 0, 0),
		message(unix.RTM_NEWROUTE, 0, 2, make([]byte, unix.SizeofRtMsg)...), message(unix.NLMSG_DONE, 0, 2),
		message(unix.NLMSG_ERROR, 0, 3))
	rows := 0
	dump := func() error {
		return c.Dump(t.Context(), func(q *Batch) { q.Begin(unix.RTM_GETROUTE, 0, RtMsg{}) }, func() { rows = 0 },
			func(m Message) error {
				_, _, err := m.Route()
				if err == nil {
					rows++
				}
				return err
			})
	}
	if err := dump(); !errors.Is(err, ErrMalformed) || rows != 0 {
		t.Errorf("got %d rows, %v", rows, err)
	}
	if err := dump(); err != nil || rows != 1 {
		t.Errorf("the next dump: %d rows, %v", rows, err)
	}
	if err := dump(); !errors.Is(err, ErrMalformed) {
		t.Errorf("an error without a number: %v", err)
	}
}
