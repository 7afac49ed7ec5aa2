package wire

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// rows are the rows of one table:
//
//	readUpdates ──> pending ──commit──> byID, bad, sorted ──publish──> DB
//	readCopies  ──────────────────────> byID, bad ──sort──> sorted
//
// A *T is never changed once it is in byID.
type rows[DB, T any] struct {
	spec    *spec[DB, T]
	columns map[string]boundColumn[T]
	byID    map[observe.UUID]*T
	bad     map[observe.UUID]*badRow[T]
	sorted  []*T
	pending map[observe.UUID]change[T]
}

// boundColumn is a column as this server has it.
type boundColumn[T any] struct {
	*column[T]
	many bool
}

// badRow is a row of which some columns could not be read.
type badRow[T any] struct {
	row  *T
	errs []*columnError
}

// change is what an update makes of a row: at most one of both; deleted if
// neither.
type change[T any] struct {
	row *T
	bad *badRow[T]
}

func newRows[DB, T any](s *spec[DB, T]) *rows[DB, T] {
	return &rows[DB, T]{
		spec:    s,
		byID:    make(map[observe.UUID]*T),
		bad:     make(map[observe.UUID]*badRow[T]),
		pending: make(map[observe.UUID]change[T]),
	}
}

func (t *rows[DB, T]) name() string { return t.spec.name }

// bind selects the columns that the server has too; all of them for nil.
func (t *rows[DB, T]) bind(have map[string]Column) error {
	t.columns = make(map[string]boundColumn[T], len(t.spec.columns))
	for i := range t.spec.columns {
		c := &t.spec.columns[i]
		is, ok := have[c.name]
		switch {
		case have == nil:
			is = Column{Kind: string(c.kind), Many: c.diff != nil}
		case !ok:
			continue
		}
		if is.Kind != string(c.kind) || is.Many && c.diff == nil {
			return fmt.Errorf("column %s.%s has type %s (several elements: %t), which this version cannot read",
				t.spec.name, c.name, is.Kind, is.Many)
		}
		t.columns[c.name] = boundColumn[T]{c, is.Many}
	}
	return nil
}

// bound names the columns, in the order of the spec: every agent asks for the
// same, because the server shares one monitor between equal requests.
func (t *rows[DB, T]) bound() []string {
	var out []string
	for _, c := range t.spec.columns {
		if _, ok := t.columns[c.name]; ok {
			out = append(out, c.name)
		}
	}
	return out
}

func (t *rows[DB, T]) appendLayout(out []byte) []byte {
	out = append(out, t.spec.name...)
	for _, c := range t.bound() {
		out = fmt.Appendf(out, " %s:%t", c, t.columns[c].many)
	}
	return append(out, '\n')
}

// sort makes sorted of byID.
func (t *rows[DB, T]) sort() {
	t.sorted = slices.AppendSeq(make([]*T, 0, len(t.byID)), maps.Values(t.byID))
	slices.SortFunc(t.sorted, t.spec.compare)
}

// commit applies what is pending; it reports whether anything changed.
func (t *rows[DB, T]) commit() bool {
	changed := false
	var edits []edit[T]
	for id, c := range t.pending {
		have := t.byID[id]
		if have != c.row {
			edits = appendEdit(edits, have, true)
			edits = appendEdit(edits, c.row, false)
		}
		changed = t.commitBad(id, c.bad) || changed
		if c.row == nil {
			delete(t.byID, id)
			continue
		}
		t.byID[id] = c.row
	}
	clear(t.pending)
	if len(edits) > 0 {
		t.sorted = patch(t.sorted, edits, t.spec.compare)
	}
	return changed || len(edits) > 0
}

func (t *rows[DB, T]) commitBad(id observe.UUID, want *badRow[T]) bool {
	have := t.bad[id]
	if want == nil {
		delete(t.bad, id)
		return have != nil
	}
	t.bad[id] = want
	return have == nil || t.rowError(have).Error() != t.rowError(want).Error()
}

func (t *rows[DB, T]) rollback() { clear(t.pending) }

func (t *rows[DB, T]) equal(other table) bool {
	o, ok := other.(*rows[DB, T])
	return ok && slices.Equal(t.sorted, o.sorted) &&
		maps.EqualFunc(t.bad, o.bad, func(a, b *badRow[T]) bool {
			return t.rowError(a).Error() == t.rowError(b).Error()
		})
}

// publish puts the rows where they go in db, and returns what is wrong with
// those that could not be read.
func (t *rows[DB, T]) publish(db *DB) []*observe.RowError {
	if t.spec.set != nil {
		t.spec.set(db, t.sorted)
	} else {
		*t.spec.list(db) = t.sorted
	}
	var out []*observe.RowError
	for _, bad := range t.bad {
		out = append(out, t.rowError(bad))
	}
	return out
}

// rowError describes a bad row by its name, or its UUID if it has none.
func (t *rows[DB, T]) rowError(bad *badRow[T]) *observe.RowError {
	name := t.spec.key(bad.row)
	if name == "" {
		name = t.spec.id(bad.row).String()
	}
	var err error = bad.errs[0]
	for _, more := range bad.errs[1:] {
		err = fmt.Errorf("%w; %w", err, more)
	}
	return &observe.RowError{Table: t.spec.name, Row: name, Err: err}
}
