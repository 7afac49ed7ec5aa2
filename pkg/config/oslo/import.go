// Package oslo translates the configuration of ovn-bgp-agent, a file of
// oslo.config, into one of ours: each option by name, with what it comes from, and
// a remark wherever something is dropped or means something else now.
//
// It reads the one text that it is given. What it makes is valid but for the key
// [config.NotTranslated], which names what cannot be translated and would be missing:
// the operator has to settle that first.
//
// Read next: [Import], then options.go for what becomes of each option.
package oslo

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

// Imported is the result of a translation, and the contract of
// `config import -o json`.
type Imported struct {
	Version int    `json:"version"`
	Source  string `json:"source"`
	// Options are those of the source, in its order.
	Options []Option `json:"options"`
	// Problems are lines that could not be read.
	Problems []string `json:"problems"`
	// ToSet is what the operator still has to add.
	ToSet []string `json:"to_set"`
	// YAML is the configuration.
	YAML string `json:"yaml"`
}

// Option is what became of one option. Without a key it was dropped; with a remark
// somebody should look at it. What is refused has a meaning that cannot be translated:
// the remark says why, and the configuration is not valid before somebody has settled
// it.
type Option struct {
	Line   int    `json:"line"`
	Group  string `json:"group"`
	Name   string `json:"name"`
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Remark string `json:"remark"`
	// Refused is set on what is under config.NotTranslated.
	Refused bool `json:"refused"`
	// from names line, group, option and value, for comments and remarks.
	from string
}

// Import translates the text of a whole file; source is what the result calls it.
// What the checks of our configuration refuse is refused here, too.
func Import(source, text string) Imported {
	assignments, problems := parse(text)
	res := Imported{Version: 1, Source: source, Options: []Option{}, Problems: append([]string{}, problems...)}
	for _, a := range assignments {
		o := translate(a, assignments)
		if o.key != "" {
			if err := try(o.key, o.value); err != nil {
				o = refused(err.Error())
			}
		}
		res.Options = append(res.Options, Option{
			Line: a.line, Group: a.group, Name: a.name, Key: o.key, Value: o.value, Remark: o.remark, Refused: o.refused,
			from: a.where(),
		})
	}
	res.ToSet = toSet(res.settle())
	return res
}

// settle renders the result and refuses what is not valid beside the rest, although
// each key was valid alone: a certificate without its key.
func (r *Imported) settle() config.Settings {
	for {
		r.YAML = r.render()
		settings, problems := config.Read("", []byte(r.YAML))
		again := false
		for _, p := range problems {
			for i, o := range r.Options {
				if o.Key != "" && o.Key == p.Key {
					r.Options[i].Key, r.Options[i].Value, r.Options[i].Remark, r.Options[i].Refused = "", nil, p.Text, true
					again = true
				}
			}
		}
		if !again {
			return settings
		}
	}
}

// Remarks are the lines that people must read beside the configuration: what was
// dropped or changed its meaning, what could not be read, and what is still to be
// set.
func (r Imported) Remarks() []string {
	var out []string
	for _, o := range r.Options {
		if o.Remark == "" {
			continue
		}
		what := "dropped"
		switch {
		case o.Refused:
			what = "cannot be translated"
		case o.Key != "":
			what = "translated to " + o.Key + ", but"
		}
		out = append(out, fmt.Sprintf("%s: %s: %s", o.from, what, o.Remark))
	}
	out = append(out, r.Problems...)
	for _, s := range r.ToSet {
		out = append(out, "still to be set: "+s)
	}
	return out
}

// Complete reports whether everything was translated without a remark.
func (r Imported) Complete() bool {
	remarked := slices.ContainsFunc(r.Options, func(o Option) bool { return o.Remark != "" })
	return !remarked && len(r.Problems) == 0
}

// try checks a key alone on top of the defaults.
func try(name string, value any) error {
	var b strings.Builder
	if err := writeKey(&b, name, value); err != nil {
		return err
	}
	_, problems := config.Read("", []byte(b.String()))
	for i := range problems {
		problems[i].Line = 0 // of a file that nobody sees
	}
	return problems.Err()
}

// writeKey writes a key of one or two parts as a document of its own.
func writeKey(b *strings.Builder, name string, value any) error {
	node := value
	parts := strings.Split(name, ".")
	for _, part := range slices.Backward(parts) {
		node = map[string]any{part: node}
	}
	raw, err := yaml.Marshal(node)
	b.Write(bytes.ReplaceAll(raw, []byte("\n    "), []byte("\n  ")))
	return err
}

// render prints the configuration: what makes it invalid, keys without a group in the
// order of the source, then each group.
func (r Imported) render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by bgp-ovn config import from %s.\n", oneLine(r.Source))
	r.renderRefused(&b)
	for _, o := range r.Options {
		if o.Key != "" && !strings.Contains(o.Key, ".") {
			fmt.Fprintf(&b, "# %s\n", o.from)
			_ = writeKey(&b, o.Key, o.Value) // it was tried
		}
	}
	r.renderGroup(&b, "log")
	r.renderGroup(&b, "bgp")
	return b.String()
}

// renderRefused prints what cannot be translated, if there is anything.
func (r Imported) renderRefused(b *strings.Builder) {
	var left []string
	for _, o := range r.Options {
		if o.Refused {
			left = append(left, oneLine(o.from+": "+o.Remark))
		}
	}
	for _, p := range r.Problems {
		left = append(left, oneLine(p))
	}
	if len(left) == 0 {
		return
	}
	b.WriteString("# What could not be translated and is missing below. bgp-ovn does not start with this key.\n")
	_ = writeKey(b, config.NotTranslated, left) // a list of texts can be written
}

// renderGroup prints the keys of one group, and where the neighbours go.
func (r Imported) renderGroup(b *strings.Builder, group string) {
	var body strings.Builder
	for _, o := range r.Options {
		if name, ok := strings.CutPrefix(o.Key, group+"."); ok {
			fmt.Fprintf(&body, "  # %s\n  ", o.from)
			_ = writeKey(&body, name, o.Value) // it was tried
		}
	}
	if group == "bgp" {
		if body.Len() == 0 { // so that the group is not empty
			fmt.Fprintf(&body, "  # the default, with both\n  as: %d\n", config.Defaults().BGP.AS)
		}
		body.WriteString("  # still to be set: the neighbours, such as\n" +
			"  # peers:\n  #   - {address: 192.0.2.1, as: 65000}\n")
	}
	if body.Len() > 0 {
		fmt.Fprintf(b, "%s:\n%s", group, body.String())
	}
}

// toSet says what no option of the predecessor holds.
func toSet(s config.Settings) []string {
	out := []string{"bgp.peers: the neighbours that FRR has now (show running-config)"}
	if !s.BGP.RouterID.IsValid() {
		out = append(out, "bgp.router_id: FRR's, unless the first IPv4 address in external_ids:ovn-encap-ip is right")
	}
	if s.UseNorthbound && len(s.Northbound.Remotes) == 0 {
		out = append(out, "ovn_nb_connection: the Northbound database, "+
			"unless external_ids:ovn-nb-remote of Open_vSwitch names it")
	}
	return out
}
