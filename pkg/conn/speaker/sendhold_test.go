package speaker

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// A neighbour that keeps its connection and takes nothing from it ends the write to it, and so the session
// and what is kept for it. One that reads does not.
func TestSendHold(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	neighbour, err := listener.Accept() // nobody reads from it
	if err != nil {
		t.Fatal(err)
	}
	defer neighbour.Close()

	local := conn.LocalAddr().(*net.TCPAddr).AddrPort().Port()
	remote := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	if limitSends(ends{local, netip.AddrPortFrom(remote.Addr(), remote.Port()+1)}, time.Millisecond) {
		t.Error("another connection was taken for it")
	}
	if !limitSends(ends{local, remote}, 100*time.Millisecond) {
		t.Fatal("the connection was not found")
	}
	for sent := 0; err == nil; {
		var n int
		n, err = conn.Write(make([]byte, 1<<20))
		if sent += n; sent > 1<<30 {
			t.Fatal("a neighbour that does not read took 1 GB")
		}
	}
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("the write ended with %v, want %v", err, syscall.ETIMEDOUT)
	}
}
