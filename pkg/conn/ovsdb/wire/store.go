package wire

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// ColumnType is the type of a column in a schema (RFC 7047 section 3.2).
type ColumnType struct {
	// Kind is the type of the key: string, integer, real, boolean or uuid; or
	// map.
	Kind string
	// Many is set when it may hold more than one element; updates then carry
	// differences.
	Many bool
}

// Schema is what a server has: table -> column -> type. A nil Schema means
// everything we know, which is how snapshot files are read.
type Schema map[string]map[string]ColumnType

// Store holds the rows of the tables we know of one database and applies updates
// to them. It is used by one goroutine; what Publish returns is immutable.
type Store[DB any] struct {
	db     *Database[DB]
	tables []Part[DB]
	// size is about how much text the rows are, in octets: that of the copy, and since
	// then the difference that each update has made.
	size int64
}

// tableRows is a rows[R], whatever R is.
type tableRows interface {
	name() string
	bind(columns map[string]ColumnType) error
	bound() []string
	lacks(column string) bool
	appendLayout(out []byte) []byte
	readUpdates(d *Decoder)
	readCopies(d *Decoder, prev tableRows)
	readList(d *Decoder)
	sort()
	commit() bool
	rollback()
	grown() int64
	equal(other tableRows) bool
	faults() []rowError
}

// NewStore returns an empty store for the tables and columns that both the
// schema and we have.
func (b *Database[DB]) NewStore(schema Schema) (*Store[DB], error) {
	s := &Store[DB]{db: b}
	for _, described := range b.Tables {
		t := described.NewPart()
		columns, ok := schema[t.name()]
		if schema != nil && !ok {
			continue
		}
		if err := t.bind(columns); err != nil {
			return nil, err
		}
		s.tables = append(s.tables, t)
	}
	return s, nil
}

// Tables names the tables of the store.
func (s *Store[DB]) Tables() []string {
	var out []string
	for _, t := range s.tables {
		out = append(out, t.name())
	}
	return out
}

// Columns are the columns to ask for, by table.
func (s *Store[DB]) Columns() map[string][]string {
	out := make(map[string][]string, len(s.tables))
	for _, t := range s.tables {
		out[t.name()] = t.bound()
	}
	return out
}

// Layout describes the tables, columns and their types; rows can be carried
// over from one store to another only if it is the same.
func (s *Store[DB]) Layout() string {
	var out []byte
	for _, t := range s.tables {
		out = t.appendLayout(out)
	}
	return string(out)
}

// table finds a table by name. There are ten at most, and each comes once in a
// message: a loop is quicker than a map.
func (s *Store[DB]) table(name []byte) tableRows {
	for _, t := range s.tables {
		if t.name() == string(name) {
			return t.tableRows
		}
	}
	return nil
}

// ReadCopy reads the <table-updates> of a first reply into an empty store. Rows
// that prev has with the same contents are taken from there, so that a consumer
// sees what really changed; prev may be nil.
func (s *Store[DB]) ReadCopy(d *Decoder, prev *Store[DB]) error {
	d.names.begin()
	defer d.names.end()
	began := d.Offset()
	defer func() { s.size = d.Offset() - began }()
	s.eachTable(d, func(t tableRows) {
		var before tableRows
		if prev != nil {
			before = prev.table([]byte(t.name()))
		}
		t.readCopies(d, before)
	})
	s.sort()
	return d.err
}

// sort orders the tables on two cores: Port_Binding is by far the largest.
func (s *Store[DB]) sort() {
	var all sync.WaitGroup
	for _, t := range s.tables {
		all.Go(t.sort)
	}
	all.Wait()
}

// ReadUpdate reads the <table-updates> of a notification and applies it, as a
// whole or not at all. It reports whether any row changed as we see it.
func (s *Store[DB]) ReadUpdate(d *Decoder) (bool, error) {
	s.eachTable(d, func(t tableRows) { t.readUpdates(d) })
	size := s.size
	for _, t := range s.tables {
		size += t.grown()
	}
	if d.err == nil && d.limit > 0 && size > d.limit {
		d.err = &SizeError{d.limit}
	}
	changed := false
	for _, t := range s.tables {
		if d.err != nil {
			t.rollback()
			continue
		}
		changed = t.commit() || changed
	}
	if d.err == nil {
		s.size = max(0, size)
	}
	return changed, d.err
}

// ReadList reads the rows of a table from a snapshot file: an array of rows
// that have "_uuid". Tables we do not know are skipped.
func (s *Store[DB]) ReadList(d *Decoder, name string) error {
	t := s.table([]byte(name))
	if t == nil {
		d.Skip()
		return d.err
	}
	t.readList(d)
	t.sort()
	return d.err
}

// eachTable reads {"<table>": ..., ...}.
func (s *Store[DB]) eachTable(d *Decoder, read func(tableRows)) {
	for d.Open('{'); d.More(); {
		name := d.Key()
		if t := s.table(name); t != nil {
			read(t)
			continue
		}
		d.Skip()
	}
	d.Must("table updates")
}

// Must turns a value of the wrong type into a fatal error: what is read is not
// a column's value but the structure around it.
func (d *Decoder) Must(what string) {
	if d.bad != nil {
		bad := d.bad
		d.bad = nil
		d.Fail("%s: %v", what, bad)
	}
}

// Equal reports whether two stores hold the same rows; rows that are equal are
// identical, see ReadCopy.
func (s *Store[DB]) Equal(other *Store[DB]) bool {
	return slices.EqualFunc(s.tables, other.tables, func(a, b Part[DB]) bool { return a.equal(b.tableRows) })
}

// Publish returns the rows as they are now.
func (s *Store[DB]) Publish() *DB {
	db := new(DB)
	head := s.db.Head(db)
	*head.Tables = s.Tables()
	for _, noted := range s.db.Noted {
		table, column, _ := strings.Cut(noted, ".")
		if t := s.table([]byte(table)); t != nil && t.lacks(column) {
			*head.Lacks = append(*head.Lacks, noted)
		}
	}
	for _, bad := range s.publishRows(db) {
		head.AddBadRow(bad.table, bad.row, bad.err)
	}
	return db
}

// publishRows returns the rows that could not be read, sorted.
func (s *Store[DB]) publishRows(db *DB) []rowError {
	var bad []rowError
	for _, t := range s.tables {
		t.publish(db)
		bad = append(bad, t.faults()...)
	}
	sorting.Stable(bad, func(a, b rowError) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.row, b.row))
	})
	return bad
}

// AppendRows writes the rows of a table as a snapshot file has them, one a
// line. Only the tables of the database can be written.
func (b *Database[DB]) AppendRows(out []byte, db *DB, name string) ([]byte, error) {
	for _, described := range b.Tables {
		t := described.NewPart()
		if t.name() == name {
			return t.appendRows(out, db), nil
		}
	}
	return out, fmt.Errorf("table %s is not one we write", name)
}
