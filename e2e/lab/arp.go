package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ARPRequest is a request as RFC 826 has it, and whether it was sent to all.
type ARPRequest struct {
	From, For netip.Addr
	Broadcast bool
}

// ARPWatch collects the ARP requests that arrive at a link.
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
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC,
			int(protocol)); err != nil {
			return fmt.Errorf("open packet socket: %w", err)
		}
		if err := unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: link.Index}); err != nil {
			return errors.Join(fmt.Errorf("listen on %s: %w", dev, err), unix.Close(w.fd))
		}
		return nil
	})
}

// Asked lists the requests that have come since the last call.
func (w *ARPWatch) Asked() ([]ARPRequest, error) {
	// Positions in a packet of Ethernet and IPv4: operation, sender's and target's address.
	const size, operation, sender, target, request = 28, 6, 14, 24, 1
	var out []ARPRequest
	buf := make([]byte, 128)
	for {
		n, from, err := unix.Recvfrom(w.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return out, nil
		case err != nil:
			return out, fmt.Errorf("receive ARP: %w", err)
		case n < size || binary.BigEndian.Uint16(buf[operation:]) != request:
			continue
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		out = append(out, ARPRequest{
			From: netip.AddrFrom4([4]byte(buf[sender:])), For: netip.AddrFrom4([4]byte(buf[target:])),
			Broadcast: ok && link.Pkttype == unix.PACKET_BROADCAST,
		})
	}
}

// Close ends it.
func (w *ARPWatch) Close() error { return unix.Close(w.fd) }
