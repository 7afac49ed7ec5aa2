package speakertest

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// The types of messages (RFC 4271 section 4.1, RFC 2918).
const (
	Open         byte = 1
	Update       byte = 2
	Notification byte = 3
	Keepalive    byte = 4
	RouteRefresh byte = 5
)

// headSize is that of the marker, the length and the type.
const headSize = 19

// The flags of path attributes (RFC 4271 section 4.3).
const (
	Optional   byte = 0x80
	Transitive byte = 0x40
	Partial    byte = 0x20
	Extended   byte = 0x10
)

// Message puts the head before a body.
func Message(kind byte, body []byte) []byte {
	out := slices.Repeat([]byte{0xff}, 16)
	out = binary.BigEndian.AppendUint16(out, uint16(headSize+len(body)))
	return append(append(out, kind), body...)
}

// OpenMessage is an OPEN of version 4 with a hold time of 90 s. Capabilities are whole
// ones, each with its code and length; without any the OPEN has no parameter.
func OpenMessage(as uint16, id netip.Addr, capabilities ...[]byte) []byte {
	list := slices.Concat(capabilities...)
	body := binary.BigEndian.AppendUint16([]byte{4}, as)
	body = append(append(body, 0, 90), id.AsSlice()...)
	if len(list) == 0 {
		return Message(Open, append(body, 0))
	}
	body = append(body, byte(len(list)+2), 2, byte(len(list)))
	return Message(Open, append(body, list...))
}

// Families are the capabilities to speak address families (RFC 4760 section 8).
func Families(list ...[3]byte) []byte {
	var out []byte
	for _, f := range list {
		out = append(out, 1, 4, f[0], f[1], 0, f[2])
	}
	return out
}

// The address families: the number of the family in two octets, and of the subsequent
// one.
var (
	IPv4 = [3]byte{0, 1, 1}
	IPv6 = [3]byte{0, 2, 1}
	EVPN = [3]byte{0, 25, 70}
)

// FourOctetAS is the capability for AS numbers of four octets (RFC 6793).
func FourOctetAS(as uint32) []byte { return binary.BigEndian.AppendUint32([]byte{65, 4}, as) }

// GracefulRestart is the capability of RFC 4724 for one family, whose forwarding state
// is kept.
func GracefulRestart(seconds uint16, f [3]byte) []byte {
	return []byte{64, 6, byte(seconds >> 8), byte(seconds), f[0], f[1], f[2], 0x80}
}

// Attribute is a path attribute with its head.
func Attribute(flags, kind byte, value ...byte) []byte {
	if len(value) > 0xff || flags&Extended != 0 {
		return append([]byte{flags | Extended, kind, byte(len(value) >> 8), byte(len(value))}, value...)
	}
	return append([]byte{flags, kind, byte(len(value))}, value...)
}

// ASPath is AS_PATH of one sequence, with AS numbers of four octets.
func ASPath(list ...uint32) []byte {
	value := []byte{2, byte(len(list))}
	for _, as := range list {
		value = binary.BigEndian.AppendUint32(value, as)
	}
	return Attribute(Transitive, 2, value...)
}

// Usual are the attributes of an IPv4 path: ORIGIN, AS_PATH and NEXT_HOP.
func Usual(hop netip.Addr, ases ...uint32) []byte {
	return slices.Concat(Attribute(Transitive, 1, 0), ASPath(ases...), Attribute(Transitive, 3, hop.AsSlice()...))
}

// UpdateMessage announces IPv4 prefixes with attributes; NLRI of other families is among
// the attributes.
func UpdateMessage(attributes []byte, prefixes ...netip.Prefix) []byte {
	body := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attributes)))
	body = append(body, attributes...)
	for _, p := range prefixes {
		body = append(body, NLRI(p)...)
	}
	return Message(Update, body)
}

// WithdrawMessage withdraws IPv4 prefixes.
func WithdrawMessage(prefixes ...netip.Prefix) []byte {
	var withdrawn []byte
	for _, p := range prefixes {
		withdrawn = append(withdrawn, NLRI(p)...)
	}
	body := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	return Message(Update, append(append(body, withdrawn...), 0, 0))
}

// NLRI is a prefix on the wire: its length in bits, then as many octets as hold them.
func NLRI(p netip.Prefix) []byte {
	return append([]byte{byte(p.Bits())}, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
}

// Reach is MP_REACH_NLRI (RFC 4760 section 3) of a family.
func Reach(f [3]byte, hop []byte, nlri ...byte) []byte {
	value := append(append(f[:], byte(len(hop))), hop...)
	return Attribute(Optional, 14, append(append(value, 0), nlri...)...)
}
