// Package problem puts what is wrong with a node into the order of harm: what was
// found, as a flat list, becomes a few problems, each the cause of others that are
// listed under it, with equal ones counted instead of repeated. It also remembers
// which problems there were in the last hour.
//
// It refuses to find anything: package agent does. It is pure; the present is an
// argument.
//
// Read next: [Arrange], then the table in classes.go and [Memory].
package problem

import "time"

// Harm is how bad a problem is.
type Harm string

// The harms, from the least.
const (
	// Warning is of what does no harm yet: everything is forwarded and announced as
	// wanted.
	Warning Harm = "warning"
	// Degraded is of what makes some addresses unreachable, stops changes, or takes a
	// protection away.
	Degraded Harm = "degraded"
	// Down is of what makes all addresses of the node unreachable.
	Down Harm = "down"
)

// Healthy is the state of a node without problems.
const Healthy Harm = "healthy"

// level orders harms.
func (h Harm) level() int {
	switch h {
	case Down:
		return 3
	case Degraded:
		return 2
	case Warning:
		return 1
	default:
		return 0
	}
}

// The kinds of things that problems are about.
const (
	KindPeer     = "peer"
	KindDevice   = "device"
	KindAddress  = "address"
	KindDatabase = "database"
	KindDaemon   = "daemon"
	KindBridge   = "bridge"
	KindNetwork  = "network" // a physical network of OVN
	KindFile     = "file"
	KindSetting  = "setting" // a key of the configuration
	KindDriver   = "driver"
	KindRoute    = "route"
	KindNode     = "node" // of Kubernetes
)

// Object is a thing that a problem is about.
type Object struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// String reads "device fabric0".
func (o Object) String() string { return o.Kind + " " + o.Name }

// Finding is one thing that was found to be wrong.
type Finding struct {
	// Code is stable and is in the table of classes.
	Code string
	// Text says what is wrong, Try is a command or a place to look.
	Text, Try string
	// Object is what it is about; the zero value if it is about no one thing.
	Object Object
	// On is what its object stands on, such as the device by which a peer is reached: a
	// finding about that explains this one.
	On Object
	// Behind is the code of a finding that explains this one, if there is one.
	Behind string
	// Like tells findings of one code apart that are not to be counted together; Try does
	// so where it is empty.
	Like string
	// Harm is that of its code if it is empty.
	Harm Harm
	// Count is how many objects it stands for; 0 is 1. Of is out of how many, 0 if that
	// says nothing.
	Count, Of int
	// Since is since when; the zero value if only we know, see [Memory].
	Since time.Time
}

// Problem is something to act on.
type Problem struct {
	// Code is stable and meant for scripts; docs/glossary.md has all of them.
	Code string `json:"code"`
	// Harm is warning, degraded or down.
	Harm Harm `json:"harm"`
	// Object is what it is about, null if it is about no one thing; Others are the names
	// of further objects of that kind, some of them if they are many.
	Object *Object  `json:"object"`
	Others []string `json:"others"`
	// Count is how many equal ones there are, Of out of how many that were looked at; 0
	// if that says nothing.
	Count int `json:"count"`
	Of    int `json:"of"`
	// Text says what is wrong with the first one.
	Text string `json:"text"`
	// Try is a command or a place to look; empty if there is none.
	Try   string    `json:"try,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Explains are problems that would not be there without this one.
	Explains []Problem `json:"explains"`
}

// State is the worst harm of problems.
func State(list []Problem) Harm {
	worst := Healthy
	for _, p := range list {
		if p.Harm.level() > worst.level() {
			worst = p.Harm
		}
	}
	return worst
}

// Flat lists problems with those that they explain, each behind its cause.
func Flat(list []Problem) []Problem {
	var out []Problem
	for _, p := range list {
		out = append(append(out, p), p.Explains...)
	}
	return out
}
