package object

import (
	"fmt"
	"net/netip"
	"strings"
)

// KindFlow is an OpenFlow entry.
const KindFlow Kind = 12

var flowKind = kindOf[Flow](traits{
	kind: KindFlow, name: "flow", key: flowKey, readKey: readFlowKey, parse: parseFlow,
	marked: true,
})

// Flow is one OpenFlow entry. Match and Actions are written in the canonical
// form in which ovs-ofctl prints them, so that what is read back compares
// equal.
type Flow struct {
	// Bridge is the OVS bridge.
	Bridge string `json:"bridge"`
	// Table is the OpenFlow table.
	Table uint8 `json:"table"`
	// Priority is the entry's priority.
	Priority uint16 `json:"priority"`
	// Match is the match without priority, such as ip,in_port=1.
	Match string `json:"match"`
	// Actions is the action list, such as mod_dl_dst:3a:f7:e9:54:e8:4d,NORMAL.
	Actions string `json:"actions"`
	// Cookie is the mark of ownership.
	Cookie uint64 `json:"cookie"`
}

// Key is OpenFlow's own: bridge, table, priority and match.
func (f Flow) Key() Key {
	return Key{Kind: KindFlow, Name: f.Bridge, Num: uint32(f.Priority), Aux: uint32(f.Table), Sub: f.Match}
}

func flowKey(k Key) string {
	return fmt.Sprintf("%s table %d priority %d %s", k.Name, k.Aux, k.Num, k.Sub)
}

func readFlowKey(f *fields) Key {
	return Key{
		Name: f.word(), Aux: uint32(f.numberAfter("table", 8)), Num: uint32(f.numberAfter("priority", 16)), Sub: f.word(),
	}
}

// Attrs prints cookie and actions.
func (f Flow) Attrs() string { return fmt.Sprintf("cookie %#x actions %s", f.Cookie, f.Actions) }

// WithoutMark is the flow without its cookie.
func (f Flow) WithoutMark() Value {
	f.Cookie = 0
	return f
}

// Into is the MAC address that packets are given, that of the device into which the
// flow hands them; zero if it gives them none.
func (f Flow) Into() MAC {
	_, rest, _ := strings.Cut(f.Actions, "mod_dl_dst:")
	text, _, _ := strings.Cut(rest, ",")
	mac, err := ParseMAC(text)
	if err != nil {
		return MAC{}
	}
	return mac
}

// From is the prefix that packets must come from; invalid if it may be any.
func (f Flow) From() netip.Prefix {
	for _, field := range strings.Split(f.Match, ",") {
		name, text, _ := strings.Cut(field, "=")
		if name != "nw_src" && name != "ipv6_src" {
			continue
		}
		if addr, err := netip.ParseAddr(text); err == nil {
			return netip.PrefixFrom(addr, addr.BitLen())
		}
		p, err := netip.ParsePrefix(text)
		if err == nil {
			return p
		}
	}
	return netip.Prefix{}
}

// DependsOn is empty: that the bridge exists is for the driver to know.
func (f Flow) DependsOn() []Key { return nil }

func parseFlow(f *fields) (Value, error) {
	v := Flow{Bridge: f.word()}
	v.Table = uint8(f.numberAfter("table", 8))
	v.Priority = uint16(f.numberAfter("priority", 16))
	v.Match = f.word()
	v.Cookie = f.numberAfter("cookie", 64)
	v.Actions = f.wordAfter("actions")
	return v, f.end()
}
