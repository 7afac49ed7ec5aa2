package key

import (
	"bytes"
	"encoding/csv"
	"strings"
)

// Listed declares a key of a list of words. Each reads one of them, join makes of
// all of them the value, and words prints them back.
func Listed[T, C any](
	target *C, name, help string, each func(string) (T, error), join func([]T) C, words func(C) []string,
) Key {
	return Key{
		Name: name, Help: help, Type: "strings", many: true, target: target,
		text: func() string { return "[" + commaText(words(*target)) + "]" },
		node: func() Node {
			n := Node{Kind: List}
			for _, word := range words(*target) {
				n.Items = append(n.Items, Node{Kind: Scalar, Text: word})
			}
			return n
		},
		set: func(r *Reading, n Node, path string) {
			if v, ok := readList(r, n, path, each); ok {
				*target = join(v)
			}
		},
		given: commaList,
	}
}

// Strings declares a key of a list of words, each of which check lets pass; check
// may be nil.
func Strings(target *[]string, name, help string, check func(string) error) Key {
	each := func(s string) (string, error) {
		if check == nil {
			return s, nil
		}
		return s, check(s)
	}
	return ListOf(target, name, help, each, func(s string) string { return s })
}

// ListOf declares a key of a list of values that parse reads and print prints back.
func ListOf[T any](target *[]T, name, help string, parse func(string) (T, error), print func(T) string) Key {
	same := func(list []T) []T { return list }
	return Listed(target, name, help, parse, same, func(list []T) []string {
		out := make([]string, len(list))
		for i, v := range list {
			out[i] = print(v)
		}
		return out
	})
}

// CommaText declares a key whose list is one text with commas in the file too.
func CommaText(target *[]string, name, help string, check func(string) error) Key {
	parse := func(text string) ([]string, error) {
		var out []string
		for _, item := range strings.Split(text, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue
			}
			if err := check(item); err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	}
	return Parsed(target, name, "string", help, parse, func(list []string) string { return strings.Join(list, ",") })
}

// readList reads the words of a list. One that is wrong is reported with its place
// and spoils the list, so that no half of a filter comes into force.
func readList[T any](r *Reading, n Node, path string, each func(string) (T, error)) ([]T, bool) {
	if n.Kind == Null {
		return nil, true
	}
	if n.Kind != List {
		r.At(n.Place, path, "it holds "+n.Kind.String()+", not a list", "write [VALUE, VALUE]")
		return nil, false
	}
	var out []T
	good := true
	for i, item := range n.Items {
		at := element(path, i)
		r.note(at, item.Place)
		if item.Kind == Null {
			r.At(item.Place, at, "an empty element", "give it a value or leave it out")
			good = false
			continue
		}
		text, ok := r.scalar(item, at)
		if !ok {
			good = false
			continue
		}
		v, err := each(text)
		if err != nil {
			text, remedy := Describe(err)
			r.At(item.Place, at, text, remedy)
			good = false
			continue
		}
		out = append(out, v)
	}
	return out, good
}

// commaList reads the texts of a flag as lists with commas, in which a value with a
// comma of its own is quoted.
func commaList(r *Reading, texts []string, at Place, path string) (Node, bool) {
	n := Node{Place: at, Kind: List}
	for _, text := range texts {
		if text == "" {
			continue // how a variable says that nothing is in the list
		}
		words, err := csv.NewReader(strings.NewReader(text)).Read()
		if err != nil {
			r.At(at, path, Quote(text)+" is not a list with commas",
				`quote a value that has a comma or a quote in it, as in "a,b",c`)
			return n, false
		}
		for _, w := range words {
			n.Items = append(n.Items, Node{Place: at, Kind: Scalar, Text: w})
		}
	}
	return n, true
}

// commaText is the inverse of commaList.
func commaText(words []string) string {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(words) // a buffer takes everything
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
