package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// order is the byte order of netlink: the machine's own.
var order = binary.NativeEndian

// Message is one netlink message as received. Body begins with the fixed
// header of its type and is valid only until the visit ends.
type Message struct {
	Type  uint16
	Flags uint16
	seq   uint32
	Port  uint32
	Body  []byte
}

func parseMessage(b []byte) (Message, []byte, error) {
	if len(b) < unix.SizeofNlMsghdr {
		return Message{}, nil, fmt.Errorf("netlink message of %d bytes is too short", len(b))
	}
	size := int(order.Uint32(b))
	if size < unix.SizeofNlMsghdr || size > len(b) {
		return Message{}, nil, fmt.Errorf("netlink message claims %d of %d bytes", size, len(b))
	}
	m := Message{
		Type:  order.Uint16(b[4:]),
		Flags: order.Uint16(b[6:]),
		seq:   order.Uint32(b[8:]),
		Port:  order.Uint32(b[12:]),
		Body:  b[unix.SizeofNlMsghdr:size],
	}
	return m, b[min(align(size), len(b)):], nil
}

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// Header returns the fixed header of the message, which has size bytes, and
// the attributes behind it; false for a message that is too short.
func (m Message) Header(size int) ([]byte, Attrs, bool) {
	if len(m.Body) < size {
		return nil, Attrs{}, false
	}
	return m.Body[:size], AttrsOf(m.Body[size:]), true
}

// Attrs walks over attributes: for a := AttrsOf(b); a.Next(); { a.Type, a.Data }.
type Attrs struct {
	Type uint16
	Data []byte
	rest []byte
}

// AttrsOf starts a walk, also over the inside of a nested attribute.
func AttrsOf(b []byte) Attrs { return Attrs{rest: b} }

// Next steps to the next attribute and reports whether there is one. A
// malformed tail ends the walk.
func (a *Attrs) Next() bool {
	if len(a.rest) < unix.SizeofRtAttr {
		return false
	}
	size := int(order.Uint16(a.rest))
	if size < unix.SizeofRtAttr || size > len(a.rest) {
		return false
	}
	// The two highest bits are flags: nested and network byte order.
	a.Type = order.Uint16(a.rest[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	a.Data = a.rest[unix.SizeofRtAttr:size]
	a.rest = a.rest[min(align(size), len(a.rest)):]
	return true
}

// Uint8 is the attribute's value as a number; 0 when it is too short.
func (a *Attrs) Uint8() uint8 {
	if len(a.Data) < 1 {
		return 0
	}
	return a.Data[0]
}

// Uint16 is the attribute's value as a number; 0 when it is too short.
func (a *Attrs) Uint16() uint16 {
	if len(a.Data) < 2 {
		return 0
	}
	return order.Uint16(a.Data)
}

// Uint32 is the attribute's value as a number; 0 when it is too short.
func (a *Attrs) Uint32() uint32 {
	if len(a.Data) < 4 {
		return 0
	}
	return order.Uint32(a.Data)
}

// Text is the attribute's value as a string without its terminating zero.
func (a *Attrs) Text() string {
	b := a.Data
	if len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return string(b)
}

// Addr is the attribute's value as an address; invalid when it has neither 4
// nor 16 bytes.
func (a *Attrs) Addr() netip.Addr {
	addr, _ := netip.AddrFromSlice(a.Data)
	return addr
}

// Uint32At reads a number of a fixed header.
func Uint32At(b []byte, offset int) uint32 { return order.Uint32(b[offset:]) }

// Uint16At reads a number of a fixed header.
func Uint16At(b []byte, offset int) uint16 { return order.Uint16(b[offset:]) }

// Native16 is a number in the machine's byte order.
func Native16(v uint16) []byte { return order.AppendUint16(nil, v) }
