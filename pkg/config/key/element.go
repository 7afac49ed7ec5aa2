package key

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Elements declares a key of a list whose elements have keys of their own. Fresh
// makes an element with its defaults, and keys binds the table to it; finish, which
// may be nil, puts a read element into its one form. As a flag, each element is one
// text: KEY=VALUE,KEY=VALUE.
func Elements[T any](target *[]T, name, kind, help string, fresh func() T, keys func(*T) []Key, finish func(*T)) Key {
	sample := fresh()
	fields := keys(&sample)
	return Key{
		Name: name, Help: help, Type: kind, Fields: fields, target: target,
		text: func() string { return "" }, // it may hold secrets, and the default is empty
		node: func() Node {
			n := Node{Kind: List}
			for i := range *target {
				sample := fresh()
				if finish != nil {
					finish(&sample)
				}
				n.Items = append(n.Items, written(keys(&(*target)[i]), keys(&sample)))
			}
			return n
		},
		inner: func() (out [][]Key) {
			for i := range *target {
				out = append(out, keys(&(*target)[i]))
			}
			return out
		},
		set: func(r *Reading, n Node, path string) {
			if n.Kind == Null {
				*target = nil
				return
			}
			if n.Kind != List {
				r.At(n.Place, path, "it holds "+n.Kind.String()+", not a list", "write a list: - {KEY: VALUE}")
				return
			}
			list := make([]T, len(n.Items))
			for i, item := range n.Items {
				list[i] = fresh()
				at := element(path, i)
				r.note(at, item.Place)
				if item.Kind == Null {
					item.Kind = Map // so that what it lacks is named
				}
				r.Object(item, keys(&list[i]), at)
				if finish != nil {
					finish(&list[i])
				}
			}
			*target = list
		},
		given: func(r *Reading, texts []string, at Place, path string) (Node, bool) {
			n := Node{Place: at, Kind: List}
			for _, text := range texts {
				if strings.TrimSpace(text) == "" {
					continue // how a variable says that nothing is in the list
				}
				fields, ok := r.items(text, fields, at, element(path, len(n.Items)))
				if !ok {
					return n, false
				}
				n.Items = append(n.Items, Node{Place: at, Kind: Map, Fields: fields})
			}
			return n, true
		},
	}
}

// Named declares a key that holds values with keys of their own under some names.
// As a flag, each value is one text: LABEL=NAME,KEY=VALUE; several are separated by
// semicolons. It replaces the value of the same name and leaves the others; an
// empty text removes all.
func Named[K ~string, V any](target *map[K]V, name, label, help string, names []K, keys func(*V) []Key) Key {
	var sample V
	fields := keys(&sample)
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	use := "use " + OneOf(words)
	return Key{
		Name: name, Help: help, Type: label, Fields: fields, target: target,
		text: func() string { return "" },
		node: func() Node {
			n := Node{Kind: Map}
			for _, name := range slices.Sorted(maps.Keys(*target)) {
				var sample V
				v := (*target)[name]
				n.Fields = append(n.Fields, Field{Name: string(name), Value: written(keys(&v), keys(&sample))})
			}
			return n
		},
		inner: func() (out [][]Key) {
			for _, name := range slices.Sorted(maps.Keys(*target)) {
				v := (*target)[name]
				out = append(out, keys(&v))
			}
			return out
		},
		set: func(r *Reading, n Node, path string) {
			if n.Kind == Null {
				*target = nil
				return
			}
			if n.Kind != Map {
				r.At(n.Place, path, "it holds "+n.Kind.String()+", not a group",
					"write NAME: {KEY: VALUE}; "+use+" as name")
				return
			}
			all := map[K]V{}
			if n.adds {
				maps.Copy(all, *target)
			}
			for _, f := range n.Fields {
				at := join(path, f.Name)
				if !slices.Contains(names, K(f.Name)) {
					r.At(f.Place, path, "unknown "+label+" "+Quote(f.Name), use)
					continue
				}
				r.forget(at)
				r.note(at, f.Place)
				var v V
				r.Object(f.Value, keys(&v), at)
				all[K(f.Name)] = v
			}
			*target = all
		},
		given: func(r *Reading, texts []string, at Place, path string) (Node, bool) {
			return r.named(texts, label, use, fields, at, path)
		},
	}
}

// named reads the texts of a flag of a Named key.
func (r *Reading) named(texts []string, label, use string, fields []Key, at Place, path string) (Node, bool) {
	n := Node{Place: at, Kind: Map, adds: true}
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			n = Node{Place: at, Kind: Null}
			continue
		}
		for _, one := range strings.Split(text, ";") {
			label := Key{Name: label, Type: "string"}
			got, ok := r.items(one, append([]Key{label}, fields...), at, path)
			if !ok {
				return n, false
			}
			i := slices.IndexFunc(got, func(f Field) bool { return f.Name == label.Name })
			if i < 0 {
				r.At(at, path, "there is no "+label.Name, "begin with "+label.Name+"=NAME; "+use)
				return n, false
			}
			name := got[i].Value.Text
			value := Node{Place: at, Kind: Map, Fields: slices.Delete(got, i, i+1)}
			if n.Kind == Null {
				// After an empty text nothing of the file is left to add to.
				n = Node{Place: at, Kind: Map}
			}
			n.Fields = append(n.Fields, Field{Place: at, Name: name, Value: value})
		}
	}
	return n, true
}

// items reads KEY=VALUE,KEY=VALUE. A key that is true or false needs no value, and
// a list in it has plus signs between its words. Nothing of the text is repeated in
// a problem but the names of keys: the rest may be a password, or a piece of one
// that had a comma in it.
func (r *Reading) items(text string, table []Key, at Place, path string) ([]Field, bool) {
	var out []Field
	parts, whole := commaParts(text)
	if !whole {
		r.At(at, path, "a quote is not closed, or something follows it",
			`quote an item as a whole, with quotes in it doubled: "KEY=a,b"`)
		return nil, false
	}
	good := true
	for i, part := range parts {
		name, value, assigned := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		k, known := find(table, name)
		switch {
		case !assigned && known && k.Type == "bool":
			value = "true"
		case !assigned:
			r.At(at, path, "item "+strconv.Itoa(i+1)+" is not KEY=VALUE",
				`quote an item that has a comma in it: "KEY=a,b"`)
			good = false
			continue
		case !known:
			r.unknownItem(i, name, table, at, path)
			good = false
			continue
		}
		f := Field{Place: at, Name: name, Value: Node{Place: at, Kind: Scalar, Text: value}}
		if k.many {
			f.Value = Node{Place: at, Kind: List}
			for _, w := range strings.Split(value, "+") {
				if w = strings.TrimSpace(w); w != "" {
					f.Value.Items = append(f.Value.Items, Node{Place: at, Kind: Scalar, Text: w})
				}
			}
		}
		out = append(out, f)
	}
	return out, good
}

// unknownItem reports a key that the table does not have. Where there are
// passwords its name is shown only if it is almost that of a key.
func (r *Reading) unknownItem(i int, name string, table []Key, at Place, path string) {
	near := nearest(name, "", table)
	text, remedy := "item "+strconv.Itoa(i+1)+" has an unknown key", "see docs/configuration.md"
	if near != "" || !hasSecret(table) {
		text += " " + Quote(name)
	}
	if near != "" {
		remedy = "did you mean " + near + "?"
	} else if hasSecret(table) {
		remedy = `quote an item that has a comma in it: "KEY=a,b"; ` + remedy
	}
	r.At(at, path, text, remedy)
}

// commaParts splits at commas. A part that begins with a quote ends with one; a
// doubled quote in it is a quote. False if a quote is not closed.
func commaParts(text string) (parts []string, whole bool) {
	for {
		if !strings.HasPrefix(strings.TrimLeft(text, " "), `"`) {
			part, rest, more := strings.Cut(text, ",")
			parts = append(parts, part)
			if !more {
				return parts, true
			}
			text = rest
			continue
		}
		text = strings.TrimLeft(text, " ")[1:]
		var part strings.Builder
		for {
			before, rest, closed := strings.Cut(text, `"`)
			part.WriteString(before)
			if !closed {
				return nil, false
			}
			text = rest
			if !strings.HasPrefix(text, `"`) {
				break
			}
			part.WriteByte('"')
			text = text[1:]
		}
		parts = append(parts, part.String())
		if text == "" {
			return parts, true
		}
		if text[0] != ',' {
			return nil, false
		}
		text = text[1:]
	}
}

// element is the path of an element of a list.
func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
