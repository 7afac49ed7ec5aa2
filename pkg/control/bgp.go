package control

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/elsewhere"
)

// BGPPeers is the answer to how the sessions are.
type BGPPeers struct {
	Version int          `json:"version"`
	Peers   []BGPPeer    `json:"peers"`
	Held    []Quarantine `json:"quarantined"`
}

// BGPPeer is everything about the session with one neighbour.
type BGPPeer struct {
	Peer
	// Uptime is how long the session has been up, Downtime how long it has not, in
	// seconds; one of them is 0.
	Uptime   float64 `json:"uptime_seconds"`
	Downtime float64 `json:"downtime_seconds"`
	// Fault says what is wrong, or was last; nil if nothing was.
	Fault *BGPFault `json:"fault"`
	// Local and Remote are the capabilities that each end offers (RFC 5492).
	Local  []BGPCapability `json:"capabilities_local"`
	Remote []BGPCapability `json:"capabilities_remote"`
	// BFD is how the way to the neighbour is watched; nil if it is not.
	BFD *BGPBFD `json:"bfd,omitempty"`
	// OurRestartTime is how long, in seconds, the neighbour is asked to keep our routes
	// while we restart; 0 is not at all.
	OurRestartTime float64 `json:"our_restart_time_seconds"`
	// OurRoutes says whether the neighbour may have our routes, TheirRoutes whether we have
	// its own, after the session.
	OurRoutes   BGPKeeping `json:"our_routes"`
	TheirRoutes BGPKeeping `json:"their_routes"`
	// Counts are the prefixes by family. Rejected are the reasons of those not taken.
	Counts []BGPCounts `json:"counts"`
}

// BGPBFD is a session of BFD (RFC 5880).
type BGPBFD struct {
	// State is Up, Down, Init or AdminDown, or unavailable where the speaker runs no BFD.
	State  string `json:"state"`
	Remote string `json:"remote_state"`
	// IntervalMS is what is configured for both directions, in milliseconds.
	IntervalMS uint16 `json:"interval_ms"`
	Multiplier uint8  `json:"multiplier"`
	Multihop   bool   `json:"multihop"`
	// Failures counts how often the neighbour was lost, LastFailure is when, and Diagnostic why.
	Failures    uint64    `json:"failures"`
	LastFailure time.Time `json:"last_failure,omitzero"`
	Diagnostic  string    `json:"diagnostic"`
	Sent        uint64    `json:"sent"`
	Received    uint64    `json:"received"`
	// Error is why packets cannot be sent or received here.
	Error string `json:"error,omitempty"`
}

// BGPFault is why a session is not up, or went down last.
type BGPFault struct {
	// Code is stable; docs/glossary.md has all of them.
	Code string `json:"code"`
	// Current says that the session is not up because of it.
	Current bool      `json:"current"`
	Text    string    `json:"text"`
	At      time.Time `json:"at,omitzero"`
	// Cause is what it usually means, Remedy what to do.
	Cause  string `json:"cause"`
	Remedy string `json:"remedy"`
}

// BGPCapability is what one end of a session offers.
type BGPCapability struct {
	Name string `json:"name"`
	// Detail is what goes with it, for people.
	Detail string `json:"detail,omitempty"`
	// Family is that of family and add-path, Mode the direction of add-path: receive, send
	// or both. Seconds is the time of graceful-restart, and Number the AS of 4-octet-as or
	// the code of one that is not known.
	Family  string `json:"family,omitempty"`
	Mode    string `json:"mode,omitempty"`
	Seconds uint32 `json:"seconds,omitempty"`
	Number  uint32 `json:"number,omitempty"`
}

// BGPKeeping is whether routes outlive their session.
type BGPKeeping struct {
	// Kept is session-up, possibly, yes, no or unknown.
	Kept   string    `json:"kept"`
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason"`
}

// BGPCounts counts the prefixes of one family on one session.
type BGPCounts struct {
	Family object.Family `json:"family"`
	// Negotiated says that the neighbour takes the family.
	Negotiated bool   `json:"negotiated"`
	Sent       uint64 `json:"sent"`
	// NotSent are paths of ours that do not leave on this session.
	NotSent  uint64 `json:"not_sent"`
	Received uint64 `json:"received"`
	// Accepted are those received that may be used, Looped those with our own AS.
	Accepted    uint64 `json:"accepted"`
	Looped      uint64 `json:"looped"`
	PrefixLimit uint32 `json:"prefix_limit"`
}

// Elsewhere is what somebody else has announced for a while of what this node announces.
type Elsewhere struct {
	Count int `json:"count"`
	// Prefixes are the first of them, in order.
	Prefixes []ElsewherePrefix `json:"prefixes"`
}

// ElsewherePrefix is a prefix of ours that somebody else announces, too.
type ElsewherePrefix struct {
	elsewhere.Finding
	Since time.Time `json:"since"`
}

// RouteQuery asks for one page of a table of paths.
type RouteQuery struct {
	// Peer is the address of a neighbour; empty for all.
	Peer string
	// Within leaves out what is not in the prefix; the zero value asks for all.
	Within netip.Prefix
	// Limit is how many paths are wanted: 0 is DefaultRoutes, and at most MaxRoutes.
	Limit int
	// After is BGPRoutes.Next of the page before; empty for the first page.
	After string
}

// The number of paths in one answer.
const (
	DefaultRoutes = 100
	MaxRoutes     = 5000
)

// Values is the query as it is put into a URL.
func (q RouteQuery) Values() url.Values {
	v := url.Values{}
	if q.Peer != "" {
		v.Set("peer", q.Peer)
	}
	if q.Within.IsValid() {
		v.Set("within", q.Within.String())
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.After != "" {
		v.Set("after", q.After)
	}
	return v
}

// ParseRouteQuery is the inverse of Values; it checks what a client may write.
func ParseRouteQuery(v url.Values) (q RouteQuery, err error) {
	q.Peer, q.After, q.Limit = v.Get("peer"), v.Get("after"), DefaultRoutes
	if q.Peer != "" {
		addr, err := netip.ParseAddr(q.Peer)
		if err != nil {
			return q, fmt.Errorf("peer %.80q: give the address of a peer as in bgp.peers", q.Peer)
		}
		q.Peer = addr.String()
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > MaxRoutes {
			return q, fmt.Errorf("limit %.20q: use 1 to %d", text, MaxRoutes)
		}
	}
	if text := v.Get("within"); text != "" {
		if q.Within, err = ParseWithin(text); err != nil {
			return q, err
		}
	}
	return q, nil
}

// ParseWithin reads a prefix, or an address as the host prefix.
func ParseWithin(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() {
		return p, fmt.Errorf("%.80q is not an address and no prefix without host bits, such as 203.0.113.0/24", text)
	}
	return p, nil
}

// BGPAdvertised is a page of what we announce.
type BGPAdvertised struct {
	Version int `json:"version"`
	// Total counts what the query finds, NotSent what of ours leaves on no session that it
	// asks about.
	Total   int              `json:"total"`
	NotSent int              `json:"not_sent"`
	Paths   []AdvertisedPath `json:"paths"`
	// Names is what people call the rows that are mentioned by UUID.
	Names map[string]string `json:"names"`
	// Next asks for the page after this one; empty on the last.
	Next string `json:"next,omitempty"`
}

// AdvertisedPath is one path of ours and where it is sent.
type AdvertisedPath struct {
	Family object.Family `json:"family"`
	// NLRI is the prefix or, for EVPN, the route.
	NLRI string `json:"nlri"`
	// Path are the fields of the path, as in the objects of desired. Attributes are the same
	// but the NLRI, in the form of a plan.
	Path       json.RawMessage `json:"path"`
	Attributes string          `json:"attributes"`
	// Sent are the neighbours that it is sent to, with the next hop.
	Sent []SentTo `json:"sent"`
	// Objects are the rows that it was derived from.
	Objects []object.Source `json:"objects"`
}

// SentTo is a neighbour that has been sent a path.
type SentTo struct {
	Peer    string `json:"peer"`
	NextHop string `json:"next_hop"`
}

// BGPReceived is a page of what neighbours announce.
type BGPReceived struct {
	Version int `json:"version"`
	// Total counts what the query finds; Reasons counts of all that was received, within
	// the query, why it is not used.
	Total   int            `json:"total"`
	Reasons []ReasonCount  `json:"reasons"`
	Paths   []ReceivedPath `json:"paths"`
	Next    string         `json:"next,omitempty"`
}

// ReasonCount counts paths that are not used for one reason.
type ReasonCount struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// ReceivedPath is one path of a neighbour and what has become of it.
type ReceivedPath struct {
	Peer    string        `json:"peer"`
	Family  object.Family `json:"family"`
	NLRI    string        `json:"nlri"`
	PathID  uint32        `json:"path_id"`
	NextHop string        `json:"next_hop"`
	ASPath  string        `json:"as_path"`
	Origin  object.Origin `json:"origin"`
	// MED and LocalPref are null where the path has none.
	MED              *uint32   `json:"med"`
	LocalPref        *uint32   `json:"local_pref"`
	Communities      []string  `json:"communities"`
	LargeCommunities []string  `json:"large_communities"`
	Since            time.Time `json:"since"`
	Stale            bool      `json:"stale"`
	// Used says that it is one of the best paths and accepted. Reason is why it is not:
	// a stable code, empty if it is.
	Used   bool   `json:"used"`
	Reason string `json:"reason,omitempty"`
	// Text is the reason in words.
	Text string `json:"text,omitempty"`
}

// Why a path of a neighbour is not used.
const (
	UnusedLoop        = "loop"         // our own AS is in AS_PATH
	UnusedNextHop     = "no-next-hop"  // the next hop cannot be used
	UnusedOurs        = "ours"         // we announce the prefix ourselves
	UnusedMartian     = "martian"      // valid on no network
	UnusedNotAccepted = "not-accepted" // learn.accept does not have it
	UnusedProtected   = "protected"    // it would take traffic that the node lives on
	UnusedBlocked     = "blocked"      // its route cannot be made
	UnusedNotBest     = "not-best"     // another path is better; not a rejection
)
