package observe

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// AdvertisedRoute is a row of table Advertised_Route, there since OVN 25.03: a prefix
// that ovn-northd wants a logical router to announce.
type AdvertisedRoute struct {
	UUID UUID
	// Datapath is the logical router, LogicalPort its port by which traffic for the
	// prefix enters: a row of Port_Binding.
	Datapath, LogicalPort UUID
	// Prefix is as written: with a length, or a bare address. Drivers parse it, because
	// a row that cannot be read must keep its references.
	Prefix string
	// Tracked is the port whose chassis should attract the traffic. Zero is no port,
	// which is not the same as a reference that leads to no row.
	Tracked UUID
}

// LearnedRoute is a row of table Learned_Route: a route that ovn-controller found in a
// kernel table that it watches.
type LearnedRoute struct {
	UUID, Datapath, LogicalPort UUID
	Prefix, NextHop             string
}

// AdvertisedMAC is a row of table Advertised_MAC_Binding, there since OVN 26.03: an
// address on a logical switch with a VNI.
type AdvertisedMAC struct {
	UUID, Datapath, LogicalPort UUID
	IP, MAC                     string
}

// The tables of OVN's dynamic routing, which older schemas lack.
const (
	TableAdvertisedRoute = "Advertised_Route"
	TableLearnedRoute    = "Learned_Route"
	TableAdvertisedMAC   = "Advertised_MAC_Binding"
)

// PortMapping is an entry of external_ids:dynamic-routing-port-mapping: the device that
// a name in Port_Binding.options:dynamic-routing-port-name stands for.
type PortMapping struct {
	Name   string `json:"name"`
	Device string `json:"device"`
}

// LogicalInterface is an interface of Open vSwitch that is the logical port of that
// name (external_ids:iface-id).
type LogicalInterface struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// The characters by which an OpenFlow key list is divided (lib/ofp-parse.c of Open
// vSwitch): between entries, and between a key and its value.
const (
	listBlanks = ", \t\r\n"
	listKeyEnd = ":=(" + listBlanks
)

// ParsePortMapping reads external_ids:dynamic-routing-port-mapping as ovn-controller
// does: k=v, k:v and k(v) are the same, and an entry without a value ends the list. Of
// two entries for one name the first counts.
func ParsePortMapping(text string) []PortMapping {
	var out []PortMapping
	for {
		text = strings.TrimLeft(text, listBlanks)
		at := strings.IndexAny(text, listKeyEnd)
		if at < 0 || strings.IndexByte(listBlanks, text[at]) >= 0 {
			return out
		}
		name, ends := text[:at], listBlanks
		if text[at] == '(' {
			ends = ")"
		}
		text = text[at+1:]
		n := valueLength(text, ends)
		value := text[:n]
		if text = text[n:]; text != "" {
			text = text[1:]
		}
		if value == "" {
			return out
		}
		if !slices.ContainsFunc(out, func(m PortMapping) bool { return m.Name == name }) {
			out = append(out, PortMapping{Name: name, Device: value})
		}
	}
}

// valueLength is how long a value is that ends at one of the characters, but for those
// in parentheses.
func valueLength(s, ends string) int {
	level := 0
	for i := range len(s) {
		switch {
		case s[i] == '(':
			level++
		case level > 0 && s[i] == ')':
			level--
		case level == 0 && strings.IndexByte(ends, s[i]) >= 0:
			return i
		}
	}
	return len(s)
}

// RoutingDevice is the device that a name in dynamic-routing-port-name stands for: that
// of the mapping, else the interface of the logical port of that name.
func (o *OpenVSwitch) RoutingDevice(name string) (string, bool) {
	for _, m := range o.RoutingPorts {
		if m.Name == name {
			return m.Device, true
		}
	}
	return o.InterfaceOf(name)
}

// InterfaceOf is the interface of a logical port; false if none is plugged in here.
func (o *OpenVSwitch) InterfaceOf(port string) (string, bool) {
	for _, b := range o.Bridges {
		for _, i := range b.Interfaces {
			if i.ID == port {
				return i.Name, true
			}
		}
	}
	return "", false
}

// SortInterfaces puts logical interfaces in their order.
func SortInterfaces(list []LogicalInterface) {
	sorting.Sort(list, func(a, b LogicalInterface) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Name, b.Name))
	})
}

// ProtocolOVN is rtm_protocol of the routes that ovn-controller writes.
const ProtocolOVN = 84

// TableRoute is one next hop of a route of others in a routing table that OVN watches;
// Via is invalid where the route has none.
type TableRoute struct {
	Table    uint32       `json:"table"`
	Dst      netip.Prefix `json:"dst"`
	Protocol uint8        `json:"protocol"`
	Via      netip.Addr   `json:"via,omitzero"`
	Dev      string       `json:"dev,omitempty"`
}

// Reads reports whether a table is read and the schema has it.
func (sb *Southbound) Reads(table string) bool { return slices.Contains(sb.Tables, table) }

// Datapath returns the row of a logical switch or router.
func (sb *Southbound) Datapath(u UUID) (*Datapath, bool) {
	i := slices.IndexFunc(sb.Datapaths, func(d *Datapath) bool { return d.UUID == u })
	if i < 0 {
		return nil, false
	}
	return sb.Datapaths[i], true
}

// CompareUUID is the order of rows without a name.
func CompareUUID(a, b UUID) int { return bytes.Compare(a[:], b[:]) }
