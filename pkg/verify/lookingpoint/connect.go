package lookingpoint

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// connect opens the TCP connection, and says which address is our end.
func (s *Session) connect(ctx context.Context) (net.Conn, netip.Addr, error) {
	local := s.cfg.Local
	if !local.IsValid() {
		var err error
		if local, err = LocalOf(s.cfg.Remote.Addr()); err != nil {
			return nil, local, explain(err)
		}
	}
	if s.cfg.Allow != nil {
		if err := s.cfg.Allow(local); err != nil {
			return nil, local, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	d := net.Dialer{Control: s.prepare}
	if s.cfg.Local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	d.SetMultipathTCP(false) // such sockets take no MD5 key
	conn, err := d.DialContext(ctx, "tcp", s.cfg.Remote.String())
	if err != nil {
		return nil, local, explain(err)
	}
	return conn, local, nil
}

// explain adds what an error usually means.
func explain(err error) error {
	if strings.HasSuffix(err.Error(), "i/o timeout") {
		return fmt.Errorf("%w: its port is filtered on the way, or the passwords (TCP MD5) differ", err)
	}
	return err
}

// prepare sets up the socket before it connects: the password, and the highest TTL, which
// serves sessions over any number of hops, and those with TTL security (RFC 5082).
func (s *Session) prepare(network, _ string, c syscall.RawConn) error {
	var err error
	ctlErr := c.Control(func(fd uintptr) {
		if network == "tcp6" {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, 255)
		}
		if err == nil && s.cfg.Password != "" {
			err = setPassword(int(fd), s.cfg.Remote.Addr(), s.cfg.Password)
		}
	})
	if err == nil {
		err = ctlErr
	}
	return err
}

// setPassword gives the kernel the MD5 key for the other end.
func setPassword(fd int, remote netip.Addr, password string) error {
	key := unix.TCPMD5Sig{Keylen: uint16(len(password))}
	if len(password) > len(key.Key) {
		return fmt.Errorf("the password is longer than %d bytes", len(key.Key))
	}
	copy(key.Key[:], password)
	// A sockaddr_in has the port and the address behind the family, a sockaddr_in6 the port and
	// the flow label before the address. The port does not matter.
	const addr4, addr6 = 2, 6
	if remote.Is4() {
		key.Addr.Family = unix.AF_INET
		copy(key.Addr.Data[addr4:], remote.AsSlice())
	} else {
		key.Addr.Family = unix.AF_INET6
		copy(key.Addr.Data[addr6:], remote.AsSlice())
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &key); err != nil {
		return fmt.Errorf("set the password (TCP MD5): %w", err)
	}
	return nil
}
