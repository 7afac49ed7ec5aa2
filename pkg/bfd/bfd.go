// Package bfd is Bidirectional Forwarding Detection (RFC 5880): the control packet and the
// machine of one session, in asynchronous mode. Both are pure: what is received and the
// present are arguments, what is to be sent and when to ask again are results.
//
// It refuses what the product has no use for: authentication, echo packets and demand mode.
// A neighbour that asks for demand mode goes on getting packets, which does not disturb it.
//
// Read next: session.go for the machine, timing.go for its timers, packet.go for the octets;
// package engine for sockets and clocks.
package bfd

import "math/rand/v2"

// Time is an instant on a clock that never goes back, in microseconds; intervals are too.
type Time int64

// Never is later than every deadline.
const Never Time = 1<<63 - 1

// slowTx is the least interval between packets of a session that is not up (RFC 5880
// section 6.8.3), in microseconds.
const slowTx = 1_000_000

// Profile is how a session is run.
type Profile struct {
	// MinTx and MinRx are the intervals that we would like to send at and can receive at,
	// in microseconds.
	MinTx, MinRx uint32
	// Mult is how many of our packets may be lost before the neighbour takes the session down.
	Mult uint8
}

// Config is the identity of a session.
type Config struct {
	Profile
	// Disc is our discriminator: not 0, and unique among the sessions of this system.
	Disc uint32
	// Rand spreads the packets of sessions over time (RFC 5880 section 6.8.7).
	Rand *rand.Rand
}

// Change is a step of a session's state.
type Change struct {
	From, To State
	Diag     Diag
	// ByAdmin is set where the neighbour's operator took the session down, or we did: this
	// tells nothing about forwarding, and BGP stays as it is (RFC 5882 section 3.2).
	ByAdmin bool
	// RemoteDiag is the diagnostic of the packet that led to it: why the neighbour is down.
	RemoteDiag Diag
}

// Cause is who or what led to a change.
type Cause string

// The causes.
const (
	CauseUp        Cause = "up"                // both ends hear each other
	CauseExpired   Cause = "detection-expired" // this node has heard nothing for the detection time
	CauseNeighbour Cause = "neighbour"         // the neighbour signals that it is down
	CauseOperator  Cause = "operator"          // an operator took it down, at either end
)

// Cause is what led to the change, of those that enter or leave Up.
func (c Change) Cause() Cause {
	switch {
	case c.To == Up:
		return CauseUp
	case c.ByAdmin:
		return CauseOperator
	case c.Diag == Expired:
		return CauseExpired
	}
	return CauseNeighbour
}

// Text is the change in words: what it came to, by whom, and the diagnostics.
func (c Change) Text() string {
	switch c.Cause() {
	case CauseUp:
		return "up"
	case CauseOperator:
		if c.To == AdminDown {
			return "down: taken out of the configuration of this node"
		}
		return "down: taken down by the operator of the neighbour"
	case CauseExpired:
		return "down, found by this node: " + c.Diag.String()
	}
	if c.RemoteDiag == NoDiag {
		return "down, found by the neighbour"
	}
	return "down, found by the neighbour: " + c.RemoteDiag.String()
}

// Failed reports whether forwarding to the neighbour was lost.
func (c Change) Failed() bool { return c.From == Up && c.To == Down && !c.ByAdmin }

// Output is what an input leads to.
type Output struct {
	// Packet is to be sent now if Send is set.
	Packet Packet
	Send   bool
	// Change is a step of the state if Changed is set.
	Change  Change
	Changed bool
}
