package key

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reading fills tables of keys from written values and collects what is wrong with
// them. One that fails keeps its default, so that the rest can be used.
type Reading struct {
	problems Problems
	left     int // problems beyond the most that are kept
	places   map[string]Place
}

// most bounds how many problems are kept: nobody reads more, and a hostile file
// must not make a message of megabytes.
const most = 100

// Resume continues a reading of which the places are known.
func Resume(places map[string]Place) *Reading { return &Reading{places: maps.Clone(places)} }

// Problems returns what is wrong, in order.
func (r *Reading) Problems() Problems {
	out := slices.Clone(r.problems).sorted()
	if r.left > 0 {
		out = append(out, Problem{Text: fmt.Sprintf("%d more problems", r.left), Remedy: "mend those above first"})
	}
	return out
}

// Places returns where each value was written, by its key with positions.
func (r *Reading) Places() map[string]Place { return maps.Clone(r.places) }

// Report adds a problem with a value; its place is looked up. If the value itself
// was not written, the place is that of the element or group that lacks it.
func (r *Reading) Report(path, text, remedy string) { r.At(r.place(path), path, text, remedy) }

// At adds a problem at a place.
func (r *Reading) At(at Place, path, text, remedy string) {
	if len(r.problems) >= most {
		r.left++
		return
	}
	r.problems = append(r.problems, Problem{Place: at, Key: path, Text: text, Remedy: remedy})
}

// place is where a value, or else the nearest thing around it, was written.
func (r *Reading) place(path string) Place {
	for path != "" {
		if at, ok := r.places[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['), 0)]
	}
	return Place{}
}

// note remembers where a value was written.
func (r *Reading) note(path string, at Place) {
	if r.places == nil {
		r.places = map[string]Place{}
	}
	r.places[path] = at
}

// forget drops the places of a value that another one replaces.
func (r *Reading) forget(path string) {
	maps.DeleteFunc(r.places, func(p string, _ Place) bool {
		rest, ok := strings.CutPrefix(p, path)
		return ok && (rest == "" || rest[0] == '[' || rest[0] == '.')
	})
}

// Set gives one key of a table what was written for it.
func (r *Reading) Set(k Key, n Node, path string) {
	if !n.adds {
		r.forget(path)
	}
	r.note(path, n.Place)
	k.set(r, n, path)
}

// SetText gives a key the texts of a flag, in the order given, or that of a
// variable.
func (r *Reading) SetText(k Key, texts []string, at Place) {
	if n, ok := k.given(r, texts, at, k.Name); ok {
		r.Set(k, n, k.Name)
	}
}

// SetPairs sets the keys of a table from texts KEY=VALUE. A key that takes several values may
// be named several times.
func (r *Reading) SetPairs(table []Key, pairs []string, source string) {
	at := Place{Source: source}
	var order []string
	texts := map[string][]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			r.At(at, Quote(pair), "it is not KEY=VALUE", "write for instance "+source+" fuse.hold=60")
			continue
		}
		if _, known := texts[name]; !known {
			order = append(order, name)
		}
		texts[name] = append(texts[name], value)
	}
	for _, name := range order {
		if k, ok := find(table, name); ok {
			r.SetText(k, texts[name], at)
			continue
		}
		group, last := "", name
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			group, last = name[:i], name[i+1:]
		}
		r.unknown(Field{Name: last, Place: at, Value: Node{Place: at, Kind: Scalar}}, table, "", group)
	}
}

// Object fills a table from a map. Keys of the table with dots in their names lie
// in maps of their own. Prefix is what stands before the names: bgp.peers[0].
func (r *Reading) Object(n Node, table []Key, prefix string) {
	if n.Kind == Null {
		return
	}
	if n.Kind != Map {
		r.At(n.Place, prefix, "it holds "+n.Kind.String()+", not keys", "write KEY: VALUE")
		return
	}
	r.group(n, table, prefix, "")
}

// group fills the keys that begin with the name of a group.
func (r *Reading) group(n Node, table []Key, prefix, group string) {
	seen := map[string]Place{}
	for _, f := range n.Fields {
		name := join(group, f.Name)
		path := join(prefix, join(group, bare(f.Name)))
		if first, twice := seen[f.Name]; twice {
			r.At(f.Place, path, "the key is here twice, first at "+first.String(), "leave one of them out")
			continue
		}
		seen[f.Name] = f.Place
		if k, ok := find(table, name); ok {
			value := f.Value
			value.Place = f.Place // the line of the key, where one looks for it
			if k.Required != "" && value.Kind == Null {
				continue // a name without a value is as good as none
			}
			r.Set(k, value, path)
			continue
		}
		if !slices.ContainsFunc(table, func(k Key) bool { return strings.HasPrefix(k.Name, name+".") }) {
			r.unknown(f, table, prefix, group)
			continue
		}
		switch f.Value.Kind {
		case Null:
		case Map:
			r.note(path, f.Place)
			r.group(f.Value, table, prefix, name)
		default:
			r.At(f.Place, path, "it holds "+f.Value.Kind.String()+", not keys",
				"it is a group: write its keys below it, indented")
		}
	}
	if group != "" {
		return
	}
	for _, k := range table {
		if _, ok := r.places[join(prefix, k.Name)]; k.Required != "" && !ok {
			r.At(n.Place, join(prefix, k.Name), "missing", k.Required)
		}
	}
}

// unknown reports a key that the table does not have. Where passwords are written,
// a name without a value may be a piece of one: {password: a, b}.
func (r *Reading) unknown(f Field, table []Key, prefix, group string) {
	path := join(prefix, join(group, bare(f.Name)))
	if len(r.problems) >= most {
		r.left++ // nobody will read which key was meant
		return
	}
	if hasSecret(table) && f.Value.Kind == Null {
		r.At(f.Place, prefix, "a key without a value", "quote values that have a comma in them")
		return
	}
	remedy := "see docs/configuration.md"
	if near := nearest(f.Name, group, table); near != "" {
		remedy = "did you mean " + near + "?"
	}
	r.At(f.Place, path, "unknown key", remedy)
}

// join puts a dot between two names.
func join(group, name string) string {
	if group == "" {
		return name
	}
	return group + "." + name
}
