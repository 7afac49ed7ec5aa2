package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

// sampleHead begins the configuration that packages install.
const sampleHead = `# The configuration of bgp-ovn, with every key and its default: a line counts once the "#"
# before the key is gone. A node needs its AS number and a neighbour:
#
#   bgp.as: 65001
#   bgp.peers: [{address: 192.0.2.1, as: 65000}]
#
# bgp-ovn config check says whether it is valid, systemctl reload bgp-ovn takes up what
# needs no restart, and bgp-ovn reload --dry-run shows what that would do.

# Sessions are held by bgp-ovn-speaker.service and stay up while bgp-ovn.service restarts.
bgp.speaker: unix:/run/bgp-ovn/speaker.sock
`

// Sample is a configuration file with every key as a comment, with its meaning and its
// default. What is not a comment is what the units of the packages need.
func Sample() string {
	s := defaults(drivers.All())
	var b strings.Builder
	b.WriteString(sampleHead)
	for _, k := range table(&s) {
		b.WriteByte('\n')
		change := "a restart takes it up"
		if k.Live {
			change = "a reload takes it up"
		}
		for _, line := range wrap(k.Help+" ("+change+")", 90) {
			b.WriteString("# " + line + "\n")
		}
		fmt.Fprintf(&b, "#%s: %s\n", k.Name, inline(k.Written()))
	}
	return b.String()
}

// inline is a value as one line of YAML.
func inline(n key.Node) string {
	node := writtenNode(n)
	flow(node)
	text, err := yaml.Marshal(node)
	if err != nil {
		return `""` // there is no text that cannot be quoted
	}
	return strings.TrimSuffix(string(text), "\n")
}

// flow has lists and maps written in one line.
func flow(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, c := range n.Content {
		flow(c)
	}
}

// wrap breaks a text into lines of at most width characters, where its words allow that.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return slices.Concat(lines, []string{line})
}
