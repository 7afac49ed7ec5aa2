package speaker

import (
	"net/netip"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// sendHold is for how long a neighbour may take nothing of what is sent to it before its session ends: the
// send hold timer of RFC 9687, with the recommended value. GoBGP has none. Its write to the neighbour would
// wait for as long as that sends keepalives, and what is to be sent meanwhile stays in memory, without a bound.
const sendHold = 8 * time.Minute

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7).
const tcpUserTimeout = 0x12

// holdSends starts the send hold timer of a session that has come up. The kernel has it: the write fails.
func holdSends(p apiutil.Peer) {
	limitSends(endsOf(p), sendHold)
}

// limitSends sets for how long a connection may make no progress with what is sent on it.
// GoBGP shows no connection, and not our address of it, so it is found among the descriptors of this process. It
// reports whether it was there: it may have ended.
func limitSends(conn ends, limit time.Duration) (found bool) {
	eachEnds(func(fd int, e ends) {
		// Whatever takes the descriptor's place meanwhile is no worse off with a limit of minutes.
		if e == conn && syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, tcpUserTimeout, int(limit.Milliseconds())) == nil {
			found = true
		}
	})
	return found
}

// endOf is one end of a connection, without a zone; the zero value is that of no connection.
func endOf(sa syscall.Sockaddr, err error) netip.AddrPort {
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
