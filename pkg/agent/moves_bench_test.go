package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// standing are the addresses that stay on the node, movers those that come and go.
	standing, movers = 5_000, 400
	// moveEvery is the time between two moves, moves how many there are, alone how many are made
	// one after the other before.
	moveEvery, moves, alone = 5 * time.Millisecond, 2_000, 100
	// moverBase is the number of the first mover.
	moverBase = 1 << 19
)

// BenchmarkMoves measures 200 moves a second on a node with 5,000 addresses: from before each
// transaction on a real Southbound database to the UPDATE at a peer, with a real kernel and the
// state file on disk. The peer of the same run is a move that nothing else goes on beside.
func BenchmarkMoves(b *testing.B) {
	port := uint16(1830)
	for b.Loop() {
		port++
		benchMoves(b, port)
	}
	b.ReportMetric(0, "ns/op")
}

func benchMoves(b *testing.B, port uint16) {
	w := newWorld(b)
	w.configure(crowdSpeaker(port, "passive: true"))
	db := dialOVSDB(b, w.path("db.sock"))
	crowded(w, db, standing, "hv1")
	network := moreNetwork(w, db, standing)
	m := mover{b: b, db: db, chassis: [2]any{db.uuid("Chassis", "name", "hv2"), db.uuid("Chassis", "name", "hv1")}}
	for i := range movers {
		m.ports = append(m.ports, db.transact(crowdPort(moverBase+i, network, m.chassis[0]))[0]["uuid"])
		m.began = append(m.began, time.Time{})
	}
	w.start()
	await(b, func() string {
		if got := strings.Count(w.routes(), "\n"); got < standing {
			return fmt.Sprintf("%d routes", got)
		}
		return ""
	})
	peer := heard(b, port, func(body []byte) { moved(body, m.seen) })
	defer peer.Close()

	for i := range alone {
		m.move(i)
		m.await()
	}
	one := m.median()
	m.took = nil
	cpu, began := cpuTime(), time.Now()
	tick := time.NewTicker(moveEvery)
	defer tick.Stop()
	for i := range moves {
		<-tick.C
		m.move(alone + i)
	}
	m.await()
	used, all := cpuTime()-cpu, time.Since(began)
	median := m.median()
	b.ReportMetric(float64(median.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(m.took[len(m.took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(median)/float64(one), "p50-x-of-alone")
	b.ReportMetric(100*used.Seconds()/all.Seconds(), "%-of-a-core")
	b.ReportMetric(moves/all.Seconds(), "moves/s")
}

// mover moves ports there and back, one after the other, and notes how long each move takes.
type mover struct {
	b       *testing.B
	db      *transactor
	ports   []any
	chassis [2]any // elsewhere, and this node

	mu    sync.Mutex
	began []time.Time // of a move that has not been seen yet, by port
	took  []time.Duration
}

// move makes the i-th move: each port comes first, and then goes and comes.
func (m *mover) move(i int) {
	m.b.Helper()
	n := i % movers
	m.mu.Lock()
	late := !m.began[n].IsZero()
	m.began[n] = time.Now()
	m.mu.Unlock()
	if late {
		m.b.Fatalf("port %d has not been seen for %s", n, movers*moveEvery)
	}
	m.db.transact(rebind(m.ports[n], m.chassis[(i/movers+1)%2]))
}

// seen is told of an address that came or went.
func (m *mover) seen(addr netip.Addr, _ bool) {
	a := addr.As4()
	n := int(a[1])<<16 + int(a[2])<<8 + int(a[3]) - moverBase
	if n < 0 || n >= movers {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if began := m.began[n]; !began.IsZero() {
		m.took = append(m.took, time.Since(began))
		m.began[n] = time.Time{}
	}
}

// await waits until all moves have been seen.
func (m *mover) await() {
	m.b.Helper()
	await(m.b, func() string {
		m.mu.Lock()
		defer m.mu.Unlock()
		for n, t := range m.began {
			if !t.IsZero() {
				return fmt.Sprintf("port %d has not been seen", n)
			}
		}
		return ""
	})
}

// median sorts what the moves took.
func (m *mover) median() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.Sort(m.took)
	return m.took[len(m.took)/2]
}
