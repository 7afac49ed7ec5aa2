package wire

// readCopies reads the {"<uuid>": <row-update>, ...} of a first reply.
func (t *rows[R]) readCopies(d *Decoder, prev tableRows) {
	before, _ := prev.(*rows[R])
	d.eachRow(func(id UUID) {
		if t.has(id) {
			d.Fail("%s: row %s comes twice", t.table, id)
			return
		}
		c := t.readUpdate(d, id)
		if before != nil && !t.none(c.row) {
			c.row = t.reuse(before.byID[id], c.row)
		}
		t.put(id, c)
	})
	d.Must(t.table)
}

// has includes rows that could not be read: a second copy of one is an error, too.
func (t *rows[R]) has(id UUID) bool {
	_, ok := t.byID[id]
	return ok || t.bad[id] != nil
}

// put enters a row of a first copy, which needs no second step.
func (t *rows[R]) put(id UUID, c change[R]) {
	if !t.none(c.row) {
		t.byID[id] = c.row
	}
	if c.bad != nil {
		t.bad[id] = c.bad
	}
}

// readUpdates reads the same of a notification.
func (t *rows[R]) readUpdates(d *Decoder) {
	d.eachRow(func(id UUID) {
		if _, ok := t.pending[id]; ok {
			d.Fail("%s: row %s comes twice in one update", t.table, id)
			return
		}
		c := t.readUpdate(d, id)
		if have, ok := t.byID[id]; ok && !t.none(c.row) {
			c.row = t.reuse(have, c.row)
		}
		t.pending[id] = c
	})
	d.Must(t.table)
}

// reuse returns have if it has the same values.
func (t *rows[R]) reuse(have, want R) R {
	if t.none(have) {
		return want
	}
	for i := range t.spec {
		if !t.spec[i].same(have, want) {
			return want
		}
	}
	return have
}

// eachRow reads the members of a table update, whose names are the UUIDs of rows.
func (d *Decoder) eachRow(read func(UUID)) {
	for d.Open('{'); d.More(); {
		key := d.Key()
		id, ok := parseUUID(key)
		if !ok {
			d.Fail("%q is not the UUID of a row", clip(key))
			return
		}
		read(id)
	}
}

// readUpdate reads a <row-update> (RFC 7047 section 4.1.6: old, new) or
// <row-update2> (ovsdb-server(7): initial, insert, modify, delete). Which it is
// is recognised by its members and not by the method, because libovsdb's server calls
// every notification update2.
func (t *rows[R]) readUpdate(d *Decoder, id UUID) (c change[R]) {
	hasContent := false
	for d.Open('{'); d.More(); hasContent = true {
		switch key := d.Key(); string(key) {
		case "initial", "insert", "new":
			c = t.readRow(d, t.blank(id), false)
		case "modify":
			c = t.readModify(d, id)
		default: // "delete" and "old" hold nothing that we need
			d.Skip()
		}
	}
	if !hasContent {
		d.Fail("%s: update of row %s has none of initial, insert, modify, delete", t.table, id)
	}
	d.Must(t.table + " " + id.String())
	return c
}

// blank is a row that has an identity and nothing else.
func (t *rows[R]) blank(id UUID) *badRow[R] {
	row := t.fresh()
	*t.id(row) = id
	return &badRow[R]{row: row}
}

// readModify reads the differences to a row that we must have.
func (t *rows[R]) readModify(d *Decoder, id UUID) change[R] {
	if bad := t.bad[id]; bad != nil {
		return t.readRow(d, &badRow[R]{row: t.copied(bad.row), errs: bad.errs}, true)
	}
	have, ok := t.byID[id]
	if !ok {
		d.Fail("%s: modification of row %s, which we do not have", t.table, id)
		return change[R]{}
	}
	return t.readRow(d, &badRow[R]{row: t.copied(have)}, true)
}

// readRow reads {"<column>": <value>, ...} into a row that nobody else has yet.
func (t *rows[R]) readRow(d *Decoder, into *badRow[R], differs bool) change[R] {
	for d.Open('{'); d.More(); {
		c, ok := t.columns[string(d.Key())]
		if !ok {
			d.Skip()
			continue
		}
		if t.listed != nil {
			t.listed[c.name] = true
		}
		t.readColumn(d, into, c, differs && c.many)
	}
	if d.bad != nil || d.err != nil {
		return change[R]{}
	}
	if t.finish != nil {
		t.finish(into.row)
	}
	if len(into.errs) > 0 {
		return change[R]{bad: into}
	}
	return change[R]{row: into.row}
}

// readColumn reads one value. One of the wrong type costs the row its column and is
// noted with it; a difference to a value that could not be read before has nothing
// to be applied to and ends the session.
func (t *rows[R]) readColumn(d *Decoder, into *badRow[R], c boundColumn[R], differs bool) {
	depth := d.Depth()
	if differs && into.unread(c.name) {
		d.Fail("%s: a difference to column %s, which could not be read before", t.table, c.name)
		return
	}
	if differs {
		c.diff(d, into.row)
	} else {
		c.read(d, into.row)
	}
	if into.unread(c.name) {
		into.forget(c.name)
	}
	if err := d.Recover(depth); err != nil {
		into.errs = append(into.errs, &columnError{c.name, err})
	}
}

// unread reports whether the value of the column is missing.
func (b *badRow[R]) unread(column string) bool {
	for _, e := range b.errs {
		if e.column == column {
			return true
		}
	}
	return false
}

// forget drops the error of a column; the list may be shared with the row
// before this update.
func (b *badRow[R]) forget(column string) {
	var out []*columnError
	for _, e := range b.errs {
		if e.column != column {
			out = append(out, e)
		}
	}
	b.errs = out
}
