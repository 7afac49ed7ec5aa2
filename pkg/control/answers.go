package control

import (
	"errors"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
)

// Explanation is the answer to why an address is or is not announced.
type Explanation struct {
	Version int `json:"version"`
	reconcile.Explanation
	// Names is what people call the rows that texts mention by UUID.
	Names map[string]string `json:"names"`
}

// ExplanationOf is what is known of an address as an answer, in which no list is null.
func ExplanationOf(e reconcile.Explanation) Explanation {
	e.Accounts = append([]reason.Account{}, e.Accounts...)
	e.Chassis = append([]string{}, e.Chassis...)
	for i := range e.Accounts {
		a := &e.Accounts[i]
		a.Chassis, a.Steps = append([]string{}, a.Chassis...), append([]reason.Step{}, a.Steps...)
	}
	return Explanation{Version: Version, Explanation: e, Names: map[string]string{}}
}

// Audit is the answer of an audit.
type Audit struct {
	Version int  `json:"version"`
	Drift   Plan `json:"drift"`
	// Repaired says that the differences were to be mended, Failed which were not.
	Repaired bool         `json:"repaired"`
	Failed   []FailedStep `json:"failed"`
	// Incomplete says why the comparison proves nothing about what should be removed: a
	// database is away, say. Empty if it does.
	Incomplete string `json:"incomplete,omitempty"`
	// Result is what the audit comes to: see [Audit.Outcome].
	Result AuditResult `json:"result"`
	// Remaining is how many differences there are when the audit has ended.
	Remaining int `json:"remaining"`
}

// FailedStep is a step that failed.
type FailedStep struct {
	// Verb, Kind and Key are those of the step; empty of an error that is not about one.
	Verb string `json:"verb"`
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Error says why, Line all of that for people.
	Error string `json:"error"`
	Line  string `json:"line"`
}

// FailedStepOf is the error of a step as an answer.
func FailedStepOf(err error) FailedStep {
	out := FailedStep{Error: err.Error(), Line: err.Error()}
	var step *execute.StepError
	if errors.As(err, &step) {
		k := step.Op.Key()
		out.Verb, out.Kind, out.Key, out.Error = step.Op.Verb.String(), k.Kind.String(), k.String(), step.Err.Error()
	}
	return out
}

// AuditResult is what an audit comes to, in one word.
type AuditResult string

// The results, in the order in which they take precedence. What the command exits with
// follows from them.
const (
	AuditFailed     AuditResult = "failed"     // a step of the repair failed
	AuditDiffers    AuditResult = "differs"    // there is drift, or what no step mends
	AuditIncomplete AuditResult = "incomplete" // nothing differs, of what is known
	AuditAgrees     AuditResult = "agrees"
)

// Outcome derives what an audit comes to, and how many differences remain, from the
// rest of the answer.
func (a Audit) Outcome() (AuditResult, int) {
	remaining := len(a.Drift.Ops)
	if a.Repaired {
		remaining = len(a.Failed)
	}
	for _, n := range a.Drift.Notes {
		if !n.Intentional {
			remaining++
		}
	}
	switch {
	case a.Repaired && len(a.Failed) > 0:
		return AuditFailed, remaining
	case remaining > 0:
		return AuditDiffers, remaining
	case a.Incomplete != "":
		return AuditIncomplete, remaining
	default:
		return AuditAgrees, remaining
	}
}

// Reload is the answer of a reload.
type Reload struct {
	Version int `json:"version"`
	// Changed are the keys of the configuration whose values differ.
	Changed []string `json:"changed"`
	// Restart are those of them that only a restart takes up; a reload refuses them. It is
	// left out where there are none.
	Restart []string `json:"restart,omitempty"`
	// Plan is what a dry run would lead to; nil where the reload took place.
	Plan *Plan `json:"plan,omitempty"`
}

// Retried is the answer of a retry by command.
type Retried struct {
	Version int `json:"version"`
	// Objects are tried again now.
	Objects []RetriedObject `json:"objects"`
}

// RetriedObject is an object that waited.
type RetriedObject struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

// Released is the answer of the end of a quarantine.
type Released struct {
	Version int `json:"version"`
	// Peer is the address of the peer that is configured again.
	Peer string `json:"peer"`
}

// Status is one screen: is the node well, and if not, what is wrong and what to
// do.
type Status struct {
	Version int `json:"version"`
	// At is when it was asked for.
	At time.Time `json:"at"`
	// State is healthy, or the worst harm of the problems: warning, degraded or down.
	// Healthy says that it is healthy.
	State   problem.Harm `json:"state"`
	Healthy bool         `json:"healthy"`
	// Problems are in the order of harm, each with those that it explains.
	Problems []Problem `json:"problems"`
	// Names is what people call the rows that texts mention by UUID.
	Names map[string]string `json:"names"`
	// LastHour are the problems that went within the last hour, by when they came.
	LastHour []problem.Past `json:"last_hour"`

	Chassis string    `json:"chassis"`
	Program string    `json:"program"`
	Started time.Time `json:"started"`
	Sources []Source  `json:"sources"`
	Peers   []Peer    `json:"peers"`
	// Quarantined are peers of the configuration that are held down.
	Quarantined []Quarantine `json:"quarantined"`
	Counts      []Count      `json:"counts"`
	// NotAsWanted are the objects that differ from the desired state, Filtered those
	// that the export filter keeps back.
	NotAsWanted []Note `json:"not_as_wanted"`
	// Contested are objects that another program keeps changing back.
	Contested []Contested    `json:"contested"`
	Filtered  []Note         `json:"filtered_by_policy"`
	Skipped   []observe.Skip `json:"skipped"`
	// Rounds counts rounds, EmptyRounds those that changed nothing, Audits those that
	// read everything.
	Rounds      uint64 `json:"rounds"`
	EmptyRounds uint64 `json:"empty_rounds"`
	Audits      uint64 `json:"audits"`
	Steps       uint64 `json:"steps"`
	FailedSteps uint64 `json:"failed_steps"`
	// StateWrites counts transactions of the state file.
	StateWrites uint64 `json:"state_writes"`
	// Reach is what a check of announced addresses found.
	Reach Reach `json:"reach"`
	// Drift is what others did to our objects lately.
	Drift Drift `json:"drift"`
	// Elsewhere is what somebody else announces of what we do.
	Elsewhere Elsewhere `json:"announced_elsewhere"`
	// Drain is how far the node is taken out of service; absent while it is in service.
	Drain *Drain `json:"drain,omitempty"`
	// Outside is what looking points say of what we announce.
	Outside Outside `json:"outside"`
	// Quarantine are the objects that are set aside because attempts at them failed for long, or
	// because they come and go.
	Quarantine []QuarantinedObject `json:"quarantine"`
	// Review is what waits for bgp-ovn apply; absent where changes are applied by themselves.
	Review *Review `json:"review,omitempty"`
	// Outstanding is what is known to be done and not done yet.
	Outstanding *reconcile.Outstanding `json:"outstanding,omitempty"`
	LastRound   *RoundTime             `json:"last_round"`
	LastChange  *RoundTime             `json:"last_change"`
	// Frozen says why deletions are suspended; empty if they are not.
	Frozen string `json:"frozen,omitempty"`
	// ShadowedBy are rules of others that come before ours: a packet that one of them
	// matches never reaches our tables.
	ShadowedBy []Rule `json:"shadowed_by"`
}

// Rule is an ip rule of another owner.
type Rule struct {
	Priority uint32 `json:"priority"`
	// Line is the rule as ip rule prints it.
	Line string `json:"line"`
}

// Problem is something to act on.
type Problem = problem.Problem

// Quarantine says of a peer that its messages ended the speaker twice within five
// minutes, so that there is no session with it.
type Quarantine struct {
	Peer string `json:"peer"`
	// Last is when one of its messages ended the speaker the last time.
	Last time.Time `json:"last"`
	// Until is when it is tried again.
	Until time.Time `json:"until"`
}

// QuarantinedObject is an object that is set aside: it is tried again with long pauses, or
// announced again once it has stayed, and nothing but what needs it waits for it.
type QuarantinedObject struct {
	// Code is "quarantined" for one at which attempts fail, "flapping" for a path that came and
	// went too often.
	Code string `json:"code"`
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Reason is how the last attempt failed, or how often the path went.
	Reason string `json:"reason"`
	// Failing is when the first attempt in a row failed, or the path first went; Since is when
	// the object was set aside.
	Failing time.Time `json:"failing"`
	Since   time.Time `json:"since"`
	// Tries counts the attempts, or the withdrawals; Next is when the next attempt is due, or when
	// the path is announced again if it stays.
	Tries int       `json:"tries"`
	Next  time.Time `json:"next"`
}

// Contested is an object that another program changes back time and again.
type Contested struct {
	// Kind and Key are those of the object.
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Count is how often it was repaired since Since; Last is the last time.
	Count int       `json:"count"`
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"`
	// PerMinute is how often a minute it was changed back of late.
	PerMinute int `json:"per_minute"`
	// By is who did it the last time that this was known, such as "ip[1234]"; empty if it
	// never was.
	By string `json:"by"`
	// Controller says that it is another bgp-ovn.
	Controller bool `json:"controller"`
	// PauseSeconds is how long is waited between two repairs, which grows while they are in
	// vain, and Next when it is repaired again; null if it is as wanted now, or due.
	PauseSeconds float64    `json:"pause_seconds"`
	Next         *time.Time `json:"next"`
}

// Object is kind and key.
func (c Contested) Object() string { return c.Kind + " " + c.Key }

// Source is a database and how the connection to it is.
type Source struct {
	Name string `json:"name"`
	// OK says that it is followed: its rows are in step with it.
	OK bool `json:"ok"`
	// Remote is the server, Since is since when it is followed, or is not.
	Remote string    `json:"remote"`
	Since  time.Time `json:"since"`
	// Error is why it is not followed; empty if it is.
	Error string `json:"error"`
	// Schema is the version of its schema and Method how it is monitored; empty of
	// Open_vSwitch.
	Schema string `json:"schema"`
	Method string `json:"method"`
	// Scope says what of it is read: all, or local; empty of all but the Southbound database.
	Scope string `json:"scope,omitempty"`
	// Transactions counts those that were received, Copies how often all rows were.
	Transactions uint64 `json:"transactions"`
	Copies       uint64 `json:"copies"`
	// Text is all of that for people.
	Text string `json:"text"`
}

// Count says how many objects of a kind are desired and how many are there.
type Count struct {
	Kind   object.Kind `json:"kind"`
	Wanted int         `json:"wanted"`
	Have   int         `json:"have"`
}

// RoundTime is when a round was and how long it took.
type RoundTime struct {
	At time.Time `json:"at"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
	// Counts counts what it had to do; null of a change. Summary is the same for people.
	Counts  *PlanCounts `json:"counts"`
	Summary string      `json:"summary,omitempty"`
}

// Took is how long it took.
func (r RoundTime) Took() time.Duration { return time.Duration(r.Seconds * float64(time.Second)) }

// Peer is how the session with a neighbour is.
type Peer struct {
	Address string `json:"address"`
	AS      uint32 `json:"as"`
	// State is the name of RFC 4271 section 8.2.2, such as Established.
	State string `json:"state"`
	// Since is when the session came up or, if it is not, went down.
	Since time.Time `json:"since"`
	// LocalAddress is our end of an established session: the next hop.
	LocalAddress string `json:"local_address,omitempty"`
	// RouterID is the neighbour's BGP Identifier.
	RouterID string `json:"router_id,omitempty"`
	// HoldTime is the negotiated hold time in seconds.
	HoldTime uint16 `json:"hold_time,omitempty"`
	// Graceful says that both ends support graceful restart (RFC 4724).
	Graceful bool `json:"graceful_restart"`
	// RestartTime is how long, in seconds, the neighbour asks to be waited for.
	RestartTime uint16 `json:"restart_time,omitempty"`
	// Flaps counts how often the session was lost.
	Flaps    uint32       `json:"flaps"`
	Families []PeerFamily `json:"families"`
	// LastError says in words why the session is not up, or last went down.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// Established is the state of a session in which paths are exchanged.
const Established = "Established"

// PeerFamily counts the prefixes of one family on one session.
type PeerFamily struct {
	Family object.Family `json:"family"`
	// Negotiated says that the neighbour takes the family (RFC 4760).
	Negotiated bool   `json:"negotiated"`
	Sent       uint64 `json:"sent"`
	Received   uint64 `json:"received"`
	Accepted   uint64 `json:"accepted"`
}
