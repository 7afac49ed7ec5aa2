package bfd_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

func TestSessionComesUpAndGoesFast(t *testing.T) {
	w := newWire(t, 1, profile(300*ms, 3), profile(50*ms, 4))
	w.run(5 * sec)
	if !w.bothUp() {
		t.Fatalf("states %s and %s after 5 s", w.ends[0].State(), w.ends[1].State())
	}
	// 300 ms is the longer of what each end would like and bears; each counts by the
	// other one's multiplier.
	for i, want := range []bfd.Time{1200 * ms, 900 * ms} {
		if got := w.ends[i].Detection(); got != want {
			t.Errorf("end %d: detection time %d us, want %d", i, got, want)
		}
		if got := w.ends[i].Interval(); got != 300*ms {
			t.Errorf("end %d: interval %d us, want %d", i, got, 300*ms)
		}
	}
	var states []bfd.State
	for _, c := range w.changes[0] {
		states = append(states, c.To)
	}
	if want := []bfd.State{bfd.Init, bfd.Up}; !slices.Equal(states, want) && !slices.Equal(states, want[1:]) {
		t.Errorf("states %v, want %v", states, want)
	}
}

// Whatever the profiles are: with fewer packets lost in a row than the multiplier is, no
// session fails; once nothing arrives both do within the detection time, and they come
// back once it arrives again.
func TestLossThatIsAllowedAndALinkThatIsCut(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 99))
		a, b := randomProfile(r), randomProfile(r)
		w := newWire(t, seed, a, b)
		w.run(10 * sec)
		if !w.bothUp() {
			t.Fatalf("seed %d: states %s and %s after 10 s", seed, w.ends[0].State(), w.ends[1].State())
		}
		mult, lost := [2]uint8{b.Mult, a.Mult}, [2]uint8{}
		w.lose = func(to int, p bfd.Packet) bool {
			if p.Final { // not one of those that the other end counts on
				return false
			}
			if lost[to]+1 < mult[to] && r.IntN(2) == 0 {
				lost[to]++
				return true
			}
			lost[to] = 0
			return false
		}
		w.run(w.now + 60*sec)
		if w.fails(0)+w.fails(1) != 0 {
			t.Fatalf("seed %d, %+v and %+v: a session failed: %+v", seed, a, b, w.changes)
		}

		cut := w.now
		w.lose = func(int, bfd.Packet) bool { return true }
		limit := [2]bfd.Time{w.ends[0].Detection(), w.ends[1].Detection()}
		w.run(cut + 60*sec)
		for i, s := range w.ends {
			last := w.changes[i][len(w.changes[i])-1]
			if s.State() != bfd.Down || s.Diag() != bfd.Expired || last.at > cut+limit[i]+ms {
				t.Fatalf("seed %d end %d: %s, %s at %d; the limit was %d", seed, i, s.State(), s.Diag(), last.at-cut, limit[i])
			}
		}
		w.lose = func(int, bfd.Packet) bool { return false }
		w.run(w.now + 10*sec)
		if !w.bothUp() {
			t.Fatalf("seed %d: states %s and %s 10 s after the link came back", seed, w.ends[0].State(), w.ends[1].State())
		}
	}
}

// Where only one direction is cut, the end that goes on hearing learns it from the other.
func TestOneDirectionCut(t *testing.T) {
	w := newWire(t, 3, profile(300*ms, 3), profile(300*ms, 3))
	w.run(5 * sec)
	cut := w.now
	w.lose = func(to int, _ bfd.Packet) bool { return to == 0 }
	w.run(cut + 2*sec)
	i := slices.IndexFunc(w.changes[1], func(c step) bool { return c.Failed() })
	if i < 0 || w.changes[1][i].Diag != bfd.NeighborDown || w.changes[1][i].at > cut+902*ms {
		t.Errorf("cut at %d us, the hearing end: %+v", cut, w.changes[1])
	}
	if w.ends[0].State() == bfd.Up || w.ends[1].State() == bfd.Up {
		t.Errorf("states %s and %s, want none Up", w.ends[0].State(), w.ends[1].State())
	}
}

// Packets are 75 to 100 % of the interval apart, and at most 90 % where one lost packet
// is the session (RFC 5880 section 6.8.7).
func TestJitter(t *testing.T) {
	for _, mult := range []uint8{1, 3} {
		w := newWire(t, 4, profile(300*ms, mult), profile(300*ms, mult))
		w.run(5 * sec)
		w.sent[0] = nil
		w.run(600 * sec)
		most := 300 * ms
		if mult == 1 {
			most = 270 * ms
		}
		var least, longest bfd.Time = bfd.Never, 0
		for i := 1; i < len(w.sent[0]); i++ {
			gap := w.sent[0][i] - w.sent[0][i-1]
			least, longest = min(least, gap), max(longest, gap)
		}
		if least < 225*ms || longest > most {
			t.Errorf("multiplier %d: %d to %d us apart, want %d to %d", mult, least, longest, 225*ms, most)
		}
		if longest-least < (most-225*ms)*9/10 {
			t.Errorf("multiplier %d: %d to %d us apart is hardly spread", mult, least, longest)
		}
		if w.fails(0)+w.fails(1) != 0 {
			t.Errorf("multiplier %d: a session failed without loss", mult)
		}
	}
}

// A slower profile on a session that is up: no end fails, and the interval grows only
// once the neighbour has confirmed it.
func TestProfileChangesUnderTheSession(t *testing.T) {
	w := newWire(t, 5, profile(50*ms, 3), profile(50*ms, 3))
	w.run(5 * sec)
	w.lose = func(_ int, p bfd.Packet) bool { return p.Final }
	w.act(0, w.ends[0].Change(profile(800*ms, 3), w.now))
	w.run(w.now + 2*sec)
	if got := w.ends[0].Interval(); got != 50*ms {
		t.Errorf("interval %d us before the neighbour has confirmed the change, want %d", got, 50*ms)
	}
	w.lose = func(int, bfd.Packet) bool { return false }
	w.run(w.now + 2*sec)
	if got := w.ends[0].Interval(); got != 800*ms {
		t.Errorf("interval %d us afterwards, want %d", got, 800*ms)
	}
	w.act(0, w.ends[0].Change(profile(20*ms, 5), w.now))
	w.run(w.now + 5*sec)
	if w.fails(0)+w.fails(1) != 0 || w.ends[0].Interval() != 50*ms {
		t.Errorf("%d and %d failures, interval %d us", w.fails(0), w.fails(1), w.ends[0].Interval())
	}
}

// What an operator takes down is no failure to either end.
func TestDisable(t *testing.T) {
	w := newWire(t, 6, profile(300*ms, 3), profile(300*ms, 3))
	w.run(5 * sec)
	w.act(0, w.ends[0].Disable(w.now))
	w.run(w.now + 10*sec)
	if w.fails(0)+w.fails(1) != 0 || w.ends[0].State() != bfd.AdminDown || w.ends[1].State() != bfd.Down {
		t.Errorf("states %s and %s, changes %+v", w.ends[0].State(), w.ends[1].State(), w.changes)
	}
	last := w.changes[1][len(w.changes[1])-1]
	if !last.ByAdmin || last.Diag != bfd.NeighborDown {
		t.Errorf("the neighbour takes it for %+v", last.Change)
	}
}

// A neighbour that asks for no packets gets none, until it asks again; one in demand mode
// gets them all the same.
func TestNeighbourThatWantsNoPackets(t *testing.T) {
	s := bfd.New(bfd.Config{Profile: profile(300*ms, 3), Disc: 7, Rand: rand.New(rand.NewPCG(1, 1))}, 0)
	p := bfd.Packet{State: bfd.Down, DetectMult: 3, MyDisc: 9, DesiredMinTx: 1_000_000}
	s.Receive(p, 0)
	if s.Interval() != 0 || s.Next() < 3*sec {
		t.Errorf("interval %d, next at %d", s.Interval(), s.Next())
	}
	p.RequiredMinRx, p.YourDisc, p.State, p.Demand = 300_000, 7, bfd.Init, true
	if out := s.Receive(p, sec); out.Change.To != bfd.Up || s.Next() > 2*sec {
		t.Errorf("%+v, next at %d", out.Change, s.Next())
	}
}

// No packet of ours has the C bit, whatever the neighbour's have: BFD ends with the process
// that has BGP, so that a failure beside a restart may be that restart (RFC 5882 section 4.3).
func TestFateIsShared(t *testing.T) {
	s := bfd.New(bfd.Config{Profile: profile(300*ms, 3), Disc: 7, Rand: rand.New(rand.NewPCG(1, 1))}, 0)
	p := bfd.Packet{
		State: bfd.Init, DetectMult: 3, MyDisc: 9, YourDisc: 7,
		DesiredMinTx: 300_000, RequiredMinRx: 300_000, Independent: true, Poll: true,
	}
	for i, out := range []bfd.Output{s.Receive(p, 0), s.Advance(s.Next()), s.Advance(s.Next() + sec), s.Disable(3 * sec)} {
		if !out.Send || out.Packet.Independent {
			t.Errorf("output %d: %+v", i, out)
		}
	}
}

// Who ended a session, and why.
func TestCauseOfChange(t *testing.T) {
	for _, c := range []struct {
		change bfd.Change
		cause  bfd.Cause
		text   string
	}{
		{bfd.Change{From: bfd.Init, To: bfd.Up}, bfd.CauseUp, "up"},
		{
			bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.Expired},
			bfd.CauseExpired,
			"down, found by this node: detection time expired",
		},
		{
			bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.NeighborDown, RemoteDiag: bfd.Expired},
			bfd.CauseNeighbour,
			"down, found by the neighbour: detection time expired",
		},
		{
			bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.NeighborDown}, bfd.CauseNeighbour, "down, found by the neighbour",
		},
		{
			bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.NeighborDown, ByAdmin: true},
			bfd.CauseOperator,
			"down: taken down by the operator of the neighbour",
		},
		{
			bfd.Change{From: bfd.Up, To: bfd.AdminDown, Diag: bfd.AdminDiag, ByAdmin: true},
			bfd.CauseOperator,
			"down: taken out of the configuration of this node",
		},
	} {
		if got := c.change.Cause(); got != c.cause || c.change.Text() != c.text {
			t.Errorf("%+v: %s, %s", c.change, got, c.change.Text())
		}
	}
}

// Whatever a neighbour sends, and whenever: the machine goes on, keeps its limits, and
// never answers one packet with more than one.
func FuzzSession(f *testing.F) {
	p := bfd.Packet{State: bfd.Down, DetectMult: 3, MyDisc: 9, DesiredMinTx: 300_000, RequiredMinRx: 300_000}
	f.Add(uint64(1), p.Append(nil))
	f.Fuzz(func(t *testing.T, seed uint64, octets []byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := bfd.New(bfd.Config{Profile: randomProfile(r), Disc: 7, Rand: r}, 0)
		now := bfd.Time(0)
		for len(octets) > 0 {
			n := min(len(octets), bfd.PacketLen)
			if p, err := bfd.Parse(octets[:n]); err == nil {
				if r.IntN(2) == 0 && p.YourDisc != 0 {
					p.YourDisc = 7
				}
				before := s.State()
				if out := s.Receive(p, now); out.Changed != (s.State() != before) {
					t.Fatalf("%s became %s and Changed is %v", before, s.State(), out.Changed)
				}
			}
			octets = octets[n:]
			now += bfd.Time(r.Int64N(int64(2 * sec)))
			if now >= s.Next() {
				s.Advance(now)
			}
			if s.Next() <= now {
				t.Fatalf("asks for %d at %d", s.Next(), now)
			}
		}
	})
}
