package rtnl

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a connection to a kernel that answers as told: a pair of
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
		message(40, unix.NLM_F_MULTI, 77, 1), // somebody else's
		message(40, unix.NLM_F_MULTI, 1, 1), message(40, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, 1, 2), message(unix.NLMSG_DONE, 0, 1, 0, 0, 0, 0),
		message(40, unix.NLM_F_MULTI, 2, 3), message(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, 2, 0, 0, 0, 0),
		message(40, unix.NLM_F_MULTI, 3, 4), message(unix.NLMSG_DONE, 0, 3, eintr...),
		join(message(40, unix.NLM_F_MULTI, 4, 5), message(40, unix.NLM_F_MULTI, 4, 6), message(unix.NLMSG_DONE, 0, 4, 0, 0, 0, 0)),
	)
	var rows []byte
	err := c.Dump(t.Context(), func(q *Batch) { q.Begin(unix.RTM_GETROUTE, 0) }, func() { rows = nil },
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
	err := c.Dump(t.Context(), func(q *Batch) { q.Begin(unix.RTM_GETROUTE, 0) }, func() {}, func(Message) error { return nil })
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
	err := c.Dump(ctx, func(q *Batch) { q.Begin(unix.RTM_GETROUTE, 0) }, func() {}, func(Message) error { rows++; cancel(); return nil })
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
		q.Begin(unix.RTM_NEWROUTE, 0, 1, 2, 3, 4)
	}
	got := map[int]unix.Errno{}
	if err := c.Execute(t.Context(), &q, func(i int, err *Error) { got[i] = err.Errno }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[1] != unix.EEXIST || got[2] != unix.ESRCH {
		t.Errorf("got %v", got)
	}
}

// TestEncode: one of each attribute, read back.
func TestEncode(t *testing.T) {
	var q Batch
	q.Begin(1, 0, 9, 8, 7, 6)
	q.Uint8(1, 0x11)
	q.Uint16(2, 0x2222)
	q.Uint32(3, 0x33333333)
	q.Text(4, "four")
	q.Addr(5, netip.MustParseAddr("192.0.2.5"))
	q.Addr(6, netip.MustParseAddr("2001:db8::6"))
	q.Nest(7, func() { q.Text(1, "in"); q.Bytes(2, 1, 2, 3) })
	m, rest, err := parseMessage(q.Encode(1))
	if err != nil || len(rest) != 0 {
		t.Fatalf("%v, %d bytes left", err, len(rest))
	}
	_, a, _ := m.Header(4)
	var got []any
	for a.Next() {
		switch a.Type {
		case 1:
			got = append(got, a.Uint8() == 0x11)
		case 2:
			got = append(got, a.Uint16() == 0x2222)
		case 3:
			got = append(got, a.Uint32() == 0x33333333)
		case 4:
			got = append(got, a.Text() == "four")
		case 5, 6:
			got = append(got, a.Addr() == netip.MustParseAddr([]string{"192.0.2.5", "2001:db8::6"}[a.Type-5]))
		case 7:
			inside := AttrsOf(a.Data)
			got = append(got, inside.Next() && inside.Text() == "in" && inside.Next() && len(inside.Data) == 3 && !inside.Next())
		}
	}
	if len(got) != 7 {
		t.Errorf("got %v", got)
	}
	for i, ok := range got {
		if ok != true {
			t.Errorf("attribute %d is wrong", i+1)
		}
	}
}

func isolate(t *testing.T) *Namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root for a network namespace of its own")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	ns, err := OpenNamespace("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

// TestFilter: of the same requests, those of the named port and other daemons'
// routes elsewhere are not reported.
func TestFilter(t *testing.T) {
	ns := isolate(t)
	var conns [2]*Conn
	for i := range conns {
		c, err := Dial(ns)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	w, err := Listen(ns, 1<<20, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Restrict(Filter{Port: conns[0].Port(), Protocol: 98, Tables: []uint32{201, 1000}}); err != nil {
		t.Fatal(err)
	}
	route := func(protocol uint8, table uint32) func(q *Batch) {
		return func(q *Batch) {
			short := uint8(0)
			if table < 256 {
				short = uint8(table)
			}
			q.Begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, unix.AF_INET, 32, 0, 0, short, protocol, 0, unix.RTN_UNREACHABLE, 0, 0, 0, 0)
			q.Addr(unix.RTA_DST, netip.AddrFrom4([4]byte{10, 0, byte(protocol), byte(table)}))
			q.Uint32(unix.RTA_TABLE, table)
		}
	}
	rule := func(q *Batch) {
		q.Begin(unix.RTM_NEWRULE, unix.NLM_F_CREATE, unix.AF_INET, 0, 0, 0, 201, 0, 0, 1, 0, 0, 0, 0)
	}
	up := func(q *Batch) {
		q.Begin(unix.RTM_NEWLINK, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
	}
	tests := []struct {
		name  string
		conn  int
		build func(*Batch)
		want  bool
	}{
		{"our write", 0, route(98, 201), false},
		{"our rule", 0, rule, false},
		{"our link", 0, up, true},
		{"our protocol by others", 1, route(98, 77), true},
		{"others in a table of interest", 1, route(4, 201), true},
		{"others in a high table of interest", 1, route(4, 1000), true},
		{"others elsewhere", 1, route(4, 77), false},
		{"others' rule", 1, rule, true},
	}
	for _, tt := range tests {
		var q Batch
		tt.build(&q)
		if err := conns[tt.conn].Execute(t.Context(), &q, func(_ int, err *Error) { t.Errorf("%s: %v", tt.name, err) }); err != nil {
			t.Fatal(err)
		}
		heard := 0
		if _, err := w.Drain(func(Message) { heard++ }); err != nil {
			t.Fatal(err)
		}
		if (heard > 0) != tt.want {
			t.Errorf("%s: heard %d notifications, want any %v", tt.name, heard, tt.want)
		}
	}
}

// TestKernelWords: a refusal carries what the kernel has to say.
func TestKernelWords(t *testing.T) {
	c, err := Dial(isolate(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var q Batch
	q.Begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, unix.AF_INET, 99, 0, 0, 201, 98, 0, unix.RTN_UNICAST, 0, 0, 0, 0)
	var got string
	if err := c.Execute(t.Context(), &q, func(_ int, err *Error) { got = err.Error() }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "invalid argument (") {
		t.Errorf("got %q, want the errno and the kernel's words", got)
	}
}

// TestNamespace: sockets belong to the namespace wherever they are used.
func TestNamespace(t *testing.T) {
	ns := isolate(t)
	done := make(chan error)
	go func() { // on a thread of the machine's own namespace
		done <- ns.Do(func() error {
			here, err := os.Readlink(current)
			if err != nil {
				return err
			}
			there, err := os.Readlink("/proc/self/ns/net")
			if err == nil && here == there {
				return errors.New("still in the namespace of the process")
			}
			return err
		})
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := OpenNamespace("/no/such"); err == nil {
		t.Error("a missing namespace was opened")
	}
}

// TestWaitEnds: closing ends the wait.
func TestWaitEnds(t *testing.T) {
	w, err := Listen(isolate(t), 1<<16, unix.RTNLGRP_LINK)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Wait() }()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// FuzzParse: whatever comes, nothing panics and every walk ends.
func FuzzParse(f *testing.F) {
	f.Add(message(24, 0, 1, 2, 32, 0, 0, 201, 98, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 0, 0, 1))
	f.Fuzz(func(_ *testing.T, b []byte) {
		for len(b) > 0 {
			m, rest, err := parseMessage(b)
			if err != nil {
				return
			}
			_, a, _ := m.Header(12)
			for a.Next() {
				_, _, _, _, _ = a.Uint8(), a.Uint16(), a.Uint32(), a.Text(), a.Addr()
			}
			b = rest
		}
	})
}
