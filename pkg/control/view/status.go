package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// Status prints the one screen: problems first, then sources, peers, counts and
// what differs.
func Status(w io.Writer, form Form, s control.Status) error {
	var b strings.Builder
	health := "healthy"
	if !s.Healthy {
		health = fmt.Sprintf("NOT WELL: %d problems", len(s.Problems))
	}
	fmt.Fprintf(&b, "%s on chassis %s: %s\n", s.Program, s.Chassis, health)
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "  ! %s: %s\n", p.Code, p.Text)
		if p.Try != "" {
			fmt.Fprintf(&b, "    try: %s\n", p.Try)
		}
	}
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
		fmt.Fprintf(&b, "last round %s, took %s: %s\n", clock(s.LastRound.At), s.LastRound.Took, s.LastRound.Summary)
	}
	fmt.Fprintf(&b, "rounds %d, of which %d changed nothing; audits %d; steps %d, failed %d; state writes %d\n",
		s.Rounds, s.EmptyRounds, s.Audits, s.Steps, s.FailedSteps, s.StateWrites)
	statusDetails(&b, s)
	return Print(w, form, s, b.String())
}

func statusPeers(b *strings.Builder, s control.Status) {
	b.WriteString("peers\n")
	for _, q := range s.Quarantined {
		fmt.Fprintf(b, "  %-24s quarantined until %s\n", q.Peer, clock(q.Until.Local()))
	}
	for _, p := range s.Peers {
		fmt.Fprintf(b, "  %-24s AS %-10d %-12s since %s", p.Address, p.AS, p.State, clock(p.Since))
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
		fmt.Fprintf(b, "shadowed by rule: %s\n", rule)
	}
	for _, skip := range s.Skipped {
		fmt.Fprintf(b, "skipped: %s\n", skip)
	}
	for _, line := range s.NotAsWanted {
		b.WriteString(line + "\n")
	}
	for _, line := range s.Filtered {
		b.WriteString(line + "\n")
	}
}
