package agent

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// descriptors counts those of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Clients that connect and say nothing, more than are served at once, cost the node a
// bounded number of descriptors and nothing else: it goes on working, and who asks
// after they have ended is answered.
func TestLingeringClients(t *testing.T) {
	const metrics = "127.0.0.1:19107"
	w := newWorld(t, quietSpeaker, "metrics: {listen: '"+metrics+"'}", "read_socket: "+"/tmp/agent-read.sock",
		"read_socket_group: '0'")
	c := w.start()
	before := descriptors(t)
	const each = 3 * control.MaxClients
	var clients []net.Conn
	linger := func(network, address string) {
		for i := range each {
			conn, err := net.DialTimeout(network, address, deadline)
			if err != nil {
				t.Fatalf("client %d of %s: %v", i, address, err)
			}
			clients = append(clients, conn)
			fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ") // and never the rest
		}
	}
	linger("tcp", metrics)
	linger("unix", "/tmp/agent-read.sock")
	linger("unix", w.path("control.sock"))
	if used, limit := descriptors(t)-before-len(clients), 3*control.MaxClients+10; used > limit {
		t.Errorf("%d descriptors for %d clients, want at most %d", used, len(clients), limit)
	}
	w.bind("vm-b", "hv1")
	await(t, func() string {
		if r := w.routes(); !strings.Contains(r, there.String()) {
			return "the address that came is not routed:\n" + r
		}
		return ""
	})
	for i, conn := range clients {
		if i%each < each/2 {
			conn.Close()
		}
	}
	if _, err := c.Status(t.Context()); err != nil { // the others lose their places
		t.Error(err)
	}
	if _, err := control.NewClient("/tmp/agent-read.sock").Status(t.Context()); err != nil {
		t.Error(err)
	}
	conn, err := net.Dial("tcp", metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if err := conn.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	status := make([]byte, 15)
	if n, err := conn.Read(status); err != nil || string(status[:n]) != "HTTP/1.1 200 OK" {
		t.Errorf("metrics: %q, %v", status[:n], err)
	}
	for _, conn := range clients {
		conn.Close()
	}
}
