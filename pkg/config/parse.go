package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// parseAddr reads an address. The device in a link-local one must be one that the
// kernel can have: at most 15 bytes (IFNAMSIZ), none of them blank.
func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return a, err
	}
	unusual := func(r rune) bool { return !unicode.IsGraphic(r) || r == ' ' }
	if zone := a.Zone(); len(zone) > 15 || strings.ContainsFunc(zone, unusual) {
		return netip.Addr{}, errors.New("no device has such a name")
	}
	return a, nil
}

// addrKey declares a key of an address that may be left out. Check may be nil.
func addrKey(target *netip.Addr, name, help string, check func(netip.Addr) error) key.Key {
	parse := func(text string) (netip.Addr, error) {
		if text = strings.TrimSpace(text); text == "" {
			return netip.Addr{}, nil
		}
		a, err := parseAddr(text)
		if err != nil {
			return a, key.Wrong("write an address, or leave it out", "%s is not an IP address", key.Quote(text))
		}
		if check != nil {
			err = check(a)
		}
		return a, err
	}
	return key.Parsed(target, name, "string", help, parse, func(a netip.Addr) string {
		if !a.IsValid() {
			return ""
		}
		return a.String()
	})
}

func checkIPv4(a netip.Addr) error {
	if !a.Is4() {
		return key.Wrong("write an IPv4 address, or leave it out", "%s is not an IPv4 address", a)
	}
	return checkSource(a)
}

func checkIPv6(a netip.Addr) error {
	if !a.Is6() || a.Is4In6() || a.Zone() != "" {
		return key.Wrong("write an IPv6 address without a device, or leave it out", "%s is not an IPv6 address", a)
	}
	return checkSource(a)
}

// checkSource refuses what the kernel takes for no source of a packet.
func checkSource(a netip.Addr) error {
	if a.IsUnspecified() || a.IsMulticast() || isBroadcast(a) {
		return key.Wrong("write an address of this node, or leave it out", "%s is no source of a packet", a)
	}
	return nil
}

// checkRouterID wants a number that no other speaker has: RFC 6286 section 2.1
// excludes zero.
func checkRouterID(a netip.Addr) error {
	if !a.Is4() || a.IsUnspecified() {
		return key.Wrong("write an IPv4 address of this node", "%s is no BGP identifier", a)
	}
	return nil
}

func checkLocal(a netip.Addr) error {
	if a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
		return key.Wrong("write an address of this node, or leave it out", "%s is not an address of this node", a)
	}
	return nil
}

// checkListenAddress accepts what a socket can be bound to.
func checkListenAddress(a netip.Addr) error {
	if a.Is4In6() || a.IsMulticast() || isBroadcast(a) || a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" {
		return key.Wrong("write an address of this node, a link-local one with its device, or leave it out",
			"nothing can listen on %s", a)
	}
	return nil
}

// isBroadcast reports whether it is 255.255.255.255 (RFC 919).
func isBroadcast(a netip.Addr) bool { return a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// ParseAS reads an autonomous system number as one number or in the dotted form of
// RFC 5396 (65000.1). Numbers that nobody may have are refused: 0 (RFC 7607), 23456
// (RFC 6793), 65535 and 4294967295 (RFC 7300).
func ParseAS(text string) (uint32, error) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 0, 32)
	if high, low, dotted := strings.Cut(text, "."); dotted {
		h, errHigh := strconv.ParseUint(high, 10, 16)
		l, errLow := strconv.ParseUint(low, 10, 16)
		if n, err = h<<16|l, errHigh; errHigh == nil {
			err = errLow
		}
	}
	if err != nil {
		return 0, key.Wrong("use 1 to 4294967294, or the form 65000.1",
			"%s is not an autonomous system number", key.Quote(text))
	}
	switch n {
	case 0:
		return 0, key.Wrong("use 1 to 4294967294", "0 is reserved (RFC 7607)")
	case 23456:
		return 0, key.Wrong("write the number that it stands for", "23456 is reserved for transition (RFC 6793)")
	case 1<<16 - 1, 1<<32 - 1:
		return 0, key.Wrong("use another", "%d is reserved (RFC 7300)", n)
	}
	return uint32(n), nil
}

func printUint32(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

func printByte(n uint8) string { return strconv.Itoa(int(n)) }

func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(strings.TrimSpace(text))
	if err != nil {
		return p, key.Wrong("write ADDRESS/LENGTH", "%s is not a prefix", key.Quote(text))
	}
	if p != p.Masked() {
		return p, key.Wrong("write "+p.Masked().String(), "%s is not a prefix: it has host bits", key.Quote(text))
	}
	return p, nil
}

func printPrefix(p netip.Prefix) string { return p.String() }

// checkRemote accepts what OVSDB clients accept, but relative paths: the library
// silently replaces those.
func checkRemote(text string) error {
	kind, rest, _ := strings.Cut(text, ":")
	ok := false
	switch kind {
	case "unix":
		ok = strings.HasPrefix(rest, "/") && len(rest) <= maxSocketPath
	case "tcp", "ssl":
		host, port, err := net.SplitHostPort(rest)
		n, errPort := strconv.ParseUint(port, 10, 16)
		ok = err == nil && host != "" && errPort == nil && n > 0
	}
	if !ok {
		return key.Wrong("use unix:/absolute/path, tcp:IP:PORT or ssl:IP:PORT",
			"%s is not the address of a database", key.Quote(text))
	}
	return nil
}

// checkServerName accepts what a certificate can have: no blanks, no port, no scheme.
func checkServerName(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) ||
		strings.ContainsAny(text, "/[]@") {
		return key.Wrong("write the name or address that the certificate has", "%s is not the name of a server",
			key.Quote(text))
	}
	return nil
}

// checkListen accepts names of services too, as the library does that listens.
func checkListen(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err == nil && host != "" && strings.Trim(host, "0123456789.") == "" {
		_, err = netip.ParseAddr(host) // a name it cannot be
	}
	if err == nil && strings.Trim(port, "0123456789") == "" {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return key.Wrong("use ADDRESS:PORT or :PORT", "%s is nothing to listen on", key.Quote(text))
	}
	return nil
}

// The tables default, main and local (rtnetlink(7)).
const minReservedTable, maxReservedTable = 253, 255

func printTables(r TableRange) string { return fmt.Sprintf("%d-%d", r.TableLow, r.TableHigh) }

func parseTables(text string) (TableRange, error) {
	a, b, ok := strings.Cut(text, "-")
	low, errLow := strconv.ParseUint(strings.TrimSpace(a), 10, 32)
	high, errHigh := strconv.ParseUint(strings.TrimSpace(b), 10, 32)
	if !ok || errLow != nil || errHigh != nil || low == 0 || low > high {
		return TableRange{}, key.Wrong("use LOW-HIGH, such as 200-252", "%s is not a range of tables", key.Quote(text))
	}
	if low <= maxReservedTable && high >= minReservedTable {
		return TableRange{}, key.Wrong("use a range below 253 or above 255, such as 200-252",
			"%s has tables of the kernel: 253 is default, 254 main and 255 local", key.Quote(text))
	}
	return TableRange{uint32(low), uint32(high)}, nil
}

// protocols are numbers of route protocols that others write (rtnetlink.h): what
// carries one of them would count as ours and be removed.
var protocols = map[uint64]string{
	0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra",
	12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 17: "mrouted", 18: "keepalived", 42: "babel",
	84: "ovn", 85: "ovn", 99: "openr", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}

// parseProtocol reads the number that marks our routes or rules.
func parseProtocol(text string) (uint8, error) {
	const use = "use a free number from 5 to 255, such as 98"
	n, err := strconv.ParseUint(strings.TrimSpace(text), 0, 8)
	if err != nil {
		return 0, key.Wrong(use, "%s is not a protocol number", key.Quote(text))
	}
	if name, taken := protocols[n]; taken {
		return 0, key.Wrong(use, "protocol %d is that of %s, whose routes and rules would be removed as ours", n, name)
	}
	return uint8(n), nil
}
