// Package verify compares what this node has sent to its neighbours with what a looking
// point holds: a router elsewhere that tells us everything it has. A neighbour that filters
// an announcement says so to nobody; only from outside it can be seen. It is pure.
//
// It refuses to talk to anybody: package lookingpoint has the session, and pkg/agent brings
// both sides here.
//
// Read next: [Compare], then change.go; nlri.go has what paths are told apart by.
package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// State is what has become of a path at a looking point, or at all of them.
type State string

// The states, the best one first.
const (
	Found    State = "found"    // as it was sent
	Unknown  State = "unknown"  // the looking point cannot tell now
	NotSent  State = "not-sent" // it leaves on no session
	Changed  State = "changed"  // it is there with other attributes
	Extra    State = "extra"    // it is there from us, and we do not send it
	Filtered State = "filtered" // somebody has it, and somebody after that has not
	Missing  State = "missing"  // it is not there
)

// states are all of them, the best one first.
var states = []State{Found, Unknown, NotSent, Changed, Extra, Filtered, Missing}

// Worse reports whether a is a worse state than b.
func (a State) Worse(b State) bool { return slices.Index(states, a) > slices.Index(states, b) }

// Lost reports whether a looking point should have the path and has not.
func (a State) Lost() bool { return a == Missing || a == Filtered }

// Sent is a neighbour that has been sent a path.
type Sent struct {
	Peer string
	AS   uint32
	// Router is the neighbour's BGP identifier.
	Router netip.Addr
	// NextHop is the one that the path has left with.
	NextHop netip.Addr
}

// Path is a path of ours and where it was sent.
type Path struct {
	NLRI                          NLRI
	Origin                        object.Origin
	Communities, LargeCommunities object.Words
	MED, LocalPref                object.Metric
	Overlay                       Overlay
	// Prepend is what AS_PATH has behind our own AS, as while the node is drained.
	Prepend object.Prepend
	Sent    []Sent
	// Returned are neighbours that send the path back to us, so that they have it.
	Returned []string
}

// Held is a path that a looking point holds.
type Held struct {
	NLRI NLRI
	// ID is the identifier of several paths for one NLRI (RFC 7911).
	ID      uint32
	NextHop netip.Addr
	// ASPath are the numbers of AS_PATH in their order, those of sets too.
	ASPath                        []uint32
	Origin                        object.Origin
	Communities, LargeCommunities object.Words
	MED, LocalPref                object.Metric
	Overlay                       Overlay
	// Originator is ORIGINATOR_ID (RFC 4456).
	Originator netip.Addr
	// From and FromID are address and BGP identifier of the neighbour that the looking point
	// has it from, which BMP alone tells; invalid otherwise.
	From, FromID netip.Addr
}

// Node is what tells our paths from those of others.
type Node struct {
	AS       uint32
	RouterID netip.Addr
	// Others are addresses of other nodes, with what people call these.
	Others map[netip.Addr]string
}

// Point is a looking point.
type Point struct {
	Name string
	// Router is its BGP identifier.
	Router netip.Addr
	// Blind is why it cannot tell now; empty if it can.
	Blind string
	// Covering says that a shorter prefix counts as ours: the fabric summarises.
	Covering bool
	// Ignore are attributes that the fabric may change.
	Ignore []Attribute
}

// View is what a looking point holds about one NLRI.
type View struct {
	Point
	// Exact are its paths for the NLRI itself; Cover is the one for the longest prefix that
	// contains a unicast one, but the default route; nil if there is none.
	Exact []Held
	Cover *Held
}

// Result is what has become of one path at one looking point.
type Result struct {
	Point string `json:"point"`
	State State  `json:"state"`
	// NextHop and ASPath are those of the path that it holds, empty if it holds none.
	NextHop string `json:"next_hop"`
	ASPath  string `json:"as_path"`
	// Changes are attributes that it holds otherwise than they were sent.
	Changes []Change `json:"changes"`
	// Text says in words why the state is not found; empty if it is.
	Text string `json:"text"`
}

// Compare says what has become of a path at each looking point, in their order.
func Compare(node Node, p Path, views []View) []Result {
	out := make([]Result, len(views))
	var holders []string // who is known to have it
	for i, v := range views {
		if out[i] = node.compare(p, v); out[i].State == Found || out[i].State == Changed {
			holders = append(holders, v.Name)
		}
	}
	for i := range out {
		if out[i].State == Missing {
			out[i].filter(p, views[i], holders)
		}
	}
	return out
}

// Worst is the state of a path at all looking points together.
func Worst(results []Result) Result {
	worst := Result{State: Unknown, Text: "no looking point is configured", Changes: []Change{}}
	for i, r := range results {
		if i == 0 || r.State.Worse(worst.State) {
			worst = r
		}
	}
	return worst
}

// compare is about one looking point alone.
func (n Node) compare(p Path, v View) Result {
	out := Result{Point: v.Name, Changes: []Change{}}
	switch {
	case len(p.Sent) == 0:
		out.State, out.Text = NotSent, "it leaves on no session"
		return out
	case v.Blind != "":
		out.State, out.Text = Unknown, v.Blind
		return out
	}
	best, changes := n.best(p, v)
	switch {
	case best != nil:
		out.NextHop, out.ASPath = best.NextHop.String(), asText(best.ASPath)
		out.State, out.Changes = Found, changes
		if len(changes) > 0 {
			out.State, out.Text = Changed, textOf(changes)
		}
	case v.Covering && v.Cover != nil:
		out.State, out.NextHop, out.ASPath = Found, v.Cover.NextHop.String(), asText(v.Cover.ASPath)
	default:
		out.State, out.Text = Missing, n.instead(v)
	}
	return out
}

// best is the path that is ours with the fewest changes; nil if none is ours.
func (n Node) best(p Path, v View) (best *Held, fewest []Change) {
	fewest = []Change{}
	sure := false
	for i := range v.Exact {
		h := &v.Exact[i]
		certain, possible := n.isOurs(p, *h)
		if !possible || sure && !certain {
			continue
		}
		changes := n.changes(p, *h, v.Ignore)
		if best == nil || certain && !sure || len(changes) < len(fewest) {
			best, fewest, sure = h, changes, certain
		}
	}
	return best, fewest
}

// isOurs reports whether a path at a looking point certainly is the one that we sent, or
// possibly is. Nodes often have one AS in common: then only the next hop tells, and only as
// long as nobody on the way has put in another one.
func (n Node) isOurs(p Path, h Held) (certain, possible bool) {
	if p.leftWith(h.NextHop) {
		return true, true
	}
	if _, other := n.Others[h.NextHop]; other {
		return false, false
	}
	if len(h.ASPath) == 0 {
		// Within our own AS it is the reflector that says whose path it is.
		if h.Originator.IsValid() {
			return h.Originator == n.RouterID, h.Originator == n.RouterID
		}
		return false, true
	}
	last := h.ASPath[len(h.ASPath)-1]
	// A neighbour that removes or replaces our AS leaves its own as the last one.
	return false, last == n.AS || slices.ContainsFunc(p.Sent, func(s Sent) bool { return s.AS == last })
}

// instead says what a looking point holds in place of our path.
func (n Node) instead(v View) string {
	switch {
	case len(v.Exact) > 0:
		h := v.Exact[0]
		who := "next hop " + h.NextHop.String()
		if name, other := n.Others[h.NextHop]; other {
			who = name + " (" + who + ")"
		}
		text := fmt.Sprintf("%s has it from somebody else only: %s", v.Name, who)
		if len(h.ASPath) > 0 {
			text += ", AS path " + asText(h.ASPath)
		}
		return text
	case v.Cover != nil:
		return fmt.Sprintf("%s has only %s, which covers it (next hop %s)", v.Name, v.Cover.NLRI.Prefix, v.Cover.NextHop)
	}
	return v.Name + " does not have it"
}

// filter tells where a missing path was lost, if that is known.
func (r *Result) filter(p Path, v View, holders []string) {
	for _, s := range p.Sent {
		if s.Router == v.Router && v.Router.IsValid() {
			r.State = Filtered
			r.Text = fmt.Sprintf("neighbour %s was sent it and does not hold it: its policy for what we announce "+
				"(route map, prefix list) refuses it", s.Peer)
			return
		}
	}
	if len(holders) > 0 {
		r.State = Filtered
		r.Text += fmt.Sprintf("; %s has it: it is filtered between there and %s", holders[0], v.Name)
	} else if len(p.Returned) > 0 {
		r.State = Filtered
		r.Text += fmt.Sprintf("; neighbour %s sends it back to us: it is filtered between there and %s", p.Returned[0],
			v.Name)
	}
}

// Peers are the neighbours that a path was sent to, as text.
func (p Path) Peers() string {
	var out []string
	for _, s := range p.Sent {
		out = append(out, s.Peer)
	}
	return strings.Join(out, ", ")
}

// asText prints an AS_PATH.
func asText(path []uint32) string {
	words := make([]string, len(path))
	for i, as := range path {
		words[i] = strconv.FormatUint(uint64(as), 10)
	}
	return strings.Join(words, " ")
}
