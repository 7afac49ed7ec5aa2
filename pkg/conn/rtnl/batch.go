package rtnl

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch is a run of requests in one buffer. Each is begun with Begin and
// followed by its attributes; the zero value is empty.
type Batch struct {
	buf    []byte
	starts []int
}

// Len is how many requests have been begun.
func (b *Batch) Len() int { return len(b.starts) }

// Full reports that no further request should be begun before the batch is
// sent.
func (b *Batch) Full() bool { return len(b.starts) >= maxBatch }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.buf, b.starts = b.buf[:0], b.starts[:0] }

// Begin starts a request of a type (RTM_*) with its fixed header. NLM_F_REQUEST
// is added to the flags.
func (b *Batch) Begin(kind uint16, flags int, h Header) {
	b.starts = append(b.starts, len(b.buf))
	b.buf = order.AppendUint32(b.buf, 0) // the length, see seal
	b.buf = order.AppendUint16(b.buf, kind)
	b.buf = order.AppendUint16(b.buf, uint16(flags|unix.NLM_F_REQUEST))
	b.buf = order.AppendUint32(b.buf, 0) // the sequence number, see seal
	b.buf = order.AppendUint32(b.buf, 0) // the port, which the kernel knows
	b.buf = appendHeader(b.buf, h)
}

// Header adds a header inside an attribute that holds a whole message, as
// VETH_INFO_PEER does.
func (b *Batch) Header(h Header) { b.buf = appendHeader(b.buf, h) }

// Uint8 adds an attribute of one byte.
func (b *Batch) Uint8(kind uint16, v uint8) {
	b.head(kind, 1)
	b.buf = append(b.buf, v, 0, 0, 0)
}

// Uint16 adds an attribute of two bytes.
func (b *Batch) Uint16(kind, v uint16) {
	b.head(kind, 2)
	b.buf = order.AppendUint16(b.buf, v)
	b.buf = append(b.buf, 0, 0)
}

// Uint32 adds an attribute of four bytes.
func (b *Batch) Uint32(kind uint16, v uint32) {
	b.head(kind, 4)
	b.buf = order.AppendUint32(b.buf, v)
}

// Bytes adds an attribute as it is.
func (b *Batch) Bytes(kind uint16, v ...byte) {
	b.head(kind, len(v))
	b.buf = append(b.buf, v...)
	b.pad()
}

// Uint16BE adds an attribute of two bytes in network byte order.
func (b *Batch) Uint16BE(kind, v uint16) {
	b.head(kind, 2)
	b.buf = binary.BigEndian.AppendUint16(b.buf, v)
	b.buf = append(b.buf, 0, 0)
}

// Addr adds an address of 4 or 16 bytes.
func (b *Batch) Addr(kind uint16, a netip.Addr) {
	b.head(kind, a.BitLen()/8)
	b.addr(a)
}

// Via adds an address as struct rtvia, which has its family with it.
func (b *Batch) Via(kind uint16, a netip.Addr) {
	b.head(kind, sizeofFamily+a.BitLen()/8)
	b.buf = order.AppendUint16(b.buf, uint16(FamilyOf(a)))
	b.addr(a)
	b.pad()
}

// sizeofFamily is that of rtvia_family.
const sizeofFamily = 2

func (b *Batch) addr(a netip.Addr) {
	if a.Is4() {
		v := a.As4()
		b.buf = append(b.buf, v[:]...)
		return
	}
	v := a.As16()
	b.buf = append(b.buf, v[:]...)
}

// Text adds a string with its terminating zero.
func (b *Batch) Text(kind uint16, v string) {
	b.head(kind, len(v)+1)
	b.buf = append(append(b.buf, v...), 0)
	b.pad()
}

// Nest begins an attribute that holds others; what it returns ends it.
func (b *Batch) Nest(kind uint16) (end func()) { return b.Group(kind | unix.NLA_F_NESTED) }

// Group begins an attribute whose inside is no plain row of attributes, as that
// of RTA_MULTIPATH is not; what it returns ends it.
func (b *Batch) Group(kind uint16) (end func()) {
	at := len(b.buf)
	b.head(kind, 0)
	return func() { b.length(at) }
}

// Nexthop begins one of the next hops in RTA_MULTIPATH; its attributes follow,
// and what it returns ends it.
func (b *Batch) Nexthop(h RtNexthop) (end func()) {
	at := len(b.buf)
	b.buf = order.AppendUint16(b.buf, 0) // the length
	b.buf = append(b.buf, h.Flags, h.Weight)
	b.buf = order.AppendUint32(b.buf, h.Index)
	return func() { b.length(at) }
}

// length writes how much has been added since at into the two bytes there, with
// which struct rtattr and struct rtnexthop begin.
func (b *Batch) length(at int) { order.PutUint16(b.buf[at:], uint16(len(b.buf)-at)) }

func (b *Batch) head(kind uint16, size int) {
	b.buf = order.AppendUint16(b.buf, uint16(size+unix.SizeofRtAttr))
	b.buf = order.AppendUint16(b.buf, kind)
}

func (b *Batch) pad() {
	for len(b.buf)%unix.NLMSG_ALIGNTO != 0 {
		b.buf = append(b.buf, 0)
	}
}

// Encode returns the batch as it is sent, with sequence numbers from first on.
func (b *Batch) Encode(first uint32) []byte {
	b.seal(first, unix.NLM_F_ACK)
	return b.buf
}

// Where the fields of struct nlmsghdr are that are filled in last.
const (
	lengthAt = unsafe.Offsetof(unix.NlMsghdr{}.Len)
	flagsAt  = unsafe.Offsetof(unix.NlMsghdr{}.Flags)
	numberAt = unsafe.Offsetof(unix.NlMsghdr{}.Seq)
)

// seal fills in lengths and sequence numbers, which start at first, and adds
// flags to the last request: NLM_F_ACK there asks for one answer to all.
func (b *Batch) seal(first uint32, flags uint16) {
	end := len(b.buf)
	for i := len(b.starts) - 1; i >= 0; i-- {
		request := b.buf[b.starts[i]:end]
		order.PutUint32(request[lengthAt:], uint32(len(request)))
		order.PutUint32(request[numberAt:], first+uint32(i))
		if end == len(b.buf) {
			order.PutUint16(request[flagsAt:], order.Uint16(request[flagsAt:])|flags)
		}
		end = b.starts[i]
	}
}
