package wire

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// rows are the rows of one table:
//
//	readUpdates ──> pending ──commit──> byID, bad, sorted ──publish──> DB
//	readCopies  ──────────────────────> byID, bad ──sort──> sorted
//
// A row is never changed once it is in byID. R is the pointer to one: see [Column].
type rows[R any] struct {
	table string
	// spec are the columns that we know, and columns those of them that the server has.
	spec    []Column[R]
	columns map[string]boundColumn[R]
	byID    map[UUID]R
	bad     map[UUID]*badRow[R]
	sorted  rowlist.List[R]
	// slice has the rows of sorted, where a DB has them so; nil if they have changed since.
	slice   []R
	pending map[UUID]change[R]
	// listed are the columns that rows of a file have; nil where rows come from a server,
	// or the file has no rows of the table.
	listed map[string]bool

	// id is where a row has its UUID, and key its name. finish may be nil.
	id     func(R) *UUID
	key    func(R) string
	finish func(R)
	// fresh makes a row, copied a copy of one, and none reports whether there is no row.
	fresh  func() R
	copied func(R) R
	none   func(R) bool
}

// boundColumn is a column as this server has it.
type boundColumn[R any] struct {
	*Column[R]
	many bool
}

// badRow is a row of which some columns could not be read.
type badRow[R any] struct {
	row  R
	errs []*columnError
}

// change is what an update makes of a row: at most one of both; deleted if
// neither.
type change[R any] struct {
	row R
	bad *badRow[R]
}

// newRows returns a table without rows; bind must come before anything is read.
func newRows[DB, T any](s *Table[DB, T]) *rows[*T] {
	return &rows[*T]{
		table:   s.Name,
		spec:    s.Columns,
		byID:    make(map[UUID]*T),
		bad:     make(map[UUID]*badRow[*T]),
		pending: make(map[UUID]change[*T]),
		id:      s.ID,
		key:     s.Key,
		finish:  s.Finish,
		fresh:   func() *T { return new(T) },
		copied: func(row *T) *T {
			c := *row
			return &c
		},
		none: func(row *T) bool { return row == nil },
	}
}

func (t *rows[R]) name() string { return t.table }

// bind selects the columns that the server has too; all of them for nil.
func (t *rows[R]) bind(have map[string]ColumnType) error {
	t.columns = make(map[string]boundColumn[R], len(t.spec))
	for i := range t.spec {
		c := &t.spec[i]
		is, ok := have[c.name]
		switch {
		case have == nil:
			is = ColumnType{Kind: string(c.kind), Many: c.diff != nil}
		case !ok:
			continue
		}
		if is.Kind != string(c.kind) || is.Many && c.diff == nil {
			return fmt.Errorf("column %s.%s has type %s (several elements: %t), which this version cannot read",
				t.table, c.name, is.Kind, is.Many)
		}
		t.columns[c.name] = boundColumn[R]{c, is.Many}
	}
	return nil
}

// bound names the columns, in the order of the spec: every agent asks for the
// same, because the server shares one monitor between equal requests.
func (t *rows[R]) bound() []string {
	var out []string
	for _, c := range t.spec {
		if _, ok := t.columns[c.name]; ok {
			out = append(out, c.name)
		}
	}
	return out
}

// lacks reports whether the schema does not have a column: of a file, whether it has rows
// and none of them has the column.
func (t *rows[R]) lacks(column string) bool {
	_, ok := t.columns[column]
	return !ok || t.listed != nil && !t.listed[column]
}

// appendLayout adds what must be equal before rows can be carried over from another
// store: the columns, and which of them hold several elements.
func (t *rows[R]) appendLayout(out []byte) []byte {
	out = append(out, t.table...)
	for _, c := range t.bound() {
		out = fmt.Appendf(out, " %s:%t", c, t.columns[c].many)
	}
	return append(out, '\n')
}

// sort makes sorted of byID.
func (t *rows[R]) sort() {
	all := slices.AppendSeq(make([]R, 0, len(t.byID)), maps.Values(t.byID))
	slices.SortFunc(all, t.compare)
	t.sorted, t.slice = rowlist.Of(all...), all // which share their memory
}

// grown is by how many octets of text the rows grow with what is pending.
func (t *rows[R]) grown() (n int64) {
	var text []byte
	size := func(row R) int64 {
		if t.none(row) {
			return 0
		}
		text = text[:0]
		for i := range t.spec {
			text = t.spec[i].write(text, row)
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
		if have := t.byID[id]; !t.same(have, c.row) {
			n += size(c.row) - size(have)
		}
	}
	return n
}

// commit applies what is pending; it reports whether anything changed.
func (t *rows[R]) commit() bool {
	changed := false
	var edits []rowlist.Edit[R]
	for id, c := range t.pending {
		have := t.byID[id]
		if !t.same(have, c.row) {
			edits = t.appendEdit(edits, have, true)
			edits = t.appendEdit(edits, c.row, false)
		}
		changed = t.commitBad(id, c.bad) || changed
		if t.none(c.row) {
			delete(t.byID, id)
			continue
		}
		t.byID[id] = c.row
	}
	clear(t.pending)
	if len(edits) > 0 {
		sorting.Sort(edits, func(a, b rowlist.Edit[R]) int { return t.compare(a.Row, b.Row) })
		t.sorted, t.slice = t.sorted.With(edits, t.compare), nil
	}
	return changed || len(edits) > 0
}

// commitBad keeps or forgets a row that could not be read. It reports a change only if
// what can be reported about the row is another.
func (t *rows[R]) commitBad(id UUID, want *badRow[R]) bool {
	have := t.bad[id]
	if want == nil {
		delete(t.bad, id)
		return have != nil
	}
	t.bad[id] = want
	return have == nil || !t.rowError(have).same(t.rowError(want))
}

// rollback forgets an update of which a later part was refused.
func (t *rows[R]) rollback() { clear(t.pending) }

// equal compares pointers: equal rows have been made identical while reading.
func (t *rows[R]) equal(other tableRows) bool {
	o, ok := other.(*rows[R])
	if !ok {
		return false
	}
	gone, came := rowlist.Differ(t.sorted, o.sorted, t.compare)
	return len(gone)+len(came) == 0 &&
		maps.EqualFunc(t.bad, o.bad, func(a, b *badRow[R]) bool {
			return t.rowError(a).same(t.rowError(b))
		})
}

// rows returns the sorted rows as a slice, which must not be changed.
func (t *rows[R]) rows() []R {
	if t.slice == nil && t.sorted.Len() > 0 {
		t.slice = t.sorted.Slice()
	}
	return t.slice
}

// faults returns what is wrong with the rows that could not be read.
func (t *rows[R]) faults() []rowError {
	var out []rowError
	for _, bad := range t.bad {
		out = append(out, t.rowError(bad))
	}
	return out
}

// rowError describes a bad row by its name, or its UUID if it has none.
func (t *rows[R]) rowError(bad *badRow[R]) rowError {
	name := t.key(bad.row)
	if name == "" {
		name = t.id(bad.row).String()
	}
	var err error = bad.errs[0]
	for _, more := range bad.errs[1:] {
		err = fmt.Errorf("%w; %w", err, more)
	}
	return rowError{table: t.table, row: name, err: err}
}
