package speaker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// EVPNRoute is an EVPN NLRI (RFC 7432 section 7, RFC 9136 section 3.1) of one of
// the types that are understood. It is comparable, and read from its octets to the last
// one: GoBGP's values leave out what they do not know, such as octets that follow.
type EVPNRoute struct {
	Type    object.EVPNType
	RD      string
	Segment [10]byte
	Tag     uint32
	MAC     object.MAC
	Prefix  netip.Prefix
	Gateway netip.Addr // invalid if unspecified
	Label   uint32
	Label2  uint32
}

// ErrOtherType is an EVPN route of a type that is none of our business.
var ErrOtherType = errors.New("another type of EVPN route")

// Octets of the fixed parts.
const (
	rdSize     = 8
	labelSize  = 3
	macIPFixed = rdSize + 10 + 4 + 1 + 6 + 1 // up to the address of a MAC/IP route
	prefix4    = rdSize + 10 + 4 + 1 + 2*4 + labelSize
	prefix6    = rdSize + 10 + 4 + 1 + 2*16 + labelSize
)

// ParseEVPN reads an NLRI. What does not fit to the last octet is an error.
func ParseEVPN(wire []byte) (r EVPNRoute, err error) {
	if len(wire) < 2 || len(wire) != 2+int(wire[1]) {
		return r, fmt.Errorf("EVPN NLRI of %d octets is cut short", len(wire))
	}
	r.Type = object.EVPNType(wire[0])
	body, ok := wire[2:], false
	switch r.Type {
	case object.EVPNMacIP:
		ok = r.readMacIP(body)
	case object.EVPNMulticast:
		ok = r.readMulticast(body)
	case object.EVPNPrefix:
		ok = r.readPrefix(body)
	default:
		return r, ErrOtherType
	}
	if !ok {
		return r, fmt.Errorf("malformed %s route: % x", r.Type, body)
	}
	if r.RD, err = readRD(body); err != nil {
		return r, err
	}
	return r, nil
}

func (r *EVPNRoute) readMacIP(b []byte) bool {
	if len(b) < macIPFixed || b[22] != 48 {
		return false
	}
	copy(r.Segment[:], b[8:18])
	r.Tag = binary.BigEndian.Uint32(b[18:])
	copy(r.MAC[:], b[23:29])
	size := int(b[29] / 8)
	rest := b[macIPFixed:]
	if b[29]%8 != 0 || len(rest) != size+labelSize && len(rest) != size+2*labelSize {
		return false
	}
	if size > 0 {
		addr, ok := netip.AddrFromSlice(rest[:size])
		if !ok {
			return false
		}
		r.Prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	r.Label = readLabel(rest[size:])
	if len(rest) > size+labelSize {
		r.Label2 = readLabel(rest[size+labelSize:])
	}
	return true
}

func (r *EVPNRoute) readMulticast(b []byte) bool {
	if len(b) < rdSize+5 || len(b) != rdSize+5+int(b[12]/8) {
		return false
	}
	r.Tag = binary.BigEndian.Uint32(b[8:])
	addr, ok := netip.AddrFromSlice(b[13:])
	r.Prefix = netip.PrefixFrom(addr, addr.BitLen())
	return ok
}

func (r *EVPNRoute) readPrefix(b []byte) bool {
	if len(b) != prefix4 && len(b) != prefix6 {
		return false
	}
	size := (len(b) - rdSize - 15 - labelSize) / 2
	copy(r.Segment[:], b[8:18])
	r.Tag = binary.BigEndian.Uint32(b[18:])
	addr, _ := netip.AddrFromSlice(b[23 : 23+size])
	gateway, _ := netip.AddrFromSlice(b[23+size : 23+2*size])
	r.Prefix = netip.PrefixFrom(addr, int(b[22])).Masked()
	if !gateway.IsUnspecified() {
		r.Gateway = gateway
	}
	r.Label = readLabel(b[23+2*size:])
	return r.Prefix.IsValid()
}

// NLRI is the inverse of ParseEVPN.
func (r EVPNRoute) NLRI() ([]byte, error) {
	body, err := appendRD(nil, r.RD)
	if err != nil {
		return nil, err
	}
	if r.Type != object.EVPNMulticast {
		body = append(body, r.Segment[:]...)
	}
	body = binary.BigEndian.AppendUint32(body, r.Tag)
	addr := r.Prefix.Addr()
	switch r.Type {
	case object.EVPNMacIP:
		body = append(append(body, 48), r.MAC[:]...)
		body = append(append(body, uint8(addr.BitLen())), addr.AsSlice()...)
		body = appendLabel(body, r.Label)
		if r.Label2 != 0 {
			body = appendLabel(body, r.Label2)
		}
	case object.EVPNMulticast:
		body = append(append(body, uint8(addr.BitLen())), addr.AsSlice()...)
	default:
		gateway := r.Gateway
		if !gateway.IsValid() {
			gateway = Unspecified(object.FamilyOf(addr))
		}
		body = append(append(body, uint8(r.Prefix.Bits())), addr.AsSlice()...)
		body = appendLabel(append(body, gateway.AsSlice()...), r.Label)
	}
	return append([]byte{uint8(r.Type), uint8(len(body))}, body...), nil
}

// SegmentText is the Ethernet Segment Identifier as ten octets, or nothing.
func (r EVPNRoute) SegmentText() string {
	if r.Segment == [10]byte{} {
		return ""
	}
	words := make([]string, len(r.Segment))
	for i, b := range r.Segment {
		words[i] = fmt.Sprintf("%02x", b)
	}
	return strings.Join(words, ":")
}

// A VNI takes all 24 bits of a label field (RFC 8365 section 5.1.3).
func readLabel(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

func appendLabel(b []byte, v uint32) []byte { return append(b, byte(v>>16), byte(v>>8), byte(v)) }

// The types of route distinguishers (RFC 4364 section 4.2), which are those of
// extended communities, too (RFC 4360 section 3, RFC 5668).
const (
	as2 uint8 = 0 // AS of two octets, number of four
	ip4 uint8 = 1 // IPv4 address, number of two
	as4 uint8 = 2 // AS of four octets, number of two
)

// administeredText prints the six octets of an administrator and its number.
func administeredText(kind uint8, b []byte) (string, bool) {
	number := uint64(binary.BigEndian.Uint16(b[4:]))
	who := strconv.FormatUint(uint64(binary.BigEndian.Uint32(b)), 10)
	switch kind {
	case as2:
		who = strconv.FormatUint(uint64(binary.BigEndian.Uint16(b)), 10)
		number = uint64(binary.BigEndian.Uint32(b[2:]))
	case ip4:
		who = netip.AddrFrom4([4]byte(b)).String()
	case as4:
	default:
		return "", false
	}
	return who + ":" + strconv.FormatUint(number, 10), true
}

// administeredOctets is the inverse of administeredText for what object.ParseRD
// and object.RouteTargetsOf return.
func administeredOctets(text string) (kind uint8, b [6]byte, err error) {
	who, number, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0, b, fmt.Errorf("%q: %w", text, err)
	}
	binary.BigEndian.PutUint16(b[4:], uint16(n))
	if addr, err := netip.ParseAddr(who); err == nil && addr.Is4() {
		copy(b[:], addr.AsSlice())
		return ip4, b, nil
	}
	as, err := strconv.ParseUint(who, 10, 32)
	if err != nil {
		return 0, b, fmt.Errorf("%q: %w", text, err)
	}
	if as > 0xffff {
		binary.BigEndian.PutUint32(b[:], uint32(as))
		return as4, b, nil
	}
	binary.BigEndian.PutUint16(b[:], uint16(as))
	binary.BigEndian.PutUint32(b[2:], uint32(n))
	return as2, b, nil
}

func readRD(b []byte) (string, error) {
	if b[0] == 0 {
		if text, ok := administeredText(b[1], b[2:rdSize]); ok {
			return text, nil
		}
	}
	return "", fmt.Errorf("route distinguisher % x is of an unknown type", b[:rdSize])
}

func appendRD(b []byte, text string) ([]byte, error) {
	kind, octets, err := administeredOctets(text)
	if err != nil {
		return nil, fmt.Errorf("route distinguisher %w", err)
	}
	return append(append(b, 0, kind), octets[:]...), nil
}

// Attribute splits a path attribute (RFC 4271 section 4.3).
func Attribute(raw []byte) (kind bgp.BGPAttrType, value []byte, ok bool) {
	head := 3
	if len(raw) > 0 && bgp.BGPAttrFlag(raw[0])&bgp.BGP_ATTR_FLAG_EXTENDED_LENGTH != 0 {
		head = 4
	}
	if len(raw) < head {
		return 0, nil, false
	}
	size := int(raw[head-1])
	if head == 4 {
		size |= int(raw[2]) << 8
	}
	return bgp.BGPAttrType(raw[1]), raw[head:], len(raw) == head+size
}

// attributeOf is the inverse of Attribute.
func attributeOf(flags bgp.BGPAttrFlag, kind bgp.BGPAttrType, value []byte) []byte {
	if len(value) > 0xff {
		flags |= bgp.BGP_ATTR_FLAG_EXTENDED_LENGTH
		return append([]byte{byte(flags), byte(kind), byte(len(value) >> 8), byte(len(value))}, value...)
	}
	return append([]byte{byte(flags), byte(kind), byte(len(value))}, value...)
}
