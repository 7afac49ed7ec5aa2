package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// attrTypeMask leaves the flags out of the type of an attribute: that it is
// nested, and that its value is in network byte order.
const attrTypeMask = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)

// Attrs walks over attributes (struct rtattr with a value behind it):
//
//	for a.Next() {
//		switch a.Type { ... a.Uint32() ... }
//	}
//	return a.Err()
//
// A length that cannot be, and a value that is shorter than what is asked of it,
// are recorded and returned by Err: every walk ends with it.
type Attrs struct {
	// Type is that of the attribute that Next stepped to, without flags.
	Type uint16
	// Data is its value, valid as long as the message is.
	Data []byte
	rest []byte
	err  error
}

// AttrsOf starts a walk.
func AttrsOf(b []byte) Attrs { return Attrs{rest: b} }

// Next steps to the next attribute and reports whether there is one. A
// malformed one ends the walk.
func (a *Attrs) Next() bool {
	if len(a.rest) < unix.SizeofRtAttr {
		if !isPadding(a.rest) {
			a.fail("%d bytes behind the last attribute", len(a.rest))
		}
		return false
	}
	f := fields{rest: a.rest}
	size, kind := int(f.uint16()), f.uint16()
	if size < unix.SizeofRtAttr || size > len(a.rest) {
		a.fail("attribute %d claims %d of %d bytes", kind&attrTypeMask, size, len(a.rest))
		return false
	}
	a.Type = kind & attrTypeMask
	a.Data = a.rest[unix.SizeofRtAttr:size]
	a.rest = a.rest[min(align(size), len(a.rest)):]
	return true
}

// isPadding separates the zeros that align a message from the rest of an attribute.
func isPadding(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// Err is what was wrong with the attributes so far, an ErrMalformed, or nil.
func (a *Attrs) Err() error { return a.err }

// fail remembers the first fault.
func (a *Attrs) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
}

// has reports whether the value has at least n bytes, which is a fault if not.
func (a *Attrs) has(n int) bool { return len(a.Data) >= n || a.tooShort(n) }

//go:noinline // has is small enough to be inlined without it
func (a *Attrs) tooShort(n int) bool {
	a.fail("attribute %d has %d bytes, want %d", a.Type, len(a.Data), n)
	return false
}

// Uint8 is the value as a number.
func (a *Attrs) Uint8() uint8 {
	if !a.has(1) {
		return 0
	}
	return a.Data[0]
}

// Uint16 is the value as a number.
func (a *Attrs) Uint16() uint16 {
	if !a.has(2) {
		return 0
	}
	return order.Uint16(a.Data)
}

// Uint16BE is the value as a number in network byte order, as ports of VXLAN
// devices are.
func (a *Attrs) Uint16BE() uint16 {
	if !a.has(2) {
		return 0
	}
	return binary.BigEndian.Uint16(a.Data)
}

// Uint32 is the value as a number.
func (a *Attrs) Uint32() uint32 {
	if !a.has(4) {
		return 0
	}
	return order.Uint32(a.Data)
}

// Text is the value as a string without its terminating zero.
func (a *Attrs) Text() string {
	b := a.Data
	if len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return string(b)
}

// Addr is the value as an address of 4 or 16 bytes.
func (a *Attrs) Addr() netip.Addr { return a.addrOf(a.Data) }

// Via is the address in a value that is a struct rtvia: a family and an address
// of it. It is how a route has a gateway of the other family (RFC 8950).
func (a *Attrs) Via() netip.Addr {
	f := fields{rest: a.Data}
	f.uint16() // the family, which follows from the length of the address, too
	return a.addrOf(f.rest)
}

func (a *Attrs) addrOf(b []byte) netip.Addr {
	addr, ok := netip.AddrFromSlice(b)
	if !ok {
		a.fail("attribute %d has an address of %d bytes", a.Type, len(b))
	}
	return addr
}

// PortRange is a value that is a struct fib_rule_port_range.
func (a *Attrs) PortRange() (first, last uint16) {
	f := fields{rest: a.Data}
	first, last = f.uint16(), f.uint16()
	a.keep(f.check("fib_rule_port_range"))
	return first, last
}

// UIDRange is a value that is a struct fib_rule_uid_range.
func (a *Attrs) UIDRange() (first, last uint32) {
	f := fields{rest: a.Data}
	first, last = f.uint32(), f.uint32()
	a.keep(f.check("fib_rule_uid_range"))
	return first, last
}

// keep remembers an error unless there was one before.
func (a *Attrs) keep(err error) {
	if a.err == nil {
		a.err = err
	}
}

// Each walks over the attributes inside a nested one. What is wrong with them
// is wrong with the outer ones.
func (a *Attrs) Each(visit func(*Attrs)) {
	inner := AttrsOf(a.Data)
	for inner.Next() {
		visit(&inner)
	}
	a.keep(inner.err)
}

// Nexthops walks over the value of RTA_MULTIPATH: structs rtnexthop, each with
// its attributes.
func (a *Attrs) Nexthops(visit func(h RtNexthop, attrs *Attrs)) {
	for rest := a.Data; len(rest) > 0; {
		f := fields{rest: rest}
		size := int(f.uint16())
		h := RtNexthop{Flags: f.uint8(), Weight: f.uint8(), Index: f.uint32()}
		if f.short || size < unix.SizeofRtNexthop || size > len(rest) {
			a.fail("a next hop claims %d of %d bytes", size, len(rest))
			return
		}
		attrs := AttrsOf(rest[unix.SizeofRtNexthop:size])
		visit(h, &attrs)
		a.keep(attrs.err)
		rest = rest[min(align(size), len(rest)):]
	}
}
