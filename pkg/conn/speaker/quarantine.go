package speaker

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// A peer whose messages end the speaker twice within deathWindow is held down for
// heldFor, counted from the last time. All times are of the wall clock.
const (
	deathWindow = 5 * time.Minute
	heldFor     = 30 * time.Minute
	// maxDeaths bounds what is recorded; the newest count.
	maxDeaths = 256
)

// Death is one end of the speaker by a message of a peer.
type Death struct {
	At time.Time `json:"at"`
	// Peer is the address of the peer, as GoBGP prints it.
	Peer string `json:"peer"`
}

// Deaths are those that still count, by time and then by peer.
type Deaths []Death

// Held is a peer that is held down.
type Held struct {
	// Peer is its address.
	Peer string
	// Last is when its messages ended the speaker the last time, Until when it is
	// tried again. Both are in UTC, so that equal ones are the same value.
	Last, Until time.Time
}

// Is reports whether the peer with the address is held: zones count only where both
// have one.
func (h Held) Is(address string) bool {
	bare, _, zoned := strings.Cut(address, "%")
	return address == h.Peer || zoned && bare == h.Peer
}

// With returns the deaths with one more, without those that no longer count. The same
// death added again counts once.
func (d Deaths) With(one Death, now time.Time) Deaths {
	out := append(d.counting(now), one)
	sorting.Sort(out, func(a, b Death) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Peer, b.Peer)) })
	out = slices.CompactFunc(out, func(a, b Death) bool { return a.At.Equal(b.At) && a.Peer == b.Peer })
	return out[max(0, len(out)-maxDeaths):]
}

// Without returns the deaths without those of the peer with the address.
func (d Deaths) Without(address string) Deaths {
	return slices.DeleteFunc(slices.Clone(d), func(x Death) bool { return Held{Peer: x.Peer}.Is(address) })
}

// counting are those that have an effect yet. One in the future is from before the
// clock was set back: how long ago it was is not known, and nobody is held for it.
func (d Deaths) counting(now time.Time) Deaths {
	return slices.DeleteFunc(slices.Clone(d), func(x Death) bool {
		return x.Peer == "" || x.At.After(now) || now.Sub(x.At) >= heldFor+deathWindow
	})
}

// Held lists the peers that are held at a time, by address.
func (d Deaths) Held(now time.Time) []Held {
	var out []Held
	last := map[string]time.Time{}
	held := map[string]Held{}
	for _, x := range d.counting(now) {
		if before, again := last[x.Peer]; again && x.At.Sub(before) <= deathWindow && now.Sub(x.At) < heldFor {
			held[x.Peer] = Held{Peer: x.Peer, Last: x.At.UTC(), Until: x.At.Add(heldFor).UTC()}
		}
		last[x.Peer] = x.At
	}
	for _, h := range held {
		out = append(out, h)
	}
	sorting.Sort(out, func(a, b Held) int { return cmp.Compare(a.Peer, b.Peer) })
	return out
}
