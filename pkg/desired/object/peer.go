package object

import (
	"fmt"
	"strings"
)

// Peer is one BGP neighbour.
type Peer struct {
	// Address is the neighbour's IP address, with a zone if it is link-local.
	Address string `json:"address"`
	// Port is the TCP port to connect to.
	Port uint16 `json:"port"`
	// AS is the neighbour's autonomous system number (RFC 6793).
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
}

// Key is the neighbour's address: a speaker has one session for each.
func (p Peer) Key() Key { return Key{Kind: KindPeer, Name: p.Address} }

// Attrs prints everything but the password.
func (p Peer) Attrs() string {
	var b strings.Builder
	fmt.Fprintf(&b, "as %d port %d families %s hold %d restart %d", p.AS, p.Port, p.Families, p.HoldTime, p.RestartTime)
	if p.Multihop != 0 {
		fmt.Fprintf(&b, " multihop %d", p.Multihop)
	}
	for _, flag := range []struct {
		set  bool
		word string
	}{{p.TTLSecurity, "ttl-security"}, {p.Passive, "passive"}, {p.Password != "", "password"}} {
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
	p.AS = f.uint32After("as")
	p.Port = uint16(f.numberAfter("port", 16))
	p.Families = WordsOf(strings.Split(f.wordAfter("families"), ",")...)
	p.HoldTime = uint16(f.numberAfter("hold", 16))
	p.RestartTime = uint16(f.numberAfter("restart", 16))
	for f.more() {
		switch w := f.word(); w {
		case "multihop":
			p.Multihop = uint8(f.number(8))
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
