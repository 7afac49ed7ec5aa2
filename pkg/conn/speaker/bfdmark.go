package speaker

import (
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// GoBGP has fields for its own BFD, which we leave off: it flaps for ever after a failure.
// They keep our profile, and a change of them leaves the session alone. That they are ours
// is told by the port, which is of no use while it is off, and none that BFD has.
const (
	bfdSingleHop = 1
	bfdMultihop  = 2
)

// bfdTrouble begins the state's description of a peer for which BFD cannot run here.
const bfdTrouble = "BFD: "

// BFD is how a peer's session is to be, and is.
type BFD struct {
	// On is set where there is to be one.
	On bool
	// Interval is in milliseconds.
	Interval   uint16
	Multiplier uint8
	Multihop   bool

	// Runs is set if the speaker runs it; nothing below is known otherwise.
	Runs          bool
	State, Remote bfd.State
	// Diag is why it went down last.
	Diag bfd.Diag
	// Failures counts how often it was lost, and Failed is when that was last.
	Failures       uint64
	Failed         time.Time
	Sent, Received uint64
	// Trouble is why packets cannot be sent or received.
	Trouble string
}

// BFDMark is what a peer carries; nil is no BFD.
func BFDMark(b object.BFD) *api.BfdPeerConfig {
	if !b.On {
		return nil
	}
	interval, multiplier := b.Profile()
	out := &api.BfdPeerConfig{
		Port: bfdSingleHop, DetectionMultiplier: uint32(multiplier),
		DesiredMinimumTxInterval: uint32(interval) * 1000, RequiredMinimumReceive: uint32(interval) * 1000,
	}
	if b.Multihop {
		out.Port = bfdMultihop
	}
	return out
}

// BFDOf reads what BFDMark has written, and how it is.
func BFDOf(p *api.Peer) BFD {
	c, s := p.GetBfd(), p.GetState().GetBfdState()
	if !IsOurPeer(p) || c.GetEnabled() || c.GetPort() != bfdSingleHop && c.GetPort() != bfdMultihop {
		return BFD{}
	}
	out := BFD{
		On: true, Multihop: c.GetPort() == bfdMultihop,
		Interval:   uint16(c.GetDesiredMinimumTxInterval() / 1000),
		Multiplier: uint8(c.GetDetectionMultiplier()),
		Runs:       s.GetSessionState() != api.BfdSessionState_BFD_SESSION_STATE_UNSPECIFIED,
		State:      bfdStateOf(s.GetSessionState()), Remote: bfdStateOf(s.GetRemoteSessionState()),
		Diag: bfd.Diag(s.GetLocalDiagnosticCode()), Failures: s.GetFailureTransitions(),
		Sent: s.GetBfdAsync().GetTransmittedPackets(), Received: s.GetBfdAsync().GetReceivedPackets(),
	}
	if at := s.GetLastFailureTime(); at != 0 {
		out.Failed = time.Unix(0, int64(at))
	}
	if text := p.GetState().GetDescription(); len(text) > len(bfdTrouble) && text[:len(bfdTrouble)] == bfdTrouble {
		out.Trouble = text[len(bfdTrouble):]
	}
	return out
}

// WantedBFD is the setting that BFDMark has written.
func WantedBFD(p *api.Peer) object.BFD {
	b := BFDOf(p)
	return object.BFD{On: b.On, Interval: b.Interval, Multiplier: b.Multiplier, Multihop: b.Multihop}.Canonical()
}

func bfdStateOf(s api.BfdSessionState) bfd.State {
	for state, number := range bfdStates {
		if number == s {
			return state
		}
	}
	return bfd.Down
}
