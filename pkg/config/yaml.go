package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// parseYAML reads one document as written values. False if there is nothing to go
// on with.
func parseYAML(r *key.Reading, path string, text []byte) (key.Node, bool) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			reportSyntax(r, path, err)
		}
		return key.Node{}, false
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil && !empty(&second):
		r.At(key.Place{File: path, Line: second.Line}, "", "a second document begins here",
			"a configuration is one document: remove the ---, or what follows it")
	case err != nil && !errors.Is(err, io.EOF):
		reportSyntax(r, path, err)
	}
	c := converter{reading: r, path: path, left: maxNodes}
	return c.node(&doc), true
}

// empty reports whether a document says nothing, as after a last ---.
func empty(doc *yaml.Node) bool {
	return len(doc.Content) == 1 && doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].ShortTag() == "!!null"
}

var (
	syntaxLine = regexp.MustCompile(`^line (\d+): `)
	anchorName = regexp.MustCompile(`(?s)unknown anchor '.*' referenced`)
)

// reportSyntax turns the library's error into a problem. An unknown anchor is not
// named: it is usually a password that begins with a star.
func reportSyntax(r *key.Reading, path string, err error) {
	text, at, remedy := strings.TrimPrefix(err.Error(), "yaml: "), key.Place{File: path}, "the file must be YAML"
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		at.Line, _ = strconv.Atoi(m[1]) // digits
		text = text[len(m[0]):]
	}
	if anchorName.MatchString(text) {
		text = "a value that begins with * refers to an anchor that there is not"
		remedy = "quote values that begin with *"
	}
	r.At(at, "", text, remedy)
}

// maxNodes bounds what aliases may make of a file: each is copied where it is used,
// and some lines of aliases of aliases would be millions of values.
const maxNodes = 100_000

// converter turns the library's nodes into ours.
type converter struct {
	reading *key.Reading
	path    string
	left    int          // nodes that may still be made
	open    []*yaml.Node // aliases that are being copied, the outermost first
	told    bool
}

func (c *converter) place(n *yaml.Node) key.Place { return key.Place{File: c.path, Line: n.Line} }

// node converts a value and what is in it.
func (c *converter) node(n *yaml.Node) key.Node {
	out := key.Node{Place: c.place(n)}
	if c.left--; c.left < 0 {
		c.refuse(n, "the aliases in it stand for too many values")
		return out
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) > 0 {
			return c.node(n.Content[0])
		}
	case yaml.AliasNode:
		if to := c.enter(n); to != nil {
			out = c.node(to)
			c.leave()
		}
		out.Place = c.place(n)
	case yaml.ScalarNode:
		if n.ShortTag() != "!!null" {
			out.Kind, out.Text = key.Scalar, n.Value
		}
	case yaml.SequenceNode:
		out.Kind = key.List
		for _, item := range n.Content {
			out.Items = append(out.Items, c.node(item))
		}
	case yaml.MappingNode:
		out.Kind, out.Fields = key.Map, c.fields(n)
	}
	return out
}

// enter follows an alias; nil if it is inside of itself.
func (c *converter) enter(n *yaml.Node) *yaml.Node {
	for _, open := range c.open {
		if open == n.Alias {
			c.refuse(n, "an anchor contains itself")
			return nil
		}
	}
	c.open = append(c.open, n.Alias)
	return n.Alias
}

func (c *converter) leave() { c.open = c.open[:len(c.open)-1] }

func (c *converter) refuse(n *yaml.Node, text string) {
	if !c.told {
		c.told = true
		c.reading.At(c.place(n), "", text, "write the values out")
	}
}

// fields converts the entries of a map. Those that << merges come last, and only if
// the map does not have them itself.
func (c *converter) fields(n *yaml.Node) []key.Field {
	var out []key.Field
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		switch {
		case name.ShortTag() == "!!merge":
			merged = append(merged, value)
		case name.Kind != yaml.ScalarNode:
			c.reading.At(c.place(name), "", "a key that is no word", "write KEY: VALUE")
		default:
			out = append(out, key.Field{Place: c.place(name), Name: name.Value, Value: c.node(value)})
		}
	}
	if len(merged) == 0 {
		return out
	}
	have := map[string]bool{}
	for _, f := range out {
		have[f.Name] = true
	}
	for _, m := range merged {
		for _, f := range c.merge(m) {
			if !have[f.Name] {
				have[f.Name] = true
				out = append(out, f)
			}
		}
	}
	return out
}

// merge returns the entries that << brings in: those of a map, or of several, of
// which the first one wins.
func (c *converter) merge(value *yaml.Node) []key.Field {
	n := c.node(value)
	switch n.Kind {
	case key.Map:
		return n.Fields
	case key.List:
		var out []key.Field
		for _, item := range n.Items {
			out = append(out, item.Fields...)
		}
		return out
	default:
		c.refuse(value, "<< merges no group of keys")
		return nil
	}
}
