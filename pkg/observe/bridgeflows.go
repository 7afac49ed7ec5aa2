package observe

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Flows are flows of bridges that somebody else has put there, as far as they tell
// whether the bridge lets traffic for an address pass.
type Flows struct {
	// Revision grows with every change.
	Revision uint64
	// Bridges are those that could be read, by name; one without flows has an empty list.
	Bridges map[string][]BridgeFlow
	// Stale says why this may be out of date; empty while flows can be read.
	Stale string
}

// BridgeFlow is a flow of table 0 that matches one destination: an address with a port, or
// ARP requests and neighbour solicitations for an address.
type BridgeFlow struct {
	Priority int
	Cookie   uint64
	// Protocol is tcp, udp, sctp, arp or nd.
	Protocol string
	// InPort is what in_port has: a number, LOCAL or a name; empty for any port.
	InPort string
	// Dst is nw_dst, ipv6_dst, arp_tpa or nd_target.
	Dst netip.Addr
	// Port is tp_dst; 0 for arp and nd.
	Port uint16
	// Actions are as ovs-ofctl prints them.
	Actions string
}

// Drops reports whether packets go no further.
func (f BridgeFlow) Drops() bool { return f.Actions == "" || f.Actions == "drop" }

// transports are the protocols of ports, as ovs-ofctl prints them.
var transports = map[string]string{
	"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp", "sctp": "sctp", "sctp6": "sctp",
}

// longestActions bounds what is kept of the actions of a flow.
const longestActions = 512

// ParseBridgeFlow reads a line of ovs-ofctl --no-names --no-stats dump-flows; false for a
// flow of another kind than BridgeFlow is. Fields that restrict a flow further, such as a
// source address, make it another kind: it does not stand for all packets to the address.
// A VLAN or the MAC of the bridge, which all of these have, does not.
func ParseBridgeFlow(line string) (BridgeFlow, bool) {
	match, actions, ok := strings.Cut(line, "actions=")
	if !ok {
		return BridgeFlow{}, false
	}
	f := BridgeFlow{Priority: 32768, Actions: strings.TrimSpace(actions)}
	if len(f.Actions) > longestActions {
		f.Actions = f.Actions[:longestActions]
	}
	fields := strings.FieldsFunc(match, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	solicits := 0
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if !f.field(name, value, &solicits) {
			return BridgeFlow{}, false
		}
	}
	switch f.Protocol {
	case "tcp", "udp", "sctp":
		ok = f.Port != 0
	case "arp":
		ok = f.Dst.Is4()
	case "nd":
		ok = solicits == 1 && f.Dst.Is6()
	default:
		ok = false
	}
	return f, ok && f.Dst.IsValid()
}

// field takes one field of the match; false if the flow is of another kind.
func (f *BridgeFlow) field(name, value string, solicits *int) bool {
	number := func(bits int) (uint64, bool) {
		n, err := strconv.ParseUint(value, 0, bits)
		return n, err == nil
	}
	var n uint64
	ok := true
	switch name {
	case "cookie":
		f.Cookie, ok = number(64)
	case "duration", "n_packets", "n_bytes", "idle_age", "hard_age", "idle_timeout", "hard_timeout", "importance",
		"send_flow_rem", "reset_counts", "dl_dst", "dl_vlan", "vlan_tci":
	case "table":
		n, ok = number(8)
		ok = ok && n == 0
	case "priority":
		n, ok = number(16)
		f.Priority = int(n)
	case "in_port":
		f.InPort = strings.Trim(value, `"`)
	case "arp", "tcp", "tcp6", "udp", "udp6", "sctp", "sctp6":
		f.Protocol = cmp.Or(transports[name], name)
	case "icmp6":
		f.Protocol = "nd"
	case "icmp_type":
		*solicits++
		ok = value == "135" && f.Protocol == "nd"
	case "icmp_code":
		ok = value == "0" && f.Protocol == "nd"
	case "arp_op":
		ok = value == "1"
	case "nw_dst", "ipv6_dst":
		ok = f.Protocol != "nd" && f.dst(value)
	case "arp_tpa", "nd_target":
		ok = f.dst(value)
	case "tp_dst", "tcp_dst", "udp_dst", "sctp_dst":
		n, ok = number(16)
		f.Port = uint16(n)
	case "":
	default:
		ok = false
	}
	return ok
}

func (f *BridgeFlow) dst(value string) bool {
	if p, err := netip.ParsePrefix(value); err == nil {
		f.Dst = p.Addr()
		return p.IsSingleIP()
	}
	var err error
	f.Dst, err = netip.ParseAddr(value)
	return err == nil
}

// String is the line that ParseBridgeFlow reads.
func (f BridgeFlow) String() string {
	in := ""
	if f.InPort != "" {
		in = ",in_port=" + f.InPort
	}
	head := fmt.Sprintf("cookie=0x%x, priority=%d,", f.Cookie, f.Priority)
	switch {
	case f.Protocol == "arp":
		return fmt.Sprintf("%sarp%s,arp_tpa=%s,arp_op=1 actions=%s", head, in, f.Dst, f.Actions)
	case f.Protocol == "nd":
		return fmt.Sprintf("%sicmp6%s,icmp_type=135,icmp_code=0,nd_target=%s actions=%s", head, in, f.Dst, f.Actions)
	case f.Dst.Is4():
		return fmt.Sprintf("%s%s%s,nw_dst=%s,tp_dst=%d actions=%s", head, f.Protocol, in, f.Dst, f.Port, f.Actions)
	default:
		return fmt.Sprintf("%s%s6%s,ipv6_dst=%s,tp_dst=%d actions=%s", head, f.Protocol, in, f.Dst, f.Port, f.Actions)
	}
}

// SortBridgeFlows brings flows into an order in which equal sets are equal lists.
func SortBridgeFlows(list []BridgeFlow) []BridgeFlow {
	sorting.Sort(list, func(a, b BridgeFlow) int {
		return cmp.Or(
			a.Dst.Compare(b.Dst), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port),
			cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.InPort, b.InPort), cmp.Compare(a.Cookie, b.Cookie),
			cmp.Compare(a.Actions, b.Actions),
		)
	})
	return slices.Compact(list)
}
