package bfd

// promise sets what our packets say from now on. Where the neighbour relies on the old
// numbers they are used until it has confirmed the new ones: a longer interval between
// packets, a shorter one that we bear (RFC 5880 section 6.8.3).
func (s *Session) promise() {
	tx, rx := s.cfg.MinTx, s.cfg.MinRx
	if s.state != Up {
		tx = max(tx, slowTx)
	}
	if tx == s.wantTx && rx == s.wantRx {
		return
	}
	s.wantTx, s.wantRx = tx, rx
	if s.state != Up {
		// The neighbour cannot count on anything of a session that is not up.
		s.usedTx, s.usedRx, s.polling = tx, rx, false
		return
	}
	s.usedTx, s.usedRx = min(s.usedTx, tx), max(s.usedRx, rx)
	s.polling = true
}

// confirmed ends the poll sequence.
func (s *Session) confirmed() {
	s.polling = false
	s.usedTx, s.usedRx = s.wantTx, s.wantRx
}

// Interval is the pause between our packets before jitter; 0 is none, because the
// neighbour asks for none.
func (s *Session) Interval() Time {
	if s.remote.RequiredMinRx == 0 {
		return 0
	}
	return Time(max(s.usedTx, s.remote.RequiredMinRx))
}

// Detection is how long the neighbour may be silent: its multiplier times the interval
// that both ends agree on (RFC 5880 section 6.8.4).
func (s *Session) Detection() Time {
	return Time(s.remote.DetectMult) * Time(max(s.usedRx, s.remote.DesiredMinTx))
}

// jittered is the pause until the next packet: 75 to 100 % of the interval, or to 90 %
// where the loss of one packet is the loss of the session (RFC 5880 section 6.8.7).
func (s *Session) jittered() Time {
	interval := s.Interval()
	if interval == 0 {
		return Never - Time(1)<<62 // far away, and safe to add to the present
	}
	most := interval
	if s.cfg.Mult == 1 {
		most = interval * 9 / 10
	}
	least := interval * 3 / 4
	return least + Time(s.cfg.Rand.Int64N(int64(most-least)+1))
}

// retime brings the next packet forward where packets go faster than before, and puts it
// off where the neighbour wants none.
func (s *Session) retime(now Time) {
	if s.Interval() == 0 {
		s.nextTx = Never
		return
	}
	if s.nextTx > now+s.Interval() {
		s.nextTx = now + s.jittered()
	}
}
