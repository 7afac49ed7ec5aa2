package wire

import (
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// readList reads [{"_uuid": "...", "<column>": ...}, ...].
func (t *rows[R]) readList(d *Decoder) {
	d.names.begin()
	defer d.names.end()
	plain := boundColumn[R]{Column: &Column[R]{
		name: "_uuid",
		read: func(d *Decoder, row R) { *t.id(row) = d.uuid() },
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
		d.Must(t.table)
		if d.err != nil {
			return
		}
		t.putListed(d, c, n)
	}
	d.Must(t.table)
}

func (t *rows[R]) putListed(d *Decoder, c change[R], n int) {
	row := c.row
	if c.bad != nil {
		row = c.bad.row
	}
	id := *t.id(row)
	switch {
	case id == UUID{}:
		d.Fail("%s: row %d has no usable _uuid", t.table, n)
	case t.has(id):
		d.Fail("%s: row %d has the _uuid %s of an earlier row", t.table, n, id)
	default:
		t.put(id, c)
	}
}

// appendRows writes what readList reads.
func (t *rows[R]) appendRows(out []byte, list []R) []byte {
	columns := slices.Clone(t.spec)
	sorting.Sort(columns, func(a, b Column[R]) int { return strings.Compare(a.name, b.name) })
	out = append(out, '[')
	for i, row := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n    {\"_uuid\":\""...)
		out = append(out, t.id(row).String()...)
		out = append(out, '"')
		for _, c := range columns {
			out = append(out, ",\""+c.name+"\":"...)
			out = c.write(out, row)
		}
		out = append(out, '}')
	}
	return append(out, "\n ]"...)
}
