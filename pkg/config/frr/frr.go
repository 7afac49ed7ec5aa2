// Package frr translates the configuration of FRR on a node of OVN's dynamic routing
// (frr.conf) into one of ours: neighbours with their peer groups, the filters, and what
// Neutron's installers set up around them. Whatever has no counterpart is named.
//
// It reads the one text that it is given, up to a bound. What it makes is valid but for
// the key [config.NotTranslated], which names what would be missing: the operator has to
// settle that first. Passwords are never printed.
//
// Read next: [Import], then parse.go for what is read.
package frr

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	ours "github.com/bgp-ovn/bgp-ovn/pkg/config"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Imported is the result of a translation, and the contract of
// `config import -o json`.
type Imported struct {
	Version int    `json:"version"`
	Source  string `json:"source"`
	// Left are statements without a counterpart, in the order of the file. Of those that
	// are refused the meaning would be missing.
	Left []Left `json:"left"`
	// YAML is the configuration.
	YAML string `json:"yaml"`
}

// Left is a statement that is left out, and why.
type Left struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Remark string `json:"remark"`
	// Refused is set on what stands under config.NotTranslated.
	Refused bool `json:"refused"`
}

// String is the line that people read.
func (l Left) String() string { return fmt.Sprintf("line %d: %s: %s", l.Line, l.Text, l.Remark) }

// mostText bounds what is quoted of a statement.
const mostText = 160

func (c *config) leave(s statement, format string, args ...any) {
	if len(c.left) < mostLines {
		c.left = append(c.left, leftOf(s, fmt.Sprintf(format, args...)))
	}
}

func leftOf(s statement, remark string) Left {
	text := s.text()
	if len(text) > mostText {
		text = text[:mostText] + "..."
	}
	return Left{Line: s.line, Text: strings.ToValidUTF8(text, "?"), Remark: remark}
}

// Looks reports whether a text is a configuration of FRR rather than one of oslo.config.
func Looks(text string) bool {
	for line := range strings.Lines(text[:min(len(text), 1<<20)]) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			return false
		}
		if strings.HasPrefix(line, "router bgp ") || strings.HasPrefix(line, "frr version ") ||
			strings.HasPrefix(line, "frr defaults ") {
			return true
		}
	}
	return false
}

// Import translates the text of a whole file; source is what the result calls it.
func Import(source, text string) Imported {
	c := parse(text)
	w := &writer{config: c}
	root := w.root()
	w.settle(root)
	out := Imported{Version: 1, Source: source, Left: append([]Left{}, c.left...)}
	sorting.Stable(out.Left, func(a, b Left) int { return a.Line - b.Line })
	var refused []string
	for _, l := range out.Left {
		if l.Refused {
			refused = append(refused, l.String())
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by bgp-ovn config import from %s.\n", strings.Join(strings.Fields(source), " "))
	if len(refused) > 0 {
		b.WriteString("# What could not be translated and is missing below. bgp-ovn does not start with this key.\n")
		write(&b, tree{{ours.NotTranslated, refused}})
	}
	write(&b, root)
	out.YAML = b.String()
	return out
}

// Remarks are the lines that people must read beside the configuration.
func (r Imported) Remarks() []string {
	var out []string
	for _, l := range r.Left {
		out = append(out, l.String())
	}
	return out
}

// Complete reports whether everything was translated without a remark.
func (r Imported) Complete() bool { return len(r.Left) == 0 }

// field is one key of a configuration with its value; a tree keeps their order.
type (
	field struct {
		key   string
		value any
	}
	tree []field
)

// MarshalYAML keeps the order of the fields.
func (t tree) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range t {
		var k, v yaml.Node
		if err := k.Encode(f.key); err != nil {
			return nil, fmt.Errorf("key %s: %w", f.key, err)
		}
		if err := v.Encode(f.value); err != nil {
			return nil, fmt.Errorf("key %s: %w", f.key, err)
		}
		n.Content = append(n.Content, &k, &v)
	}
	return n, nil
}

func write(b *strings.Builder, t tree) {
	e := yaml.NewEncoder(b)
	e.SetIndent(2)
	_ = e.Encode(t) // texts, numbers and lists can be written
	_ = e.Close()
}

// writer makes our configuration of what was read.
type writer struct {
	*config
	// peers are the neighbours with the statements that they come from, in their order.
	peers []tree
	from  []statement
}

// refuse leaves a statement out whose meaning is missing then.
func (w *writer) refuse(s statement, format string, args ...any) {
	l := leftOf(s, fmt.Sprintf(format, args...))
	l.Refused = true
	w.left = append(w.left, l)
}

// root is the whole configuration.
func (w *writer) root() tree {
	bgp := tree{}
	if n, err := strconv.ParseUint(w.as, 10, 32); err == nil && n > 0 {
		bgp = append(bgp, field{"as", n})
	} else {
		w.refuse(w.places["bgp.as"], "there is no number of an autonomous system: set bgp.as")
	}
	if a, err := netip.ParseAddr(w.routerID); err == nil && a.Is4() {
		bgp = append(bgp, field{"router_id", a.String()})
	}
	accept, allow, subnets := w.filters()
	w.makePeers()
	out := tree{{"drivers", []string{"ovn_native_driver"}}}
	if w.loopback {
		out = append(out, field{"advertise_loopback", true})
	}
	if list := w.originated(); len(list) > 0 {
		out = append(out, field{"originate", list})
	}
	if len(w.peers) > 0 {
		bgp = append(bgp, field{"peers", w.peers})
	}
	if len(allow) > 0 {
		bgp = append(bgp, field{"export", tree{{"allow", allow}}})
	}
	out = append(out, field{"bgp", bgp})
	learn := tree{}
	if len(accept) > 0 {
		learn = append(learn, field{"accept", accept})
	}
	for _, f := range []struct{ family, key string }{{"ipv4", "source4"}, {"ipv6", "source6"}} {
		if a, err := netip.ParseAddr(w.sources[w.applied[f.family]]); err == nil {
			learn = append(learn, field{f.key, a.String()})
		}
	}
	if len(learn) > 0 {
		out = append(out, field{"learn", learn})
	}
	if !subnets {
		out = append(out, field{"native", tree{{"subnets", false}}})
	}
	return out
}

// originated are the prefixes of network statements.
func (w *writer) originated() (out []string) {
	for _, s := range w.networks {
		p, err := netip.ParsePrefix(s.word(1))
		if err != nil {
			w.leave(s, "not a prefix")
			continue
		}
		out = append(out, p.Masked().String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// settle takes out what our checks refuse, and names it.
func (w *writer) settle(root tree) {
	for range len(w.peers)*16 + 16 {
		var b strings.Builder
		write(&b, root)
		_, problems := ours.Read("", []byte(b.String()))
		changed := false
		for _, p := range problems {
			if changed = w.dropAt(root, p.Key, p.Text); changed {
				break
			}
		}
		if !changed {
			return
		}
	}
}

// dropAt takes one key out of the tree, or a whole neighbour where the key that is wrong
// is one that it must have.
func (w *writer) dropAt(root tree, path, text string) bool {
	rest, isPeer := strings.CutPrefix(path, "bgp.peers[")
	if !isPeer {
		return w.dropIn(root, strings.Split(path, "."), text)
	}
	number, name, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	if err != nil || i >= len(w.peers) {
		return false
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "."), "[")
	peer := w.peers[i]
	at := slices.IndexFunc(peer, func(f field) bool { return f.key == name })
	switch {
	case len(peer) == 0:
		return false
	case at < 0 || name == "address" || name == "as" || name == "interface":
		w.refuse(w.from[i], "the neighbour cannot be translated: %s: %s", cmp.Or(name, "neighbour"), text)
		w.peers[i] = nil
		w.peers = slices.Delete(w.peers, i, i+1)
		w.from = slices.Delete(w.from, i, i+1)
		w.replacePeers(root)
	default:
		w.refuse(w.from[i], "%s: %s", name, text)
		w.peers[i] = slices.Delete(slices.Clone(peer), at, at+1)
	}
	return true
}

// replacePeers puts the list that is left into the tree.
func (w *writer) replacePeers(root tree) {
	for i := range root {
		bgp, ok := root[i].value.(tree)
		if !ok || root[i].key != "bgp" {
			continue
		}
		for j := range bgp {
			if bgp[j].key == "peers" {
				bgp[j].value = w.peers
			}
		}
	}
}

// dropIn empties the value of a key that is no neighbour's.
func (w *writer) dropIn(t tree, path []string, text string) bool {
	for i := range t {
		name, _, _ := strings.Cut(path[0], "[")
		if t[i].key != name {
			continue
		}
		if sub, ok := t[i].value.(tree); ok && len(path) > 1 {
			return w.dropIn(sub, path[1:], text)
		}
		if t[i].value == nil {
			return false
		}
		w.refuse(w.places[path[0]], "%s: %s", t[i].key, text)
		t[i].value = nil
		return true
	}
	return false
}
