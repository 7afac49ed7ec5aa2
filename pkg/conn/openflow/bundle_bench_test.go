package openflow_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
)

// BenchmarkModify measures what it costs that flows are changed by a program: a bundle of n flows
// by ovs-ofctl, and the same octets of OpenFlow 1.4 on the socket of the bridge, prepared before,
// which is the least that any library could take.
func BenchmarkModify(b *testing.B) {
	s := vswitchtest.Start(b)
	s.AddBridge("br-ex")
	tool, err := openflow.New("", s.Dir, 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var lines []byte
			for port := range n {
				lines = fmt.Appendf(lines, "table=0,priority=900,ip,in_port=%d,actions=NORMAL\n", port+1)
			}
			raw := bundle(n)
			var tools, sockets []time.Duration
			for b.Loop() {
				for range 20 {
					tools = append(tools, took(b, func() error { return tool.Modify(b.Context(), "br-ex", lines) }))
					sockets = append(sockets, took(b, func() error {
						return exchange(filepath.Join(s.Dir, "br-ex.mgmt"), raw)
					}))
				}
			}
			for _, priority := range []string{"priority=900", "priority=901"} {
				if got := strings.Count(s.Ofctl("dump-flows", "br-ex"), priority+",ip,"); got < n {
					b.Fatalf("%d flows with %s, want %d", got, priority, n)
				}
			}
			slices.Sort(tools)
			slices.Sort(sockets)
			program, socket := tools[len(tools)/2], sockets[len(sockets)/2]
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(program.Microseconds())/1000, "ovs-ofctl-ms")
			b.ReportMetric(float64(socket.Microseconds())/1000, "socket-ms")
			b.ReportMetric(float64(program)/float64(socket), "x-of-socket")
		})
	}
}

func took(b *testing.B, do func() error) time.Duration {
	began := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// The parts of OpenFlow 1.4 (version 5) that a bundle needs.
const (
	version      = 5
	typeHello    = 0
	typeError    = 1
	typeFlowMod  = 14
	typeControl  = 33
	typeAdd      = 34
	openRequest  = 0
	commit       = 4
	commitReply  = 5
	bundleFlags  = 3 // atomic and ordered
	bundleNumber = 1
)

func message(kind byte, body []byte) []byte {
	head := []byte{version, kind, 0, 0, 0, 0, 0, 7}
	binary.BigEndian.PutUint16(head[2:], uint16(len(head)+len(body)))
	return append(head, body...)
}

func control(kind uint16) []byte {
	body := binary.BigEndian.AppendUint32(nil, bundleNumber)
	body = binary.BigEndian.AppendUint16(body, kind)
	return message(typeControl, binary.BigEndian.AppendUint16(body, bundleFlags))
}

// bundle is the whole exchange as it is sent: hello, open, n flows, commit.
func bundle(n int) []byte {
	out := append(message(typeHello, nil), control(openRequest)...)
	for port := range n {
		mod := make([]byte, 40)
		binary.BigEndian.PutUint16(mod[22:], 901)        // priority
		binary.BigEndian.PutUint32(mod[24:], 0xffffffff) // no buffer, any port, any group
		binary.BigEndian.PutUint32(mod[28:], 0xffffffff)
		binary.BigEndian.PutUint32(mod[32:], 0xffffffff)
		match := []byte{0, 1, 0, 18, 0x80, 0, 0, 4} // an OXM match: in_port, eth_type
		match = binary.BigEndian.AppendUint32(match, uint32(port+1))
		match = append(match, 0x80, 0, 5<<1, 2, 8, 0, 0, 0, 0, 0, 0, 0)[:24]
		apply := []byte{0, 4, 0, 24, 0, 0, 0, 0, 0, 0, 0, 16, 0xff, 0xff, 0xff, 0xfa, 0, 0, 0, 0, 0, 0, 0, 0} // output:NORMAL
		add := binary.BigEndian.AppendUint32(nil, bundleNumber)
		add = append(add, 0, 0, 0, bundleFlags)
		out = append(out, message(typeAdd, append(add, message(typeFlowMod, slices.Concat(mod, match, apply))...))...)
	}
	return append(out, control(commit)...)
}

// exchange sends it and waits for the commit.
func exchange(socket string, raw []byte) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(raw)
		sent <- err
	}()
	head := make([]byte, 8)
	for {
		if _, err := io.ReadFull(conn, head); err != nil {
			return err
		}
		body := make([]byte, int(binary.BigEndian.Uint16(head[2:]))-len(head))
		if _, err := io.ReadFull(conn, body); err != nil {
			return err
		}
		switch {
		case head[1] == typeError:
			return fmt.Errorf("OpenFlow error %x", body)
		case head[1] == typeControl && len(body) >= 6 && binary.BigEndian.Uint16(body[4:]) == commitReply:
			return <-sent
		}
	}
}
