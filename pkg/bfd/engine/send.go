package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

var nativeEndian = binary.NativeEndian

// bindTries is how many source ports are tried for a session.
const bindTries = 64

// send sends a packet. It never waits: what cannot be sent now is lost, as on the wire.
func (e *Engine) send(s *session, p bfd.Packet) {
	if s.tx < 0 {
		if s.err = e.dial(s); s.err != nil {
			return
		}
	}
	var buf [bfd.PacketLen]byte
	n, err := unix.Write(s.tx, p.Append(buf[:0]))
	if errors.Is(err, unix.ECONNREFUSED) {
		// That is the answer to the packet before: nobody listens there. This one was not sent.
		n, err = unix.Write(s.tx, p.Append(buf[:0]))
	}
	switch {
	case n == bfd.PacketLen:
		s.sent++
		s.err = nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR),
		errors.Is(err, unix.ECONNREFUSED):
	default:
		// Our address or the device is gone: the next packet gets another socket.
		s.err = fmt.Errorf("send to %s: %w", s.peer.Addr, err)
		s.hangUp()
	}
}

func (s *session) hangUp() {
	if s.tx >= 0 {
		unix.Close(s.tx)
		s.tx = -1
	}
}

// dial opens the session's sending socket, on a port of its own.
func (e *Engine) dial(s *session) error {
	kind := kindOf(s.peer)
	zone, err := zoneOf(s.peer.Addr)
	if err != nil {
		return err
	}
	fd := -1
	first := e.rand.IntN(sources)
	for i := range bindTries {
		port := firstSource + (first+i)%sources
		fd, err = bound(kind, sockaddr6(s.peer.Local, port, zone), sockaddr4(s.peer.Local, port))
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("send from %s: %w", localName(s.peer.Local), err)
	}
	if err := e.connect(fd, kind, s.peer, zone); err != nil {
		unix.Close(fd)
		return fmt.Errorf("send to %s: %w", s.peer.Addr, err)
	}
	s.tx = fd
	return nil
}

func (e *Engine) connect(fd, kind int, p Peer, zone uint32) error {
	level, ttl, class := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_TOS
	port := e.port(kind)
	if e.dest != 0 {
		port = int(e.dest)
	}
	to := unix.Sockaddr(sockaddr4(p.Addr, port))
	if kind&ipv6 != 0 {
		level, ttl, class = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_TCLASS
		to = sockaddr6(p.Addr, port, zone)
	}
	var err error
	if p.Addr.Zone() != "" {
		err = unix.BindToDevice(fd, p.Addr.Zone())
	}
	return errors.Join(err, unix.SetsockoptInt(fd, level, ttl, hops), unix.SetsockoptInt(fd, level, class, controlClass),
		unix.Connect(fd, to))
}

// zoneOf is the index of the device that a link-local address is on.
func zoneOf(addr netip.Addr) (uint32, error) {
	if addr.Zone() == "" {
		return 0, nil
	}
	dev, err := net.InterfaceByName(addr.Zone())
	if err != nil {
		return 0, fmt.Errorf("send to %s: %w", addr, err)
	}
	return uint32(dev.Index), nil
}

func sockaddr4(addr netip.Addr, port int) *unix.SockaddrInet4 {
	sa := &unix.SockaddrInet4{Port: port}
	if addr.Is4() {
		sa.Addr = addr.As4()
	}
	return sa
}

func sockaddr6(addr netip.Addr, port int, zone uint32) *unix.SockaddrInet6 {
	sa := &unix.SockaddrInet6{Port: port}
	if addr.Is6() {
		sa.Addr = addr.As16()
	}
	if addr.IsLinkLocalUnicast() {
		sa.ZoneId = zone
	}
	return sa
}

func localName(addr netip.Addr) string {
	if !addr.IsValid() {
		return "any address"
	}
	return addr.String()
}
