package speakertest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Case is what a hostile or broken neighbour sends.
type Case struct {
	Name string
	// TwoOctetAS is set where the neighbour does not speak AS numbers of four octets.
	TwoOctetAS bool
	// Instead of the OPEN of a session, if there is one.
	Open []byte
	// Messages follow the handshake.
	Messages []byte
}

// AS, ID and hop are of the neighbour that sends Malformed.
const AS = 65002

var (
	id  = netip.MustParseAddr("192.0.2.2")
	all = [][3]byte{IPv4, IPv6, EVPN}
)

// Malformed are messages that are wrong in one place: each attribute of RFC 7606 section 7
// and of the families' RFCs, each NLRI cut at each octet, next hops of every length, and
// what is left of OPEN, NOTIFICATION, ROUTE-REFRESH and of the head when it is damaged.
func Malformed() []Case {
	return slices.Concat(deadly(), attributes(), cutNLRI(), nextHops(), opens(), others())
}

// deadly ended processes with GoBGP 3.37.
func deadly() []Case {
	route2 := append([]byte{2, 10}, make([]byte, 10)...)
	route4 := append([]byte{4, 12}, make([]byte, 12)...)
	service := func(sub ...byte) []byte { // an SRv6 L3 Service TLV (RFC 9252 section 2)
		value := append([]byte{5, 0, byte(1 + len(sub)), 0}, sub...)
		return Attribute(Optional|Transitive, 40, value...)
	}
	info := append([]byte{1, 0, 24, 0}, make([]byte, 20)...) // an SRv6 SID Information Sub-TLV
	as4 := Attribute(Optional|Transitive, 17, 2, 1, 0, 1, 0, 0)
	path2 := Attribute(Transitive, 2, 2, 1, byte(AS>>8), byte(AS&0xff))
	hop := Attribute(Transitive, 3, id.AsSlice()...)
	prefix := netip.MustParsePrefix("203.0.113.0/24")
	return []Case{
		update("unknown SRv6 sub-TLV", slices.Concat(Usual(id, AS), service(9, 0, 1, 0)), prefix),
		update("SRv6 sub-TLV of no octet", slices.Concat(Usual(id, AS), service(1, 0, 0)), prefix),
		update("unknown SRv6 sub-TLV of no octet", slices.Concat(Usual(id, AS), service(9, 0, 0)), prefix),
		update("SRv6 sub-sub-TLV of no octet", slices.Concat(Usual(id, AS), service(append(info, 1, 0, 0)...)), prefix),
		update("EVPN type 2 of ten octets", slices.Concat(Usual(id, AS), Reach(EVPN, id.AsSlice(), route2...))),
		update("EVPN type 4 of twelve octets", slices.Concat(Usual(id, AS), Reach(EVPN, id.AsSlice(), route4...))),
		{
			Name: "AS4_PATH before AS_PATH", TwoOctetAS: true,
			Messages: UpdateMessage(slices.Concat(Attribute(Transitive, 1, 0), as4, path2, hop), prefix),
		},
		{
			Name: "AS4_PATH without AS_PATH", TwoOctetAS: true,
			Messages: UpdateMessage(slices.Concat(Attribute(Transitive, 1, 0), as4, hop), prefix),
		},
	}
}

func update(name string, attributes []byte, prefixes ...netip.Prefix) Case {
	return Case{Name: name, Messages: UpdateMessage(attributes, prefixes...)}
}

// values are a well-formed one of each attribute, by its type.
func values() map[byte][]byte {
	four := id.AsSlice()
	return map[byte][]byte{
		1: {0}, 2: ASPath(AS)[3:], 3: four, 4: four, 5: four, 6: {}, 7: slices.Concat([]byte{0, 0, 0xfd, 0xea}, four),
		8: four, 9: four, 10: four,
		14: Reach(IPv6, make([]byte, 16), 32, 0x20, 1, 0xd, 0xb8)[3:], 15: {0, 2, 1, 32, 0x20, 1, 0xd, 0xb8},
		16: {0, 2, 0xfd, 0xe9, 0, 0, 0, 7}, 17: ASPath(AS)[3:], 18: slices.Concat([]byte{0, 0, 0xfd, 0xea}, four),
		22: {0, 6, 0, 0, 7, 192, 0, 2, 2}, 23: {0, 8, 0, 4, 1, 2, 0, 0},
		25: make([]byte, 20), 26: {1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1}, 29: {4, 4, 0, 1, 0},
		32: make([]byte, 12), 40: {1, 0, 7, 0, 0, 0, 0, 0, 0, 7}, 128: slices.Concat(four, four), 255: four,
	}
}

// attributes damages each attribute in flags, length and number.
func attributes() []Case {
	var out []Case
	prefix := netip.MustParsePrefix("203.0.113.0/24")
	good := values()
	for kind := range 256 {
		value, ok := good[byte(kind)]
		if !ok {
			continue
		}
		for name, raw := range damaged(byte(kind), value) {
			rest := Usual(id, AS)
			if kind <= 3 { // the damaged one replaces the good one
				rest = nil
				for _, k := range []byte{1, 2, 3} {
					if int(k) != kind {
						rest = append(rest, Attribute(Transitive, k, good[k]...)...)
					}
				}
			}
			out = append(out, update(fmt.Sprintf("attribute %d %s", kind, name), append(slices.Clone(raw), rest...), prefix))
		}
	}
	sorting.Sort(out, func(a, b Case) int { return compare(a.Name, b.Name) })
	return out
}

// damaged are ways to get an attribute wrong.
func damaged(kind byte, value []byte) map[string][]byte {
	flags := Optional | Transitive
	if kind <= 6 {
		flags = Transitive
	}
	out := map[string][]byte{
		"of other flags":       Attribute(flags^Optional, kind, value...),
		"that is partial":      Attribute(flags^Transitive|Partial, kind, value...),
		"of no octet":          Attribute(flags, kind),
		"one octet long":       Attribute(flags, kind, 0xff),
		"one octet longer":     Attribute(flags, kind, append(slices.Clone(value), 0)...),
		"of 255 times 255":     Attribute(flags, kind, slices.Repeat([]byte{0xff}, 255)...),
		"of 300 zeros":         Attribute(flags, kind, make([]byte, 300)...),
		"twice":                slices.Concat(Attribute(flags, kind, value...), Attribute(flags, kind, value...)),
		"longer than the rest": {flags, kind, 250, 0},
		"without a length":     {flags, kind},
		"with half a length":   {flags | Extended, kind, 0},
	}
	if len(value) > 0 {
		out["one octet shorter"] = Attribute(flags, kind, value[:len(value)-1]...)
		out["half as long"] = Attribute(flags, kind, value[:len(value)/2]...)
	}
	return out
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// cutNLRI cuts each NLRI at each octet, with the length that it had and with the length
// that it has then.
func cutNLRI() []Case {
	rd, esi := []byte{0, 0, 0xfd, 0xe9, 0, 0, 0, 7}, make([]byte, 10)
	four := []byte{0, 0, 0, 0}
	routes := map[byte][]byte{
		1: slices.Concat(rd, esi, four, []byte{0, 0, 7}),
		2: slices.Concat(rd, esi, four, []byte{48, 2, 0, 0, 0, 0, 7, 32, 10, 0, 0, 7, 0, 0, 7, 0, 0, 8}),
		3: slices.Concat(rd, four, []byte{32, 192, 0, 2, 2}),
		4: slices.Concat(rd, esi, []byte{32, 192, 0, 2, 2}),
		5: slices.Concat(rd, esi, four, []byte{24, 10, 7, 0, 0, 0, 0, 0, 0, 0, 0, 7}),
		6: slices.Concat(rd, four, make([]byte, 12)),
		9: slices.Concat(rd, four, make([]byte, 8)),
	}
	var out []Case
	add := func(name string, f [3]byte, nlri []byte) {
		hop := id.AsSlice()
		if f == IPv6 {
			hop = netip.MustParseAddr("2001:db8::2").AsSlice()
		}
		out = append(out, update(name, slices.Concat(Usual(id, AS), Reach(f, hop, nlri...))))
	}
	for kind := range byte(12) {
		for n := range len(routes[kind]) {
			cut, whole := routes[kind][:n], byte(len(routes[kind]))
			add(fmt.Sprintf("EVPN type %d cut to %d octets", kind, n), EVPN, append([]byte{kind, whole}, cut...))
			add(fmt.Sprintf("EVPN type %d of %d octets", kind, n), EVPN, append([]byte{kind, byte(n)}, cut...))
		}
	}
	for _, f := range []struct {
		name string
		kind [3]byte
		nlri []byte
	}{
		{"IPv4", IPv4, NLRI(netip.MustParsePrefix("203.0.113.7/32"))},
		{"IPv6", IPv6, NLRI(netip.MustParsePrefix("2001:db8::7/128"))},
	} {
		for n := range len(f.nlri) {
			add(fmt.Sprintf("%s prefix cut to %d octets", f.name, n), f.kind, f.nlri[:n])
		}
		for _, bits := range []byte{33, 129, 255} {
			add(fmt.Sprintf("%s prefix of %d bits", f.name, bits), f.kind, append([]byte{bits}, make([]byte, 32)...))
		}
	}
	for n := range 5 {
		raw := UpdateMessage(Usual(id, AS), netip.MustParsePrefix("203.0.113.7/32"))
		raw = raw[:len(raw)-n]
		binary.BigEndian.PutUint16(raw[16:], uint16(len(raw)))
		out = append(out, Case{Name: fmt.Sprintf("UPDATE cut by %d octets", n), Messages: raw})
	}
	return out
}

// nextHops are MP_REACH_NLRI with next hops of every length.
func nextHops() []Case {
	var out []Case
	for name, f := range map[string]struct {
		kind [3]byte
		nlri []byte
	}{
		"EVPN": {EVPN, nil}, "IPv4": {IPv4, []byte{24, 203, 0, 113}}, "IPv6": {IPv6, []byte{32, 0x20, 1, 0xd, 0xb8}},
	} {
		for n := range 50 {
			reach := Reach(f.kind, make([]byte, n), f.nlri...)
			out = append(out, update(fmt.Sprintf("%s next hop of %d octets", name, n), slices.Concat(Usual(id, AS), reach)))
		}
		beyond := Attribute(Optional, 14, f.kind[0], f.kind[1], f.kind[2], 255, 0)
		out = append(out, update(name+" next hop longer than the attribute", slices.Concat(Usual(id, AS), beyond)))
	}
	sorting.Sort(out, func(a, b Case) int { return compare(a.Name, b.Name) })
	return out
}

// opens damages the OPEN and each capability in it.
func opens() []Case {
	capabilities := map[byte][]byte{
		1: {0, 1, 0, 1}, 2: {}, 5: {0, 1, 0, 1, 0, 2}, 6: {}, 64: {0x80, 60, 0, 1, 1, 0x80}, 65: {0, 0, 0xfd, 0xea},
		69: {0, 1, 1, 3}, 70: {}, 71: {0, 1, 1, 0x80, 0, 0, 60}, 73: {3, 'a', 'b', 'c', 1, 'd'}, 75: {2, 'v', '4'}, 128: {},
		255: {1},
	}
	var out []Case
	add := func(name string, open []byte) { out = append(out, Case{Name: "OPEN " + name, Open: open}) }
	for code := range 256 {
		value, ok := capabilities[byte(code)]
		if !ok {
			continue
		}
		for n := range len(value) + 2 {
			long := append(slices.Clone(value), 0)[:n]
			add(fmt.Sprintf("capability %d of %d octets", code, n),
				OpenMessage(AS, id, append([]byte{byte(code), byte(n)}, long...), FourOctetAS(AS)))
			add(fmt.Sprintf("capability %d cut to %d octets", code, n),
				OpenMessage(AS, id, append([]byte{byte(code), byte(len(value) + 2)}, long...)))
		}
	}
	good := OpenMessage(AS, id, Families(all...), FourOctetAS(AS))
	for n := headSize; n < len(good); n++ {
		raw := slices.Clone(good[:n])
		binary.BigEndian.PutUint16(raw[16:], uint16(n))
		add(fmt.Sprintf("cut to %d octets", n), raw)
	}
	for name, at := range map[string]int{
		"version": 0, "hold time": 4, "parameters' length": 9, "parameter": 10, "its length": 11,
	} {
		for _, value := range []byte{0, 1, 255} {
			raw := slices.Clone(good)
			raw[headSize+at] = value
			add(fmt.Sprintf("%s %d", name, value), raw)
		}
	}
	sorting.Sort(out, func(a, b Case) int { return compare(a.Name, b.Name) })
	return out
}

// others are the other messages, and heads that are wrong.
func others() []Case {
	var out []Case
	add := func(name string, raw []byte) { out = append(out, Case{Name: name, Messages: raw}) }
	for n := range 8 {
		add(fmt.Sprintf("NOTIFICATION of %d octets", n), Message(Notification, []byte{6, 2, 200, 'x', 0xff, 0xfe, 0, 0}[:n]))
		add(fmt.Sprintf("ROUTE-REFRESH of %d octets", n), Message(RouteRefresh, []byte{0xff, 0xff, 9, 9, 0, 0, 0, 0}[:n]))
		add(fmt.Sprintf("UPDATE of %d octets", n), Message(Update, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}[:n]))
	}
	add("KEEPALIVE of an octet", Message(Keepalive, []byte{0}))
	add("a second OPEN", OpenMessage(AS, id))
	for _, kind := range []byte{0, 6, 255} {
		add(fmt.Sprintf("a message of type %d", kind), Message(kind, nil))
	}
	for _, size := range []uint16{0, 1, 18, 4097, 65535} {
		raw := Message(Update, make([]byte, 4))
		binary.BigEndian.PutUint16(raw[16:], size)
		add(fmt.Sprintf("a message of %d octets by its head", size), raw)
	}
	unmarked := Message(Keepalive, nil)
	unmarked[3] = 0
	add("a head without its marker", unmarked)
	return out
}
