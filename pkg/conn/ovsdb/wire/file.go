package wire

import (
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// readList reads [{"_uuid": "...", "<column>": ...}, ...].
func (t *rows[DB, T]) readList(d *Decoder) {
	d.names.begin()
	defer d.names.end()
	plain := boundColumn[T]{Column: &Column[T]{
		name: "_uuid",
		read: func(d *Decoder, row *T) { *t.spec.ID(row) = d.uuid() },
	}}
	t.columns["_uuid"] = plain
	defer delete(t.columns, "_uuid")
	n := 0
	for d.Open('['); d.More(); {
		n++
		if t.listed == nil {
			t.listed = map[string]bool{}
		}
		c := t.readRow(d, t.blank(UUID{}), false)
		d.Must(t.spec.Name)
		if d.err != nil {
			return
		}
		t.putListed(d, c, n)
	}
	d.Must(t.spec.Name)
}

func (t *rows[DB, T]) putListed(d *Decoder, c change[T], n int) {
	row := c.row
	if c.bad != nil {
		row = c.bad.row
	}
	id := *t.spec.ID(row)
	switch {
	case id == UUID{}:
		d.Fail("%s: row %d has no usable _uuid", t.spec.Name, n)
	case t.has(id):
		d.Fail("%s: row %d has the _uuid %s of an earlier row", t.spec.Name, n, id)
	default:
		t.put(id, c)
	}
}

// appendRows writes what readList reads.
func (t *rows[DB, T]) appendRows(out []byte, db *DB) []byte {
	var list []*T
	if t.spec.Get != nil {
		list = t.spec.Get(db)
	} else {
		list = *t.spec.List(db)
	}
	columns := slices.Clone(t.spec.Columns)
	sorting.Sort(columns, func(a, b Column[T]) int { return strings.Compare(a.name, b.name) })
	out = append(out, '[')
	for i, row := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n    {\"_uuid\":\""...)
		out = append(out, t.spec.ID(row).String()...)
		out = append(out, '"')
		for _, c := range columns {
			out = append(out, ",\""+c.name+"\":"...)
			out = c.write(out, row)
		}
		out = append(out, '}')
	}
	return append(out, "\n ]"...)
}
