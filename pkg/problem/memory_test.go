package problem

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)

// at is so many minutes later.
func at(minutes float64) time.Time { return start.Add(time.Duration(minutes * float64(time.Minute))) }

func gones(m *Memory, now time.Time) string {
	var b strings.Builder
	for _, p := range m.Past(now) {
		fmt.Fprintf(&b, "%s-%s %s x%d\n", p.From.Format("15:04"), p.To.Format("15:04"), p.Text, p.Times)
	}
	return b.String()
}

func peer(name string) Finding {
	return Finding{Code: "peer-down", Text: "peer " + name + " down: hold timer expired", Object: Object{KindPeer, name}}
}

func TestMemory(t *testing.T) {
	var m Memory
	got := m.Observe(at(10), []Finding{peer("192.0.2.4"), {Code: "router-id", Since: at(1)}})
	if got[0].Since != at(10) || got[1].Since != at(1) {
		t.Errorf("since when: %+v", got)
	}
	changed := peer("192.0.2.4")
	changed.Text = "peer 192.0.2.4 down: refused"
	if got = m.Observe(at(12), []Finding{changed}); got[0].Since != at(10) {
		t.Errorf("the same problem in other words: %+v", got)
	}
	m.Observe(at(14), nil)
	const want = "02:01-02:12  x1\n02:10-02:14 peer 192.0.2.4 down: hold timer expired x1\n"
	if got := gones(&m, at(14)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := gones(&m, at(73)); got != strings.SplitAfter(want, "\n")[1] {
		t.Errorf("after an hour: got\n%s", got)
	}
	if got := gones(&m, at(75)); got != "" {
		t.Errorf("more than an hour later: got\n%s", got)
	}
}

// TestMemoryOfFlapping: what goes and comes is one line, with how often it came; what
// comes back much later is another one.
func TestMemoryOfFlapping(t *testing.T) {
	var m Memory
	for i := range 20 {
		m.Observe(at(float64(i)), []Finding{peer("a")})
		m.Observe(at(float64(i)+0.5), nil)
	}
	m.Observe(at(30), []Finding{peer("a"), peer("b")})
	m.Observe(at(31), nil)
	const want = "02:00-02:19 peer a down: hold timer expired x20\n02:30-02:31 peer a down: hold timer expired x1\n" +
		"02:30-02:31 peer b down: hold timer expired x1\n"
	if got := gones(&m, at(31)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestMemoryIsBounded: neither what is there nor what has gone is remembered without end,
// and addresses that are looked at in turn are one problem.
func TestMemoryIsBounded(t *testing.T) {
	var m Memory
	for i := range 3000 {
		m.Observe(at(float64(i)/50), []Finding{
			peer(fmt.Sprint(i)), {Code: "foreign-rule", Text: "rule", Object: Object{KindAddress, fmt.Sprint(i)}},
		})
	}
	if n := len(m.Past(at(30))); n != mostPast {
		t.Errorf("%d are remembered", n)
	}
	var many []Finding
	for i := range 5000 {
		many = append(many, peer(fmt.Sprint("x", i)))
	}
	if got := m.Observe(at(61), many); len(got) != len(many) || len(m.open) != mostOpen {
		t.Errorf("%d of %d are open", len(m.open), len(got))
	}
	m = Memory{}
	for i := range 3 {
		m.Observe(at(float64(i)), []Finding{{Code: "foreign-rule", Text: "rule", Object: Object{KindAddress, fmt.Sprint(i)}}})
	}
	m.Observe(at(5), nil)
	if got := gones(&m, at(5)); got != "02:00-02:05 rule x1\n" {
		t.Errorf("got\n%s", got)
	}
}

// A clock that is set back loses nothing and breaks nothing.
func TestMemoryClockSetBack(t *testing.T) {
	var m Memory
	m.Observe(at(30), []Finding{peer("a")})
	m.Observe(at(10), nil)
	if got := m.Past(at(10)); len(got) != 1 || got[0].To.Before(got[0].From) {
		t.Errorf("got %+v", got)
	}
}

// What lasts less than a second is not remembered, unless somebody says that it ended.
func TestMemoryOfBriefProblems(t *testing.T) {
	var m Memory
	m.Observe(at(1), []Finding{{Code: "not-synced", Text: "no round yet"}})
	m.Observe(at(1).Add(Brief-1), nil)
	if got := m.Past(at(2)); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	flap := peer("a")
	flap.Since = at(1)
	m.Ended(flap, at(1).Add(time.Millisecond))
	if got := m.Past(at(2)); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}
