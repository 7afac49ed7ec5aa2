// Package key is the vocabulary in which settings are declared: a table of keys,
// each named once with its type, meaning, check and the variable that its value
// lands in. Reading files, flags and environment variables, the reference, the
// completion of a shell and the comparison of two configurations are made from
// such tables.
//
// It knows neither YAML nor any particular key, and performs no I/O, so that the
// packages of drivers can declare keys without learning where they are read from.
//
// Read next: [Key], then [Reading] for how a table is filled.
package key

import (
	"reflect"
	"slices"
	"strings"
)

// Key is one key of the configuration, bound to the variable that its value lands
// in. The constructors ([Text], [Number], [List], [Elements] and others) make one;
// what it holds before anything is read is its default.
type Key struct {
	// Name is the key in the file, groups separated by dots: bgp.listen.port. In the
	// table of an element it is the name alone.
	Name string
	// Help is its meaning in one phrase.
	Help string
	// Type is what the help shows for the value of the flag: bool, int, string ...
	Type string
	// Values are those that a shell offers; empty if there is no list of them.
	Values []string
	// Live says that a reload can change it; other keys take a restart.
	Live bool
	// Shown says that the help of every command shows the flag.
	Shown bool
	// Secret says that its value is never printed.
	Secret bool
	// Required is what to do if an element lacks the key; empty if it may.
	Required string
	// Fields are the keys of one element, if the key holds a list or a set of them.
	Fields []Key

	// fallback stands in the reference for a default that a value cannot express.
	fallback string
	// many says that the value is a list of words.
	many bool
	// target points to where the value lands.
	target any
	// text prints the value as a flag takes it.
	text func() string
	// node is the value as a file would hold it.
	node func() Node
	// inner are the keys of each element; nil for keys without elements.
	inner func() [][]Key
	// set puts what was written into target.
	set func(r *Reading, n Node, path string)
	// given makes of the texts of a flag or variable what a file would hold.
	given func(r *Reading, texts []string, at Place, path string) (Node, bool)
}

// Reloads says that a reload can change the key.
func (k Key) Reloads() Key { k.Live = true; return k }

// Show makes the help of every command list the flag.
func (k Key) Show() Key { k.Shown = true; return k }

// Offering names the values that a shell offers.
func (k Key) Offering(values ...string) Key { k.Values = values; return k }

// Or is what the reference says in place of the default.
func (k Key) Or(fallback string) Key { k.fallback = fallback; return k }

// Needed makes the key one that each element must have; remedy says what to set.
func (k Key) Needed(remedy string) Key { k.Required, k.fallback = remedy, "required"; return k }

// Sharing makes the key one of several for one variable: it is written where it prints
// something.
func (k Key) Sharing() Key {
	node := k.node
	k.node = func() Node {
		if n := node(); n.Text != "" {
			return n
		}
		return Node{}
	}
	return k
}

// Hide keeps the value out of everything that is printed.
func (k Key) Hide() Key { k.Secret = true; return k }

// Flag is the name of the key's flag: dots and underscores become dashes.
func (k Key) Flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(k.Name) }

// Variable is the name of the key's environment variable.
func (k Key) Variable() string {
	return VariablePrefix + strings.ToUpper(strings.NewReplacer(".", "_").Replace(k.Name))
}

// VariablePrefix begins the name of every environment variable that is a key.
const VariablePrefix = "BGP_OVN_"

// Many says that the flag may be repeated, each one adding to those before.
func (k Key) Many() bool { return k.many || len(k.Fields) > 0 }

// Text is the value as a flag takes it; nothing for lists of elements and for
// secrets.
func (k Key) Text() string {
	if k.Secret || k.text == nil {
		return ""
	}
	return k.text()
}

// Written is the value as a file would hold it: reading it again gives the same value. It
// is [Null] for secrets, and lacks those of elements and their values that are the default.
func (k Key) Written() Node {
	if k.Secret {
		return Node{}
	}
	return k.node()
}

// written are the fields of an element that differ from one with the defaults.
func written(fields, fresh []Key) Node {
	n := Node{Kind: Map}
	for i, k := range fields {
		if value := k.Written(); value.Kind != Null && (k.Required != "" || !k.Equal(fresh[i])) {
			n.Fields = append(n.Fields, Field{Name: k.Name, Value: value})
		}
	}
	return n
}

// Default is what the reference says of the default: call it before anything is
// read.
func (k Key) Default() string {
	switch text := k.Text(); {
	case k.fallback != "":
		return k.fallback
	case text == "" || text == "[]":
		return "none"
	default:
		return text
	}
}

// Equal reports whether two bindings of the same key hold the same value.
func (k Key) Equal(other Key) bool {
	a, b := reflect.ValueOf(k.target).Elem(), reflect.ValueOf(other.target).Elem()
	if a.Kind() == reflect.Slice || a.Kind() == reflect.Map {
		if a.Len() == 0 && b.Len() == 0 {
			return true // nothing is nothing, however it was written
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// find returns the key of that name.
func find(table []Key, name string) (Key, bool) {
	i := slices.IndexFunc(table, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return table[i], true
}

// hasSecret reports whether a table has a key whose value is never printed.
func hasSecret(table []Key) bool {
	return slices.ContainsFunc(table, func(k Key) bool { return k.Secret })
}
