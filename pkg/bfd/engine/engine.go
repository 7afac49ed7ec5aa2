// Package engine runs the machines of package bfd: sockets and timers. One goroutine has
// all timers, one reads each receiving socket: UDP port 3784 for neighbours on the link
// (RFC 5881), 4784 for those behind routers (RFC 5883), for IPv4 and IPv6. A socket that
// no session needs is not open.
//
// It refuses to decide what a failure means: that is told to whoever runs it.
//
// Read next: socket.go for what goes over the wire, schedule.go for the timers.
package engine

import (
	"container/heap"
	crand "crypto/rand"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

// The ports of RFC 5881 section 4 and RFC 5883 section 5.
const (
	Port         = 3784
	MultihopPort = 4784
)

// lastWords is how long a neighbour is told that its session was taken down, in case
// packets are lost.
const lastWords bfd.Time = 3_000_000

// Peer is a neighbour to which there is to be a session.
type Peer struct {
	// Addr is its address, with a zone if it is link-local: what has no zone may come
	// in by any device.
	Addr netip.Addr
	// Local is our address; the zero value leaves it to the kernel.
	Local netip.Addr
	// Multihop is set for a neighbour that is not on the link.
	Multihop bool
	Profile  bfd.Profile
}

// Config is how an engine is run.
type Config struct {
	// Port and MultihopPort are for tests; 0 is the RFCs'.
	Port, MultihopPort uint16
	// OnChange is called with each step of a session, in order, by one goroutine.
	OnChange func(netip.Addr, bfd.Change)
	// Logger gets what goes wrong; nil is slog.Default.
	Logger *slog.Logger
}

// Engine runs sessions.
type Engine struct {
	cfg   Config
	start time.Time
	wake  chan struct{}
	done  chan struct{}
	// running are the engine's goroutines.
	running sync.WaitGroup
	// dest is where tests have the other end listen; 0 is the port that we listen on.
	dest uint16

	mu     sync.Mutex // guards what follows
	peers  map[netip.Addr]*session
	discs  map[uint32]*session
	timers timers
	rx     [kinds]*receiver
	rand   *rand.Rand
	closed bool
	// queue are the steps that OnChange has not been told; more is its signal.
	queue []notice
	more  *sync.Cond
	drops Drops
	// waiting is the deadline that the scheduler waits for.
	waiting bfd.Time
	// nextOpen is when sockets are looked at again.
	nextOpen bfd.Time
}

// Drops counts datagrams that no session took.
type Drops struct {
	Malformed, TTL, Unknown uint64
}

type notice struct {
	addr   netip.Addr
	change bfd.Change
}

// session is a machine with its socket.
type session struct {
	*bfd.Session
	peer Peer
	tx   int // descriptor of the sending socket; -1 is none
	err  error
	// at is the index among the timers; until is when a session that is being
	// taken down ends.
	at    int
	until bfd.Time

	since, failed  time.Time
	failures       uint64
	why            bfd.Change // of the last failure
	events         []Event
	counts         map[bfd.Cause]uint64
	sent, received uint64
}

// New returns an engine without sessions.
func New(cfg Config) *Engine {
	if cfg.Port == 0 {
		cfg.Port, cfg.MultihopPort = Port, MultihopPort
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var seed [16]byte
	crand.Read(seed[:])
	e := &Engine{
		cfg: cfg, start: time.Now(), wake: make(chan struct{}, 1), done: make(chan struct{}),
		peers: map[netip.Addr]*session{}, discs: map[uint32]*session{},
		rand: rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:]))),
	}
	e.more = sync.NewCond(&e.mu)
	e.running.Add(2)
	go e.run()
	go e.tell()
	return e
}

// now is the present on the engine's clock.
func (e *Engine) now() bfd.Time { return bfd.Time(time.Since(e.start).Microseconds()) }

// Set makes the sessions those with the peers: new ones begin, others get their profile,
// those that are missing are taken down. Peers with an equal address are one.
func (e *Engine) Set(peers []Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	now := e.now()
	want := make(map[netip.Addr]Peer, len(peers))
	for _, p := range peers {
		want[p.Addr] = p
	}
	for _, addr := range e.addresses() {
		s := e.peers[addr]
		p, ok := want[addr]
		switch {
		case !ok:
			e.disable(s, now)
		case s.until != 0 || p.Local != s.peer.Local || p.Multihop != s.peer.Multihop:
			e.drop(s)
			e.add(p, now)
		case p.Profile != s.peer.Profile:
			s.peer.Profile = p.Profile
			e.take(s, s.Change(p.Profile, now))
		}
		delete(want, addr)
	}
	for _, p := range peers {
		if _, ok := want[p.Addr]; ok {
			e.add(p, now)
			delete(want, p.Addr)
		}
	}
	e.openSockets()
	e.signal()
}

func (e *Engine) addresses() []netip.Addr {
	out := make([]netip.Addr, 0, len(e.peers))
	for addr := range e.peers {
		out = append(out, addr)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

func (e *Engine) add(p Peer, now bfd.Time) {
	disc := e.rand.Uint32()
	for disc == 0 || e.discs[disc] != nil {
		disc = e.rand.Uint32()
	}
	s := &session{peer: p, tx: -1, since: time.Now()}
	s.Session = bfd.New(bfd.Config{
		Profile: p.Profile, Disc: disc,
		Rand: rand.New(rand.NewPCG(e.rand.Uint64(), e.rand.Uint64())),
	}, now)
	e.peers[p.Addr], e.discs[disc] = s, s
	heap.Push(&e.timers, s)
}

// disable begins to take a session down.
func (e *Engine) disable(s *session, now bfd.Time) {
	if s.until == 0 {
		s.until = now + lastWords
		e.take(s, s.Disable(now))
	}
}

// drop ends a session.
func (e *Engine) drop(s *session) {
	s.hangUp()
	heap.Remove(&e.timers, s.at)
	delete(e.peers, s.peer.Addr)
	delete(e.discs, s.Disc())
}

// take does what a machine has asked for.
func (e *Engine) take(s *session, out bfd.Output) {
	if out.Changed {
		s.since = time.Now()
		if out.Change.Failed() {
			s.failures++
			s.failed, s.why = s.since, out.Change
		}
		s.remember(out.Change)
		e.queue = append(e.queue, notice{s.peer.Addr, out.Change})
		e.more.Signal()
	}
	if out.Send {
		e.send(s, out.Packet)
	}
	heap.Fix(&e.timers, s.at)
}

// remember keeps a step as an event if it enters or leaves Up.
func (s *session) remember(c bfd.Change) {
	if c.From != bfd.Up && c.To != bfd.Up {
		return
	}
	if len(s.events) == mostEvents {
		s.events = slices.Delete(s.events, 0, 1)
	}
	s.events = append(s.events, Event{s.since, c})
	if s.counts == nil {
		s.counts = map[bfd.Cause]uint64{}
	}
	s.counts[c.Cause()]++
}

// tell calls OnChange, which may take its time.
func (e *Engine) tell() {
	defer e.running.Done()
	for {
		e.mu.Lock()
		for len(e.queue) == 0 && !e.closed {
			e.more.Wait()
		}
		list := e.queue
		e.queue = nil
		ended := e.closed
		e.mu.Unlock()
		for _, t := range list {
			if e.cfg.OnChange != nil {
				e.cfg.OnChange(t.addr, t.change)
			}
		}
		if ended {
			return
		}
	}
}

// Close ends all sessions without a word: their neighbours shall judge by forwarding.
func (e *Engine) Close() {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	e.closed = true
	close(e.done)
	for _, s := range e.peers {
		s.hangUp()
	}
	for kind := range e.rx {
		e.closeSocket(kind)
	}
	e.more.Signal()
	e.mu.Unlock()
	e.running.Wait()
}
