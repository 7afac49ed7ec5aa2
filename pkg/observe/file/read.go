package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/nb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// Read reads a snapshot file.
func Read(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	defer in.Close()
	f, err := Decode(in)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", path, err)
	}
	return f, nil
}

// Decode reads the text of a snapshot file.
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
	}}
	if err := r.read(); err != nil {
		return nil, explain(err)
	}
	r.finish()
	return r.out, nil
}

// explain adds what can be done.
func explain(err error) error {
	var syntax *wire.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty: take the snapshot again")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the file was cut short, copy it or take the snapshot again", err)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w; this is not a snapshot file, or it was edited: correct that line or take the snapshot again", err)
	}
	return err
}

// reader holds what has been read of a file.
type reader struct {
	d      *wire.Decoder
	store  *wire.Store[observe.Southbound]
	north  *wire.Store[observe.Northbound]
	out    *File
	tables []string // those that "sb" and "nb" have
	seenNB bool
	bad    []*observe.RowError
	meta   meta
}

// meta is what files written here say of themselves.
type meta struct {
	MadeWith string `json:"made_with"`
	Revision uint64 `json:"revision"`
	Stale    string `json:"stale,omitempty"`
	// NBRevision and NBStale are those of the Northbound rows.
	NBRevision uint64 `json:"nb_revision,omitempty"`
	NBStale    string `json:"nb_stale,omitempty"`
}

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
			r.readMembers("host", r.readHost)
		case "learned":
			r.readMembers("learned", r.readLearned)
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
		r.d.Fail("something follows the end of the snapshot")
	}
	if errors.Is(r.d.Err(), io.EOF) && seen {
		return nil
	}
	return r.d.Err()
}

// readMembers reads {"<key>": ..., ...}.
func (r *reader) readMembers(what string, read func(key string)) {
	for r.d.Open('{'); r.d.More(); {
		read(string(r.d.Key()))
	}
	r.d.Must(what)
}

func (r *reader) readSouthbound() {
	r.readMembers("sb", func(table string) {
		r.tables = append(r.tables, table)
		_ = r.store.ReadList(r.d, table) // the decoder keeps the error
	})
}

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

// badRow is a row that could not be read when the snapshot was taken.
type badRow struct {
	Table string `json:"table"`
	Row   string `json:"row"`
	Err   string `json:"error"`
}

func (r *reader) readBadRows() {
	var list []badRow
	r.unmarshal("bad_rows", &list)
	for _, b := range list {
		r.bad = append(r.bad, &observe.RowError{Table: b.Table, Row: b.Row, Err: errors.New(b.Err)})
	}
}

// host is observe.Host as text; the types of package object only print.
type host struct {
	observe.Host
	Links []link `json:"links"`
}

type link struct {
	observe.Link
	MAC string `json:"mac"`
}

func (r *reader) readHost(key string) {
	if r.d.IsNull() {
		r.d.Skip()
		return
	}
	var text host
	r.unmarshal("host "+key, &text)
	h := text.Host
	for _, l := range text.Links {
		mac, err := object.ParseMAC(l.MAC)
		if err != nil {
			r.d.Fail("host %s: link %s: %v", key, l.Name, err)
		}
		l.Link.MAC = mac
		h.Links = append(h.Links, l.Link)
	}
	r.out.Host[key] = &h
}

func (r *reader) readLearned(key string) {
	if r.d.IsNull() {
		r.d.Skip()
		return
	}
	var l observe.Learned
	r.unmarshal("learned "+key, &l)
	r.out.Learned[key] = &l
}

// finish publishes the rows. Tables that the file lacks do not count as read.
func (r *reader) finish() {
	missing := func(table string) bool { return !slices.Contains(r.tables, table) }
	sb := r.store.Publish()
	sb.Tables = slices.DeleteFunc(sb.Tables, missing)
	sb.Revision = max(r.meta.Revision, 1)
	sb.Stale = r.meta.Stale
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
