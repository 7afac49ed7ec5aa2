package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

// A receiving socket is one of these kinds.
const (
	multihop = 1 << iota
	ipv6
	kinds = 4
)

// Source ports are from here up (RFC 5881 section 4).
const firstSource, sources = 49152, 65536 - 49152

// readMost bounds how many datagrams are taken before timers get their turn.
const readMost = 1024

// hops is what every packet begins with, and what is left of it on the same link: nothing
// that a router has forwarded arrives with it (RFC 5881 section 5).
const hops = 255

// controlClass is the DSCP of routing protocols, CS6.
const controlClass = 0xc0

func kindOf(p Peer) int {
	kind := 0
	if p.Multihop {
		kind |= multihop
	}
	if p.Addr.Is6() {
		kind |= ipv6
	}
	return kind
}

// receiver is a receiving socket, or why there is none.
type receiver struct {
	file *os.File
	fd   int
	err  error
	// tried is when opening it was tried last.
	tried time.Time
}

// openSockets opens the receiving sockets that are needed, and closes the others.
func (e *Engine) openSockets() {
	var needed [kinds]bool
	for _, s := range e.peers {
		needed[kindOf(s.peer)] = true
	}
	for kind, need := range needed {
		r := e.rx[kind]
		switch {
		case !need:
			e.closeSocket(kind)
		case r == nil || r.file == nil && time.Since(r.tried) >= retryEvery:
			fresh := e.openSocket(kind)
			if fresh.err != nil && (r == nil || r.err == nil || r.err.Error() != fresh.err.Error()) {
				e.cfg.Logger.Warn("BFD cannot receive; retrying", slog.Any("err", fresh.err), slog.Duration("every", retryEvery))
			}
			e.rx[kind] = fresh
			if fresh.file != nil {
				e.running.Add(1)
				go e.receive(kind, fresh.file)
			}
		}
	}
}

func (e *Engine) closeSocket(kind int) {
	if r := e.rx[kind]; r != nil && r.file != nil {
		// Close waits for the reader, which may be waiting for the lock that is held here.
		go r.file.Close()
	}
	e.rx[kind] = nil
}

// port is where packets of a kind go to.
func (e *Engine) port(kind int) int {
	if kind&multihop != 0 {
		return int(e.cfg.MultihopPort)
	}
	return int(e.cfg.Port)
}

func (e *Engine) openSocket(kind int) *receiver {
	r := &receiver{tried: time.Now()}
	r.fd, r.err = bound(kind, &unix.SockaddrInet6{Port: e.port(kind)}, &unix.SockaddrInet4{Port: e.port(kind)})
	if r.err == nil && kind&ipv6 != 0 {
		r.err = unix.SetsockoptInt(r.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1)
	} else if r.err == nil {
		r.err = unix.SetsockoptInt(r.fd, unix.IPPROTO_IP, unix.IP_RECVTTL, 1)
	}
	if r.err != nil {
		r.err = fmt.Errorf("receive on UDP port %d: %w", e.port(kind), r.err)
		if errors.Is(r.err, unix.EADDRINUSE) {
			r.err = fmt.Errorf("%w: another program runs BFD here (bfdd of FRR, BIRD?); stop it there or turn bfd off", r.err)
		}
		return r
	}
	r.file = os.NewFile(uintptr(r.fd), "bfd")
	return r
}

// bound is a non-blocking UDP socket on an address of its family.
func bound(kind int, six *unix.SockaddrInet6, four *unix.SockaddrInet4) (fd int, err error) {
	family, at := unix.AF_INET, unix.Sockaddr(four)
	if kind&ipv6 != 0 {
		family, at = unix.AF_INET6, six
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, at)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// receive reads until the socket is closed.
func (e *Engine) receive(kind int, file *os.File) {
	defer e.running.Done()
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	for {
		if raw.Read(func(uintptr) bool { return e.arrived(kind, file) }) != nil {
			return
		}
	}
}

// arrived reads what is there. It reports whether there may be more.
func (e *Engine) arrived(kind int, file *os.File) (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.rx[kind]; r == nil || r.file != file {
		return true // closed: Read returns that
	}
	more = e.readAll(kind)
	e.signal()
	return more
}

// readAll takes what has arrived. It reports whether there may be more.
func (e *Engine) readAll(kind int) (more bool) {
	r := e.rx[kind]
	if r == nil || r.file == nil {
		return false
	}
	var data, control [256]byte
	for range readMost {
		n, cn, _, from, err := unix.Recvmsg(r.fd, data[:], control[:], 0)
		if err != nil {
			return errors.Is(err, unix.EINTR)
		}
		e.datagram(kind, data[:n], ttlIn(control[:cn]), addrOf(from))
	}
	return true
}

// ttlIn is the TTL or hop limit in the control messages; -1 if there is none.
func ttlIn(control []byte) int {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return -1
		}
		if (header.Level == unix.IPPROTO_IP && header.Type == unix.IP_TTL ||
			header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_HOPLIMIT) && len(data) >= 4 {
			return int(int32(nativeEndian.Uint32(data)))
		}
		control = rest
	}
	return -1
}

// addrOf is the sender, with its device if it is link-local.
func addrOf(sa unix.Sockaddr) netip.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId == 0 || !addr.IsLinkLocalUnicast() {
			return addr
		}
		if dev, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil {
			return addr.WithZone(dev.Name)
		}
	}
	return netip.Addr{}
}

// datagram finds the session that a datagram is for (RFC 5880 section 6.3).
func (e *Engine) datagram(kind int, data []byte, ttl int, from netip.Addr) {
	if kind&multihop == 0 && ttl != hops {
		e.drops.TTL++
		return
	}
	p, err := bfd.Parse(data)
	if err != nil {
		e.drops.Malformed++
		return
	}
	s := e.peers[from]
	if p.YourDisc != 0 {
		s = e.discs[p.YourDisc]
	}
	// Who guesses a discriminator still has to be the neighbour, and a packet of ours that a
	// loop brings back says nothing of it.
	if s == nil || s.peer.Addr != from || kindOf(s.peer) != kind || p.MyDisc == s.Disc() {
		e.drops.Unknown++
		return
	}
	s.received++
	e.take(s, s.Receive(p, e.now()))
}
