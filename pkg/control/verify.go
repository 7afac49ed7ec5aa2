package control

import (
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// Verify is a page of what has become, at the looking points, of what we announce.
type Verify struct {
	Version int `json:"version"`
	// At is when it was asked for.
	At time.Time `json:"at"`
	// Points are the looking points, in the order of the configuration.
	Points []LookingPoint `json:"points"`
	// Counts counts the paths of ours within the query, by the worst of their states.
	Counts []StateCount `json:"counts"`
	// Total counts the paths that the query finds: those that are not found as they were sent
	// or, if that was asked for, all of them.
	Total int            `json:"total"`
	Paths []VerifiedPath `json:"paths"`
	// Names is what people call the rows that are mentioned by UUID.
	Names map[string]string `json:"names"`
	// Next asks for the page after this one; empty on the last.
	Next string `json:"next,omitempty"`
}

// LookingPoint is a router that shows what it has, and the session with it.
type LookingPoint struct {
	Address string `json:"address"`
	AS      uint32 `json:"as"`
	// Established says that the session is up, since Since; otherwise it is down since then,
	// and Error is why.
	Established bool      `json:"established"`
	Since       time.Time `json:"since"`
	Error       string    `json:"error"`
	// Complete says that it has sent everything that it has. AddPath says that it sends all
	// paths for a prefix and not only the best one (RFC 7911).
	Complete bool `json:"complete"`
	AddPath  bool `json:"add_path"`
	// RouterID is its BGP identifier, LocalAddress our end of the session.
	RouterID     string `json:"router_id"`
	LocalAddress string `json:"local_address"`
	// Families are those that it tells of on the session.
	Families []object.Family `json:"families"`
	// Received counts the paths that came in since the session began, Kept those that are kept
	// because they concern paths of ours.
	Received uint64 `json:"received"`
	Kept     int    `json:"kept"`
}

// StateCount counts paths of one state.
type StateCount struct {
	State verify.State `json:"state"`
	Count int          `json:"count"`
}

// VerifiedPath is one path of ours and what has become of it.
type VerifiedPath struct {
	Family object.Family `json:"family"`
	// NLRI is the prefix or, for EVPN, the route.
	NLRI string `json:"nlri"`
	// VNI is that of an EVPN route; left out of others.
	VNI uint32 `json:"vni,omitempty"`
	// State is the worst of all looking points.
	State verify.State `json:"state"`
	Sent  []SentTo     `json:"sent"`
	// Since is since when it is missing, or there although it is not sent; left out if neither.
	Since time.Time `json:"since,omitzero"`
	// Results has what has become of it at each looking point, in their order.
	Results []verify.Result `json:"results"`
	// Objects are the rows that it was derived from.
	Objects []object.Source `json:"objects"`
}

// Outside is what looking points say of what we announce, for status.
type Outside struct {
	Points []LookingPoint `json:"points"`
	Counts []StateCount   `json:"counts"`
	// Lost counts paths that have been missing at one for longer than bgp.verify.hold;
	// Prefixes are the first of them, in order.
	Lost     int          `json:"lost"`
	Prefixes []LostPrefix `json:"prefixes"`
	// Extra counts paths that one has held of this node for longer than that, which this node
	// does not send; ExtraPrefixes are the first of them, in order.
	Extra         int          `json:"extra"`
	ExtraPrefixes []LostPrefix `json:"extra_prefixes"`
}

// LostPrefix is a path that a looking point should have of us and has not, or the other way
// round.
type LostPrefix struct {
	Family object.Family `json:"family"`
	// NLRI is the prefix or, for EVPN, the route.
	NLRI string `json:"nlri"`
	// Prefix is what the path leads to; empty for a MAC alone.
	Prefix netip.Prefix  `json:"prefix"`
	Result verify.Result `json:"result"`
	Since  time.Time     `json:"since"`
}
