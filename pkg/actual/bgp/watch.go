package bgp

import (
	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// State is a state of the session's machine (RFC 4271 section 8.2.2).
type State = speaker.State

// PeerEvent is one step of a session's state machine.
type PeerEvent = speaker.PeerEvent

// The states of a session.
const (
	Idle        = speaker.Idle
	Connect     = speaker.Connect
	Active      = speaker.Active
	OpenSent    = speaker.OpenSent
	OpenConfirm = speaker.OpenConfirm
	Established = speaker.Established
)

var _ speaker.Owner = (*Backend)(nil)

// Session passes one step on. Only a session that came up or went down wakes
// the loop: one that fails to connect steps every few seconds.
func (b *Backend) Session(address string, state State) {
	e, changed, ok := b.speaker.Sessions.Record(address, state)
	if !ok {
		return
	}
	if b.onPeer != nil {
		b.onPeer(e)
	}
	if changed {
		b.Wake()
	}
	if changed && state == Established {
		go b.release(e.Address)
	}
}

// Renew forgets the speaker before this one: nothing else is going on with it until
// begin returns, because everything that changes it holds the same lock.
func (b *Backend) Renew(begin func() (idle bool, err error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mirror.unread, b.running = true, false
	var err error
	b.idle, err = begin()
	return err
}

// adopt begins to follow a session that was there before us.
func (b *Backend) adopt(p *api.Peer) {
	address, state := p.GetConf().GetNeighborAddress(), speaker.StateOf(p)
	if !b.speaker.Sessions.Follow(address) || state != Established {
		return
	}
	b.Session(address, state)
	if up := p.GetTimers().GetState().GetUptime(); up.IsValid() {
		b.speaker.Sessions.UpSince(address, up.AsTime())
	}
}
