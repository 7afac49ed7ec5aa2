package ovsdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// Scope says of some tables which rows are asked for. Tables that are not in it are asked
// for in full; the nil Scope asks for everything.
type Scope map[string]Condition

// Condition is met by rows that meet any of its clauses; without clauses by none.
type Condition []Clause

// Clause is a comparison with a column (RFC 7047 section 5.1, <condition>). Function is == or
// includes; Value is written as JSON, which of [Reference] and [Pair] is what OVSDB takes.
type Clause struct {
	Column, Function string
	Value            any
}

// MarshalJSON writes [<column>, <function>, <value>].
func (c Clause) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{c.Column, c.Function, c.Value})
}

// Reference is the UUID of a row as a value (RFC 7047 section 5.1, <uuid>).
func Reference(uuid string) any { return []any{"uuid", uuid} }

// Referenced is the reverse of Reference.
func Referenced(value any) (uuid string, ok bool) {
	list, isList := value.([]any)
	if !isList || len(list) != 2 || list[0] != "uuid" {
		return "", false
	}
	uuid, ok = list[1].(string)
	return uuid, ok
}

// Pair is a map with one pair as a value (RFC 7047 section 5.1, <map>).
func Pair(key, value string) any { return []any{"map", [][]string{{key, value}}} }

// where is the condition in a request. An empty one would ask for all rows.
func (s Scope) where(table string) any {
	c, limited := s[table]
	switch {
	case !limited:
		return []bool{true}
	case len(c) == 0:
		return []bool{false}
	}
	return c
}

// text identifies a scope; maps are written in the order of their keys.
func (s Scope) text() string {
	if s == nil {
		return ""
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Sprintf("%v", s)
	}
	return string(b)
}

// View limits the rows that are followed to a part of the database.
type View[DB any] struct {
	// Of says which rows to ask for, given those that there are: without any at first. It
	// is called after every change of them, from one goroutine, and must be pure but for
	// what [Follower.Rescope] announces.
	Of func(*DB) Scope
	// Set tells rows that are about to be published what they were asked for by.
	Set func(*DB, Scope)
}

const (
	// settleMost is how often rows may lead to other conditions, and these to other rows,
	// before a first copy is published as it is.
	settleMost = 8
	// rescopePause is the least time between two changes of the conditions: the server
	// compares every row with every clause.
	rescopePause = time.Second
)

// errScope ends a session with a server that refuses conditions; the next one asks for
// everything.
var errScope = errors.New("the server refuses to send a part of the rows only")

// monitored is a <monitor-cond-request> of a table (ovsdb-server(7), monitor_cond).
type monitored struct {
	Columns []string `json:"columns,omitempty"`
	Where   any      `json:"where,omitempty"`
	Select  any      `json:"select,omitempty"`
}

// Rescope makes the follower ask its View again, because something else than the rows has
// changed.
func (s *Follower[DB]) Rescope() {
	s.asked.Store(true)
	if poke := s.poke.Load(); poke != nil {
		(*poke)()
	}
}

// wanted is the scope that rows lead to; nil is none.
func (s *Follower[DB]) wanted(rows *DB) Scope {
	if s.view == nil || s.unscoped {
		return nil
	}
	return s.view.Of(rows)
}

// settle asks for what the first rows lead to, until they lead to nothing else. Rows of
// half a view are not published: what is missing would be taken for deleted.
func (x *session[DB]) settle() error {
	for range settleMost {
		want := x.wanted(x.store.Publish())
		if want.text() == x.scope.text() {
			return nil
		}
		err := x.conn.call("monitor_cond_change", changed(x.scope, want), (*wire.Decoder).Skip)
		if err != nil {
			return x.refused(err)
		}
		x.scope = want
	}
	return nil
}

// rescope changes the conditions where the rows lead to others, one change at a time.
func (x *session[DB]) rescope() {
	if x.view == nil || x.unscoped || !x.began || x.settling || x.conn.later != nil {
		return
	}
	if wait := time.Until(x.rescoped.Add(rescopePause)); wait > 0 {
		if !x.waiting {
			x.waiting = true
			time.AfterFunc(wait, x.conn.poke)
		}
		return
	}
	x.waiting = false
	rows := x.latest.Load()
	if rows == x.judged && !x.asked.Swap(false) {
		return
	}
	x.judged = rows
	want := x.wanted(rows)
	if want.text() == x.scope.text() {
		return
	}
	x.rescoped = time.Now()
	args := changed(x.scope, want)
	x.failed = x.conn.post("monitor_cond_change", args, func(err error) {
		if err != nil {
			x.failed = x.refused(err)
			return
		}
		x.scope = want
		x.publish() // the same rows, by other conditions
	})
}

// refused makes the next session ask for everything if the server does not know conditions.
func (x *session[DB]) refused(err error) error {
	var answer *rpcError
	if !errors.As(err, &answer) {
		return err
	}
	x.unscoped, x.scope, x.since = true, nil, ""
	return fmt.Errorf("%w: %w", errScope, err)
}

// changed are the parameters of monitor_cond_change (ovsdb-server(7)): the tables whose
// conditions differ.
func changed(have, want Scope) []any {
	tables := map[string][]monitored{}
	for _, s := range []Scope{have, want} {
		for table := range s {
			if fmt.Sprint(have.where(table)) != fmt.Sprint(want.where(table)) {
				tables[table] = []monitored{{Where: want.where(table)}}
			}
		}
	}
	return []any{monitorID, monitorID, tables}
}
