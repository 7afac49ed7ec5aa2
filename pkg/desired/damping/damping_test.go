package damping_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// ripe are the figures of RIPE-580 and RFC 7196.
var ripe = damping.Config{Suppress: 6000, Reuse: 750, HalfLife: 15 * time.Minute, Longest: time.Hour}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func path(n int) object.Value {
	a := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	return object.NewPath(netip.PrefixFrom(a, 32), object.OriginIncomplete)
}

// TestFiguresOfRouters: with the recommended figures six withdrawals in a row are borne, the
// seventh within minutes is not, and the path comes back once its penalty has halved thrice.
func TestFiguresOfRouters(t *testing.T) {
	var m damping.Memory
	v := path(1)
	now := start
	for i := range 7 {
		aside := m.Withdrawn(ripe, v, now)
		if aside != (i == 6) {
			t.Fatalf("withdrawal %d: set aside %t", i+1, aside)
		}
		now = now.Add(30 * time.Second)
	}
	list := m.Aside()
	if len(list) != 1 || list[0].Path != v.Key() || list[0].Text() != "it was withdrawn 7 times in 3m0s" {
		t.Fatalf("%+v", list)
	}
	last := now.Add(-30 * time.Second)
	if after := list[0].Until.Sub(last); after < 45*time.Minute || after > 50*time.Minute {
		t.Errorf("comes back %s after the last withdrawal", after)
	}
	if next := m.Next(now); next != list[0].Until {
		t.Errorf("the next one comes back at %s, want %s", next, list[0].Until)
	}
	if back := m.Pass(list[0].Until.Add(-1)); len(back) > 0 {
		t.Errorf("%v comes back too early", back)
	}
	if back := m.Pass(list[0].Until); len(back) != 1 || back[0] != v || len(m.Aside()) > 0 {
		t.Errorf("%v comes back, set aside are %v", back, m.Aside())
	}
	if off := (damping.Config{Reuse: 750, HalfLife: time.Minute}); m.Withdrawn(off, v, now) || off.On() {
		t.Error("something is set aside without damping")
	}
}

// TestUnseenFlaps: what is set aside and not wanted any more has flapped, although it was not
// announced; where it is not known whether it is wanted, nothing has happened.
func TestUnseenFlaps(t *testing.T) {
	var m damping.Memory
	v, now := path(1), start
	for range 7 {
		m.Withdrawn(ripe, v, now)
	}
	until := m.Aside()[0].Until
	now = now.Add(time.Minute)
	for i, tt := range []struct{ is, known, later bool }{
		{false, true, false},
		{true, true, false},
		{false, false, false},
		{true, true, false},
		{false, true, true},
		{false, true, false},
	} {
		changed := m.Wanted(ripe, func(object.Key) (bool, bool) { return tt.is, tt.known }, now)
		if later := m.Aside()[0].Until.After(until); changed != tt.later || later != tt.later {
			t.Errorf("%d: it changes something: %t, it comes back later: %t", i, changed, later)
		}
		until = m.Aside()[0].Until
	}
}

// TestRelease: a command and figures that turn damping off bring back what is set aside.
func TestRelease(t *testing.T) {
	var m damping.Memory
	for n := range 3 {
		for range 7 {
			m.Withdrawn(ripe, path(2-n), start)
		}
	}
	one := func(k object.Key) bool { return k == path(1).Key() }
	if back := m.Release(one); len(back) != 1 || back[0] != path(1) {
		t.Errorf("back %v", back)
	}
	if m.Withdrawn(ripe, path(1), start) {
		t.Error("what was released has its penalty from before")
	}
	short := ripe
	short.HalfLife = time.Minute
	if back := m.Adopt(short); len(back) > 0 || m.Aside()[0].Until.After(start.Add(4*time.Minute)) {
		t.Errorf("with other figures: %v, %+v", back, m.Aside())
	}
	if back := m.Adopt(damping.Config{}); len(back) != 2 || back[0] != path(0) || len(m.Aside()) > 0 {
		t.Errorf("without damping: %v", back)
	}
}

// TestMemoryIsBounded: what goes all at once, and once, does not push out what flaps.
func TestMemoryIsBounded(t *testing.T) {
	var m damping.Memory
	for range 5 {
		m.Withdrawn(ripe, path(0), start)
	}
	for n := range damping.Most + 100 {
		m.Withdrawn(ripe, path(n+1), start.Add(time.Second))
	}
	m.Pass(start.Add(2 * time.Second))
	if n := m.Len(); n != damping.Most {
		t.Errorf("%d paths are remembered, want %d", n, damping.Most)
	}
	if m.Withdrawn(ripe, path(0), start.Add(3*time.Second)); !m.Withdrawn(ripe, path(0), start.Add(4*time.Second)) {
		t.Error("what flaps was forgotten")
	}
	m.Pass(start.Add(24 * time.Hour))
	m.Pass(start.Add(48 * time.Hour))
	if n := m.Len(); n > 0 {
		t.Errorf("%d paths are remembered days later", n)
	}
}

// TestProperties: whatever the figures and the times of withdrawals, the penalty is that of a
// plain sum; nothing is set aside below the figure, or for longer than asked for after the last
// withdrawal; and how often time is looked at in between makes no difference.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := damping.Config{
			Suppress: rapid.IntRange(1500, 9000).Draw(t, "suppress"), Reuse: rapid.IntRange(100, 1400).Draw(t, "reuse"),
			HalfLife: time.Duration(rapid.IntRange(1, 1800).Draw(t, "half-life")) * time.Second,
		}
		c.Longest = c.HalfLife * time.Duration(rapid.IntRange(1, 8).Draw(t, "half-lives"))
		var often, seldom damping.Memory
		var times []time.Time
		now, aside := start, false
		for i, gap := range rapid.SliceOfN(rapid.IntRange(0, 900), 1, 40).Draw(t, "gaps") {
			for range rapid.IntRange(0, 3).Draw(t, "looks") {
				now = now.Add(time.Duration(gap) * time.Second / 4)
				often.Pass(now)
			}
			now = now.Add(time.Duration(gap) * time.Second / 4)
			often.Pass(now)
			seldom.Pass(now)
			if a, b := fmt.Sprint(often.Aside()), fmt.Sprint(seldom.Aside()); a != b {
				t.Fatalf("looked at often:\n%s\nseldom:\n%s", a, b)
			}
			aside = len(often.Aside()) > 0
			came := often.Withdrawn(c, path(1), now)
			if came != seldom.Withdrawn(c, path(1), now) {
				t.Fatal("looking makes a difference")
			}
			times = append(times, now)
			if came && aside {
				t.Fatal("it is set aside twice")
			}
			if came && float64(i+1)*damping.Penalty < float64(c.Suppress) {
				t.Fatalf("set aside after %d withdrawals", i+1)
			}
			if came && sum(c, times, now) < float64(c.Suppress)-1e-6 {
				t.Fatalf("set aside at a penalty of at most %f", sum(c, times, now))
			}
			for _, a := range often.Aside() {
				if until := now.Add(c.Longest + time.Second); a.Until.After(until) || a.Until.Before(now) {
					t.Fatalf("it comes back at %s, the last withdrawal was at %s", a.Until, now)
				}
			}
		}
	})
}

// sum is the penalty if nothing is forgotten and nothing bounds it.
func sum(c damping.Config, times []time.Time, now time.Time) float64 {
	var s float64
	for _, t := range times {
		s += damping.Penalty * math.Exp2(-now.Sub(t).Seconds()/c.HalfLife.Seconds())
	}
	return s
}

// FuzzTimes: no figures and no times make one come back before it was set aside, or never.
func FuzzTimes(f *testing.F) {
	f.Add(int64(1), int64(1), int64(0), 1)
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64), 1<<40)
	f.Fuzz(func(t *testing.T, half, longest, gap int64, reuse int) {
		half, longest, reuse = max(half, 1), max(longest, 1), max(reuse, 1)
		c := damping.Config{Suppress: 1, Reuse: reuse, HalfLife: time.Duration(half), Longest: time.Duration(longest)}
		var m damping.Memory
		m.Withdrawn(c, path(1), start)
		m.Withdrawn(c, path(1), start.Add(time.Duration(gap)))
		for _, a := range m.Aside() {
			if a.Until.Before(a.Last) {
				t.Fatalf("%+v", a)
			}
		}
		for range 2 {
			m.Pass(start.Add(math.MaxInt64))
		}
		if m.Len() > 0 {
			t.Fatalf("%+v", m.Aside())
		}
	})
}
