package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// order is the byte order of netlink: the machine's own.
var order = binary.NativeEndian

// ErrMalformed is wrapped by every error about bytes that are no message: they
// end too early, or a length in them cannot be.
var ErrMalformed = errors.New("malformed rtnetlink message")

// Message is one netlink message as received.
type Message struct {
	Type  uint16 // RTM_*
	Flags uint16 // NLM_F_*
	// Port names the socket whose request caused the message; 0 for the kernel.
	Port uint32
	// Body is what follows struct nlmsghdr, valid only until the visit ends. The
	// method for the type ([Message.Link], [Message.Route]) reads it.
	Body []byte
	seq  uint32
}

// parseMessage reads struct nlmsghdr and returns what follows the message.
func parseMessage(b []byte) (m Message, rest []byte, err error) {
	f := fields{rest: b}
	size := f.uint32()
	m.Type, m.Flags, m.seq, m.Port = f.uint16(), f.uint16(), f.uint32(), f.uint32()
	if err := f.check("nlmsghdr"); err != nil {
		return Message{}, nil, err
	}
	if size < unix.SizeofNlMsghdr || uint64(size) > uint64(len(b)) {
		return Message{}, nil, fmt.Errorf("%w: length %d in a buffer of %d bytes", ErrMalformed, size, len(b))
	}
	m.Body = b[unix.SizeofNlMsghdr:size]
	return m, b[min(align(int(size)), len(b)):], nil
}

// EachMessage visits the messages of a datagram and returns the first error. A
// message of a length that cannot be is the last one.
func EachMessage(datagram []byte, visit func(Message) error) error {
	var first error
	for len(datagram) > 0 {
		m, rest, err := parseMessage(datagram)
		if err != nil {
			return errors.Join(first, err)
		}
		if err := visit(m); err != nil && first == nil {
			first = err
		}
		datagram = rest
	}
	return first
}

// align rounds up to where the next message or attribute begins.
func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// Error is what the kernel answered to one request: an errno and, where it has
// any, its own words (extended acknowledgements).
type Error struct {
	Errno unix.Errno
	// Text is NLMSGERR_ATTR_MSG.
	Text string
}

// Error prints the kernel's words with the errno's.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Errno.Error()
	}
	return fmt.Sprintf("%s (%s)", e.Errno, e.Text)
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// Refusal reads struct nlmsgerr of NLMSG_ERROR, or the errno of NLMSG_DONE; nil
// is an acknowledgement.
func (m Message) Refusal() (*Error, error) {
	f := fields{rest: m.Body}
	code := -int32(f.uint32())
	if err := f.check("nlmsgerr"); err != nil {
		return nil, err
	}
	if code == 0 {
		return nil, nil
	}
	e := &Error{Errno: unix.Errno(code)}
	if m.Flags&unix.NLM_F_ACK_TLVS == 0 {
		return e, nil
	}
	// Behind the errno comes the header of the request alone, because we ask for
	// capped acknowledgements.
	f.skip(unix.SizeofNlMsghdr)
	attrs := AttrsOf(f.rest)
	for attrs.Next() {
		if attrs.Type == unix.NLMSGERR_ATTR_MSG {
			e.Text = attrs.Text()
		}
	}
	return e, nil // the words are a help: the errno counts without them
}
