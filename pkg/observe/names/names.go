// Package names knows what people call the things of a snapshot: it finds the rows and
// devices that an address, prefix, MAC address, UUID or name stands for, and says what a
// row is called.
//
// It refuses to judge what it finds. It is pure.
//
// Read next: [Find], then [Book].
package names

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The kinds of matches.
const (
	KindAddress  = "address"
	KindPort     = "port"
	KindRouter   = "router"
	KindNetwork  = "network"
	KindBalancer = "load-balancer"
	KindChassis  = "chassis"
	KindBridge   = "bridge"
	KindDevice   = "device"
	KindVNI      = "vni"
	KindService  = "service" // of Kubernetes
)

// The relations of an address to what was found.
const (
	Own      = "own"      // of the port itself
	Floating = "floating" // translated to it (nat_addresses)
	VIP      = "vip"      // of a load balancer
	Routed   = "routed"   // this node has a route to it by the device
	// Advertised is the first address of a prefix that a router advertises.
	Advertised = "advertised"
)

// Match is one thing that was asked for.
type Match struct {
	Kind string `json:"kind"`
	// Name is what people call it, ID its UUID or logical port; they may be the same.
	Name string `json:"name"`
	ID   string `json:"id"`
	// By says what of it is as was asked: name, uuid, device id, MAC address, address, prefix.
	By string `json:"by"`
	// Network is the network or router that it belongs to, Chassis where it is bound;
	// empty if it is not.
	Network string `json:"network,omitempty"`
	Chassis string `json:"chassis,omitempty"`
	// Addresses are those that explain and trace can be asked about.
	Addresses []Address `json:"addresses"`
	// Terms are what history can be asked about.
	Terms []string `json:"terms"`
}

// What is the kind as people write it.
func (m Match) What() string { return strings.ReplaceAll(m.Kind, "-", " ") }

// Address is an address of a match.
type Address struct {
	Addr netip.Addr `json:"address"`
	// Relation is own, floating, vip, routed or advertised.
	Relation string `json:"relation"`
	// Announced says that this node announces it.
	Announced bool `json:"announced"`
}

// Looked says among how many things was looked for.
type Looked struct {
	What  string `json:"what"`
	Count int    `json:"count"`
}

// Result is what was found.
type Result struct {
	// Matches are sorted, at most MostMatches; Total is how many there are.
	Matches []Match  `json:"matches"`
	Total   int      `json:"total"`
	Looked  []Looked `json:"looked_at"`
}

// MostMatches bounds the matches of one question, and mostAddresses the addresses of a
// match.
const (
	MostMatches   = 100
	mostAddresses = 100
)

// Addresses are all addresses of the matches, each once.
func (r Result) Addresses() []netip.Addr {
	var out []netip.Addr
	for _, m := range r.Matches {
		for _, a := range m.Addresses {
			if !slices.Contains(out, a.Addr) {
				out = append(out, a.Addr)
			}
		}
	}
	return out
}

// Terms are what history is asked about to learn of all matches, each once.
func (r Result) Terms() []string {
	var out []string
	for _, m := range r.Matches {
		for _, t := range m.Terms {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// Book says what rows are called.
type Book struct {
	sb        *observe.Southbound
	datapaths map[observe.UUID]*observe.Datapath
}

// Of is the book of a snapshot, which may be empty.
func Of(snap observe.Snapshot) Book {
	b := Book{sb: snap.SB, datapaths: map[observe.UUID]*observe.Datapath{}}
	if snap.SB != nil {
		for _, d := range snap.SB.Datapaths {
			b.datapaths[d.UUID] = d
		}
	}
	return b
}

// keyPortName is where Neutron writes what the user calls a port.
const keyPortName = "neutron:port_name"

// Label is what people call a row that is named by a logical port or a UUID; empty if
// nothing is better than what it is named by.
func (b Book) Label(row string) string {
	if b.sb == nil {
		return ""
	}
	if p, ok := b.sb.Port(row); ok {
		return b.portLabel(p)
	}
	for _, d := range b.datapaths {
		if d.UUID.String() == row && d.Name() != row {
			return d.Name()
		}
	}
	return ""
}

func (b Book) portLabel(p *observe.PortBinding) string {
	switch name := p.ExternalIDs[keyPortName]; {
	case name != "" && name != p.LogicalPort:
		return name
	case !strings.Contains(p.LogicalPort, "-") || !uuidAtEnd.MatchString(p.LogicalPort):
		return "" // somebody chose the name
	case p.Type == observe.PortLocalnet:
		return short(p.LogicalPort) + " of network " + b.network(p)
	case p.Type == observe.PortPatch || p.Type == observe.PortChassisRedirect || p.Type == observe.PortL3Gateway:
		if router := b.router(p); router != "" {
			return short(p.LogicalPort) + " of router " + router
		}
	}
	return ""
}

// router names the router of a router's port, or of the switch port at its other end.
func (b Book) router(p *observe.PortBinding) string {
	if !strings.Contains(p.LogicalPort, "lrp-") {
		peer, ok := b.sb.Port(p.Options["peer"])
		if !ok {
			return ""
		}
		p = peer
	}
	return b.network(p)
}

// network names the datapath of a port.
func (b Book) network(p *observe.PortBinding) string {
	if d := b.datapaths[p.Datapath]; d != nil {
		return d.Name()
	}
	return ""
}

// Short leaves of a UUID at the end of a name the first part, by which [Find] finds it.
func Short(name string) string {
	if !uuidAtEnd.MatchString(name) {
		return name
	}
	return short(name)
}

func short(name string) string {
	const uuid, first = 36, 8
	return name[:len(name)-uuid+first]
}

// Relabel puts what rows are called into a text in place of how they are mentioned.
func Relabel(text string, labels map[string]string) string {
	if len(labels) == 0 {
		return text
	}
	return uuidToken.ReplaceAllStringFunc(text, func(token string) string {
		if label := labels[token]; label != "" {
			return label
		}
		return token
	})
}

// Collect adds what the rows that are mentioned in texts are called, by how they are
// mentioned there.
func (b Book) Collect(into map[string]string, texts ...string) {
	if b.sb == nil {
		return
	}
	for _, text := range texts {
		for _, token := range uuidToken.FindAllString(text, -1) {
			if _, known := into[token]; known {
				continue
			}
			if label := b.Label(token); label != "" {
				into[token] = label
			}
		}
	}
}
