package web

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
)

// markup is HTML of this program. A constant becomes one by itself, and what comes from
// elsewhere, which is in variables, does not compile as one.
type markup string

// document is a page in the making. It is written without package html/template, which looks
// for methods by name: while that is in a program, the linker leaves out no method of any
// type (docs/performance.md).
type document struct{ bytes.Buffer }

// put adds markup. Each %s in it stands for a value, as text: in an element or between the
// double quotes of an attribute.
func (d *document) put(m markup, values ...any) {
	for i, v := range values {
		values[i] = html.EscapeString(fmt.Sprint(v))
	}
	fmt.Fprintf(&d.Buffer, string(m), values...)
}

// question is this page with one thing asked for.
func question(name, value string) string { return "?" + url.Values{name: {value}}.Encode() }

// choose is one of two words.
func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
