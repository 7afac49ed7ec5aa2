package wire

import "github.com/bgp-ovn/bgp-ovn/internal/rowlist"

// Database describes a database as far as it is read. DB holds the rows of one
// revision of it.
type Database[DB any] struct {
	// Name is what servers call it.
	Name string
	// Title is what people call it.
	Title string
	// Required are the columns, by table, without which nothing useful can be
	// derived.
	Required map[string][]string
	// Tables are those that are read, in the order in which they are written to
	// files. Tables and columns that a server's schema lacks are not asked for.
	Tables []TableOf[DB]
	// Noted are columns, as Table.column, of which Head.Lacks says whether a schema does
	// not have them.
	Noted []string
	// Head is what holds for the rows of a DB as a whole.
	Head func(*DB) Head
	// NotSynced is what a follower's Read wraps before the first copy of the
	// rows is complete.
	NotSynced error
}

// Head gives access to what the rows of every database have in common.
type Head struct {
	// Revision grows with every change.
	Revision *uint64
	// Stale is the reason why the rows may be old; empty while they are current.
	Stale *string
	// Tables names the tables that were read.
	Tables *[]string
	// Lacks names columns of Database.Noted that the schema does not have, of tables that
	// it has; nil without Noted.
	Lacks *[]string
	// AddBadRow reports a row that could not be read, with its name or UUID.
	AddBadRow func(table, row string, err error)
}

// TableOf is a Table of rows of any type.
type TableOf[DB any] interface {
	// NewPart returns a table without rows, for a new store.
	NewPart() Part[DB]
}

// Table is what is kept of a table of database DB, whose rows are T: a line a
// column of the schema.
type Table[DB, T any] struct {
	// Name is the table's in the schema.
	Name    string
	Columns []Column[*T]
	// ID is where the row's UUID is kept.
	ID func(*T) *UUID
	// Key is what rows are sorted by, before their UUID.
	Key func(*T) string
	// List is where the rows go in a DB, or Long where there may be very many. Where there is no such
	// place, Get makes rows of a DB and Set is the reverse.
	List func(*DB) *[]*T
	Long func(*DB) *rowlist.List[*T]
	Get  func(*DB) []*T
	Set  func(*DB, []*T)
	// Finish fills in fields that follow from columns; may be nil.
	Finish func(*T)
}

// Part is a table in a store, and how its rows get into a DB and back.
type Part[DB any] struct {
	tableRows
	publish    func(db *DB)
	appendRows func(out []byte, db *DB) []byte
}

// NewPart returns the table without rows, for a new store.
func (s *Table[DB, T]) NewPart() Part[DB] {
	t := newRows(s)
	return Part[DB]{
		tableRows: t,
		publish: func(db *DB) {
			switch {
			case s.Long != nil:
				t.slice = nil // the list has all of them
				*s.Long(db) = t.sorted
			case s.Set != nil:
				s.Set(db, t.rows())
			default:
				*s.List(db) = t.rows()
			}
		},
		appendRows: func(out []byte, db *DB) []byte {
			switch {
			case s.Long != nil:
				return t.appendRows(out, s.Long(db).Slice())
			case s.Get != nil:
				return t.appendRows(out, s.Get(db))
			}
			return t.appendRows(out, *s.List(db))
		},
	}
}

// rowError is a row that could not be read, by its name.
type rowError struct {
	table, row string
	err        error
}

func (e rowError) same(o rowError) bool {
	return e.table == o.table && e.row == o.row && e.err.Error() == o.err.Error()
}
