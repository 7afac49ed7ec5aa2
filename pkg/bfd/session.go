package bfd

// Session is the machine of one session. It is not safe for concurrent use.
type Session struct {
	cfg Config

	state State
	diag  Diag
	// remote is the last packet of the neighbour, Down while there is none.
	remote Packet
	// heard is set while the neighbour is known.
	heard bool

	// wantTx and wantRx are what our packets say; polling is set until the neighbour has
	// confirmed them. usedTx and usedRx are what the timers go by: a worse promise
	// holds only once it is confirmed (RFC 5880 section 6.8.3).
	wantTx, wantRx uint32
	usedTx, usedRx uint32
	polling        bool

	nextTx Time // of the next periodic packet
	expiry Time // when the detection time is over
}

// New returns a session that has not heard of its neighbour yet.
func New(cfg Config, now Time) *Session {
	s := &Session{cfg: cfg, state: Down, expiry: Never}
	s.remote = unknown()
	s.wantTx = max(cfg.MinTx, slowTx)
	s.wantRx = cfg.MinRx
	s.usedTx, s.usedRx = s.wantTx, s.wantRx
	// Sessions that are made together do not send together.
	s.nextTx = now + Time(cfg.Rand.Int64N(int64(slowTx/10)))
	return s
}

// unknown stands for the last packet of a neighbour that has sent none (RFC 5880 section 6.8.1).
func unknown() Packet { return Packet{State: Down, RequiredMinRx: 1} }

// State is the session's state.
func (s *Session) State() State { return s.state }

// Diag is why the session left Up last.
func (s *Session) Diag() Diag { return s.diag }

// Remote is the last packet of the neighbour; it is not ok if there is none.
func (s *Session) Remote() (p Packet, ok bool) { return s.remote, s.heard }

// Disc is our discriminator.
func (s *Session) Disc() uint32 { return s.cfg.Disc }

// Next is when Advance has something to do.
func (s *Session) Next() Time { return min(s.nextTx, s.expiry) }

// Expiry is when the session fails unless a packet comes; Never where there is no neighbour.
func (s *Session) Expiry() Time { return s.expiry }

// Receive takes a packet of the neighbour in (RFC 5880 section 6.8.6).
func (s *Session) Receive(p Packet, now Time) Output {
	if s.state == AdminDown || p.YourDisc != 0 && p.YourDisc != s.cfg.Disc {
		return Output{}
	}
	before := s.state
	s.remote, s.heard = p, true
	if p.Final && s.polling {
		s.confirmed()
	}
	s.expiry = now + s.Detection()
	change := s.step(p)
	s.retime(now)
	out := Output{Change: change, Changed: s.state != before}
	switch {
	case p.Poll:
		out.Packet, out.Send = s.packet(), true
		out.Packet.Poll, out.Packet.Final = false, true
	case out.Changed:
		out.Packet, out.Send = s.packet(), true // at once, so that the neighbour knows
	}
	return out
}

// step is the table of RFC 5880 section 6.2.
func (s *Session) step(p Packet) Change {
	switch {
	case p.State == AdminDown && s.state != Down:
		return s.enter(Down, NeighborDown, true)
	case s.state == Down && p.State == Down:
		return s.enter(Init, s.diag, false)
	case s.state == Down && p.State == Init, s.state == Init && p.State >= Init:
		return s.enter(Up, NoDiag, false)
	case s.state == Up && p.State == Down:
		return s.enter(Down, NeighborDown, false)
	}
	return Change{}
}

// Advance does what is due.
func (s *Session) Advance(now Time) Output {
	var out Output
	if now >= s.expiry {
		s.expiry = Never
		s.heard, s.remote = false, unknown()
		if s.state == Init || s.state == Up {
			out.Change, out.Changed = s.enter(Down, Expired, false), true
			out.Packet, out.Send = s.packet(), true
		}
		s.retime(now)
	}
	if now >= s.nextTx {
		out.Packet, out.Send = s.packet(), true
		s.nextTx = now + s.jittered()
	}
	return out
}

// enter changes the state, and with it how fast packets go.
func (s *Session) enter(to State, diag Diag, byAdmin bool) Change {
	c := Change{From: s.state, To: to, Diag: diag, ByAdmin: byAdmin, RemoteDiag: s.remote.Diag}
	s.state, s.diag = to, diag
	s.promise()
	return c
}

// Change takes another profile.
func (s *Session) Change(p Profile, now Time) Output {
	if p == s.cfg.Profile {
		return Output{}
	}
	s.cfg.Profile = p
	s.promise()
	s.retime(now)
	return Output{Packet: s.packet(), Send: true}
}

// Disable takes the session down for good; the neighbour is to know that this says
// nothing about forwarding.
func (s *Session) Disable(now Time) Output {
	if s.state == AdminDown {
		return Output{}
	}
	c := s.enter(AdminDown, AdminDiag, true)
	s.expiry = Never
	s.nextTx = now + s.jittered()
	return Output{Packet: s.packet(), Send: true, Change: c, Changed: true}
}

// packet is what is sent now. It never has the C bit: whoever runs the session ends with the
// process that has it, and with BGP.
func (s *Session) packet() Packet {
	p := Packet{
		Diag: s.diag, State: s.state, Poll: s.polling,
		DetectMult: s.cfg.Mult, MyDisc: s.cfg.Disc,
		DesiredMinTx: s.wantTx, RequiredMinRx: s.wantRx,
	}
	if s.heard {
		p.YourDisc = s.remote.MyDisc
	}
	return p
}
