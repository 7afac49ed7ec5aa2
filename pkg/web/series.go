package web

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// Sample is what was measured within one minute.
type Sample struct {
	At time.Time
	// Round is the longest round, Sessions and Peers how many sessions were up of how many.
	Round           time.Duration
	Sessions, Peers int
}

// The ring of a day.
const (
	sampleEvery = time.Minute
	samples     = 24 * 60
)

// Series keeps the samples of a day in memory, and nothing more than that.
type Series struct {
	mu   sync.Mutex
	ring []Sample // in order; at most samples of them
}

// Add counts a measurement into its minute: the longest round, and the fewest sessions.
func (s *Series) Add(m Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.At = m.At.Truncate(sampleEvery)
	if n := len(s.ring); n > 0 && !m.At.After(s.ring[n-1].At) {
		last := &s.ring[n-1]
		last.Round, last.Sessions, last.Peers = max(last.Round, m.Round), min(last.Sessions, m.Sessions), m.Peers
		return
	}
	if len(s.ring) == samples {
		copy(s.ring, s.ring[1:])
		s.ring = s.ring[:samples-1]
	}
	s.ring = append(s.ring, m)
}

// Day are the samples of the last day, the oldest first.
func (s *Series) Day() []Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Sample(nil), s.ring...)
}

// The size of a plot, and of its margins.
const (
	plotWidth, plotHeight = 460, 110
	plotLeft, plotTop     = 64, 8
)

// Plot is one line over the last day.
type Plot struct {
	Title         string
	Width, Height int
	Left, Top     int
	Right, Bottom int
	// Line are the points of the line, Gone those below the full number, as SVG paths.
	Line string
	// High and Low are the labels of the axis; From and To of the time. Summary says it in
	// words.
	High, Low, From, To, Summary string
}

// plots are those of the page. The peers are as they are now: the samples tell the worst of each
// minute, also of the one in which the program began.
func plots(day []Sample, current []control.Peer, now time.Time) []Plot {
	up := 0
	for _, p := range current {
		if p.State == control.Established {
			up++
		}
	}
	rounds, sessions := make([]float64, len(day)), make([]float64, len(day))
	longest, fewest, most, peers := time.Duration(0), up, up, len(current)
	for i, s := range day {
		rounds[i], sessions[i] = float64(s.Round), float64(s.Sessions)
		longest, peers = max(longest, s.Round), max(peers, s.Peers)
		most = max(most, s.Sessions)
		fewest = min(fewest, s.Sessions)
	}
	a := plot("Longest round of each minute", day, rounds, max(float64(longest), float64(time.Millisecond)), now)
	a.High = shortTime(max(longest, time.Millisecond))
	a.Summary = fmt.Sprintf("at most %s within the last day", shortTime(longest))
	b := plot("Sessions that were up", day, sessions, float64(max(peers, most, 1)), now)
	b.High = fmt.Sprint(max(peers, most, 1))
	b.Summary = fmt.Sprintf("%d of %d now; between %d and %d within the last day", up, len(current), fewest, most)
	if len(day) == 0 {
		a.Summary, b.Summary = "nothing was measured yet", "nothing was measured yet"
	}
	return []Plot{a, b}
}

// plot draws values over the day that ends now.
func plot(title string, day []Sample, values []float64, top float64, now time.Time) Plot {
	p := Plot{
		Title: title, Width: plotWidth, Height: plotHeight, Left: plotLeft, Top: plotTop, Right: plotWidth - 8,
		Bottom: plotHeight - 22, Low: "0", From: "24 h ago", To: "now",
	}
	var b strings.Builder
	begin := now.Add(-samples * sampleEvery)
	for i, s := range day {
		share := float64(s.At.Sub(begin)) / float64(samples*sampleEvery)
		x := float64(p.Left) + min(max(share, 0), 1)*float64(p.Right-p.Left)
		y := float64(p.Bottom) - min(values[i]/top, 1)*float64(p.Bottom-p.Top)
		verb := "L"
		if i == 0 || s.At.Sub(day[i-1].At) > 2*sampleEvery {
			verb = "M" // the program did not run in between
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", verb, x, y)
		if verb == "M" {
			b.WriteString("h2")
		}
	}
	p.Line = b.String()
	return p
}

// shortTime is a duration with two digits.
func shortTime(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2g s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	default:
		return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
	}
}
