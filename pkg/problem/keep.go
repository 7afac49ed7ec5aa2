package problem

import (
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// The bounds of what is kept across a restart: a long text is cut, and of many problems the
// newest are kept.
const (
	keptOpen = 200
	keptText = 400
)

// Kept is what a memory holds, in a form for a file.
type Kept struct {
	// Open are problems that were there, Gone those that had gone.
	Open []Past `json:"open"`
	Gone []Past `json:"gone"`
}

// Keep is what is remembered; the same memory gives the same bytes.
func (m *Memory) Keep(now time.Time) Kept {
	open := []Past{}
	for _, p := range m.open {
		open = append(open, p)
	}
	sorting.Sort(open, func(a, b Past) int {
		return compareGone(gone{identityOf(findingOf(a)), a}, gone{identityOf(findingOf(b)), b})
	})
	k := Kept{Open: open[max(0, len(open)-keptOpen):], Gone: m.Past(now)}
	for _, list := range [][]Past{k.Open, k.Gone} {
		for i := range list {
			list[i].Text = cut(list[i].Text)
		}
	}
	return k
}

// Recall takes up what an earlier process kept. What was there then and is not now has gone
// by the next look. What cannot be true is left out.
func (m *Memory) Recall(now time.Time, k Kept) {
	if m.open == nil {
		m.open = map[identity]Past{}
	}
	for _, p := range k.Open[max(0, len(k.Open)-keptOpen):] {
		id := identityOf(findingOf(p))
		if _, known := m.open[id]; known || p.Code == "" || p.From.After(now) {
			continue
		}
		p.Text, p.Times = cut(p.Text), max(p.Times, 1)
		m.open[id] = p
	}
	for _, p := range k.Gone[max(0, len(k.Gone)-mostPast):] {
		if p.Code == "" || p.To.Before(p.From) || p.To.After(now) || now.Sub(p.To) > Remembered {
			continue
		}
		p.Text, p.Times = cut(p.Text), max(p.Times, 1)
		m.past = append(m.past, gone{identityOf(findingOf(p)), p})
	}
	sorting.Stable(m.past, func(a, b gone) int { return a.To.Compare(b.To) })
	m.past = m.past[max(0, len(m.past)-mostPast):]
}

// findingOf is as much of a finding as tells it apart from others.
func findingOf(p Past) Finding {
	f := Finding{Code: p.Code}
	if p.Object != nil {
		f.Object = *p.Object
	}
	return f
}

func cut(text string) string {
	if len(text) <= keptText {
		return text
	}
	return strings.ToValidUTF8(text[:keptText], "") + " ..."
}
