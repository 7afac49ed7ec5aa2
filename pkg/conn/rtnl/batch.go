package rtnl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

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

// Begin starts a request with the fixed header of its type.
func (b *Batch) Begin(kind uint16, flags int, header ...byte) {
	b.starts = append(b.starts, len(b.buf))
	b.buf = append(b.buf, 0, 0, 0, 0)
	b.buf = order.AppendUint16(b.buf, kind)
	b.buf = order.AppendUint16(b.buf, uint16(flags|unix.NLM_F_REQUEST))
	b.buf = append(b.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	b.buf = append(b.buf, header...)
}

// Header32 adds a number to the fixed header of the request just begun.
func (b *Batch) Header32(v uint32) { b.buf = order.AppendUint32(b.buf, v) }

// Header16 adds a number to the fixed header of the request just begun.
func (b *Batch) Header16(v uint16) { b.buf = order.AppendUint16(b.buf, v) }

// Patch sets one byte of the fixed header of the last request.
func (b *Batch) Patch(offset int, v uint8) {
	b.buf[b.starts[len(b.starts)-1]+unix.SizeofNlMsghdr+offset] = v
}

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

// Addr adds an address of 4 or 16 bytes.
func (b *Batch) Addr(kind uint16, a netip.Addr) {
	if a.Is4() {
		b.head(kind, 4)
		v := a.As4()
		b.buf = append(b.buf, v[:]...)
		return
	}
	b.head(kind, 16)
	v := a.As16()
	b.buf = append(b.buf, v[:]...)
}

// Text adds a string with its terminating zero.
func (b *Batch) Text(kind uint16, v string) {
	b.head(kind, len(v)+1)
	b.buf = append(append(b.buf, v...), 0)
	b.pad()
}

// Raw adds bytes that are no attribute, such as the header of a message inside an
// attribute.
func (b *Batch) Raw(v ...byte) {
	b.buf = append(b.buf, v...)
	b.pad()
}

// Nest begins an attribute that holds others; what it returns ends it.
func (b *Batch) Nest(kind uint16) (end func()) {
	at := len(b.buf)
	b.head(kind|unix.NLA_F_NESTED, 0)
	return func() { order.PutUint16(b.buf[at:], uint16(len(b.buf)-at)) }
}

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
	b.seal(first)
	return b.buf
}

// seal fills in lengths and sequence numbers, which start at first, and asks
// for one answer: after the last request.
func (b *Batch) seal(first uint32) {
	for i, start := range b.starts {
		end := len(b.buf)
		if i+1 < len(b.starts) {
			end = b.starts[i+1]
		}
		order.PutUint32(b.buf[start:], uint32(end-start))
		order.PutUint32(b.buf[start+8:], first+uint32(i))
	}
	last := b.buf[b.starts[len(b.starts)-1]+6:]
	order.PutUint16(last, order.Uint16(last)|unix.NLM_F_ACK)
}

// Error is what the kernel answered to one request: an errno and, where it has
// any, its own words.
type Error struct {
	Errno unix.Errno
	Words string
}

// Error prints the kernel's words with the errno's.
func (e *Error) Error() string {
	if e.Words == "" {
		return e.Errno.Error()
	}
	return fmt.Sprintf("%s (%s)", e.Errno, e.Words)
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// Execute sends the batch and calls failed for every request that the kernel
// refused, by its position. The kernel goes on after a refused request: all
// others have been done. An error of Execute itself means that nothing is
// known about any of them.
func (c *Conn) Execute(ctx context.Context, b *Batch, failed func(i int, err *Error)) error {
	return c.Ask(ctx, b, func(int, Message) {}, failed)
}

// Ask is Execute for requests that are questions: answer is called for what the
// kernel replies to each, by its position.
func (c *Conn) Ask(ctx context.Context, b *Batch, answer func(i int, m Message), failed func(i int, err *Error)) error {
	if b.Len() == 0 {
		return nil
	}
	if err := expired(ctx); err != nil {
		return err
	}
	first := c.seq + 1
	c.seq += uint32(b.Len())
	b.seal(first)
	if err := c.send(b.buf); err != nil {
		return err
	}
	return c.answers(first, uint32(b.Len()), answer, failed)
}

// answers reads until the last of n requests has been answered. Whatever bears
// another number is the rest of an earlier, abandoned exchange.
func (c *Conn) answers(first, n uint32, answer func(i int, m Message), failed func(i int, err *Error)) error {
	for {
		done, err := c.receive(func(m Message) (bool, error) {
			i := m.seq - first
			if i >= n {
				return false, nil
			}
			if m.Type != unix.NLMSG_ERROR {
				answer(int(i), m)
				return false, nil
			}
			err, parseErr := m.answer()
			if parseErr != nil {
				return false, parseErr
			}
			if err != nil {
				failed(int(i), err)
			}
			return i == n-1, nil
		})
		if done || err != nil {
			return err
		}
	}
}

// answer reads NLMSG_ERROR; a nil *Error is an acknowledgement.
func (m Message) answer() (*Error, error) {
	if len(m.Body) < 4 {
		return nil, errors.New("netlink error message is too short")
	}
	code := -int32(order.Uint32(m.Body))
	if code == 0 {
		return nil, nil
	}
	e := &Error{Errno: unix.Errno(code)}
	// Behind the errno stands the header of the request, capped to that.
	if m.Flags&unix.NLM_F_ACK_TLVS != 0 && len(m.Body) >= unix.SizeofNlMsgerr {
		for a := AttrsOf(m.Body[unix.SizeofNlMsgerr:]); a.Next(); {
			if a.Type == unix.NLMSGERR_ATTR_MSG {
				e.Words = a.Text()
			}
		}
	}
	return e, nil
}
