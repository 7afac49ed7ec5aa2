package speaker

import (
	"net/netip"
	"testing"
	"time"
)

// Too much waits for a connection that was never empty for a while, whatever has been handed over meanwhile; not
// for one that was empty once, and not for one that has ended.
func TestBacklog(t *testing.T) {
	at := func(port uint16) ends { return ends{179, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)} }
	stuck, slow, fast, gone := at(1), at(2), at(3), at(4)
	b := &backlog{}
	for _, e := range []ends{stuck, slow, fast, gone} {
		b.up(e)
	}
	now := time.Now()
	look := func(after time.Duration, queues map[ends]int32) (slow []ends) {
		t.Helper()
		now = now.Add(after)
		late, more := b.look(now, func(list []*waiting) {
			for _, w := range list {
				var ok bool
				if w.queued, ok = queues[w.ends]; !ok {
					w.queued = -1
				}
			}
		})
		for _, w := range late {
			slow = append(slow, w.ends)
		}
		waits := false // for one that is left
		for _, w := range b.sessions {
			waits = waits || queues[w.ends] > 0
		}
		if more != waits {
			t.Errorf("something waits: %t, and it says %t", waits, more)
		}
		return slow
	}
	never := func([]*waiting) { t.Error("nothing has changed, and it looked at the connections") }
	if slow, more := b.look(now, never); slow != nil || more {
		t.Error("nothing has changed")
	}
	b.handed.Add(mostWaiting)
	if got := look(2*leastWait, map[ends]int32{stuck: 9, slow: 9, fast: 0}); got != nil {
		t.Errorf("at the limit %v", got)
	}
	if len(b.sessions) != 3 {
		t.Errorf("one that has ended is remembered: %v", b.sessions)
	}
	b.handed.Add(1)
	if got := look(time.Second, map[ends]int32{stuck: 9, slow: 0, fast: 9}); len(got) != 1 || got[0] != stuck {
		t.Errorf("above the limit %v", got)
	}
	b.handed.Add(mostWaiting + 1)
	if got := look(leastWait-time.Second, map[ends]int32{stuck: 9, slow: 9}); got != nil {
		t.Errorf("too early: %v", got)
	}
	if got := look(time.Second, map[ends]int32{stuck: 9, slow: 9}); len(got) != 1 || got[0] != slow {
		t.Errorf("after a while %v", got)
	}
}
