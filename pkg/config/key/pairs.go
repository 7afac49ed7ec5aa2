package key

import (
	"maps"
	"slices"
	"strings"
)

// Pairs declares a key that holds a value for each of some names: a group NAME: VALUE in
// the file, or a list of texts NAME=VALUE. As a flag it is the list, with commas. With
// alone, a single text is the value of the empty name; otherwise that is an error.
func Pairs[T any](target *map[string]T, name, help string, alone bool, parse func(string) (T, error),
	print func(T) string,
) Key {
	words := func() (out []string) {
		for _, name := range slices.Sorted(maps.Keys(*target)) {
			if name == "" {
				out = append(out, print((*target)[name]))
				continue
			}
			out = append(out, name+"="+print((*target)[name]))
		}
		return out
	}
	return Key{
		Name: name, Help: help, Type: "strings", many: true, target: target,
		text: func() string { return "[" + commaText(words()) + "]" },
		node: func() Node {
			n := Node{Kind: List}
			for _, word := range words() {
				n.Items = append(n.Items, Node{Kind: Scalar, Text: word})
			}
			return n
		},
		set: func(r *Reading, n Node, path string) {
			if v, ok := readPairs(r, n, path, alone, parse); ok {
				*target = v
			}
		},
		given: commaList,
	}
}

// readPairs reads a group or a list. One that is wrong spoils it.
func readPairs[T any](r *Reading, n Node, path string, alone bool, parse func(string) (T, error)) (map[string]T, bool) {
	out, good := map[string]T{}, true
	add := func(name, text string, at Place, path string) {
		v, err := parse(strings.TrimSpace(text))
		if err != nil {
			text, remedy := Describe(err)
			r.At(at, path, text, remedy)
			good = false
			return
		}
		if _, twice := out[name]; twice {
			r.At(at, path, Quote(name)+" is here twice", "leave one of them out")
			good = false
			return
		}
		out[name] = v
	}
	word := func(item Node, path string) {
		text, ok := r.scalar(item, path)
		if !ok {
			good = false
			return
		}
		name, value, pair := strings.Cut(text, "=")
		switch name = strings.TrimSpace(name); {
		case pair && name != "":
			add(name, value, item.Place, path)
		case !pair && alone:
			add("", text, item.Place, path)
		default:
			r.At(item.Place, path, Quote(text)+" is not NAME=VALUE", "write NAME=VALUE")
			good = false
		}
	}
	switch n.Kind {
	case Null:
		return nil, true
	case Scalar:
		word(n, path)
	case List:
		for i, item := range n.Items {
			at := element(path, i)
			r.note(at, item.Place)
			word(item, at)
		}
	case Map:
		for _, f := range n.Fields {
			at := join(path, bare(f.Name))
			r.note(at, f.Place)
			text, ok := r.scalar(f.Value, at)
			if !ok {
				good = false
				continue
			}
			add(f.Name, text, f.Place, at)
		}
	}
	return out, good
}
