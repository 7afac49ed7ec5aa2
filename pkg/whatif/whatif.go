// Package whatif says what an event would lead to, over the snapshots of one node or of
// several: a port that is bound elsewhere, a chassis that is gone, a peer that is down. It
// changes the rows as OVN would and compares what each node announces before and after.
//
// It is pure. It refuses to run drivers and to read files: who asks derives what a node
// announces, by the same code that the controller uses.
//
// Read next: [Edit] for the events, edit.go for the rows that they change, then [Compare].
package whatif

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Event is what happens.
type Event string

// The events.
const (
	// Move binds a port to another chassis.
	Move Event = "move"
	// ChassisGone takes a chassis away, with its ovn-controller and what runs on it.
	ChassisGone Event = "chassis-gone"
	// PeerDown ends the sessions of all nodes with a neighbour.
	PeerDown Event = "peer-down"
)

// Edit is one event.
type Edit struct {
	Event Event
	// Port is the logical port that moves, by that name or by the one that Neutron gave it.
	Port string
	// Chassis is where it moves to, or the one that is gone: a system-id or a host name.
	Chassis string
	// Peer is the neighbour that is down.
	Peer netip.Addr
}

// ParseMove reads PORT=CHASSIS.
func ParseMove(text string) (Edit, error) {
	port, chassis, ok := strings.Cut(text, "=")
	if !ok || port == "" || chassis == "" {
		return Edit{}, fmt.Errorf("%.80q: give a port and a chassis, such as web-1=cmp-07", text)
	}
	return Edit{Event: Move, Port: port, Chassis: chassis}, nil
}

// String is the event for people.
func (e Edit) String() string {
	switch e.Event {
	case Move:
		return "port " + e.Port + " moves to " + e.Chassis
	case ChassisGone:
		return "chassis " + e.Chassis + " is gone"
	default:
		return "peer " + e.Peer.String() + " is down"
	}
}

// Node is one node before the events.
type Node struct {
	// Name is its system-id.
	Name     string
	Snapshot observe.Snapshot
	// Announces derives from a snapshot what the node announces to the given neighbours.
	Announces func(snap observe.Snapshot, peers []object.Peer) []object.Key
	// Peers are its neighbours.
	Peers []object.Peer
}

// Label is what people call the node: its host name, or its system-id where the rows have none.
func (n Node) Label() string { return label(n.Snapshot.SB, n.Name) }

func label(sb *observe.Southbound, name string) string {
	if c, ok := sb.ChassisByName(name); ok && c.Hostname != "" {
		return c.Hostname
	}
	return name
}

// Change is an object whose announcers are others after the events.
type Change struct {
	Key object.Key
	// From and To are the nodes that announce it before and after, in order.
	From, To []string
}

// Result is what events lead to.
type Result struct {
	// Rows are what the events change in the rows.
	Rows []Row
	// Moves are announced by other nodes than before, Nobody by none any more; Twice are
	// announced by several nodes, and were not by the same ones.
	Moves, Nobody, Twice []Change
	// Same counts what is announced as before.
	Same int
	// Unknown are chassis that rows name and of which no snapshot was given: what they
	// announce is not known.
	Unknown []string
}

// Compare derives what nodes announce before and after events. An error names an event of
// which the rows know nothing.
func Compare(nodes []Node, edits []Edit) (Result, error) {
	before, after := map[object.Key][]string{}, map[object.Key][]string{}
	out := Result{}
	seen := map[Row]bool{}
	given, unknown := map[string]bool{}, map[string]string{}
	for _, n := range nodes {
		given[n.Name] = true
		for _, k := range n.Announces(n.Snapshot, n.Peers) {
			before[k] = append(before[k], n.Label())
		}
		changed, rows, err := Apply(n.Snapshot, edits)
		if err != nil {
			return out, fmt.Errorf("node %s: %w", n.Name, err)
		}
		for _, r := range rows {
			if !seen[r] {
				seen[r] = true
				out.Rows = append(out.Rows, r)
			}
		}
		for _, c := range n.Snapshot.SB.Chassis {
			unknown[c.Name] = label(n.Snapshot.SB, c.Name)
		}
		if gone(n.Snapshot.SB, n.Name, edits) {
			continue
		}
		for _, k := range n.Announces(changed, withoutPeers(n.Peers, edits)) {
			after[k] = append(after[k], n.Label())
		}
	}
	for name, label := range unknown {
		if !given[name] {
			out.Unknown = append(out.Unknown, label)
		}
	}
	slices.Sort(out.Unknown)
	out.sortOut(before, after)
	return out, nil
}

// sortOut puts each object in its list.
func (r *Result) sortOut(before, after map[object.Key][]string) {
	all := map[object.Key]bool{}
	for _, m := range []map[object.Key][]string{before, after} {
		for k, list := range m {
			slices.Sort(list)
			m[k] = slices.Compact(list)
			all[k] = true
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(all), object.Key.Compare) {
		c := Change{Key: k, From: before[k], To: after[k]}
		switch {
		case slices.Equal(c.From, c.To):
			r.Same++
		case len(c.To) == 0:
			r.Nobody = append(r.Nobody, c)
		case len(c.To) > 1:
			r.Twice = append(r.Twice, c)
		default:
			r.Moves = append(r.Moves, c)
		}
	}
}

// withoutPeers are the neighbours that are still there.
func withoutPeers(peers []object.Peer, edits []Edit) []object.Peer {
	return slices.DeleteFunc(slices.Clone(peers), func(p object.Peer) bool {
		return slices.ContainsFunc(edits, func(e Edit) bool { return e.Event == PeerDown && sameAddress(p.Address, e.Peer) })
	})
}

func sameAddress(text string, addr netip.Addr) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a == addr
}

// gone reports whether the chassis of that name is one that is gone.
func gone(sb *observe.Southbound, name string, edits []Edit) bool {
	return slices.ContainsFunc(edits, func(e Edit) bool {
		c := chassisOf(sb, e.Chassis)
		return e.Event == ChassisGone && c != nil && c.Name == name
	})
}
