package wire

import (
	"fmt"
	"maps"
	"slices"
)

// rows are the rows of one table:
//
//	readUpdates ──> pending ──commit──> byID, bad, sorted ──publish──> DB
//	readCopies  ──────────────────────> byID, bad ──sort──> sorted
//
// A *T is never changed once it is in byID.
type rows[DB, T any] struct {
	spec    *Table[DB, T]
	columns map[string]boundColumn[T]
	byID    map[UUID]*T
	bad     map[UUID]*badRow[T]
	sorted  []*T
	pending map[UUID]change[T]
	// listed are the columns that rows of a file have; nil where rows come from a server,
	// or the file has no rows of the table.
	listed map[string]bool
}

// boundColumn is a column as this server has it.
type boundColumn[T any] struct {
	*Column[T]
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

// newRows returns a table without rows; bind must come before anything is read.
func newRows[DB, T any](s *Table[DB, T]) *rows[DB, T] {
	return &rows[DB, T]{
		spec:    s,
		byID:    make(map[UUID]*T),
		bad:     make(map[UUID]*badRow[T]),
		pending: make(map[UUID]change[T]),
	}
}

func (t *rows[DB, T]) name() string { return t.spec.Name }

// bind selects the columns that the server has too; all of them for nil.
func (t *rows[DB, T]) bind(have map[string]ColumnType) error {
	t.columns = make(map[string]boundColumn[T], len(t.spec.Columns))
	for i := range t.spec.Columns {
		c := &t.spec.Columns[i]
		is, ok := have[c.name]
		switch {
		case have == nil:
			is = ColumnType{Kind: string(c.kind), Many: c.diff != nil}
		case !ok:
			continue
		}
		if is.Kind != string(c.kind) || is.Many && c.diff == nil {
			return fmt.Errorf("column %s.%s has type %s (several elements: %t), which this version cannot read",
				t.spec.Name, c.name, is.Kind, is.Many)
		}
		t.columns[c.name] = boundColumn[T]{c, is.Many}
	}
	return nil
}

// bound names the columns, in the order of the spec: every agent asks for the
// same, because the server shares one monitor between equal requests.
func (t *rows[DB, T]) bound() []string {
	var out []string
	for _, c := range t.spec.Columns {
		if _, ok := t.columns[c.name]; ok {
			out = append(out, c.name)
		}
	}
	return out
}

// lacks reports whether the schema does not have a column: of a file, whether it has rows
// and none of them has the column.
func (t *rows[DB, T]) lacks(column string) bool {
	_, ok := t.columns[column]
	return !ok || t.listed != nil && !t.listed[column]
}

// appendLayout adds what must be equal before rows can be carried over from another
// store: the columns, and which of them hold several elements.
func (t *rows[DB, T]) appendLayout(out []byte) []byte {
	out = append(out, t.spec.Name...)
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

// grown is by how many octets of text the rows grow with what is pending.
func (t *rows[DB, T]) grown() (n int64) {
	var text []byte
	size := func(row *T) int64 {
		if row == nil {
			return 0
		}
		text = text[:0]
		for i := range t.spec.Columns {
			text = t.spec.Columns[i].write(text, row)
		}
		return int64(len(text))
	}
	for id, c := range t.pending {
		if bad := t.bad[id]; bad != nil {
			n -= size(bad.row)
		}
		if c.bad != nil {
			n += size(c.bad.row)
		}
		if have := t.byID[id]; have != c.row {
			n += size(c.row) - size(have)
		}
	}
	return n
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

// commitBad keeps or forgets a row that could not be read. It reports a change only if
// what can be reported about the row is another.
func (t *rows[DB, T]) commitBad(id UUID, want *badRow[T]) bool {
	have := t.bad[id]
	if want == nil {
		delete(t.bad, id)
		return have != nil
	}
	t.bad[id] = want
	return have == nil || !t.rowError(have).same(t.rowError(want))
}

// rollback forgets an update of which a later part was refused.
func (t *rows[DB, T]) rollback() { clear(t.pending) }

// equal compares pointers: equal rows have been made identical while reading.
func (t *rows[DB, T]) equal(other tableRows) bool {
	o, ok := other.(*rows[DB, T])
	return ok && slices.Equal(t.sorted, o.sorted) &&
		maps.EqualFunc(t.bad, o.bad, func(a, b *badRow[T]) bool {
			return t.rowError(a).same(t.rowError(b))
		})
}

// publish puts the rows where they go in db, and returns what is wrong with
// those that could not be read.
func (t *rows[DB, T]) publish(db *DB) []rowError {
	if t.spec.Set != nil {
		t.spec.Set(db, t.sorted)
	} else {
		*t.spec.List(db) = t.sorted
	}
	var out []rowError
	for _, bad := range t.bad {
		out = append(out, t.rowError(bad))
	}
	return out
}

// rowError describes a bad row by its name, or its UUID if it has none.
func (t *rows[DB, T]) rowError(bad *badRow[T]) rowError {
	name := t.spec.Key(bad.row)
	if name == "" {
		name = t.spec.ID(bad.row).String()
	}
	var err error = bad.errs[0]
	for _, more := range bad.errs[1:] {
		err = fmt.Errorf("%w; %w", err, more)
	}
	return rowError{table: t.spec.Name, row: name, err: err}
}
