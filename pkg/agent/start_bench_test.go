package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
)

// BenchmarkStart measures a cold start on a node with many addresses: from opening the node, with
// an empty state file and an empty kernel, to the End-of-RIB at a neighbour that listens, and at
// one that dials. The floor is what cannot be saved: to read the ports from the database's socket,
// and, once all is there, to hand a new session everything.
func BenchmarkStart(b *testing.B) {
	port := uint16(1810)
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, dials := range []bool{false, true} {
			name := map[bool]string{false: "we-dial", true: "neighbour-dials"}[dials]
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				var took, floor time.Duration
				for b.Loop() {
					port++
					t, f := coldStart(b, n, port, dials)
					took, floor = took+t, floor+f
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(took.Seconds()/float64(b.N), "s-to-EoR")
				b.ReportMetric(floor.Seconds()/float64(b.N), "floor-s")
				b.ReportMetric(float64(took)/float64(floor), "x-of-floor")
			})
		}
	}
}

// coldStart starts a node once, on a port of its own.
func coldStart(b *testing.B, n int, port uint16, dials bool) (took, floor time.Duration) {
	w := newWorld(b)
	listener, err := net.Listen("tcp", netip.AddrPortFrom(tablePeer, port).String())
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	peer := fmt.Sprintf("port: %d", port)
	if dials {
		peer = "passive: true"
	}
	w.configure(crowdSpeaker(port, peer))
	db := dialOVSDB(b, w.path("db.sock"))
	crowded(w, db, n, "hv1")

	ended := make(chan table, 1)
	began := time.Now()
	if dials {
		go func() { ended <- dialUntilEnd(b.Context(), port) }()
	} else {
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				ended <- table{}
				return
			}
			ended <- untilEnd(speakertest.On(conn))
		}()
	}
	w.runNode()
	select {
	case got := <-ended:
		took = time.Since(began)
		if got.addresses < n {
			b.Fatalf("the peer was told of %d addresses before the End-of-RIB, want %d", got.addresses, n)
		}
	case <-time.After(deadline):
		b.Fatal("no End-of-RIB")
	}

	began = time.Now()
	readPorts(b, w.path("db.sock"))
	floor = time.Since(began)
	listener.Close() // or the node dials again, and two connections collide
	again := dialUntilEnd(b.Context(), port)
	if again.addresses < n {
		b.Fatalf("a second session was told of %d addresses", again.addresses)
	}
	return took, floor + again.took
}

// table is what a session brought until its End-of-RIB (RFC 4724 section 2): how many addresses,
// and how long after it came up that was.
type table struct {
	addresses int
	took      time.Duration
}

// dialUntilEnd dials until a session comes up, and follows it until its End-of-RIB.
func dialUntilEnd(ctx context.Context, port uint16) table {
	for ctx.Err() == nil {
		p, err := speakertest.Dial(ctx, tablePeer, netip.AddrPortFrom(speakerAddr, port))
		if err == nil {
			if got := untilEnd(p); got.took > 0 {
				return got
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond): // nobody listens yet
		}
	}
	return table{}
}

// untilEnd brings a session up, follows it until its End-of-RIB, and ends it; what it took is zero
// if it does not come up.
func untilEnd(p *speakertest.Peer) (got table) {
	defer p.Close()
	n, end := 0, make(chan struct{})
	p.Hear(func(body []byte) {
		if bytes.Equal(body, []byte{0, 0, 0, 0}) {
			select {
			case <-end:
			default:
				got.addresses = n
				close(end)
			}
			return
		}
		attributes := 2 + int(body[0])<<8 + int(body[1])
		nlri := body[attributes+2+int(body[attributes])<<8+int(body[attributes+1]):]
		for len(nlri) > 0 {
			n, nlri = n+1, nlri[1+(int(nlri[0])+7)/8:]
		}
	})
	open := speakertest.OpenMessage(speakertest.AS, tablePeer, speakertest.Families(speakertest.IPv4),
		speakertest.FourOctetAS(speakertest.AS), speakertest.GracefulRestart(120, speakertest.IPv4))
	began := time.Now()
	if p.Establish(open) != nil {
		return table{}
	}
	select {
	case <-end:
		got.took = time.Since(began)
	case <-p.Done():
	}
	return got
}

// readPorts reads all rows of Port_Binding from the socket, and looks into none.
func readPorts(b *testing.B, socket string) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	ask := map[string]any{"id": 1, "method": "monitor", "params": []any{
		"OVN_Southbound", nil, map[string]any{"Port_Binding": map[string]any{}},
	}}
	if err := json.NewEncoder(conn).Encode(ask); err != nil {
		b.Fatal(err)
	}
	var answer json.RawMessage
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		b.Fatal(err)
	}
}
