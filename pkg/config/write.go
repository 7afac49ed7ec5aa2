package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// Text is the settings as a file: what differs from the defaults, wherever it was written,
// and without secrets. [Read] makes the same settings of it but for those. Equal settings
// give the same text.
func (s Settings) Text() (string, error) {
	fresh := defaults(s.list)
	was := table(&fresh)
	root := &yaml.Node{Kind: yaml.MappingNode}
	for i, k := range table(&s) {
		n := k.Written()
		if n.Kind == key.Null || k.Equal(was[i]) {
			continue
		}
		group := root
		names := strings.Split(k.Name, ".")
		for _, name := range names[:len(names)-1] {
			group = groupIn(group, name)
		}
		group.Content = append(group.Content, scalarNode(names[len(names)-1]), writtenNode(n))
	}
	if len(root.Content) == 0 {
		return "", nil
	}
	text, err := yaml.Marshal(root)
	if err != nil {
		return "", fmt.Errorf("write the settings as YAML: %w", err)
	}
	return string(text), nil
}

// groupIn is the group of that name in another one, where it is made if it is not there.
func groupIn(in *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == name {
			return in.Content[i+1]
		}
	}
	group := &yaml.Node{Kind: yaml.MappingNode}
	in.Content = append(in.Content, scalarNode(name), group)
	return group
}

// writtenNode turns our nodes into the library's.
func writtenNode(n key.Node) *yaml.Node {
	switch n.Kind {
	case key.List:
		out := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range n.Items {
			out.Content = append(out.Content, writtenNode(item))
		}
		return out
	case key.Map:
		out := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range n.Fields {
			out.Content = append(out.Content, scalarNode(f.Name), writtenNode(f.Value))
		}
		return out
	default:
		return scalarNode(n.Text)
	}
}

// bare are texts that YAML takes for themselves without quotes.
var bare = regexp.MustCompile(`^[A-Za-z0-9_/][A-Za-z0-9_./:%+-]*$`)

// scalarNode is a text; quoted where something else might be read of it.
func scalarNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	if !bare.MatchString(text) || strings.HasSuffix(text, ":") ||
		slices.Contains([]string{"null", "Null", "NULL"}, text) {
		n.Style, n.Tag = yaml.DoubleQuotedStyle, "!!str"
	}
	return n
}
