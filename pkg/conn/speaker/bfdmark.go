package speaker

import (
	"encoding/json"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd/engine"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// GoBGP has fields for its own BFD, which we leave off: it flaps for ever after a failure.
// They keep our profile, and a change of them leaves the session alone. That they are ours
// is told by the port, which is of no use while it is off, and none that BFD has.
const (
	bfdSingleHop = 1
	bfdMultihop  = 2
)

// bfdTrouble begins the state's description of a peer for which BFD cannot run here, as a
// speaker of an earlier release has it, and bfdNotes that of ours: JSON of bfdTold.
const (
	bfdTrouble = "BFD: "
	bfdNotes   = "BFD {"
)

// bfdTold is what GoBGP has no fields for.
type bfdTold struct {
	Trouble string               `json:"trouble,omitempty"`
	Events  []bfdTook            `json:"events,omitempty"`
	Counts  map[bfd.Cause]uint64 `json:"counts,omitempty"`
}

// bfdTook is one event of a session.
type bfdTook struct {
	At       int64     `json:"at"` // in nanoseconds since 1970
	From     bfd.State `json:"from"`
	To       bfd.State `json:"to"`
	Diag     bfd.Diag  `json:"diag,omitempty"`
	Remote   bfd.Diag  `json:"remote,omitempty"`
	Operator bool      `json:"operator,omitempty"`
}

// encodeBFD is the state's description of a peer; empty where there is nothing to tell.
func encodeBFD(st engine.Status) string {
	told := bfdTold{Counts: st.Counts}
	if st.Err != nil {
		told.Trouble = st.Err.Error()
	}
	for _, e := range st.Events {
		told.Events = append(told.Events, bfdTook{e.At.UnixNano(), e.From, e.To, e.Diag, e.RemoteDiag, e.ByAdmin})
	}
	raw, err := json.Marshal(told)
	if err != nil || len(raw) <= len("{}") {
		return ""
	}
	return bfdNotes + string(raw[1:])
}

// decode reads what encodeBFD has written, of whatever speaker that is.
func (b *BFD) decode(text string) {
	if trouble, ok := strings.CutPrefix(text, bfdTrouble); ok {
		b.Trouble = trouble
	}
	var told bfdTold
	if !strings.HasPrefix(text, bfdNotes) || json.Unmarshal([]byte(text[len(bfdNotes)-1:]), &told) != nil {
		return
	}
	b.Trouble, b.Counts = told.Trouble, told.Counts
	for _, e := range told.Events {
		b.Events = append(b.Events, engine.Event{At: time.Unix(0, e.At), Change: bfd.Change{
			From: e.From, To: e.To, Diag: e.Diag, RemoteDiag: e.Remote, ByAdmin: e.Operator,
		}})
	}
}

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
	// Diag is why it failed last, RemoteDiag what the neighbour said then.
	Diag, RemoteDiag bfd.Diag
	// Failures counts how often it was lost, and Failed is when that was last.
	Failures       uint64
	Failed         time.Time
	Sent, Received uint64
	// Events are the latest steps into Up and out of it, the oldest first; Counts are all
	// since the session began, by what led to them.
	Events []engine.Event
	Counts map[bfd.Cause]uint64
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
		Diag: bfd.Diag(s.GetLocalDiagnosticCode()), RemoteDiag: bfd.Diag(s.GetRemoteDiagnosticCode()),
		Failures: s.GetFailureTransitions(),
		Sent:     s.GetBfdAsync().GetTransmittedPackets(), Received: s.GetBfdAsync().GetReceivedPackets(),
	}
	if at := s.GetLastFailureTime(); at != 0 {
		out.Failed = time.Unix(0, int64(at))
	}
	out.decode(p.GetState().GetDescription())
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
