package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/nb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// MaxSize bounds the text of a snapshot file, in octets: one of a million ports has 800 MB.
const MaxSize = 2 << 30

// Read reads a snapshot file. It does not wait for somebody to write into a named pipe.
func Read(path string) (*File, error) {
	in, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w; name a file that bgp-ovn snapshot has written", path, cause(err))
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || info.IsDir() {
		return nil, fmt.Errorf("read snapshot %s: it is a directory; name a file that bgp-ovn snapshot has written", path)
	}
	f, err := Decode(in)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", path, err)
	}
	return f, nil
}

// cause is the error without the operation and the path around it.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Decode reads the text of a snapshot file. Rows are decoded as they arrive,
// because the text of a large cloud is many times larger than what is kept of it.
func Decode(in io.Reader) (*File, error) {
	store, err := sb.Database.NewStore(nil)
	if err != nil {
		return nil, err
	}
	north, err := nb.Database.NewStore(nil)
	if err != nil {
		return nil, err
	}
	r := reader{d: wire.NewDecoder(in), store: store, north: north, out: &File{
		OVS:     make(map[string]*observe.OpenVSwitch),
		Host:    make(map[string]*observe.Host),
		Learned: make(map[string]*observe.Learned),
		Flows:   make(map[string]*observe.Flows),

		Protected:  make(map[string]*observe.Protected),
		Unnumbered: make(map[string]*observe.Unnumbered),
	}}
	r.d.Bound(MaxSize)
	if err := r.read(); err != nil {
		return nil, withRemedy(err)
	}
	r.finish()
	return r.out, nil
}

// withRemedy adds what to do about a file that cannot be read.
func withRemedy(err error) error {
	var syntax *wire.SyntaxError
	var large *wire.SizeError
	switch {
	case errors.As(err, &large):
		return fmt.Errorf("%w: is it a snapshot file?", err)
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty: take the snapshot again")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the file was cut short, copy it or take the snapshot again", err)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w; this is not a snapshot file, or it was edited: "+
			"correct that line or take the snapshot again", err)
	}
	return err
}

// reader holds what has been read of a file. The decoder keeps the first error,
// after which it reads nothing: methods go on without asking.
type reader struct {
	d *wire.Decoder
	// store and north take the rows of "sb" and "nb", by the same code that takes
	// those of a live database.
	store *wire.Store[observe.Southbound]
	north *wire.Store[observe.Northbound]
	out   *File
	// tables are those that "sb" and "nb" have.
	tables []string
	seenNB bool
	// bad is "bad_rows", of both databases.
	bad  []*observe.RowError
	meta meta
}

// meta is the member of that name. Dumps may have another one, of which only these
// fields count.
type meta struct {
	MadeWith string `json:"made_with"`
	// Revision and Stale are those of the Southbound rows: a file shows a database
	// that was disconnected as disconnected.
	Revision uint64 `json:"revision"`
	Stale    string `json:"stale,omitempty"`
	// NBRevision and NBStale are those of the Northbound rows.
	NBRevision uint64 `json:"nb_revision,omitempty"`
	NBStale    string `json:"nb_stale,omitempty"`
	// Lacks are columns that the Southbound schema does not have.
	Lacks []string `json:"lacks,omitempty"`
	// SBSchema is the version of that schema, in dumps.
	SBSchema string `json:"sb_schema,omitempty"`
}

// read reads the file. Members may come in any order; those of other programs
// are skipped, so that a bundle may have more in it.
func (r *reader) read() error {
	seen := false
	for r.d.Open('{'); r.d.More(); {
		switch name := string(r.d.Key()); name {
		case "sb":
			seen = true
			r.readSouthbound()
		case "nb":
			r.readNorthbound()
		case "ovs":
			r.readMembers("ovs", r.readOVS)
		case "host":
			r.readMembers("host", readNode(r, "host", r.out.Host))
		case "learned":
			r.readMembers("learned", readNode(r, "learned", r.out.Learned))
		case "kube":
			r.readKube()
		case "flows":
			r.readMembers("flows", r.readFlows)
		case "unnumbered":
			r.readMembers("unnumbered", readNode(r, "unnumbered", r.out.Unnumbered))
		case "protected":
			r.readMembers("protected", readNode(r, "protected", r.out.Protected))
		case "meta":
			r.unmarshal("meta", &r.meta)
		case "bad_rows":
			r.readBadRows()
		default:
			r.d.Skip()
		}
	}
	r.d.Must("the file")
	if r.d.Err() == nil && !seen {
		r.d.Fail(`there is no member "sb" with the rows of a Southbound database`)
	}
	if r.d.Err() == nil && r.d.Wait() {
		r.d.Fail("data follows the end of the snapshot")
	}
	// Wait has met the end of the file, which is right behind the last brace.
	if errors.Is(r.d.Err(), io.EOF) && seen {
		return nil
	}
	return r.d.Err()
}

// readMembers reads {"<key>": ..., ...}. What names the member in errors; read
// must read the value of the key it is given, or skip it.
func (r *reader) readMembers(what string, read func(key string)) {
	for r.d.Open('{'); r.d.More(); {
		read(string(r.d.Key()))
	}
	r.d.Must(what)
}

// readSouthbound reads the tables of "sb"; those that are not used are skipped by
// the store.
func (r *reader) readSouthbound() {
	r.readMembers("sb", func(table string) {
		r.tables = append(r.tables, table)
		_ = r.store.ReadList(r.d, table) // the decoder keeps the error
	})
}

// readNorthbound reads the tables of "nb". Null is what a dump has where the
// Northbound database was not asked.
func (r *reader) readNorthbound() {
	if r.d.IsNull() {
		r.d.Skip()
		return
	}
	r.seenNB = true
	r.readMembers("nb", func(table string) {
		r.tables = append(r.tables, table)
		_ = r.north.ReadList(r.d, table) // the decoder keeps the error
	})
}

// unmarshal reads a small value with encoding/json.
func (r *reader) unmarshal(what string, into any) {
	text := r.d.Raw()
	if r.d.Err() != nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		r.d.Fail("%s: %v", what, err)
	}
}

// badRow is an observe.RowError: a row that could not be read when the snapshot
// was taken, and so is not among the rows.
type badRow struct {
	Table string `json:"table"`
	Row   string `json:"row"`
	Err   string `json:"error"`
}

// readBadRows keeps them until all tables have been read, which says whose they
// are.
func (r *reader) readBadRows() {
	var list []badRow
	r.unmarshal("bad_rows", &list)
	for _, b := range list {
		r.bad = append(r.bad, &observe.RowError{Table: b.Table, Row: b.Row, Err: errors.New(b.Err)})
	}
}

// readNode returns a function that reads the value of one node into a map by
// node. Null is a node without one.
func readNode[T any](r *reader, what string, into map[string]*T) func(key string) {
	return func(key string) {
		if r.d.IsNull() {
			r.d.Skip()
			return
		}
		var v T
		r.unmarshal(what+" "+key, &v)
		into[key] = &v
	}
}

// finish publishes the rows. Tables that the file lacks do not count as read: a
// driver tells a schema without a table from a table without rows. A bad row
// belongs to the Northbound database if its table does.
func (r *reader) finish() {
	missing := func(table string) bool { return !slices.Contains(r.tables, table) }
	sb := r.store.Publish()
	sb.Tables = slices.DeleteFunc(sb.Tables, missing)
	sb.Revision = max(r.meta.Revision, 1)
	sb.Stale = r.meta.Stale
	sb.Lacks = r.lacks(sb.Lacks)
	r.out.Southbound = sb
	if nb := r.north.Publish(); r.seenNB {
		nb.Tables = slices.DeleteFunc(nb.Tables, missing)
		nb.Revision = max(r.meta.NBRevision, 1)
		nb.Stale = r.meta.NBStale
		r.out.Northbound = nb
	}
	for _, bad := range r.bad {
		if nb := r.out.Northbound; nb != nil && slices.Contains(r.north.Tables(), bad.Table) {
			nb.BadRows = append(nb.BadRows, bad)
			continue
		}
		sb.BadRows = append(sb.BadRows, bad)
	}
}

// schemaLRGroup is the first version of the Southbound schema with observe.ColumnLRGroup.
var schemaLRGroup = []int{20, 32}

// lacks are the columns that the schema of the file does not have: those that no row of
// their table has, those that the file says, and those that came later than its version.
func (r *reader) lacks(unseen []string) []string {
	out := slices.Clone(unseen)
	for _, column := range r.meta.Lacks {
		if slices.Contains(sb.Database.Noted, column) {
			out = append(out, column)
		}
	}
	var version []int
	for _, part := range strings.Split(r.meta.SBSchema, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		version = append(version, n)
	}
	if len(version) >= len(schemaLRGroup) && slices.Compare(version, schemaLRGroup) < 0 {
		out = append(out, observe.ColumnLRGroup)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
