package rtnl

import (
	"fmt"
	"math"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Header is the fixed part of a message, between struct nlmsghdr and the
// attributes: one of the structs below. Which one follows from the type of the
// message, in requests, answers and notifications alike.
type Header interface{ isHeader() }

// IfInfoMsg is struct ifinfomsg of linux/rtnetlink.h: the header of RTM_*LINK.
type IfInfoMsg struct {
	// Family is AF_UNSPEC, or AF_BRIDGE in what is about a port of a bridge.
	Family uint8
	Type   uint16 // ARPHRD_*
	Index  uint32
	// Flags are IFF_*; in a request, those in Change are set to them.
	Flags, Change uint32
}

// IfAddrMsg is struct ifaddrmsg of linux/if_addr.h: the header of RTM_*ADDR.
type IfAddrMsg struct {
	Family uint8
	// PrefixLen is in bits.
	PrefixLen uint8
	// Flags are the lower eight of IFA_F_*; attribute IFA_FLAGS has them all.
	Flags uint8
	Scope uint8 // RT_SCOPE_*
	Index uint32
}

// RtMsg is struct rtmsg of linux/rtnetlink.h: the header of RTM_*ROUTE.
type RtMsg struct {
	Family uint8
	// DstLen and SrcLen are in bits.
	DstLen, SrcLen uint8
	TOS            uint8
	// Table is RT_TABLE_COMPAT or RT_TABLE_UNSPEC where the number is above 255
	// and is in attribute RTA_TABLE alone.
	Table    uint8
	Protocol uint8  // RTPROT_*
	Scope    uint8  // RT_SCOPE_*
	Type     uint8  // RTN_*
	Flags    uint32 // RTM_F_* and, of a route with one next hop, RTNH_F_*
}

// FibRuleHdr is struct fib_rule_hdr of linux/fib_rules.h: the header of
// RTM_*RULE. The kernel accepts struct rtmsg in its place, which is as long.
type FibRuleHdr struct {
	Family uint8
	// DstLen and SrcLen are in bits.
	DstLen, SrcLen uint8
	TOS            uint8
	Table          uint8  // as in RtMsg
	Action         uint8  // FR_ACT_*
	Flags          uint32 // FIB_RULE_*
}

// NdMsg is struct ndmsg of linux/neighbour.h: the header of RTM_*NEIGH, for
// neighbours and, with family AF_BRIDGE, for forwarding entries.
type NdMsg struct {
	Family uint8
	Index  uint32
	State  uint16 // NUD_*
	Flags  uint8  // NTF_*
	Type   uint8  // RTN_*
}

// NetconfMsg is struct netconfmsg of linux/netconf.h: the header of
// RTM_*NETCONF.
type NetconfMsg struct{ Family uint8 }

// RtNexthop is struct rtnexthop of linux/rtnetlink.h without its length: one of
// several next hops in attribute RTA_MULTIPATH. Attributes of its own follow.
type RtNexthop struct {
	Flags uint8 // RTNH_F_*
	// Weight is one less than the share of traffic (rtnh_hops).
	Weight uint8
	Index  uint32
}

func (IfInfoMsg) isHeader()  {}
func (IfAddrMsg) isHeader()  {}
func (RtMsg) isHeader()      {}
func (FibRuleHdr) isHeader() {}
func (NdMsg) isHeader()      {}
func (NetconfMsg) isHeader() {}

// appendHeader writes a header as C lays it out. The cases are spelt out so that
// the header need not move to the heap: 100,000 routes are written with it.
func appendHeader(b []byte, h Header) []byte {
	switch h := h.(type) {
	case IfInfoMsg:
		b = append(b, h.Family, 0)
		b = order.AppendUint16(b, h.Type)
		b = order.AppendUint32(b, h.Index)
		b = order.AppendUint32(b, h.Flags)
		return order.AppendUint32(b, h.Change)
	case IfAddrMsg:
		b = append(b, h.Family, h.PrefixLen, h.Flags, h.Scope)
		return order.AppendUint32(b, h.Index)
	case RtMsg:
		b = append(b, h.Family, h.DstLen, h.SrcLen, h.TOS, h.Table, h.Protocol, h.Scope, h.Type)
		return order.AppendUint32(b, h.Flags)
	case FibRuleHdr:
		b = append(b, h.Family, h.DstLen, h.SrcLen, h.TOS, h.Table, 0, 0, h.Action)
		return order.AppendUint32(b, h.Flags)
	case NdMsg:
		b = append(b, h.Family, 0, 0, 0)
		b = order.AppendUint32(b, h.Index)
		b = order.AppendUint16(b, h.State)
		return append(b, h.Flags, h.Type)
	case NetconfMsg:
		return append(b, h.Family, 0, 0, 0)
	}
	return b
}

// Link reads the header of RTM_*LINK and the attributes behind it.
func (m Message) Link() (IfInfoMsg, Attrs, error) {
	f := fields{rest: m.Body}
	h := IfInfoMsg{Family: f.uint8()}
	f.skip(1)
	h.Type, h.Index, h.Flags, h.Change = f.uint16(), f.uint32(), f.uint32(), f.uint32()
	return h, AttrsOf(f.rest), f.check("ifinfomsg")
}

// Addr reads the header of RTM_*ADDR and the attributes behind it.
func (m Message) Addr() (IfAddrMsg, Attrs, error) {
	f := fields{rest: m.Body}
	h := IfAddrMsg{Family: f.uint8(), PrefixLen: f.uint8(), Flags: f.uint8(), Scope: f.uint8(), Index: f.uint32()}
	return h, AttrsOf(f.rest), f.check("ifaddrmsg")
}

// Route reads the header of RTM_*ROUTE and the attributes behind it.
func (m Message) Route() (RtMsg, Attrs, error) {
	f := fields{rest: m.Body}
	h := RtMsg{
		Family: f.uint8(), DstLen: f.uint8(), SrcLen: f.uint8(), TOS: f.uint8(),
		Table: f.uint8(), Protocol: f.uint8(), Scope: f.uint8(), Type: f.uint8(), Flags: f.uint32(),
	}
	return h, AttrsOf(f.rest), f.check("rtmsg")
}

// Rule reads the header of RTM_*RULE and the attributes behind it.
func (m Message) Rule() (FibRuleHdr, Attrs, error) {
	f := fields{rest: m.Body}
	h := FibRuleHdr{Family: f.uint8(), DstLen: f.uint8(), SrcLen: f.uint8(), TOS: f.uint8(), Table: f.uint8()}
	f.skip(2)
	h.Action, h.Flags = f.uint8(), f.uint32()
	return h, AttrsOf(f.rest), f.check("fib_rule_hdr")
}

// Neigh reads the header of RTM_*NEIGH and the attributes behind it.
func (m Message) Neigh() (NdMsg, Attrs, error) {
	f := fields{rest: m.Body}
	h := NdMsg{Family: f.uint8()}
	f.skip(3)
	h.Index, h.State, h.Flags, h.Type = f.uint32(), f.uint16(), f.uint8(), f.uint8()
	return h, AttrsOf(f.rest), f.check("ndmsg")
}

// Netconf reads the header of RTM_*NETCONF and the attributes behind it.
func (m Message) Netconf() (NetconfMsg, Attrs, error) {
	f := fields{rest: m.Body}
	h := NetconfMsg{Family: f.uint8()}
	f.skip(3)
	return h, AttrsOf(f.rest), f.check("netconfmsg")
}

// Prefix is an address with the length that a header says it has; an error when
// the address has fewer bits.
func Prefix(addr netip.Addr, bits uint8) (netip.Prefix, error) {
	if int(bits) > addr.BitLen() {
		return netip.Prefix{}, fmt.Errorf("%w: prefix length %d of an address of %d bits", ErrMalformed, bits, addr.BitLen())
	}
	return netip.PrefixFrom(addr, int(bits)), nil
}

// ShortTable is the number of a table as headers have it: RT_TABLE_UNSPEC where
// it does not fit and is in an attribute.
func ShortTable(table uint32) uint8 {
	if table > math.MaxUint8 {
		return unix.RT_TABLE_UNSPEC
	}
	return uint8(table)
}

// FamilyOf is AF_INET or AF_INET6.
func FamilyOf(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// fields reads the fields of a C struct one after the other. Reading beyond the
// end gives zeros and is remembered, so that one check at the end is enough.
type fields struct {
	rest  []byte
	short bool
}

func (f *fields) uint8() uint8 {
	if len(f.rest) < 1 {
		f.short = true
		return 0
	}
	v := f.rest[0]
	f.rest = f.rest[1:]
	return v
}

func (f *fields) uint16() uint16 {
	if len(f.rest) < 2 {
		f.short, f.rest = true, nil
		return 0
	}
	v := order.Uint16(f.rest)
	f.rest = f.rest[2:]
	return v
}

func (f *fields) uint32() uint32 {
	if len(f.rest) < 4 {
		f.short, f.rest = true, nil
		return 0
	}
	v := order.Uint32(f.rest)
	f.rest = f.rest[4:]
	return v
}

// skip passes over padding.
func (f *fields) skip(n int) {
	if len(f.rest) < n {
		f.short, f.rest = true, nil
		return
	}
	f.rest = f.rest[n:]
}

// check is nil unless the struct of that name ended too early.
func (f *fields) check(name string) error {
	if !f.short {
		return nil
	}
	return truncated(name)
}

func truncated(name string) error {
	return fmt.Errorf("%w: struct %s is truncated", ErrMalformed, name)
}
