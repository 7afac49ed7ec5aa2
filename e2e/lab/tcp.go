package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// Serve answers every TCP connection to an address of the node with a text,
// until the lab's owner ends or the listener is closed.
func (n *Node) Serve(addr netip.AddrPort, text string) (io.Closer, error) {
	return n.serve(addr, func(net.Conn) string { return text })
}

func (n *Node) serve(addr netip.AddrPort, text func(net.Conn) string) (io.Closer, error) {
	var listener net.Listener
	err := n.Do(func() (err error) {
		// The socket stays in the namespace that it was made in.
		listener, err = net.Listen("tcp", addr.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, text(conn))
			_ = conn.Close()
		}
	}()
	return listener, nil
}

// Fetch connects to an address from the node and reads what is served there,
// within a second each.
func (n *Node) Fetch(addr netip.AddrPort) (string, error) {
	var text []byte
	err := n.Do(func() error {
		conn, err := net.DialTimeout("tcp", addr.String(), time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		text, err = io.ReadAll(conn)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("fetch from %s at %s: %w", addr, n.Name, err)
	}
	return string(text), nil
}

// AwaitFetch fetches until it works.
func (n *Node) AwaitFetch(ctx context.Context, addr netip.AddrPort) (text string, err error) {
	err = harness.Await(ctx, fmt.Sprintf("%s to fetch from %s", n.Name, addr), func(context.Context) (bool, error) {
		text, err = n.Fetch(addr)
		return err == nil, err
	})
	return text, err
}

// ServeCaller answers every TCP connection to an address of the node with the address of
// whoever has connected, until the listener is closed.
func (n *Node) ServeCaller(addr netip.AddrPort) (io.Closer, error) {
	return n.serve(addr, func(c net.Conn) string { return c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().String() })
}
