package bfd_test

import (
	"math/rand/v2"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

const (
	ms  bfd.Time = 1000
	sec          = 1000 * ms
)

// wire is two sessions and what is between them, on a simulated clock.
type wire struct {
	t    *testing.T
	now  bfd.Time
	ends [2]*bfd.Session
	// lose decides about each packet to an end; delay is how long it takes.
	lose   func(to int, p bfd.Packet) bool
	delay  func() bfd.Time
	flying []flight
	// sent are the periodic packets of each end: when they went out.
	sent [2][]bfd.Time
	// changes are the steps of each end.
	changes [2][]step
}

type flight struct {
	at     bfd.Time
	to     int
	packet bfd.Packet
}

type step struct {
	at bfd.Time
	bfd.Change
}

func newWire(t *testing.T, seed uint64, a, b bfd.Profile) *wire {
	w := &wire{
		t:    t,
		lose: func(int, bfd.Packet) bool { return false }, delay: func() bfd.Time { return ms },
	}
	for i, p := range []bfd.Profile{a, b} {
		w.ends[i] = bfd.New(bfd.Config{
			Profile: p, Disc: uint32(i + 1), Rand: rand.New(rand.NewPCG(seed, uint64(i))),
		}, 0)
	}
	return w
}

// act takes the results of one end's input.
func (w *wire) act(end int, out bfd.Output) {
	if out.Changed {
		w.changes[end] = append(w.changes[end], step{w.now, out.Change})
	}
	if !out.Send {
		return
	}
	p, err := bfd.Parse(out.Packet.Append(nil))
	if err != nil || p != out.Packet {
		w.t.Fatalf("%+v went out as %+v: %v", out.Packet, p, err)
	}
	if p.Poll && p.Final {
		w.t.Fatalf("%+v has both Poll and Final (RFC 5880 section 6.5)", p)
	}
	if !w.lose(1-end, p) {
		w.flying = append(w.flying, flight{w.now + w.delay(), 1 - end, p})
	}
}

// run goes on until an instant.
func (w *wire) run(until bfd.Time) {
	for {
		next, who := until, -1
		for i, s := range w.ends {
			if s.Next() < next {
				next, who = s.Next(), i
			}
		}
		flying := -1
		for i, f := range w.flying {
			if f.at <= next {
				next, flying = f.at, i
			}
		}
		w.now = max(w.now, next)
		switch {
		case flying >= 0:
			f := w.flying[flying]
			w.flying = append(w.flying[:flying], w.flying[flying+1:]...)
			w.act(f.to, w.ends[f.to].Receive(f.packet, w.now))
		case who >= 0:
			out := w.ends[who].Advance(w.now)
			if out.Send && !out.Changed {
				w.sent[who] = append(w.sent[who], w.now)
			}
			w.act(who, out)
			if w.ends[who].Next() <= w.now {
				w.t.Fatalf("end %d asks for %d at %d: it would never end", who, w.ends[who].Next(), w.now)
			}
		default:
			return
		}
	}
}

func (w *wire) bothUp() bool { return w.ends[0].State() == bfd.Up && w.ends[1].State() == bfd.Up }

// fails counts how often an end lost the other one.
func (w *wire) fails(end int) (n int) {
	for _, c := range w.changes[end] {
		if c.Failed() {
			n++
		}
	}
	return n
}

func profile(interval bfd.Time, mult uint8) bfd.Profile {
	return bfd.Profile{MinTx: uint32(interval), MinRx: uint32(interval), Mult: mult}
}

// randomProfile has intervals from 10 ms to 1 s.
func randomProfile(r *rand.Rand) bfd.Profile {
	return bfd.Profile{
		MinTx: uint32(10*ms) + uint32(r.Int64N(int64(990*ms))), MinRx: uint32(10*ms) + uint32(r.Int64N(int64(990*ms))),
		Mult: uint8(1 + r.IntN(10)),
	}
}
