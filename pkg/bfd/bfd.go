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
	// Independent is set where the session outlives the control plane (the C bit).
	Independent bool
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
	// SharedFate is set unless both ends have said that BFD outlives their control plane:
	// then a failure beside a graceful restart may be that restart (RFC 5882 section 4.3).
	SharedFate bool
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
