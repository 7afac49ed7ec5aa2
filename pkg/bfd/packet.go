package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// State is a session's state (RFC 5880 section 4.1), by its number on the wire.
type State uint8

// The states.
const (
	AdminDown State = iota // held down by an operator
	Down                   // no contact, or lost
	Init                   // we hear the neighbour, which does not hear us yet
	Up
)

// String is the state's name in RFC 5880.
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	}
	return "Up"
}

// Diag is why a session left Up last, by its number on the wire.
type Diag uint8

// The diagnostics that a session without echo and without demand mode can have.
const (
	NoDiag       Diag = 0
	Expired      Diag = 1 // nothing was received for the detection time
	NeighborDown Diag = 3 // the neighbour signals that it does not hear us
	AdminDiag    Diag = 7
)

// String is the diagnostic in words.
func (d Diag) String() string {
	switch d {
	case NoDiag:
		return "none"
	case Expired:
		return "detection time expired"
	case NeighborDown:
		return "the neighbour signals the session down"
	case AdminDiag:
		return "administratively down"
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}

// PacketLen is the length of a control packet without authentication.
const PacketLen = 24

// Packet is a BFD Control packet (RFC 5880 section 4.1) without authentication. All
// intervals are in microseconds.
type Packet struct {
	Diag        Diag
	State       State
	Poll, Final bool
	// Independent is the C bit: BFD does not share fate with the control plane. Only
	// neighbours set it.
	Independent bool
	// Demand is the D bit: the sender would like to receive nothing while all is well.
	Demand     bool
	DetectMult uint8
	// MyDisc is the sender's discriminator, YourDisc the receiver's; 0 is not known.
	MyDisc, YourDisc uint32
	// DesiredMinTx is the least interval between packets that the sender would like to
	// use, RequiredMinRx the one that it can bear; 0 of the latter asks for none.
	DesiredMinTx, RequiredMinRx uint32
	// RequiredMinEcho is the same for echo packets; 0 refuses them.
	RequiredMinEcho uint32
}

const (
	version   = 1
	bitPoll   = 1 << 5
	bitFinal  = 1 << 4
	bitC      = 1 << 3
	bitAuth   = 1 << 2
	bitDemand = 1 << 1
	bitMulti  = 1
)

// Append appends the packet in octets.
func (p Packet) Append(b []byte) []byte {
	flags := byte(p.State) << 6
	for _, f := range []struct {
		set bool
		bit byte
	}{{p.Poll, bitPoll}, {p.Final, bitFinal}, {p.Independent, bitC}, {p.Demand, bitDemand}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, version<<5|byte(p.Diag)&31, flags, p.DetectMult, PacketLen)
	for _, word := range []uint32{p.MyDisc, p.YourDisc, p.DesiredMinTx, p.RequiredMinRx, p.RequiredMinEcho} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return b
}

// Parse reads the payload of a datagram and refuses what RFC 5880 section 6.8.6 has
// discarded before a session is looked up.
func Parse(b []byte) (Packet, error) {
	if len(b) < PacketLen {
		return Packet{}, fmt.Errorf("%d octets are less than a control packet", len(b))
	}
	flags := b[1]
	p := Packet{
		Diag: Diag(b[0] & 31), State: State(flags >> 6),
		Poll: flags&bitPoll != 0, Final: flags&bitFinal != 0,
		Independent: flags&bitC != 0, Demand: flags&bitDemand != 0,
		DetectMult:      b[2],
		MyDisc:          binary.BigEndian.Uint32(b[4:]),
		YourDisc:        binary.BigEndian.Uint32(b[8:]),
		DesiredMinTx:    binary.BigEndian.Uint32(b[12:]),
		RequiredMinRx:   binary.BigEndian.Uint32(b[16:]),
		RequiredMinEcho: binary.BigEndian.Uint32(b[20:]),
	}
	switch length := int(b[3]); {
	case b[0]>>5 != version:
		return p, fmt.Errorf("version %d is not 1", b[0]>>5)
	case length < PacketLen || length > len(b):
		return p, fmt.Errorf("length %d in a datagram of %d octets", length, len(b))
	case flags&bitAuth != 0:
		return p, errors.New("the neighbour uses authentication, which is not configured here")
	case flags&bitMulti != 0:
		return p, errors.New("the Multipoint bit is set")
	case p.DetectMult == 0:
		return p, errors.New("detection multiplier 0")
	case p.MyDisc == 0:
		return p, errors.New("discriminator 0")
	case p.YourDisc == 0 && p.State > Down:
		return p, fmt.Errorf("state %s without our discriminator", p.State)
	}
	return p, nil
}
