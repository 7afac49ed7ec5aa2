package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// stateEstablished is the session state in which paths are exchanged.
const stateEstablished = bgp.State("Established")

// status is one screen: is it well, and if not, what is wrong and what to do.
type status struct {
	Version  int             `json:"version"`
	Healthy  bool            `json:"healthy"`
	Problems []problem       `json:"problems"`
	Chassis  string          `json:"chassis"`
	Program  string          `json:"program"`
	Started  time.Time       `json:"started"`
	Sources  []sourceStatus  `json:"sources"`
	Peers    []bgp.PeerState `json:"peers"`
	Counts   []kindCount     `json:"counts"`
	Notes    []string        `json:"not_as_wanted"`
	Filtered []string        `json:"filtered_by_policy"`
	Skipped  []observe.Skip  `json:"skipped"`
	Rounds   uint64          `json:"rounds"`
	Empty    uint64          `json:"empty_rounds"`
	Audits   uint64          `json:"audits"`
	Steps    uint64          `json:"steps"`
	Failed   uint64          `json:"failed_steps"`
	Writes   uint64          `json:"state_writes"`
	Last     *lastRound      `json:"last_round"`
	Change   *lastRound      `json:"last_change"`
	Frozen   string          `json:"frozen,omitempty"`
	// Shadows are rules of others that come before ours: a packet that one of
	// them matches never reaches our tables.
	Shadows []string `json:"shadowed_by"`
}

// problem is something to act on.
type problem struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Try  string `json:"try,omitempty"`
}

type sourceStatus struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

type kindCount struct {
	Kind   object.Kind `json:"kind"`
	Wanted int         `json:"wanted"`
	Have   int         `json:"have"`
}

type lastRound struct {
	At      time.Time `json:"at"`
	Took    string    `json:"took"`
	Summary string    `json:"summary,omitempty"`
}

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "is the controller well, and if not, what is wrong", Args: cobra.NoArgs,
		Long: "status asks the running controller. Exit status: 0 healthy, 2 something is wrong, 1 no answer.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, bad := c.loadConfig()
			c.warn(bad)
			return c.remoteOnly(cmd.Context(), cfg, "/v1/status", nil)
		},
	}
}

// gather collects the status inside the controller.
func (a *app) gather(ctx context.Context) status {
	r, stats := a.ctl.Last()
	s := status{
		Version: 1, Chassis: r.Snapshot.Chassis, Program: versionText(), Started: stats.Started, Frozen: r.Frozen,
		Rounds: stats.Rounds, Empty: stats.EmptyRounds, Audits: stats.Audits, Steps: stats.Steps, Failed: stats.FailedSteps,
		Problems: []problem{}, Peers: []bgp.PeerState{}, Notes: []string{}, Filtered: []string{}, Skipped: r.Skipped,
	}
	if a.db != nil {
		s.Writes = a.db.Writes()
	}
	s.Shadows, _ = a.kernel.Shadows(ctx, a.cfg.Routing.RulePriority) // for information only
	s.sources(a)
	s.objects(r.Want, r.Have)
	for _, n := range r.Plan.Notes {
		switch {
		case n.Block.Code == object.BlockFiltered:
			s.Filtered = append(s.Filtered, n.String())
		case !n.Meant():
			s.Notes = append(s.Notes, n.String())
		}
	}
	if n := len(s.Notes); n > 0 {
		s.problem("not-as-wanted", fmt.Sprintf("%d objects are not as wanted; the first: %s", n, s.Notes[0]), "bgp-ovn plan")
	}
	if r.ReadErr != nil {
		s.problem("unreadable", "part of reality cannot be read and is left alone: "+oneLine(r.ReadErr), "is ovs-vswitchd running? look at the log")
	}
	if r.JournalErr != nil {
		s.problem("state-file", "the state file cannot be written: "+r.JournalErr.Error(), "df "+a.cfg.State)
	}
	if r.Frozen != "" {
		s.problem("frozen", "nothing is removed for now: "+r.Frozen, "")
	}
	if !r.Started.IsZero() {
		s.Last = &lastRound{At: r.Started, Took: r.Took().Round(time.Microsecond).String(), Summary: r.Plan.Summary()}
	} else {
		s.problem("not-synced", "no round has run yet", "look at the sources above")
	}
	if !stats.LastChange.IsZero() {
		s.Change = &lastRound{At: stats.LastChange, Took: stats.ChangeTook.Round(time.Microsecond).String()}
	}
	for _, err := range r.Failed() {
		s.problem("step-failed", err.Error(), "it is tried again with growing pauses")
	}
	s.peers(ctx, a)
	s.Healthy = len(s.Problems) == 0
	return s
}

func (s *status) problem(code, text, try string) {
	s.Problems = append(s.Problems, problem{code, text, try})
}

func (s *status) sources(a *app) {
	vs := a.ovs.Status()
	text := "connected since " + ago(vs.Since)
	if !vs.Connected {
		text = fmt.Sprintf("not connected since %s: %v", ago(vs.Since), vs.LastError)
		s.problem("ovsdb-down", "Open_vSwitch database: "+text, "is ovsdb-server running? ovs-vsctl show")
	}
	s.Sources = append(s.Sources, sourceStatus{"Open_vSwitch " + a.cfg.OVSDBConnection, vs.Connected, text})

	s.database("Southbound", a.sb.Status(), "ovs-vsctl get Open_vSwitch . external_ids:ovn-remote")
	if a.nb != nil {
		s.database("Northbound", a.nb.Status(), "ovs-vsctl get Open_vSwitch . external_ids:ovn-nb-remote; tenant subnets are held until it is back")
	}
}

// database says how the session with a database of OVN is.
func (s *status) database(title string, st ovsdb.Status, try string) {
	text := fmt.Sprintf("%s since %s, schema %s, %s, %d transactions, %d full copies", st.Remote, ago(st.Since), st.Schema, st.Method, st.Transactions, st.Copies)
	if !st.Synced {
		text = "not in step: " + st.LastError
		s.problem(strings.ToLower(title)+"-down", title+" database: "+text, try)
	}
	s.Sources = append(s.Sources, sourceStatus{"OVN_" + title, st.Synced, text})
}

func (s *status) objects(want, have object.Set) {
	for _, k := range object.Kinds() {
		if want.LenOf(k)+have.LenOf(k) > 0 {
			s.Counts = append(s.Counts, kindCount{k, want.LenOf(k), have.LenOf(k)})
		}
	}
}

func (s *status) peers(ctx context.Context, a *app) {
	if a.speaker == nil {
		return
	}
	states, err := a.speaker.Peers(ctx)
	if err != nil {
		s.problem("speaker", "the speaker does not answer: "+err.Error(), "")
		return
	}
	s.Peers = states
	if len(states) == 0 {
		s.problem("no-peers", "no peer is configured: nothing is announced to anybody", "set bgp.peers")
	}
	for _, p := range states {
		if p.State != stateEstablished {
			s.problem("peer-down", fmt.Sprintf("peer %s is %s since %s: %s", p.Address, p.State, ago(p.Since), p.LastError), "check the neighbour's configuration and reachability")
		}
	}
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return t.Format("2006-01-02 15:04:05")
}

// String is the one screen.
func (s status) String() string {
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
	b.WriteString("peers\n")
	for _, p := range s.Peers {
		fmt.Fprintf(&b, "  %-24s AS %-10d %-12s since %s", p.Address, p.AS, p.State, ago(p.Since))
		for _, f := range p.Families {
			fmt.Fprintf(&b, "  %s sent %d", f.Family, f.Sent)
		}
		b.WriteByte('\n')
	}
	b.WriteString("objects             wanted    present\n")
	for _, c := range s.Counts {
		fmt.Fprintf(&b, "  %-14s %9d  %9d\n", c.Kind, c.Wanted, c.Have)
	}
	if s.Last != nil {
		fmt.Fprintf(&b, "last round %s, took %s: %s\n", ago(s.Last.At), s.Last.Took, s.Last.Summary)
	}
	fmt.Fprintf(&b, "rounds %d, of which %d changed nothing; audits %d; steps %d, failed %d; state writes %d\n", s.Rounds, s.Empty, s.Audits, s.Steps, s.Failed, s.Writes)
	if n := len(s.Filtered); n > 0 {
		fmt.Fprintf(&b, "filtered by policy: %d (bgp.export)\n", n)
	}
	for _, rule := range s.Shadows {
		fmt.Fprintf(&b, "shadowed by rule: %s\n", rule)
	}
	for _, skip := range s.Skipped {
		fmt.Fprintf(&b, "skipped: %s\n", skip)
	}
	for _, n := range append(slices.Clip(s.Notes), s.Filtered...) {
		fmt.Fprintf(&b, "%s\n", n)
	}
	return b.String()
}

func (a *app) answerStatus(ctx context.Context, output string) (answer, error) {
	s := a.gather(ctx)
	ans := answer{}
	if !s.Healthy {
		ans.exit = exitDiffers
	}
	return ans.with(output, s.String(), s)
}
