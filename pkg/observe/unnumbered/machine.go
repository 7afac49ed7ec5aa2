package unnumbered

import (
	"net/netip"
	"slices"
)

// mostProbes is how often a router is asked whether it is still there, once a second, before
// another one takes its place (MAX_UNICAST_SOLICIT and RETRANS_TIMER of RFC 4861).
const mostProbes = 3

// machine decides which router on a link is the neighbour. It is pure: it is told what was
// heard and how time passes, and says whom to ask.
//
// A router that advertises itself is taken at once where none is known. Later another one
// takes its place only if the first does not answer any more: two routers on one link must
// not make the session go to and fro.
type machine struct {
	// addr is the neighbour; the zero address if there is none.
	addr netip.Addr
	// advertised is set if it was heard to advertise itself, rather than found in the
	// kernel's table of neighbours.
	advertised bool
	// candidate takes its place after mostProbes questions without an answer, of which
	// probes have been asked.
	candidate netip.Addr
	probes    int
	// other is a candidate that is there beside the neighbour.
	other netip.Addr
}

// advertisement is told of a router that advertises itself. ask is set if the neighbour is
// to be asked whether it is still there.
func (m *machine) advertisement(from netip.Addr) (ask bool) {
	switch {
	case from == m.addr:
		m.advertised = true
		if m.candidate.IsValid() { // both are there
			m.other = m.candidate
			m.candidate = netip.Addr{}
		}
		return false
	case !m.advertised:
		*m = machine{addr: from, advertised: true}
		return false
	case m.candidate.IsValid() || m.other == from:
		return false
	}
	m.candidate, m.probes = from, 1
	return true
}

// answer is told of a router that answers a question.
func (m *machine) answer(from netip.Addr) {
	if from == m.addr && m.candidate.IsValid() {
		m.other, m.candidate = m.candidate, netip.Addr{}
	}
}

// second is told that one has passed, and of the routers in the kernel's table of neighbours.
// A speaker that advertises nothing (GoBGP) is found there, if it is alone. ask is as of
// advertisement.
func (m *machine) second(table []netip.Addr) (ask bool) {
	switch {
	case m.candidate.IsValid() && m.probes >= mostProbes:
		*m = machine{addr: m.candidate, advertised: true}
	case m.candidate.IsValid():
		m.probes++
		return true
	case !m.advertised && len(table) == 1 && !slices.Contains(table, m.addr):
		m.addr = table[0]
	}
	return false
}

// review forgets the other router from time to time, so that it is told of only as long as
// it advertises itself, and the neighbour is asked again.
func (m *machine) review() { m.other = netip.Addr{} }
