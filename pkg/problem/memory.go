package problem

import (
	"cmp"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

const (
	// Remembered is how long a problem is remembered after it has gone.
	Remembered = time.Hour
	// Brief is what lasts too short to be remembered, such as the time before the first
	// round of a process.
	Brief = time.Second
	// again is the pause within which the same problem counts as one that goes and comes.
	again = time.Minute
	// mostPast bounds how many are remembered, and mostOpen how many are followed.
	mostPast = 200
	mostOpen = 1000
)

// Past is a problem that has gone.
type Past struct {
	Code string `json:"code"`
	// Object is what it was about; null if it was about no one thing.
	Object *Object   `json:"object"`
	Text   string    `json:"text"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	// Times is how often it came in that time.
	Times int `json:"times"`
}

// identity tells problems apart over time. Addresses are looked at in turn, so that
// only the reason is remembered of those that are not reachable.
type identity struct {
	code   string
	object Object
}

func identityOf(f Finding) identity {
	if f.Object.Kind == KindAddress {
		return identity{code: f.Code, object: Object{Kind: KindAddress}}
	}
	return identity{f.Code, f.Object}
}

// Memory knows since when problems have been there, and which ones went within the
// last hour. The zero value remembers nothing yet. It is not safe for concurrent use.
type Memory struct {
	open map[identity]Past
	past []gone
}

type gone struct {
	identity
	Past
}

// Observe takes in what is wrong now, and returns it with since when where the finding
// does not say so itself.
func (m *Memory) Observe(now time.Time, found []Finding) []Finding {
	if m.open == nil {
		m.open = map[identity]Past{}
	}
	present := map[identity]bool{}
	for _, f := range found {
		present[identityOf(f)] = true
	}
	m.close(now, present)
	out := slices.Clone(found)
	for i, f := range found {
		p, known := m.open[identityOf(f)]
		if !known {
			p = pastOf(f, now)
			if len(m.open) < mostOpen {
				m.open[identityOf(f)] = p
			}
		}
		if f.Since.IsZero() {
			out[i].Since = p.From
		}
	}
	m.forget(now)
	return out
}

// pastOf is a finding as it will be remembered.
func pastOf(f Finding, now time.Time) Past {
	p := Past{Code: f.Code, Text: f.Text, From: now, Times: 1}
	if !f.Since.IsZero() && f.Since.Before(now) {
		p.From = f.Since
	}
	if f.Object != (Object{}) {
		p.Object = &f.Object
	}
	return p
}

// close remembers what is not present any more as gone.
func (m *Memory) close(now time.Time, present map[identity]bool) {
	var ended []gone
	for id, p := range m.open {
		if present[id] {
			continue
		}
		p.To = now
		if now.Before(p.From) { // the clock was set back
			p.To = p.From
		}
		if delete(m.open, id); now.Before(p.From) || now.Sub(p.From) >= Brief {
			ended = append(ended, gone{id, p})
		}
	}
	sorting.Sort(ended, compareGone)
	for _, g := range ended {
		m.end(g)
	}
}

// Ended notes a problem that came and went between two looks.
func (m *Memory) Ended(f Finding, to time.Time) {
	g := gone{identityOf(f), pastOf(f, to)}
	g.To = to
	m.end(g)
}

// end remembers one that has gone, as one with the one before if that went just now.
func (m *Memory) end(g gone) {
	for i := len(m.past) - 1; i >= 0; i-- {
		if p := &m.past[i]; p.identity == g.identity {
			if g.From.Sub(p.To) < again {
				p.To, p.Text, p.Times = g.To, g.Text, p.Times+g.Times
				return
			}
			break
		}
	}
	m.past = append(m.past, g)
	if len(m.past) > mostPast {
		m.past = slices.Delete(m.past, 0, len(m.past)-mostPast)
	}
}

func (m *Memory) forget(now time.Time) {
	m.past = slices.DeleteFunc(m.past, func(g gone) bool { return now.Sub(g.To) > Remembered })
}

// Past are the problems that went within the last hour, by when they came.
func (m *Memory) Past(now time.Time) []Past {
	m.forget(now)
	sorted := slices.Clone(m.past)
	sorting.Stable(sorted, compareGone)
	out := []Past{}
	for _, g := range sorted {
		out = append(out, g.Past)
	}
	return out
}

func compareGone(a, b gone) int {
	return cmp.Or(a.From.Compare(b.From), rank(a.Code)-rank(b.Code), cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.object.Kind, b.object.Kind), cmp.Compare(a.object.Name, b.object.Name))
}
