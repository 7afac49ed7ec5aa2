package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// Status prints the one screen: problems first, the most harmful one before all, then
// those that have gone, sources, peers, counts and what differs.
func Status(w io.Writer, form Form, s control.Status) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on chassis %s: %s\n", s.Program, s.Chassis, health(s))
	for _, p := range Named(s.Problems, s.Names) {
		statusProblem(&b, p, s.At)
	}
	lastHour(&b, s.LastHour, s.Names)
	b.WriteString("sources\n")
	for _, src := range s.Sources {
		fmt.Fprintf(&b, "  %-40s %s\n", src.Name, src.Text)
	}
	statusPeers(&b, s)
	b.WriteString("objects             wanted    present\n")
	for _, c := range s.Counts {
		fmt.Fprintf(&b, "  %-14s %9d  %9d\n", c.Kind, c.Wanted, c.Have)
	}
	if s.LastRound != nil {
		fmt.Fprintf(&b, "last round %s, took %s: %s\n", clock(s.LastRound.At), s.LastRound.Took().Round(time.Microsecond),
			s.LastRound.Summary)
	}
	fmt.Fprintf(&b, "rounds %d, of which %d changed nothing; audits %d; steps %d, failed %d; state writes %d\n",
		s.Rounds, s.EmptyRounds, s.Audits, s.Steps, s.FailedSteps, s.StateWrites)
	statusDrift(&b, s.Drift)
	var details strings.Builder
	statusDetails(&details, s)
	b.WriteString(names.Relabel(details.String(), s.Names))
	return Print(w, form, s, b.String())
}

// Named are problems with what rows are called in their texts.
func Named(list []control.Problem, labels map[string]string) []control.Problem {
	out := slices.Clone(list)
	for i := range out {
		out[i].Text = names.Relabel(out[i].Text, labels)
		out[i].Explains = Named(out[i].Explains, labels)
	}
	return out
}

// health is the state in a word or two.
func health(s control.Status) string {
	if s.Healthy {
		return "healthy"
	}
	return strings.ToUpper(string(s.State)) + ", " + plural(len(s.Problems), "problem")
}

// statusProblem prints a problem with its remedy, since when it has been there, and what
// it explains.
func statusProblem(b *strings.Builder, p control.Problem, now time.Time) {
	block(b, "  ! ", p.Code+": "+Counted(p))
	if !p.Since.IsZero() {
		block(b, "    ", "since "+Since(p.Since, now))
	}
	if p.Try != "" {
		block(b, "    ", "try: "+p.Try)
	}
	for _, e := range p.Explains {
		block(b, "    - ", "therefore "+e.Code+": "+Counted(e))
	}
}

// Counted is the text of a problem with how many there are like it.
func Counted(p control.Problem) string {
	text := p.Text
	if p.Count > 1 {
		text += fmt.Sprintf("; and %d more like it", p.Count-1)
		if p.Of > 0 {
			text += fmt.Sprintf(" (%d of %d)", p.Count, p.Of)
		}
	}
	return text
}

// Since is a time and how long ago it was: the time of day, with the date if that
// was not today.
func Since(since, now time.Time) string {
	since, now = since.Local(), now.Local()
	form := time.TimeOnly
	if since.YearDay() != now.YearDay() || since.Year() != now.Year() {
		form = time.DateTime
	}
	return since.Format(form) + ", " + lasting(max(now.Sub(since).Seconds(), 0))
}

// lastHour prints the problems that have gone.
func lastHour(b *strings.Builder, past []problem.Past, labels map[string]string) {
	if len(past) == 0 {
		return
	}
	b.WriteString("gone within the last hour\n")
	for _, p := range past {
		text := p.Code + ": " + names.Relabel(p.Text, labels)
		if p.Times > 1 {
			text += fmt.Sprintf(" (%d times)", p.Times)
		}
		block(b, "  "+p.From.Local().Format(time.TimeOnly)+"-"+p.To.Local().Format(time.TimeOnly)+"  ", text)
	}
}

// block prints text behind a lead, wrapped below itself.
func block(b *strings.Builder, lead, text string) {
	for _, line := range wrap(text, maxColumns-len(lead)) {
		b.WriteString(lead + line + "\n")
		lead = strings.Repeat(" ", len(lead))
	}
}

func statusPeers(b *strings.Builder, s control.Status) {
	b.WriteString("peers\n")
	for _, q := range s.Quarantined {
		fmt.Fprintf(b, "  %-24s quarantined until %s\n", q.Peer, clock(q.Until.Local()))
	}
	for _, p := range s.Peers {
		fmt.Fprintf(b, "  %-24s AS %-10s %-12s since %s", object.PeerName(p.Address), asText(p.AS), p.State, clock(p.Since))
		for _, f := range p.Families {
			fmt.Fprintf(b, "  %s sent %d", f.Family, f.Sent)
		}
		b.WriteByte('\n')
	}
}

// statusDetails are the lists that can be long, so they come last.
func statusDetails(b *strings.Builder, s control.Status) {
	if n := len(s.Filtered); n > 0 {
		fmt.Fprintf(b, "filtered by policy: %d (bgp.export)\n", n)
	}
	for _, rule := range s.ShadowedBy {
		fmt.Fprintf(b, "shadowed by rule: %s\n", rule.Line)
	}
	for i, c := range s.Contested {
		if i == mostContested {
			fmt.Fprintf(b, "contested: %d more (-o json has all)\n", len(s.Contested)-i)
			break
		}
		b.WriteString(contestedText(c))
	}
	for _, skip := range s.Skipped {
		fmt.Fprintf(b, "skipped: %s\n", skip)
	}
	for _, n := range slices.Concat(s.NotAsWanted, s.Filtered) {
		b.WriteString(n.Line + "\n")
	}
}

// statusDrift tells what others did to our objects lately: how much by kind, then the
// latest, each with what differed, by whom, and whether it is repaired.
func statusDrift(b *strings.Builder, d control.Drift) {
	if d.Seconds == 0 {
		return // of a controller that does not know
	}
	fmt.Fprintf(b, "drift in the last %s: ", spell(d.Window()))
	if d.Total == 0 {
		b.WriteString("none\n")
		return
	}
	kinds := make([]string, len(d.Counts))
	for i, c := range d.Counts {
		kinds[i] = fmt.Sprintf("%s %s %d", c.Kind, c.How, c.Count)
	}
	fmt.Fprintf(b, "%d (%s)\n", d.Total, strings.Join(kinds, ", "))
	for _, one := range d.Latest {
		b.WriteString(driftText(one))
	}
}

// driftText is one drift in a line, or more where that is too long.
func driftText(d history.Drifted) string {
	line := fmt.Sprintf("  %s  %s", d.At.Local().Format(time.TimeOnly), d.Object())
	state := strings.ReplaceAll(string(d.State), "-", " ")
	if d.Why != "" {
		state += ": " + d.Why
	}
	what := d.Drift.String() + "; " + state
	if d.Times > 1 {
		what += fmt.Sprintf("; %d times", d.Times)
	}
	if len(line)+2+len(what) > width {
		return line + "\n" + strings.Repeat(" ", len("  15:04:05  ")) + what + "\n"
	}
	return line + "  " + what + "\n"
}

// mostContested is how many contested objects have a line.
const mostContested = 10

// contestedText is an object that others change back, with who does and when it is tried
// again.
func contestedText(c control.Contested) string {
	line := fmt.Sprintf("contested: %s\n           changed back %d times since %s, %d a minute", c.Object(), c.Count,
		c.Since.Local().Format(time.TimeOnly), c.PerMinute)
	if c.By != "" {
		line += ", by " + c.By
	}
	if c.Next != nil {
		line += fmt.Sprintf("; next try %s (pause %s)", c.Next.Local().Format(time.TimeOnly),
			time.Duration(c.PauseSeconds*float64(time.Second)))
	}
	return line + "\n"
}

// spell prints an hour as people say it.
func spell(d time.Duration) string {
	if d == time.Hour {
		return "hour"
	}
	return d.String()
}
