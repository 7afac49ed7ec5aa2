package rtnl

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

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
			q.Begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, RtMsg{
				Family: unix.AF_INET, DstLen: 32, Table: ShortTable(table), Protocol: protocol, Type: unix.RTN_UNREACHABLE,
			})
			q.Addr(unix.RTA_DST, netip.AddrFrom4([4]byte{10, 0, byte(protocol), byte(table)}))
			q.Uint32(unix.RTA_TABLE, table)
		}
	}
	rule := func(q *Batch) {
		q.Begin(unix.RTM_NEWRULE, unix.NLM_F_CREATE, FibRuleHdr{Family: unix.AF_INET, Table: 201, Action: unix.FR_ACT_TO_TBL})
	}
	up := func(q *Batch) {
		q.Begin(unix.RTM_NEWLINK, 0, IfInfoMsg{Index: 1, Flags: unix.IFF_UP, Change: unix.IFF_UP})
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
		refused := func(_ int, err *Error) { t.Errorf("%s: %v", tt.name, err) }
		if err := conns[tt.conn].Execute(t.Context(), &q, refused); err != nil {
			t.Fatal(err)
		}
		heard := 0
		if _, err := w.Drain(func(Message) error { heard++; return nil }); err != nil {
			t.Fatal(err)
		}
		if (heard > 0) != tt.want {
			t.Errorf("%s: heard %d notifications, want any %v", tt.name, heard, tt.want)
		}
	}
}

// TestKernelErrorText: a refusal carries what the kernel has to say.
func TestKernelErrorText(t *testing.T) {
	c, err := Dial(isolate(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var q Batch
	q.Begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, RtMsg{
		Family: unix.AF_INET, DstLen: 99, Table: 201, Protocol: 98, Type: unix.RTN_UNICAST,
	})
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

// TestFilterOfNobody: what the kernel does by itself is reported where no connection of ours is named.
func TestFilterOfNobody(t *testing.T) {
	ns := isolate(t)
	c, err := Dial(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w, err := Listen(ns, 1<<20, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Restrict(Filter{Tables: []uint32{77}}); err != nil {
		t.Fatal(err)
	}
	var b Batch
	b.Begin(unix.RTM_NEWLINK, 0, IfInfoMsg{Index: loopback, Flags: unix.IFF_UP, Change: unix.IFF_UP})
	b.Begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, RtMsg{
		Family: unix.AF_INET6, DstLen: 128, Table: 77, Protocol: unix.RTPROT_STATIC, Type: unix.RTN_UNICAST,
	})
	b.Addr(unix.RTA_DST, netip.MustParseAddr("2001:db8::7"))
	b.Uint32(unix.RTA_OIF, loopback)
	b.Begin(unix.RTM_NEWLINK, 0, IfInfoMsg{Index: loopback, Change: unix.IFF_UP})
	if err := c.Execute(t.Context(), &b, func(i int, err *Error) { t.Fatalf("request %d: %v", i, err) }); err != nil {
		t.Fatal(err)
	}
	removed := false
	if _, err := w.Drain(func(m Message) error {
		removed = removed || m.Type == unix.RTM_DELROUTE && m.Port == 0
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !removed {
		t.Error("that the kernel removes the route of a device that goes down is not reported")
	}
}
