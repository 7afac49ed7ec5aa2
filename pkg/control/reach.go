package control

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// Reach is what a check of announced addresses found: one of each network, those that were
// not reachable before, and a sample of all others.
type Reach struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	// Checked is how many addresses were looked at.
	Checked     int           `json:"checked"`
	Unreachable []Unreachable `json:"unreachable"`
	// Withdrawn are those that bgp.withdraw_unreachable keeps from being announced.
	Withdrawn []Withdrawn `json:"withdrawn"`
	// Guard tells that too much is unreachable at once for that; nil if it is not.
	Guard *WithdrawGuard `json:"guard"`
}

// Withdrawn is a prefix that is not announced because this node cannot forward packets for
// it.
type Withdrawn struct {
	Prefix netip.Prefix `json:"prefix"`
	// VNI is that of an EVPN path; 0 for a unicast one.
	VNI uint32 `json:"vni,omitempty"`
	// Code, Text and Try are those of the first broken link.
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	Try   string    `json:"try,omitempty"`
	Since time.Time `json:"since"`
	// Until is when it is announced again if it stays reachable; nil while it is not.
	Until *time.Time `json:"until"`
	// Count is how often it was withdrawn lately.
	Count int `json:"count"`
}

// WithdrawGuard tells why bgp.withdraw_unreachable withdraws nothing more.
type WithdrawGuard struct {
	Since time.Time `json:"since"`
	Text  string    `json:"text"`
	// Unreachable are the paths that it would keep from being announced, of Announced.
	Unreachable int `json:"unreachable"`
	Announced   int `json:"announced"`
}

// Unreachable is an address that is announced and that packets do not get through to.
type Unreachable struct {
	Address netip.Addr `json:"address"`
	// Device is that of its provider network.
	Device string `json:"device"`
	// VNI is that by which packets for it come in; 0 for the uplinks themselves.
	VNI uint32 `json:"vni,omitempty"`
	// Code, Text and Try are those of the first broken link (package reach).
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	Try   string    `json:"try,omitempty"`
	Since time.Time `json:"since"`
}

// Reasons counts addresses by code.
func (r Reach) Reasons() map[string]int {
	out := map[string]int{}
	for _, u := range r.Unreachable {
		out[u.Code]++
	}
	return out
}

// TraceQuestion asks for the way of a packet.
type TraceQuestion struct {
	To netip.Addr
	// From is the device that it comes in by; empty for all that lead to peers.
	From string
	// Src is its source; invalid for the addresses of the peers.
	Src netip.Addr
}

// Trace is the whole way of a packet, and of the answer.
type Trace struct {
	Version int `json:"version"`
	// Announced says that the address is announced from here.
	Announced bool `json:"announced"`
	reach.Verdict
}

// maxName is the longest name of a device (IFNAMSIZ without its zero).
const maxName = 15

// ParseTrace reads the question of a trace; from and src may be empty.
func ParseTrace(to, from, src string) (TraceQuestion, error) {
	q := TraceQuestion{From: from}
	var err error
	if q.To, err = netip.ParseAddr(to); err != nil || q.To.Zone() != "" {
		return q, fmt.Errorf("trace %.80q: give an IP address, such as 203.0.113.7 or 2001:db8::7", to)
	}
	q.To = q.To.Unmap()
	if len(from) > maxName {
		return q, fmt.Errorf("trace --from %.80q: give the name of a device, such as eth0", from)
	}
	if src == "" {
		return q, nil
	}
	if q.Src, err = netip.ParseAddr(src); err != nil || q.Src.Zone() != "" {
		return q, fmt.Errorf("trace --src %.80q: give an IP address, such as 198.51.100.10", src)
	}
	q.Src = q.Src.Unmap()
	if q.Src.Is6() != q.To.Is6() {
		return q, fmt.Errorf("trace %s --src %s: give addresses of one family", q.To, q.Src)
	}
	return q, nil
}
