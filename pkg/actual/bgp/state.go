package bgp

import (
	"context"
	"slices"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// PeerState is how one session is.
type PeerState struct {
	Address string `json:"address"`
	AS      uint32 `json:"as"`
	State   State  `json:"state"`
	// Since is when the session came up or, if it is not, went down.
	Since time.Time `json:"since"`
	// LocalAddress is our end of an established session: the next hop.
	LocalAddress string `json:"local_address,omitempty"`
	// RouterID is the neighbour's BGP Identifier.
	RouterID string `json:"router_id,omitempty"`
	// HoldTime is the negotiated hold time in seconds.
	HoldTime uint16 `json:"hold_time,omitempty"`
	// Graceful is set when both ends support graceful restart (RFC 4724).
	Graceful bool `json:"graceful_restart"`
	// RestartTime is how long, in seconds, the neighbour asks to be waited for.
	RestartTime uint16 `json:"restart_time,omitempty"`
	// Flaps counts how often the session was lost.
	Flaps    uint32        `json:"flaps"`
	Families []FamilyState `json:"families"`
	// LastError is the text for operators: why the session is not up, or last went down.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// Fault is LastError as a word that is stable; empty while nothing has failed.
	Fault speaker.Fault `json:"fault,omitempty"`
	// Local and Remote are the capabilities that the two ends offer; empty without a session.
	Local, Remote []Capability
	// OurRestartTime is how long, in seconds, the neighbour is asked to keep our routes.
	OurRestartTime uint32
	// NotExternal is set where the neighbour is to have any AS but ours, and has ours: the
	// session is an internal one.
	NotExternal bool
	// BFD is how forwarding to the neighbour is watched.
	BFD speaker.BFD
	// Ours is whether the neighbour may have our routes, Theirs whether we have its own.
	Ours, Theirs Keeping
}

// FamilyState counts the prefixes of one family on one session.
type FamilyState struct {
	Family object.Family `json:"family"`
	// Negotiated is set when the neighbour takes the family (RFC 4760).
	Negotiated bool   `json:"negotiated"`
	Sent       uint64 `json:"sent"`
	// Received are all that the neighbour announces, what it sends back to us included.
	Received uint64 `json:"received"`
	// Accepted are those that may be used: those without our own AS in their path. Beyond
	// countedMost of them that is not looked at.
	Accepted uint64 `json:"accepted"`
	// Looped are those with our own AS in their path: usually our own, sent back.
	Looped uint64 `json:"looped"`
	// PrefixLimit is how many may be announced beside those that come back; 0 is no limit.
	PrefixLimit uint32 `json:"prefix_limit"`
}

// Peers returns the state of every session of ours, ordered by address. It may be
// called at any time, but waits for an Apply under way.
func (b *Backend) Peers(ctx context.Context) ([]PeerState, error) {
	list, err := b.speaker.Peers(ctx, "")
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	paths := b.mirror.share()
	b.mu.Unlock()
	out := make([]PeerState, 0, len(list))
	for _, p := range list {
		if !speaker.IsOurPeer(p) {
			continue
		}
		s := peerState(p, b.speaker.Sessions.Of(p.GetConf().GetNeighborAddress()), paths)
		for i := range s.Families {
			loops := b.loops.count(ctx, b.speaker, p, s.Families[i])
			s.Families[i].Looped = min(loops, s.Families[i].Accepted)
			s.Families[i].Accepted -= s.Families[i].Looped
		}
		b.keeping(&s, p)
		out = append(out, s)
	}
	b.loops.keep(out)
	b.memory.keep(out)
	sorting.Sort(out, func(x, y PeerState) int { return strings.Compare(x.Address, y.Address) })
	return out, nil
}

// keeping fills in what is kept of a session that is down.
func (b *Backend) keeping(s *PeerState, p *api.Peer) {
	how := b.speaker.Sessions.Of(s.Address).HowEnded()
	a, known := b.memory.see(s.Address, agreedOn(p, s.Graceful), s.State == Established)
	s.Ours, s.Theirs = ourRoutes(*s, a, known, how, time.Now()), theirRoutes(*s, a, known)
}

func peerState(p *api.Peer, recorded speaker.Session, paths object.Set) PeerState {
	s := PeerState{
		Address:     p.GetConf().GetNeighborAddress(),
		AS:          p.GetState().GetPeerAsn(),
		State:       speaker.StateOf(p),
		Since:       recorded.Since,
		Flaps:       p.GetState().GetFlops(),
		LastError:   recorded.Fault,
		LastErrorAt: recorded.At,
		Fault:       recorded.Code,
		Local:       []Capability{},
		Remote:      []Capability{},

		OurRestartTime: p.GetGracefulRestart().GetRestartTime(),
		BFD:            speaker.BFDOf(p),
	}
	if s.Fault == "" && s.State != Established && s.BFD.Failures > 0 && s.BFD.State != bfd.Up {
		// The reason is known to a speaker in another process alone, but for this one.
		s.LastError, s.Fault, s.LastErrorAt = "BFD: "+s.BFD.Diag.String(), speaker.FaultBFD, s.BFD.Failed
	}
	if overLimit(p) {
		s.LastError = "the neighbour announces more than its prefix limit allows; " +
			"the session stays down for bgp.prefix_limit_restart, or until the peer's configuration changes"
		s.Fault = speaker.FaultPrefixLimit
	}
	out := outletOf(p, recorded)
	if s.State == Established {
		s.NotExternal = p.GetConf().GetPeerAsn() == 0 && s.AS != 0 && s.AS == p.GetState().GetLocalAsn()
		s.LocalAddress = p.GetTransport().GetLocalAddress()
		s.RouterID = p.GetState().GetRouterId()
		s.HoldTime = uint16(p.GetTimers().GetState().GetNegotiatedHoldTime())
		s.Graceful = out.graceful && p.GetGracefulRestart().GetEnabled()
		s.RestartTime = uint16(p.GetGracefulRestart().GetPeerRestartTime())
		s.Local, s.Remote = capabilitiesOf(p.GetState().GetLocalCap()), capabilitiesOf(p.GetState().GetRemoteCap())
	}
	for _, af := range p.GetAfiSafis() {
		family, ok := speaker.FamilyFromAPI(af.GetConfig().GetFamily())
		if !ok {
			continue
		}
		s.Families = append(s.Families, FamilyState{
			Family:     family,
			Negotiated: slices.Contains(out.families, family),
			Sent:       out.count(family, paths),
			Received:   af.GetState().GetReceived(),
			Accepted:   af.GetState().GetAccepted(),

			PrefixLimit: speaker.PrefixLimitOf(af),
		})
	}
	return s
}
