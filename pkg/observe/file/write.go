package file

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/nb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// madeWith is meta.made_with of the files written here.
const madeWith = "bgp-ovn snapshot"

// Write writes a file from which Read makes an equal snapshot. Equal snapshots
// make equal files, byte for byte, so that files can be compared with diff(1): a
// row is a line, and rows are in the order of the snapshot.
func Write(out io.Writer, snap observe.Snapshot) error {
	w := &writer{buf: bufio.NewWriterSize(out, 1<<16)}
	w.text("{\n\"meta\": ")
	about := meta{MadeWith: madeWith, Revision: snap.SB.Revision, Stale: snap.SB.Stale, Lacks: snap.SB.Lacks}
	bad := snap.SB.BadRows
	if snap.NB != nil {
		about.NBRevision, about.NBStale = snap.NB.Revision, snap.NB.Stale
		bad = slices.Concat(bad, snap.NB.BadRows)
	}
	w.json(about)
	writeDatabase(w, "sb", sb.Database, snap.SB)
	if snap.NB != nil {
		writeDatabase(w, "nb", nb.Database, snap.NB)
	}
	w.text(",\n\"ovs\": {\n ")
	w.json(snap.Chassis)
	w.text(": ")
	w.openVSwitch(snap.OVS)
	w.text("\n}")
	if snap.Host != nil {
		w.member("host", snap.Chassis, snap.Host)
	}
	if snap.Learned != nil {
		w.member("learned", snap.Chassis, snap.Learned)
	}
	if snap.Kube != nil {
		w.kube(snap.Kube)
	}
	if snap.Flows != nil {
		w.flows(snap.Chassis, snap.Flows)
	}
	if snap.Unnumbered != nil {
		w.member("unnumbered", snap.Chassis, snap.Unnumbered)
	}
	if snap.Protected != nil {
		w.member("protected", snap.Chassis, snap.Protected)
	}
	w.badRows(bad)
	w.text("\n}\n")
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	if w.err != nil {
		return fmt.Errorf("write snapshot: %w", w.err)
	}
	return nil
}

// writer keeps the first error and writes nothing after it.
type writer struct {
	buf *bufio.Writer
	row []byte // reused for each table
	err error
}

// text writes what is JSON already.
func (w *writer) text(s string) { w.bytes([]byte(s)) }

func (w *writer) bytes(b []byte) {
	if w.err == nil {
		_, w.err = w.buf.Write(b)
	}
}

// member adds {"<chassis>": v} under the name.
func (w *writer) member(name, chassis string, v any) {
	w.text(",\n\"" + name + "\": {\n ")
	w.json(chassis)
	w.text(": ")
	w.json(v)
	w.text("\n}")
}

// json writes a value on one line, with "<" and ">" as they are: the file is for
// people, too, and not for web pages.
func (w *writer) json(v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil && w.err == nil {
		w.err = err
	}
	w.bytes(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// writeDatabase adds the rows of a database, a member a table. Tables that the
// schema lacks are left out, see finish.
func writeDatabase[DB any](w *writer, name string, db *wire.Database[DB], rows *DB) {
	w.text(",\n\"" + name + "\": {")
	for i, table := range *db.Head(rows).Tables {
		if i > 0 {
			w.text(",")
		}
		w.text("\n \"" + table + "\": ")
		var err error
		if w.row, err = db.AppendRows(w.row[:0], rows, table); err != nil && w.err == nil {
			w.err = err
		}
		w.bytes(w.row)
	}
	w.text("\n}")
}

// badRows writes the rows that could not be read. Without them the rows would
// seem to be deleted, and what they led to would not be held.
func (w *writer) badRows(rows []*observe.RowError) {
	if len(rows) == 0 {
		return
	}
	w.text(",\n\"bad_rows\": [")
	for i, r := range rows {
		if i > 0 {
			w.text(",")
		}
		w.text("\n  ")
		w.json(badRow{r.Table, r.Row, r.Err.Error()})
	}
	w.text("\n]")
}
