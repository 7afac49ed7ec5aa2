package bgp

import (
	"sync"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// Kept is whether routes outlive a session (RFC 4724).
type Kept string

// What is known of routes after their session. Of those of ours the neighbour decides, so
// that they are kept possibly and never certainly.
const (
	KeptUp       Kept = "session-up" // the session is up: nothing has to be kept
	KeptPossibly Kept = "possibly"
	KeptYes      Kept = "yes"
	KeptNo       Kept = "no"
	KeptUnknown  Kept = "unknown" // it was not seen how the session was
)

// Keeping is who keeps what of a session that is down, and until when.
type Keeping struct {
	Kept Kept `json:"kept"`
	// Until is when the restart time is over; also for what is not kept any more.
	Until time.Time `json:"until,omitzero"`
	// Reason says in words why.
	Reason string `json:"reason"`
}

// agreed is what a session had agreed on when it was seen last.
type agreed struct {
	graceful bool
	// ours is how long the neighbour may keep our routes, last how much longer as a last
	// resort (RFC 9494), and theirs how long we keep its routes.
	ours, last, theirs time.Duration
}

// memory is what the sessions had agreed on: GoBGP forgets it with the session.
type memory struct {
	mu sync.Mutex
	of map[string]agreed
}

// see remembers what a session that is up has agreed on, and returns what is known.
func (m *memory) see(address string, now agreed, up bool) (agreed, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if up {
		if m.of == nil {
			m.of = map[string]agreed{}
		}
		m.of[address] = now
	}
	a, ok := m.of[address]
	return a, ok
}

// keep forgets neighbours that are no more.
func (m *memory) keep(peers []PeerState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.of) <= len(peers) {
		return
	}
	old := m.of
	m.of = make(map[string]agreed, len(peers))
	for _, p := range peers {
		if a, ok := old[p.Address]; ok {
			m.of[p.Address] = a
		}
	}
}

// agreedOn reads what a session that is up has agreed on.
func agreedOn(p *api.Peer, graceful bool) agreed {
	gr := p.GetGracefulRestart()
	a := agreed{
		graceful: graceful,
		ours:     time.Duration(gr.GetRestartTime()) * time.Second,
		theirs:   time.Duration(gr.GetPeerRestartTime()) * time.Second,
	}
	for _, c := range p.GetState().GetRemoteCap() {
		if c.GetLongLivedGracefulRestart() == nil || !gr.GetLonglivedEnabled() {
			continue
		}
		for _, af := range p.GetAfiSafis() {
			a.last = max(a.last, time.Duration(af.GetLongLivedGracefulRestart().GetConfig().GetRestartTime())*time.Second)
		}
	}
	return a
}

// ourRoutes says whether the neighbour may still have our routes, and theirs whether we
// have its own.
func ourRoutes(s PeerState, a agreed, known bool, how speaker.Ended, now time.Time) Keeping {
	switch {
	case s.State == Established:
		return Keeping{Kept: KeptUp, Reason: "the session is up"}
	case s.Flaps == 0:
		return Keeping{Kept: KeptNo, Reason: "there has been no session yet"}
	case !known:
		return Keeping{Kept: KeptUnknown, Reason: "the last session was not seen by this controller"}
	case !a.graceful:
		return Keeping{Kept: KeptNo, Reason: "graceful restart was not agreed on"}
	case how.Notified:
		return Keeping{Kept: KeptNo, Reason: "a NOTIFICATION ended the session: the neighbour drops our routes at once"}
	}
	k := Keeping{
		Kept: KeptPossibly, Until: s.Since.Add(a.ours), Reason: "the neighbour may keep our routes for restart_time",
	}
	if a.last > 0 && now.After(k.Until) {
		k.Until = k.Until.Add(a.last)
		k.Reason = "the neighbour may keep our routes as a last resort for llgr_time"
	}
	if now.After(k.Until) {
		k.Kept, k.Reason = KeptNo, "the time for which the neighbour may keep our routes is over"
	}
	return k
}

func theirRoutes(s PeerState, a agreed, known bool) Keeping {
	var have uint64
	for _, f := range s.Families {
		have += f.Received
	}
	switch {
	case s.State == Established:
		return Keeping{Kept: KeptUp, Reason: "the session is up"}
	case have == 0:
		return Keeping{Kept: KeptNo, Reason: "nothing of the neighbour is left here"}
	case !known:
		return Keeping{Kept: KeptYes, Reason: "graceful restart: until the neighbour is back or its restart time is over"}
	}
	return Keeping{
		Kept: KeptYes, Until: s.Since.Add(a.theirs),
		Reason: "graceful restart: until the neighbour is back or its restart time is over",
	}
}
