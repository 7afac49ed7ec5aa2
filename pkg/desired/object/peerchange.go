package object

import "strings"

// Resets says why changing the neighbour into after ends its session, and with
// it, for as long as the neighbour takes to come back, everything announced over
// it; one phrase a reason. Without any, the change is made under the session.
//
// It is what GoBGP 4 does.
func (p Peer) Resets(after Peer) []string {
	var why []string
	for _, part := range []struct {
		changes bool
		why     string
	}{
		{p.Address != after.Address, "it is another neighbour"},
		{p.AS != after.AS, "the AS is checked in the OPEN"},
		{p.Families != after.Families, "families are in the OPEN"},
		{p.RestartTime != after.RestartTime, "the restart time is in the OPEN"},
		{(p.LLGRTime == 0) != (after.LLGRTime == 0), "long-lived graceful restart is in the OPEN"},
		{p.AddPathReceive != after.AddPathReceive, "add-path is in the OPEN"},
		{p.Password != after.Password, "the password is the connection's"},
		{p.Port != after.Port, "the port is the connection's"},
		{p.LocalAddress != after.LocalAddress, "the local address is the connection's"},
		{p.Passive != after.Passive, "who connects is the connection's"},
		{p.TTLSecurity != after.TTLSecurity || p.Multihop != after.Multihop, "the TTL is the connection's"},
		{p.AllowOwnAS != after.AllowOwnAS, "the AS_PATH check is the session's"},
	} {
		if part.changes {
			why = append(why, part.why)
		}
	}
	return why
}

// later names what changes under the session and is proposed to the neighbour
// when the session next comes up.
func (p Peer) later(after Peer) string {
	switch hold, llgr := p.HoldTime != after.HoldTime, p.LLGRTime != after.LLGRTime; {
	case hold && llgr:
		return "hold time and long-lived restart time count"
	case hold:
		return "the hold time counts"
	case llgr:
		return "the long-lived restart time counts"
	}
	return ""
}

// ChangeNote tells whether changing the neighbour into after ends its session.
func (p Peer) ChangeNote(after Value) string {
	to, ok := after.(Peer)
	if !ok {
		return ""
	}
	if why := p.Resets(to); len(why) > 0 {
		return "session reset: " + strings.Join(why, ", ")
	}
	if what := p.later(to); what != "" {
		return "in place; " + what + " from the next session on"
	}
	return "in place"
}
