// Package view prints the answers of package control: as text for people, as
// JSON for scripts. It is the only place that does, so that an answer looks the
// same whoever computed it.
//
// It refuses to ask or to compute anything. The same answer gives the same bytes.
package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// Form is the form of an output.
type Form string

// The forms.
const (
	Text Form = "text"
	JSON Form = "json"
	YAML Form = "yaml"
)

// ParseForm reads the value of --output.
func ParseForm(s string) (Form, error) {
	if f := Form(s); f == Text || f == JSON || f == YAML {
		return f, nil
	}
	return "", fmt.Errorf("--output %q: use text, json or yaml", s)
}

// Print writes an answer: v as indented JSON, the same as YAML, or text.
func Print(w io.Writer, form Form, v any, text string) error {
	out := []byte(onScreen(w, text))
	if form != Text {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
		if out, err = indented(form, raw); err != nil {
			return fmt.Errorf("indent the answer: %w", err)
		}
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// printLine writes an answer as one line of JSON.
func printLine(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	if _, err := w.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// indented is JSON for people.
func indented(form Form, raw []byte) ([]byte, error) {
	if form == YAML {
		return toYAML(raw)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// toYAML is the same document in the block style of YAML, of which JSON is a part: names
// and their order stay as they are.
func toYAML(raw []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	toBlock(&doc)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

func toBlock(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		toBlock(c)
	}
}

// Explanation prints a verdict with its chain.
func Explanation(w io.Writer, form Form, e control.Explanation) error {
	return Print(w, form, e, hanging(w, names.Relabel(e.Explanation.String(), e.Names)))
}

// clock prints a time; the zero time is that of the start.
func clock(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return t.Format("2006-01-02 15:04:05")
}
