package wire

import (
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// readList reads [{"_uuid": "...", "<column>": ...}, ...].
func (t *rows[DB, T]) readList(d *Decoder) {
	d.names.begin()
	defer d.names.end()
	plain := boundColumn[T]{column: &column[T]{
		name: "_uuid",
		read: func(d *Decoder, row *T) { *t.spec.id(row) = d.uuid() },
	}}
	t.columns["_uuid"] = plain
	defer delete(t.columns, "_uuid")
	n := 0
	for d.Open('['); d.More(); {
		n++
		c := t.readRow(d, t.blank(observe.UUID{}), false)
		d.Must(t.spec.name)
		if d.err != nil {
			return
		}
		t.putListed(d, c, n)
	}
	d.Must(t.spec.name)
}

func (t *rows[DB, T]) putListed(d *Decoder, c change[T], n int) {
	row := c.row
	if c.bad != nil {
		row = c.bad.row
	}
	id := *t.spec.id(row)
	switch {
	case id.IsZero():
		d.Fail("%s: row %d has no usable _uuid", t.spec.name, n)
	case t.has(id):
		d.Fail("%s: row %d has the _uuid %s of an earlier row", t.spec.name, n, id)
	default:
		t.put(id, c)
	}
}

// appendRows writes what readList reads.
func (t *rows[DB, T]) appendRows(out []byte, db *DB) []byte {
	var list []*T
	if t.spec.get != nil {
		list = t.spec.get(db)
	} else {
		list = *t.spec.list(db)
	}
	columns := slices.Clone(t.spec.columns)
	slices.SortFunc(columns, func(a, b column[T]) int { return strings.Compare(a.name, b.name) })
	out = append(out, '[')
	for i, row := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n    {\"_uuid\":\""...)
		out = append(out, t.spec.id(row).String()...)
		out = append(out, '"')
		for _, c := range columns {
			out = append(out, ",\""+c.name+"\":"...)
			out = c.write(out, row)
		}
		out = append(out, '}')
	}
	return append(out, "\n ]"...)
}
