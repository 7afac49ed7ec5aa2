package rtnl

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// A device that goes down is notified before its IPv4 routes go, which nothing tells of, and a dump
// of routes waits for nobody since Linux 6.9. What is read after Settle has no such route.
func TestSettle(t *testing.T) {
	const routes, rounds, table = 3000, 15, 77
	ns := isolate(t)
	writer, err := Dial(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	reader, err := Dial(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	w, err := Listen(ns, 1<<20, unix.RTNLGRP_LINK)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	do := func(build func(*Batch)) {
		t.Helper()
		var b Batch
		build(&b)
		refused := func(i int, err *Error) { t.Fatalf("request %d: %v", i, err) }
		if err := writer.Execute(t.Context(), &b, refused); err != nil {
			t.Fatal(err)
		}
	}
	state := func(flags uint32) {
		t.Helper()
		do(func(q *Batch) { q.Begin(unix.RTM_NEWLINK, 0, IfInfoMsg{Index: 1, Flags: flags, Change: unix.IFF_UP}) })
	}
	count := func() (n int) {
		err := reader.Dump(t.Context(), func(q *Batch) {
			q.Begin(unix.RTM_GETROUTE, 0, RtMsg{Family: unix.AF_INET})
			q.Uint32(unix.RTA_TABLE, table)
		}, func() { n = 0 }, func(Message) error { n++; return nil })
		if err != nil {
			t.Error(err)
		}
		return n
	}
	early := 0
	for range rounds {
		state(unix.IFF_UP)
		for next := 0; next < routes; {
			do(func(q *Batch) {
				for ; next < routes && !q.Full(); next++ {
					q.Begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, RtMsg{
						Family: unix.AF_INET, DstLen: 32, Table: table, Protocol: unix.RTPROT_STATIC, Type: unix.RTN_UNICAST,
						Scope: unix.RT_SCOPE_LINK,
					})
					q.Addr(unix.RTA_DST, netip.AddrFrom4([4]byte{10, 0, byte(next >> 8), byte(next)}))
					q.Uint32(unix.RTA_OIF, 1)
				}
			})
		}
		if _, err := w.Drain(func(Message) error { return nil }); err != nil {
			t.Fatal(err)
		}
		seen := make(chan [2]int)
		go func() {
			if err := w.Wait(); err != nil {
				t.Error(err)
			}
			before := count()
			if err := reader.Settle(t.Context()); err != nil {
				t.Error(err)
			}
			seen <- [2]int{before, count()}
		}()
		state(0)
		got := <-seen
		if got[0] > 0 {
			early++
		}
		if got[1] > 0 {
			t.Errorf("%d routes of a device that is down", got[1])
		}
	}
	t.Logf("%d of %d dumps were made before the routes had gone", early, rounds)
}
