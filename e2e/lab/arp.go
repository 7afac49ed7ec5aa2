package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ARPWatch counts what arrives at a link to be asked for an address.
type ARPWatch struct{ fd int }

// WatchARP begins to collect the ARP requests that arrive at a link.
func (n *Node) WatchARP(dev string) (*ARPWatch, error) {
	w := new(ARPWatch)
	return w, n.Do(func() error {
		link, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		protocol := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ARP))
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(protocol)); err != nil {
			return fmt.Errorf("open packet socket: %w", err)
		}
		if err := unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: link.Index}); err != nil {
			return errors.Join(fmt.Errorf("listen on %s: %w", dev, err), unix.Close(w.fd))
		}
		return nil
	})
}

// Asked lists the addresses that were asked for since the last call, RFC 826.
func (w *ARPWatch) Asked() ([]netip.Addr, error) {
	const size, request = 28, 1
	var out []netip.Addr
	buf := make([]byte, 128)
	for {
		n, _, err := unix.Recvfrom(w.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return out, nil
		case err != nil:
			return out, fmt.Errorf("receive ARP: %w", err)
		case n >= size && binary.BigEndian.Uint16(buf[6:]) == request:
			out = append(out, netip.AddrFrom4([4]byte(buf[24:28])))
		}
	}
}

// Close ends it.
func (w *ARPWatch) Close() error { return unix.Close(w.fd) }
