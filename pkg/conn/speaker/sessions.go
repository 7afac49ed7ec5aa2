package speaker

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// State is a state of the session's machine, by its name in RFC 4271 section
// 8.2.2.
type State string

// The states of a session.
const (
	Idle        State = "Idle"
	Connect     State = "Connect"
	Active      State = "Active"
	OpenSent    State = "OpenSent"
	OpenConfirm State = "OpenConfirm"
	Established State = "Established"
)

// states are in the order of GoBGP's numbers.
var states = [...]State{
	bgp.BGP_FSM_IDLE: Idle, bgp.BGP_FSM_CONNECT: Connect, bgp.BGP_FSM_ACTIVE: Active,
	bgp.BGP_FSM_OPENSENT: OpenSent, bgp.BGP_FSM_OPENCONFIRM: OpenConfirm, bgp.BGP_FSM_ESTABLISHED: Established,
}

// stateOf takes a number that is none of GoBGP's for that of a session that is not up.
func stateOf(s bgp.FSMState) State {
	if s < 0 || int(s) >= len(states) {
		return Idle
	}
	return states[s]
}

// StateOf is the state of a neighbour's session. Messages number the states from 1.
func StateOf(p *api.Peer) State { return stateOf(bgp.FSMState(p.GetState().GetSessionState()) - 1) }

// PeerEvent is one step of a session's state machine.
type PeerEvent struct {
	Address    string
	Was, State State
	At         time.Time
	// Reason is the text for operators: why an established session ended.
	Reason string
}

// Sessions records of each neighbour what GoBGP reports nowhere else: when its
// session came up, and why it is not up. The reasons come from speakerLog.
type Sessions struct {
	log *slog.Logger
	// brief is set where why a connection failed is not needed.
	brief bool

	mu    sync.Mutex
	peers map[string]*Session
	// down counts the peers that are not established. While there are any,
	// GoBGP is asked for debug messages: only those contain why a connection
	// failed. Else it is spared the cost of making them, which is paid per
	// path.
	down atomic.Int32
}

// Session is what is remembered of one peer.
type Session struct {
	State State
	Since time.Time
	// Fault is why the session is not up, or went down last, in words, and Code the same
	// as a word that is stable; At is when that was learned.
	Fault string
	Code  Fault
	At    time.Time
	// Ended is how the last session ended, whatever failed since.
	Ended Ended
	// notified is set once a NOTIFICATION ends the session that there is.
	notified bool
	// Released is set once what a restarting speaker holds back has been sent all the same.
	Released bool
	// malformed is what was wrong with a message that is about to end the session.
	malformed string
}

func newSessions(log *slog.Logger) *Sessions {
	return &Sessions{log: log, peers: make(map[string]*Session)}
}

// Follow begins to remember a peer, unless it is remembered already.
func (j *Sessions) Follow(address string) (begun bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.peers[address]; ok {
		return false
	}
	j.peers[address] = &Session{State: Idle, Since: time.Now()}
	j.down.Add(1)
	return true
}

// Forget ends what Follow began.
func (j *Sessions) Forget(address string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok && s.State != Established {
		j.down.Add(-1)
	}
	delete(j.peers, address)
}

// UpSince corrects when a session came up.
func (j *Sessions) UpSince(address string, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok {
		s.Since = at
	}
}

// Release records that the session's paths have been sent although the speaker is
// restarting, until the session ends.
func (j *Sessions) Release(address string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok {
		s.Released = s.State == Established
	}
}

// Unrelease takes Release back: the paths were not sent, or the speaker is no longer
// restarting and sends them by itself.
func (j *Sessions) Unrelease(address string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok {
		s.Released = false
	}
}

// AllReleased lists the peers of which Release is recorded, in order.
func (j *Sessions) AllReleased() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []string
	for address, s := range j.peers {
		if s.Released {
			list = append(list, address)
		}
	}
	slices.Sort(list)
	return list
}

// followed lists the peers that are followed, in order.
func (j *Sessions) followed() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.peers))
}

// Record notes a state, logs it where the session came up or went down, and
// returns the event with what is remembered of it. changed is true of those; it
// is not ok for a neighbour that is not followed.
func (j *Sessions) Record(bare string, state State) (e PeerEvent, changed, ok bool) {
	e, changed, ok = j.enter(bare, state)
	switch {
	case !changed:
	case state == Established:
		j.log.Info("session is up", slog.String("peer", e.Address))
	default:
		j.log.Warn("session is down", slog.String("peer", e.Address), slog.String("reason", e.Reason))
	}
	return e, changed, ok
}

func (j *Sessions) enter(bare string, state State) (e PeerEvent, flipped, isFollowed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	address, s := j.find(bare)
	if s == nil {
		return PeerEvent{}, false, false
	}
	e = PeerEvent{Address: address, Was: s.State, State: state, At: time.Now()}
	flipped = (s.State == Established) != (state == Established)
	switch {
	case !flipped:
	case state == Established:
		j.down.Add(-1)
		s.Since, s.notified = e.At, false
	default:
		j.down.Add(1)
		if s.At.After(s.Since) { // else it is from before the session
			e.Reason = s.Fault
		}
		s.Ended, s.Since = s.ending(), e.At
	}
	s.State, s.Released = state, s.Released && !flipped
	return e, flipped, true
}

// ending is what has been noted since the session came up; nothing if that is from before it.
func (s Session) ending() Ended {
	if !s.At.After(s.Since) {
		return Ended{}
	}
	return Ended{Fault: s.Code, Notified: s.notified}
}

// HowEnded is how the last session ended. Of one that GoBGP lists as down, and of whose end its event
// has not come yet, it is what has been noted.
func (s Session) HowEnded() Ended {
	if s.State == Established {
		return s.ending()
	}
	return s.Ended
}

// find looks a peer up by its address, which GoBGP's events give without the
// zone of a link-local one.
func (j *Sessions) find(bare string) (string, *Session) {
	if s, ok := j.peers[bare]; ok {
		return bare, s
	}
	for address, s := range j.peers {
		if strings.HasPrefix(address, bare+"%") {
			return address, s
		}
	}
	return "", nil
}

// Of returns a copy of what is recorded of a peer; the zero value if it is not followed.
func (j *Sessions) Of(address string) Session {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok {
		return *s
	}
	return Session{}
}

// Session records a step of a session in a process without a backend.
func (j *Sessions) Session(address string, state State) { j.Record(address, state) }
