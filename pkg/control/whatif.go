package control

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/whatif"
)

// WhatIf is the answer to what events would lead to, on the nodes of snapshots or bundles.
type WhatIf struct {
	Version int `json:"version"`
	// Events are what was asked.
	Events []WhatIfEvent `json:"events"`
	// Nodes are those whose announcements are compared, by host name or system-id, Unknown the
	// chassis in the rows that are not among them: what these announce is not known.
	Nodes   []string `json:"nodes"`
	Unknown []string `json:"unknown"`
	// Rows are the columns that the events change.
	Rows []WhatIfRow `json:"rows"`
	// Moves are announced by another node than before, Nobody by none of the nodes any more,
	// Twice by several that are not the ones of before.
	Moves  []WhatIfChange `json:"moves"`
	Nobody []WhatIfChange `json:"nobody"`
	Twice  []WhatIfChange `json:"twice"`
	// Same counts what is announced as before.
	Same int `json:"same"`
	// Names is what people call the rows that texts mention by UUID.
	Names map[string]string `json:"names"`
}

// WhatIfEvent is one event; what does not belong to it is empty.
type WhatIfEvent struct {
	// Event is move, chassis-gone or peer-down.
	Event   string `json:"event"`
	Port    string `json:"port"`
	Chassis string `json:"chassis"`
	Peer    string `json:"peer"`
	// Line is the event for people.
	Line string `json:"line"`
}

// WhatIfRow is a column of a row that events change; of a row that is deleted it is empty.
type WhatIfRow struct {
	Table  string `json:"table"`
	Row    string `json:"row"`
	Column string `json:"column"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// WhatIfChange is an object whose announcers are others after the events.
type WhatIfChange struct {
	Kind string   `json:"kind"`
	Key  string   `json:"key"`
	From []string `json:"from"`
	To   []string `json:"to"`
}

// Differs reports whether the events change what is announced.
func (w WhatIf) Differs() bool { return len(w.Moves)+len(w.Nobody)+len(w.Twice) > 0 }

// WhatIfOf is what events lead to as an answer.
func WhatIfOf(edits []whatif.Edit, nodes []string, r whatif.Result) WhatIf {
	out := WhatIf{
		Version: Version, Events: []WhatIfEvent{}, Nodes: append([]string{}, nodes...),
		Unknown: append([]string{}, r.Unknown...), Rows: []WhatIfRow{}, Same: r.Same, Names: map[string]string{},
		Moves: whatIfChanges(r.Moves), Nobody: whatIfChanges(r.Nobody), Twice: whatIfChanges(r.Twice),
	}
	for _, e := range edits {
		one := WhatIfEvent{Event: string(e.Event), Port: e.Port, Chassis: e.Chassis, Line: e.String()}
		if e.Peer.IsValid() {
			one.Peer = e.Peer.String()
		}
		out.Events = append(out.Events, one)
	}
	for _, row := range r.Rows {
		out.Rows = append(out.Rows, WhatIfRow(row))
	}
	return out
}

func whatIfChanges(list []whatif.Change) []WhatIfChange {
	out := make([]WhatIfChange, len(list))
	for i, c := range list {
		ref := keyRef(c.Key)
		out[i] = WhatIfChange{ref.Kind, ref.Key, append([]string{}, c.From...), append([]string{}, c.To...)}
	}
	return out
}

func keyRef(k object.Key) ObjectRef { return ObjectRef{k.Kind.String(), k.String()} }
