package lookingpoint

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// The bounds of what is kept of one looking point, whatever it sends.
const (
	// mostPaths is how many paths are kept for one NLRI.
	mostPaths = 16
	// mostCovering is how many prefixes are kept that cover some of ours.
	mostCovering = 4096
	// mostExtra is how many NLRI are kept that are of this node and not wanted.
	mostExtra = 4096
	// mostRecent is how many of the last paths are kept that were of no interest: one that we
	// announce just now may come back before it is known here that we do.
	mostRecent = 4096
	// ticks is how many ticks back a path may have come for what is wanted now.
	ticks = 8
)

// store is what is kept: paths for the NLRI that are wanted, for the prefixes that cover
// them, and those that this node certainly has sent. It is not safe for concurrent use.
type store struct {
	wanted []verify.NLRI // in order
	self   verify.Self
	// exact, covering and extra have the paths by NLRI, ordered by identifier. What is in extra
	// is not wanted, and may cover what is.
	exact, covering, extra map[verify.NLRI][]verify.Held
	// recent are the last updates that were of no interest, from next on the oldest ones.
	recent []recent
	next   int
	// dropped counts those that were overwritten; marks has the count at the last ticks, from
	// mark on the oldest one.
	dropped uint64
	marks   [ticks]uint64
	mark    int
	// doubtful says that paths may have been missed for what is wanted now, unsure that paths
	// of this node may have been that are not wanted.
	doubtful, unsure bool
}

// recent is an update that was of no interest.
type recent struct {
	held  verify.Held
	alive bool
}

func newStore() *store {
	return &store{
		exact: map[verify.NLRI][]verify.Held{}, covering: map[verify.NLRI][]verify.Held{},
		extra: map[verify.NLRI][]verify.Held{},
	}
}

// tables are all that is kept.
func (s *store) tables() []map[verify.NLRI][]verify.Held {
	return []map[verify.NLRI][]verify.Held{s.exact, s.covering, s.extra}
}

// reset forgets all paths, as at the begin of a session.
func (s *store) reset() {
	for _, m := range s.tables() {
		clear(m)
	}
	s.recent, s.next, s.dropped, s.marks, s.doubtful, s.unsure = nil, 0, 0, [ticks]uint64{}, false, false
}

// want changes which NLRI are of interest; sorted is in order and not changed any more.
func (s *store) want(sorted []verify.NLRI) {
	grown := false
	for _, p := range sorted {
		if _, had := slices.BinarySearchFunc(s.wanted, p, verify.NLRI.Compare); !had {
			grown = true
			break
		}
	}
	s.wanted = sorted
	for _, m := range s.tables() {
		for p, list := range m {
			switch exact, covers := verify.CoversAny(sorted, p); {
			case exact && len(s.exact[p]) < len(list): // extra has only a part of what covering has
				s.exact[p] = list
			case !exact && covers && len(s.covering[p]) < len(list):
				s.covering[p] = slices.Clone(list)
			}
		}
	}
	for p, list := range s.exact {
		exact, covers := verify.CoversAny(sorted, p)
		if exact {
			continue
		}
		delete(s.exact, p)
		for _, h := range list {
			s.keepExtra(h, true)
			if !covers { // a router that has it still says so no second time
				s.remember(h, true)
			}
		}
	}
	for p := range s.extra {
		if exact, _ := verify.CoversAny(sorted, p); exact {
			delete(s.extra, p)
		}
	}
	for p, list := range s.covering {
		exact, covers := verify.CoversAny(sorted, p)
		if covers && !exact {
			continue
		}
		delete(s.covering, p)
		for _, h := range list {
			if !exact {
				s.remember(h, true)
			}
		}
	}
	if grown {
		// What was overwritten of late may have been for one of them.
		s.doubtful = s.doubtful || s.dropped > s.marks[s.mark]
		s.replay()
	}
}

// tick notes that some time has gone by.
func (s *store) tick() {
	s.marks[s.mark] = s.dropped
	s.mark = (s.mark + 1) % ticks
}

// replay takes up again what was of no interest when it came, in its order.
func (s *store) replay() {
	list := append(slices.Clone(s.recent[s.next:]), s.recent[:s.next]...)
	s.recent, s.next = nil, 0
	for _, r := range list {
		s.update(r.held, r.alive)
	}
}

// update takes in one path, or that there is none any more.
func (s *store) update(h verify.Held, alive bool) {
	exact, covers := verify.CoversAny(s.wanted, h.NLRI)
	if !exact {
		s.keepExtra(h, alive)
	}
	switch {
	case exact:
		put(s.exact, h, alive)
	case covers && h.NLRI.Prefix.Bits() > 0:
		if _, had := s.covering[h.NLRI]; had || len(s.covering) < mostCovering {
			put(s.covering, h, alive)
		}
	default:
		s.remember(h, alive)
	}
}

// remember keeps an update that is of no interest, for a while.
func (s *store) remember(h verify.Held, alive bool) {
	if len(s.recent) < mostRecent {
		s.recent = append(s.recent, recent{h, alive})
		return
	}
	s.recent[s.next] = recent{h, alive}
	s.next = (s.next + 1) % mostRecent
	s.dropped++
}

// keepExtra keeps a path for what is not wanted if it is this node's.
func (s *store) keepExtra(h verify.Held, alive bool) {
	alive = alive && s.self.Sent(h)
	if _, had := s.extra[h.NLRI]; had || alive && len(s.extra) < mostExtra {
		put(s.extra, h, alive)
	}
}

// is changes which paths are this node's.
func (s *store) is(self verify.Self) {
	if s.self.Equal(self) {
		return
	}
	s.self = self
	for _, list := range s.extra {
		for _, h := range slices.Clone(list) {
			s.keepExtra(h, true)
		}
	}
	for _, list := range s.covering {
		for _, h := range list {
			s.keepExtra(h, true)
		}
	}
	for i := range s.recent {
		r := s.recent[(s.next+i)%len(s.recent)]
		s.keepExtra(r.held, r.alive)
	}
	s.unsure = s.unsure || s.dropped > 0
}

// put replaces the path with the identifier.
func put(m map[verify.NLRI][]verify.Held, h verify.Held, alive bool) {
	list := m[h.NLRI]
	i, had := slices.BinarySearchFunc(list, h.ID, func(h verify.Held, id uint32) int {
		switch {
		case h.ID < id:
			return -1
		case h.ID > id:
			return 1
		}
		return 0
	})
	switch {
	case had && alive:
		list[i] = h
	case had:
		list = slices.Delete(list, i, i+1)
	case alive && len(list) < mostPaths:
		list = slices.Insert(list, i, h)
	}
	if len(list) == 0 {
		delete(m, h.NLRI)
	} else {
		m[h.NLRI] = list
	}
}

// drop forgets paths.
func (s *store) drop(is func(verify.Held) bool) {
	for _, m := range s.tables() {
		for p, list := range m {
			if list = slices.DeleteFunc(list, is); len(list) == 0 {
				delete(m, p)
			} else {
				m[p] = list
			}
		}
	}
	// What was of no interest is kept in its order, as withdrawn.
	for i := range s.recent {
		if is(s.recent[i].held) {
			s.recent[i].alive = false
		}
	}
}

// cover is the path for the longest prefix that covers a unicast NLRI; nil if there is none.
func (s *store) cover(n verify.NLRI) *verify.Held {
	if !verify.IsUnicast(n) {
		return nil
	}
	for bits := n.Prefix.Bits() - 1; bits > 0; bits-- {
		p, _ := n.Prefix.Addr().Prefix(bits) // bits is in range
		shorter := verify.Unicast(p)
		if list := s.covering[shorter]; len(list) > 0 {
			h := list[0]
			return &h
		}
		if list := s.exact[shorter]; len(list) > 0 {
			h := list[0]
			return &h
		}
	}
	return nil
}
