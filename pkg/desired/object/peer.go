package object

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultConnectRetry is the pause in seconds between attempts to connect to a
// neighbour (RFC 4271 section 8.2.1) that a Peer does not say: the 120 of
// practice would keep a node out of the fabric for minutes.
const DefaultConnectRetry = 3

// externalAS is how an AS of 0 is written.
const externalAS = "external"

// KindPeer is a BGP neighbour.
const KindPeer Kind = 15

var peerKind = kindOf[Peer](traits{
	kind: KindPeer, name: "peer", key: nameOnly, readKey: readName, parse: parsePeer,
	session: true, marked: true, listed: true,
})

// Peer is one BGP neighbour.
type Peer struct {
	// Address is the neighbour's IP address, with a zone if it is link-local. A zone without
	// an address (Unnumbered) stands for whoever is found there and is in the configuration
	// alone.
	Address string `json:"address"`
	// Port is the TCP port to connect to.
	Port uint16 `json:"port"`
	// AS is the neighbour's autonomous system number (RFC 6793); 0 is any but our own.
	AS uint32 `json:"as"`
	// Families are the address families to negotiate, by name.
	Families Words `json:"families"`
	// Password is the TCP MD5 key (RFC 2385). It is never printed.
	Password string `json:"-"`
	// TTLSecurity demands packets with TTL 255 (GTSM, RFC 5082).
	TTLSecurity bool `json:"ttl_security"`
	// Multihop is the TTL of an EBGP session over several hops; 0 is off.
	Multihop uint8 `json:"multihop"`
	// HoldTime is the proposed hold time in seconds (RFC 4271 section 4.2).
	HoldTime uint16 `json:"hold_time"`
	// Passive waits for the neighbour to connect.
	Passive bool `json:"passive"`
	// RestartTime is the graceful restart time in seconds (RFC 4724); 0 is off.
	RestartTime uint16 `json:"restart_time"`
	// LLGRTime is how many seconds beyond that the neighbour shall keep our
	// routes as a last resort (long-lived graceful restart, RFC 9494); 0 is off.
	LLGRTime uint32 `json:"llgr_time,omitempty"`
	// LocalAddress is our end of the session; the zero value leaves it to the
	// kernel.
	LocalAddress netip.Addr `json:"local_address,omitzero"`
	// AllowOwnAS is how often our own AS number may stand in the AS_PATH of
	// what the neighbour announces.
	AllowOwnAS uint8 `json:"allow_own_as,omitempty"`
	// AddPathReceive takes several paths a prefix (RFC 7911).
	AddPathReceive bool `json:"add_path_receive,omitempty"`
	// PrefixLimit ends the session when the neighbour announces more prefixes
	// of one family (RFC 4486 section 4), beside those that it sends back to us; 0 is off.
	PrefixLimit uint32 `json:"prefix_limit,omitempty"`
	// ConnectRetry is the pause in seconds between attempts to connect; 0, and
	// never the number itself, stands for DefaultConnectRetry.
	ConnectRetry uint16 `json:"connect_retry,omitempty"`
	// BFD is how forwarding to the neighbour is watched.
	BFD BFD `json:"bfd,omitzero"`
}

// Unnumbered is the address of the neighbours on an interface, or on those of a pattern.
func Unnumbered(interfaces string) string { return "%" + interfaces }

// Interfaces is the name or the pattern of the interfaces of neighbours without an address.
func (p Peer) Interfaces() (string, bool) { return strings.CutPrefix(p.Address, "%") }

// PeerName is what a neighbour is called: its address, and of a link-local one, which says
// nothing and may change, the interface.
func PeerName(address string) string {
	if a, err := netip.ParseAddr(address); err == nil && a.IsLinkLocalUnicast() && a.Zone() != "" {
		return a.Zone()
	}
	return address
}

// Key is the neighbour's address: a speaker has one session for each.
func (p Peer) Key() Key { return Key{Kind: KindPeer, Name: p.Address} }

// String prints the neighbour without its password, so that no error or log record can
// print that by accident.
func (p Peer) String() string { return p.Key().String() + "  " + p.Attrs() }

// GoString is String, for %#v.
func (p Peer) GoString() string { return p.String() }

// Attrs prints everything but the password.
func (p Peer) Attrs() string {
	var b strings.Builder
	as := externalAS
	if p.AS != 0 {
		as = strconv.FormatUint(uint64(p.AS), 10)
	}
	fmt.Fprintf(&b, "as %s port %d families %s hold %d restart %d", as, p.Port, p.Families, p.HoldTime, p.RestartTime)
	for _, number := range []struct {
		value uint32
		word  string
	}{
		{uint32(p.Multihop), "multihop"},
		{p.LLGRTime, "llgr"},
		{uint32(p.AllowOwnAS), "allow-own-as"},
		{p.PrefixLimit, "prefix-limit"},
		{uint32(p.ConnectRetry), "connect-retry"},
	} {
		if number.value != 0 {
			fmt.Fprintf(&b, " %s %d", number.word, number.value)
		}
	}
	if p.BFD.On {
		b.WriteString(" bfd " + p.BFD.String())
	}
	if p.LocalAddress.IsValid() {
		b.WriteString(" local-address " + p.LocalAddress.String())
	}
	for _, flag := range []struct {
		set  bool
		word string
	}{
		{p.TTLSecurity, "ttl-security"},
		{p.Passive, "passive"},
		{p.AddPathReceive, "add-path-receive"},
		{p.Password != "", "password"},
	} {
		if flag.set {
			b.WriteString(" " + flag.word)
		}
	}
	return b.String()
}

// DependsOn is empty: peers come after every path because of their kind.
func (p Peer) DependsOn() []Key { return nil }

func parsePeer(f *fields) (Value, error) {
	p := Peer{Address: f.word()}
	if as := f.wordAfter("as"); as != externalAS {
		n, err := strconv.ParseUint(as, 10, 32)
		if err != nil {
			return nil, f.unknown(as)
		}
		p.AS = uint32(n)
	}
	p.Port = uint16(f.numberAfter("port", 16))
	p.Families = WordsOf(strings.Split(f.wordAfter("families"), ",")...)
	p.HoldTime = uint16(f.numberAfter("hold", 16))
	p.RestartTime = uint16(f.numberAfter("restart", 16))
	for f.more() {
		switch w := f.word(); w {
		case "multihop":
			p.Multihop = uint8(f.number(8))
		case "llgr":
			p.LLGRTime = uint32(f.number(32))
		case "allow-own-as":
			p.AllowOwnAS = uint8(f.number(8))
		case "prefix-limit":
			p.PrefixLimit = uint32(f.number(32))
		case "connect-retry":
			p.ConnectRetry = uint16(f.number(16))
		case "bfd":
			text := f.word()
			var ok bool
			if p.BFD, ok = parseBFD(text); !ok {
				return nil, f.unknown(text)
			}
		case "local-address":
			p.LocalAddress = f.addr()
		case "add-path-receive":
			p.AddPathReceive = true
		case "ttl-security":
			p.TTLSecurity = true
		case "passive":
			p.Passive = true
		case "password":
			p.Password = "(not printed)"
		default:
			return nil, f.unknown(w)
		}
	}
	return p, f.err
}
