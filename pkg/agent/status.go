package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// Status says whether the node is well, and if not, what is wrong and what to do.
func (n *Node) Status(ctx context.Context) (control.Status, error) {
	r, stats := n.ctl.Last()
	return n.statusOf(ctx, r, stats, n.reach.check(ctx, r, reachFresh)), nil
}

// statusOf is the status after a round, with what a check of addresses found.
func (n *Node) statusOf(ctx context.Context, r reconcile.Round, stats reconcile.Stats, found control.Reach,
) control.Status {
	s := statusReport{Status: control.Status{
		Version: control.Version, Chassis: r.Snapshot.Chassis, Program: n.opts.Program, Started: stats.Started,
		Frozen: r.Frozen,
		Rounds: stats.Rounds, EmptyRounds: stats.EmptyRounds, Audits: stats.Audits,
		Steps: stats.Steps, FailedSteps: stats.FailedSteps, StateWrites: n.db.Writes(),
		Sources: []control.Source{}, Peers: []control.Peer{}, Counts: []control.Count{},
		Quarantined: []control.Quarantine{}, Quarantine: []control.QuarantinedObject{},
		NotAsWanted: []control.Note{}, Filtered: []control.Note{}, Skipped: append([]observe.Skip{}, r.Skipped...),
		ShadowedBy: []control.Rule{}, Contested: []control.Contested{},
	}}
	if rules, err := n.kernel.Shadows(ctx, n.settings.Routing.RulePriority); err == nil { // for information only
		for _, r := range rules {
			s.ShadowedBy = append(s.ShadowedBy, control.Rule{Priority: r.Priority, Line: r.Text})
		}
	}
	s.openVSwitch(n.settings.OpenVSwitch.Endpoint, n.sources.ovs.Status())
	for _, d := range n.sources.databases {
		s.database(d)
	}
	s.kubernetes(n.sources)
	s.scope(n.settings.LocalScope, r.Snapshot.SB)
	behind := n.reach.uplinks(r)
	s.uplinks(r.Snapshot.Host, behind)
	s.reachability(found)
	s.withdrawn(found)
	n.metrics.Reach(s.Reach.Reasons())
	s.elsewhere(n.elsewhere.report(time.Now()))
	s.outside(n.outside.report(time.Now()), n.outside.hold(), time.Now())
	s.others(n.speaker.Others())
	s.objects(r)
	s.foreignDefaults(r)
	s.round(r, stats)
	s.chassis(r.Snapshot)
	s.drain(r.Drain, n.sources)
	s.review(r.Review)
	s.setAside(r)
	s.waiting(stats)
	s.outstanding(n.ctl.Outstanding())
	s.state(n.db, n.settings.StateFile)
	s.identifier(n.chosenID)
	s.openings(n.openings.list())
	n.unloaded(&s)
	s.panics(r.Skipped)
	s.contested(n.ctl.Contested(), time.Now())
	s.Drift = control.DriftOf(n.ctl.Drift(control.LatestDrifts))
	s.wiring(r.Snapshot)
	s.daemons(n.daemons)
	if !stats.LastChange.IsZero() {
		s.LastChange = &control.RoundTime{
			At: stats.LastChange, Seconds: stats.ChangeTook.Seconds(),
		}
	}
	s.quarantined(n.quarantine.held(peerItems(r)))
	states, err := n.peers(ctx)
	s.peers(states, err, n.settings.BGP.RestartTime, behind)
	s.arrange(n.past, states, time.Now())
	s.name(names.Of(r.Snapshot))
	return s.Status
}

// statusReport is a status being filled in.
type statusReport struct {
	control.Status
	// found is what is wrong, in no order: package problem makes problems of it.
	found []problem.Finding
	// down are the devices towards peers that are down.
	down []problem.Object
}

// problem adds what was found, with a code that is in the table of package problem. What
// it returns may be filled in further before the next call.
func (s *statusReport) problem(code, text, try string) *problem.Finding {
	s.found = append(s.found, problem.Finding{Code: code, Text: text, Try: try})
	return &s.found[len(s.found)-1]
}

// has reports whether something with the code was found.
func (s *statusReport) has(code string) bool {
	return slices.ContainsFunc(s.found, func(f problem.Finding) bool { return f.Code == code })
}

// name tells what the rows that texts mention are called.
func (s *statusReport) name(book names.Book) {
	s.Names = map[string]string{}
	for _, p := range problem.Flat(s.Problems) {
		book.Collect(s.Names, p.Text)
	}
	for _, p := range s.LastHour {
		book.Collect(s.Names, p.Text)
	}
	for _, skip := range s.Skipped {
		book.Collect(s.Names, skip.Row, skip.Text)
	}
	for _, n := range slices.Concat(s.NotAsWanted, s.Filtered) {
		book.Collect(s.Names, n.Line)
	}
}

// arrange makes problems of what was found, and tells of those that have gone.
func (s *statusReport) arrange(past *past, states []bgp.PeerState, now time.Time) {
	found, gone := past.observe(now, s.found, states)
	s.At = now
	s.Problems, s.LastHour = problem.Arrange(found), gone
	s.State = problem.State(s.Problems)
	s.Healthy = s.State == problem.Healthy
}

// openVSwitch tells of the connection to the local database.
func (s *statusReport) openVSwitch(endpoint string, st ovs.Status) {
	text := "connected since " + clock(st.Since)
	if !st.Connected {
		text = fmt.Sprintf("not connected since %s: %v", clock(st.Since), st.LastError)
		f := s.problem("ovsdb-down", fmt.Sprintf("the Open_vSwitch database is not connected: %v", st.LastError),
			"ovs-vsctl show; if that hangs or is refused: systemctl restart ovsdb-server")
		f.Object, f.Since = problem.Object{Kind: problem.KindDatabase, Name: "Open_vSwitch"}, st.Since
	}
	src := control.Source{
		Name: "Open_vSwitch " + endpoint, OK: st.Connected, Remote: endpoint, Since: st.Since, Text: text,
	}
	if !st.Connected && st.LastError != nil {
		src.Error = st.LastError.Error()
	}
	s.Sources = append(s.Sources, src)
}

// database tells of the session with a database of OVN.
func (s *statusReport) database(d database) {
	st := d.status()
	text := fmt.Sprintf("%s since %s, schema %s, %s, %d transactions, %d full copies",
		st.Remote, clock(st.Since), st.Schema, st.Method, st.Transactions, st.Copies)
	if !st.Synced {
		text = fmt.Sprintf("not in step since %s: %s", clock(st.Since), st.LastError)
		try := "ovs-vsctl get Open_vSwitch . external_ids:" + d.remote
		if d.remote == remoteNorthbound {
			try += "; tenant subnets are held until it is back"
		}
		f := s.problem(strings.ToLower(d.title)+"-down", fmt.Sprintf("the %s database is not in step: %s", d.title,
			st.LastError), try)
		f.Object, f.Since = problem.Object{Kind: problem.KindDatabase, Name: "OVN_" + d.title}, st.Since
	} else if said := d.complaint(); said != "" {
		s.problem(strings.ToLower(d.title)+"-remote", said, "ovs-vsctl get Open_vSwitch . external_ids:"+d.remote)
	}
	src := control.Source{
		Name: "OVN_" + d.title, OK: st.Synced, Remote: st.Remote, Since: st.Since, Schema: st.Schema, Method: st.Method,
		Transactions: st.Transactions, Copies: st.Copies, Text: text,
	}
	if !st.Synced {
		src.Error = st.LastError
	}
	s.Sources = append(s.Sources, src)
}

// objects counts what is desired and what is there, and lists what differs.
func (s *statusReport) objects(r reconcile.Round) {
	for _, k := range object.Kinds() {
		if r.Want.LenOf(k)+r.Have.LenOf(k) > 0 {
			s.Counts = append(s.Counts, control.Count{Kind: k, Wanted: r.Want.LenOf(k), Have: r.Have.LenOf(k)})
		}
	}
	for _, n := range r.Plan.Notes {
		switch {
		case n.Block.Code == object.BlockOverridden: // it is as wanted, and has no effect
			s.problem(object.BlockOverridden, n.Key.Text()+": "+n.Block.Text, "remove what wins, or give it other destinations")
		case n.Block.Code == object.BlockFiltered:
			s.Filtered = append(s.Filtered, control.NoteOf(n))
		case n.Block.Code == object.BlockUnreachable, n.Block.Code == object.BlockFlapping: // told by withdrawn, setAside
			s.NotAsWanted = append(s.NotAsWanted, control.NoteOf(n))
		case !n.Intentional():
			s.NotAsWanted = append(s.NotAsWanted, control.NoteOf(n))
			want, _ := r.Want.Get(n.Key)
			f := s.problem("not-as-wanted", n.String(), blockRemedy(n.Block, want.Value))
			f.Like, f.Behind = n.Block.Code, behind(n.Block)
		}
	}
}

// ipv6Disabled is in what the kernel says (net/ipv6/addrconf.c, route.c).
const ipv6Disabled = "IPv6 is disabled on"

// enableIPv6 is the command that lets the kernel take an object of IPv6.
func enableIPv6(v object.Value) string {
	dev := "DEVICE"
	switch v := v.(type) {
	case object.Route:
		dev = v.Dev
	case object.Address:
		dev = v.Dev
	case object.Neigh:
		dev = v.Dev
	case object.ProxyNeigh:
		dev = v.Dev
	}
	return "sysctl -w net.ipv6.conf." + strings.ReplaceAll(dev, ".", "/") + ".disable_ipv6=0"
}

// round tells what went wrong in the last round.
func (s *statusReport) round(r reconcile.Round, stats reconcile.Stats) {
	if r.ReadErr != nil {
		s.problem("unreadable", unreadable(r.ReadErr).Error(), remedyOf(r.ReadErr))
	}
	if r.Frozen != "" {
		f := s.problem("frozen", "deletions are suspended: "+r.Frozen, "bgp-ovn plan lists what is held")
		f.Since = stats.FrozenSince
	}
	if !r.Started.IsZero() {
		counts := control.PlanCounts(r.Plan.Counts())
		s.LastRound = &control.RoundTime{
			At: r.Started, Seconds: r.Took().Seconds(), Counts: &counts, Summary: r.Plan.Summary(),
		}
	}
	for _, err := range r.Failed() {
		f := s.problem("step-failed", err.Error(), "retrying with backoff; bgp-ovn plan shows when")
		var step *execute.StepError
		if errors.As(err, &step) {
			f.Like, f.On = step.Op.Key().Kind.String()+step.Err.Error(), backendOf(step.Op.Key().Kind)
			if strings.Contains(step.Err.Error(), ipv6Disabled) {
				want, _ := r.Want.Get(step.Op.Key())
				f.Try = enableIPv6(want.Value)
			}
		}
	}
}

// backendOf is what must answer so that objects of a kind can be made; the zero value for
// the kernel.
func backendOf(k object.Kind) problem.Object {
	switch {
	case k == object.KindFlow:
		return problem.Object{Kind: problem.KindDaemon, Name: daemonSwitch}
	case k == object.KindOVSPort:
		return problem.Object{Kind: problem.KindDatabase, Name: "Open_vSwitch"}
	case k.IsPath() || k == object.KindPeer:
		return problem.Object{Kind: problem.KindDaemon, Name: "speaker"}
	}
	return problem.Object{}
}

// waiting tells what the first snapshot is waited for.
func (s *statusReport) waiting(stats reconcile.Stats) {
	switch {
	case stats.Waiting != "":
		try := "look at the sources below"
		if strings.Contains(stats.Waiting, "system-id") {
			try = "ovs-vsctl get Open_vSwitch . external_ids:system-id"
		}
		f := s.problem("not-synced", "waiting for the first snapshot, nothing is removed meanwhile: "+stats.Waiting, try)
		f.Since = stats.Started
	case s.LastRound == nil:
		s.problem("not-synced", "no round has run yet", "look at the sources below")
	}
}

// outstandingAfter is how long changes may be on their way before that is a problem.
const outstandingAfter = time.Second

// outstanding tells of changes that are known and not applied yet.
func (s *statusReport) outstanding(o *reconcile.Outstanding) {
	if s.Outstanding = o; o == nil || s.has("not-synced") {
		return
	}
	took := time.Since(o.Since)
	if took < outstandingAfter {
		return
	}
	text := fmt.Sprintf("changes that were seen %s ago are not applied yet", took.Round(time.Second))
	if o.Steps > 0 {
		text += fmt.Sprintf("; a plan of %d steps is being applied", o.Steps)
	}
	f := s.problem("outstanding", text, "bgp-ovn status -o json has the steps; look at the log if it does not end")
	f.Since = o.Since
}

// state tells of the state file: whether it says what is remembered, and what was set
// aside.
func (s *statusReport) state(db *state.DB, path string) {
	if trouble, ill := db.Trouble(); ill {
		f := s.problem("state-file", fmt.Sprintf("the state file cannot be used: %v; what carries our mark is applied "+
			"all the same", trouble.Err), "df "+filepath.Dir(path)+" ; ls -l "+path)
		f.Object, f.Since = problem.Object{Kind: problem.KindFile, Name: path}, trouble.Since
	}
	for _, a := range db.Asides() {
		text := fmt.Sprintf("the state file was set aside at %s (%s) as %s; unmarked objects of ours that it recorded "+
			"are not known", clock(a.At.Local()), a.Reason, a.Path)
		f := s.problem("state-set-aside", text, "keep it for analysis elsewhere: mv "+a.Path+" /root/")
		f.Object, f.Since = problem.Object{Kind: problem.KindFile, Name: a.Path}, a.At
	}
}

// identifier tells that nobody said which BGP identifier to use.
func (s *statusReport) identifier(why string) {
	if why != "" {
		s.problem("router-id", "a BGP identifier was chosen because none was known at the start: "+why,
			"set bgp.router_id, or restart once Open_vSwitch has external_ids:ovn-encap-ip")
	}
}

// panics makes one problem of all panics of a driver: the same defect may meet every
// row of a table, and the rows are listed under "skipped" anyway.
func (s *statusReport) panics(skipped []observe.Skip) {
	var drivers []string // in the order of the skips, which is the same in every round
	first, rows := map[string]observe.Skip{}, map[string]int{}
	for _, skip := range skipped {
		if skip.Code != observe.SkipPanic {
			continue
		}
		if rows[skip.Driver]++; rows[skip.Driver] == 1 {
			drivers, first[skip.Driver] = append(drivers, skip.Driver), skip
		}
	}
	for _, driver := range drivers {
		text := first[driver].Text
		if more := rows[driver] - 1; more > 0 {
			text += fmt.Sprintf(" (and at %d more rows, see skipped)", more)
		}
		f := s.problem("driver-panic", text, "report it with the output of: bgp-ovn snapshot")
		f.Object, f.Like = problem.Object{Kind: problem.KindDriver, Name: driver}, driver
	}
}

// peers asks the speaker, which may be another process that does not answer.
func (n *Node) peers(ctx context.Context) ([]bgp.PeerState, error) {
	ctx, cancel := context.WithTimeout(ctx, speakerDeadline)
	defer cancel()
	return n.speaker.Peers(ctx)
}

func peerOf(p bgp.PeerState) control.Peer {
	out := control.Peer{
		Address: p.Address, AS: p.AS, State: string(p.State), Since: p.Since, LocalAddress: p.LocalAddress,
		RouterID: p.RouterID,
		HoldTime: p.HoldTime, Graceful: p.Graceful, RestartTime: p.RestartTime, Flaps: p.Flaps,
		LastError: p.LastError, LastErrorAt: p.LastErrorAt, Families: []control.PeerFamily{},
	}
	for _, f := range p.Families {
		out.Families = append(out.Families, control.PeerFamily{
			Family: f.Family, Negotiated: f.Negotiated, Sent: f.Sent, Received: f.Received, Accepted: f.Accepted,
		})
	}
	return out
}

// explainLive accounts for an address with the state of the sessions that carry
// its family.
func (n *Node) explainLive(ctx context.Context, r reconcile.Round, addr netip.Addr) reconcile.Explanation {
	e := n.explainSessions(ctx, r, addr)
	if e.Code == object.BlockUnreachable {
		e.Reach = n.reach.explain(ctx, r, addr)
	}
	if e.Advertised {
		e.Reach = n.reach.explain(ctx, r, addr)
		e.Elsewhere = n.elsewhere.of(addr, time.Now())
		e.Outside = n.outside.of(ctx, addr, time.Now())
	} else if o := n.outside.of(ctx, addr, time.Now()); o != nil && o.State == verify.Extra {
		e.Outside = o
	}
	return e
}

func (n *Node) explainSessions(ctx context.Context, r reconcile.Round, addr netip.Addr) reconcile.Explanation {
	return n.ctl.ExplainBy(r, addr, n.sessions(ctx, r))
}

// sessions is what explanations of the round say of the sessions.
func (n *Node) sessions(ctx context.Context, r reconcile.Round) reconcile.Sessions {
	states, err := n.peers(ctx)
	if err != nil {
		return reconcile.Sessions{}
	}
	return reconcile.Sessions{
		Known: true, IPv4: n.peerStatus(r, states, object.IPv4Unicast), IPv6: n.peerStatus(r, states, object.IPv6Unicast),
		EVPN: n.peerStatus(r, states, object.L2VPNEVPN),
	}
}

// peerStatus is what an explanation says of the sessions that carry a family.
func (n *Node) peerStatus(r reconcile.Round, states []bgp.PeerState, family object.Family) []reconcile.PeerStatus {
	peers := []reconcile.PeerStatus{}
	for _, s := range states {
		if !slices.ContainsFunc(s.Families, func(f bgp.FamilyState) bool { return f.Family == family }) {
			continue
		}
		p := reconcile.PeerStatus{Address: s.Address, Up: s.State == control.Established}
		p.Text = fmt.Sprintf("%s AS %d %s", object.PeerName(s.Address), s.AS, s.State)
		if !p.Up && s.LastError != "" {
			p.Text += " (" + s.LastError + ")"
		}
		peers = append(peers, p)
	}
	for _, q := range n.quarantine.held(peerItems(r)) {
		peers = append(peers, reconcile.PeerStatus{
			Address: q.Peer, Text: q.Peer + " " + object.BlockQuarantined + " until " + clock(q.Until.Local()),
		})
	}
	return peers
}

// clock prints a time for messages; the zero time is that of the start.
func clock(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return t.Format(time.DateTime)
}
