package speaker

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"google.golang.org/grpc"

	api "github.com/osrg/gobgp/v4/api"
)

const (
	// mostWaiting is how many changes of paths may wait for a neighbour that takes them more slowly than they
	// are made; each is some 500 octets. GoBGP keeps them all, without a bound and without saying how many,
	// although most are void by later ones. The session begins anew then, and with what there is.
	mostWaiting = 200_000
	// leastWait is for how long they wait at least: what takes less is a long round.
	leastWait = 10 * time.Second
	// lookEvery is the pause between looks at the connections; there is none while nothing changes.
	lookEvery = time.Second
)

// siocOutQ is SIOCOUTQ of tcp(7): the octets that the neighbour has not acknowledged.
const siocOutQ = 0x5411

// ends is a connection: our port, and the neighbour's address and port.
type ends struct {
	local  uint16
	remote netip.AddrPort
}

// backlog bounds what waits for slow neighbours.
type backlog struct {
	log *slog.Logger
	// handed counts the changes of paths that GoBGP was given, and more has something if there may be some that
	// a neighbour has not taken.
	handed atomic.Uint64
	more   chan struct{}

	mu       sync.Mutex
	sessions []*waiting
}

func newBacklog(log *slog.Logger) *backlog {
	return &backlog{log: log, more: make(chan struct{}, 1)}
}

// count notes that GoBGP was given changes of paths.
func (b *backlog) count(changes int) {
	b.handed.Add(uint64(changes))
	b.again()
}

// again has the connections looked at.
func (b *backlog) again() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// waiting is the connection of a session, and what it has not taken.
type waiting struct {
	ends
	// queued is what the neighbour has not acknowledged, in octets; -1 if there is no such connection.
	queued int32
	// taken is how many changes had been handed over when the connection was empty last, since when that was.
	taken uint64
	since time.Time
}

// endsOf is the connection of a session that is up.
func endsOf(p apiutil.Peer) ends {
	remote := netip.AddrPortFrom(p.State.NeighborAddress.Unmap().WithZone(""), uint16(p.Transport.RemotePort))
	return ends{uint16(p.Transport.LocalPort), remote}
}

// up begins to look at a session that has come up. What it gets then is what there is, and no change.
func (b *backlog) up(e ends) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions = append(b.sessions, &waiting{ends: e, taken: b.handed.Load(), since: time.Now()})
}

// run looks at the connections until the context ends.
func (b *backlog) run(ctx context.Context) {
	pause := time.NewTimer(lookEvery)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.more:
			pause.Reset(lookEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		slow, waits := b.look(time.Now(), measure)
		for _, w := range slow {
			b.log.Warn("a neighbour is too slow for what changes: its session begins anew",
				slog.String("peer", w.remote.Addr().String()), slog.Int("changes", mostWaiting))
			end(w.ends)
		}
		if waits {
			b.again()
		}
	}
}

// look returns the connections for which too much waits, and whether something waits for others. measure tells what
// is queued on each.
func (b *backlog) look(now time.Time, measure func([]*waiting)) (slow []*waiting, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	handed, waits := b.handed.Load(), false
	for _, w := range b.sessions {
		waits = waits || w.taken != handed
	}
	if !waits {
		return nil, false
	}
	measure(b.sessions)
	all := b.sessions
	b.sessions = nil
	for _, w := range all {
		switch {
		case w.queued < 0: // it has ended
			continue
		case w.queued == 0:
			w.taken, w.since = handed, now
		case handed-w.taken > mostWaiting && now.Sub(w.since) >= leastWait:
			slow = append(slow, w)
			continue
		}
		b.sessions, more = append(b.sessions, w), more || w.taken != handed
	}
	return slow, more
}

// measure looks for the connections among those of this process.
func measure(list []*waiting) {
	for _, w := range list {
		w.queued = -1
	}
	eachEnds(func(fd int, e ends) {
		for _, w := range list {
			if w.ends == e {
				_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), siocOutQ, uintptr(unsafe.Pointer(&w.queued)))
			}
		}
	})
}

// end breaks a connection, whoever is waiting to write on it: GoBGP closes it then. A neighbour that supports
// graceful restart keeps the paths until the next session.
func end(conn ends) {
	eachEnds(func(fd int, e ends) {
		if e != conn {
			return
		}
		// Another descriptor of the same connection: the number of the first one may become another's any time.
		own, err := syscall.Dup(fd)
		if err != nil {
			return
		}
		defer func() { _ = syscall.Close(own) }() // nothing is written by it
		if endsAt(own) == conn {
			_ = syscall.Shutdown(own, syscall.SHUT_RDWR) // else it has ended
		}
	})
}

// eachEnds calls f with each TCP connection among the descriptors of this process.
func eachEnds(f func(fd int, e ends)) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if e := endsAt(fd); e.remote.IsValid() {
			f(fd, e)
		}
	}
}

// endsAt is the connection of a descriptor; without a neighbour it is none.
func endsAt(fd int) ends {
	return ends{endOf(syscall.Getsockname(fd)).Port(), endOf(syscall.Getpeername(fd))}
}

// countPaths has the gRPC server of a speaker process count the changes that controllers hand over.
func (b *backlog) countPaths() grpc.ServerOption {
	return grpc.ChainStreamInterceptor(func(
		srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
	) error {
		if info.FullMethod == api.GoBgpService_AddPathStream_FullMethodName {
			stream = counter{stream, b}
		}
		return next(srv, stream)
	})
}

// counter counts the paths of what is received.
type counter struct {
	grpc.ServerStream
	backlog *backlog
}

// RecvMsg is called for each batch of paths.
func (c counter) RecvMsg(m any) error {
	err := c.ServerStream.RecvMsg(m)
	if req, ok := m.(*api.AddPathStreamRequest); ok && err == nil {
		c.backlog.count(len(req.GetPaths()))
	}
	return err
}
