package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func (c *cli) importCommand() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "translate the configuration of ovn-bgp-agent", Args: cobra.ExactArgs(1),
		Long: `import prints the file of ovn-bgp-agent as a configuration of bgp-ovn, each key
with the option that it comes from, and on standard error every option that was
dropped or means something else now. It reads that one file and nothing else.
Exit status: 0 everything was translated, 2 something needs a look, 1 error.`,
		Example: "  bgp-ovn config import /etc/ovn-bgp-agent/bgp-agent.conf >/etc/bgp-ovn/config.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read the predecessor's configuration: %w", err)
			}
			return c.printImport(importConfig(args[0], string(raw)))
		},
	}
}

// imported is the contract of `config import -o json`.
type imported struct {
	Version int            `json:"version"`
	Source  string         `json:"source"`
	Options []importedJSON `json:"options"`
	// Problems are lines that could not be read.
	Problems []string `json:"problems"`
	// ToSet is what the operator still has to add.
	ToSet []string `json:"to_set"`
	YAML  string   `json:"yaml"`
}

// importedJSON is what became of one option. Without a key it was dropped;
// with a remark it needs a look.
type importedJSON struct {
	Line   int    `json:"line"`
	Group  string `json:"group"`
	Name   string `json:"name"`
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Remark string `json:"remark"`
	from   string
}

// importConfig translates a whole file. What the checks of our configuration
// refuse is left out, so that the result is always valid.
func importConfig(source, conf string) imported {
	options, problems := parseINI(conf)
	res := imported{Version: 1, Source: source, Options: []importedJSON{}, Problems: append([]string{}, problems...)}
	for _, o := range options {
		f := translate(o)
		if f.key != "" {
			if err := tryKey(f.key, f.value); err != nil {
				f = fate{remark: "left out: " + err.Error()}
			}
		}
		res.Options = append(res.Options, importedJSON{o.line, o.group, o.name, f.key, f.value, f.remark, o.where()})
	}
	cfg := newConfig()
	_ = yaml.Unmarshal([]byte(res.render()), cfg) // each key was tried
	res.ToSet = stillToSet(cfg)
	res.YAML = res.render()
	return res
}

// tryKey checks a key alone on top of the defaults.
func tryKey(key string, value any) error {
	cfg := newConfig()
	var b strings.Builder
	if err := writeKey(&b, key, value); err != nil {
		return err
	}
	dec := yaml.NewDecoder(strings.NewReader(b.String()))
	dec.KnownFields(true)
	if err := dec.Decode(cfg); err != nil {
		return errors.New(yamlError(err))
	}
	return errors.Join(cfg.Validate()...)
}

// writeKey writes a key of one or two parts as a document of its own.
func writeKey(b *strings.Builder, key string, value any) error {
	node := value
	parts := strings.Split(key, ".")
	for _, part := range slices.Backward(parts) {
		node = map[string]any{part: node}
	}
	raw, err := yaml.Marshal(node)
	b.Write(bytes.ReplaceAll(raw, []byte("\n    "), []byte("\n  ")))
	return err
}

// render prints the configuration: keys without a group in the order of the
// source, then each group.
func (r imported) render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by bgp-ovn config import from %s.\n", r.Source)
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

// renderGroup prints the keys of one group, and where the peers go.
func (r imported) renderGroup(b *strings.Builder, group string) {
	var body strings.Builder
	for _, o := range r.Options {
		if name, ok := strings.CutPrefix(o.Key, group+"."); ok {
			fmt.Fprintf(&body, "  # %s\n  ", o.from)
			_ = writeKey(&body, name, o.Value) // it was tried
		}
	}
	if group == "bgp" {
		if body.Len() == 0 { // a group without a key is not valid
			fmt.Fprintf(&body, "  # the default, with both\n  as: %d\n", newConfig().BGP.AS)
		}
		body.WriteString("  # still to be set: the neighbours, such as\n  # peers:\n  #   - {address: 192.0.2.1, as: 65000}\n")
	}
	if body.Len() > 0 {
		fmt.Fprintf(b, "%s:\n%s", group, body.String())
	}
}

// printImport prints the configuration and, beside it, what needs a look.
func (c *cli) printImport(r imported) error {
	ans := answer{exit: exitSame}
	for _, o := range r.Options {
		if o.Remark == "" {
			continue
		}
		ans.exit = exitDiffers
		what := "dropped"
		if o.Key != "" {
			what = "translated to " + o.Key + ", but"
		}
		fmt.Fprintf(c.stderr, "%s: %s: %s\n", o.from, what, o.Remark)
	}
	for _, p := range r.Problems {
		ans.exit = exitDiffers
		fmt.Fprintln(c.stderr, p)
	}
	for _, s := range r.ToSet {
		fmt.Fprintln(c.stderr, "still to be set:", s)
	}
	ans, err := ans.with(c.output, r.YAML, r)
	if err != nil {
		return err
	}
	return c.print(ans)
}
