package config

import (
	"github.com/spf13/pflag"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

// Flags declares every key as a flag. They only record what was given: [Load] reads
// it. Those that a person types are shown in the help, all others hidden: the help
// of every command would be three screens long with them.
func Flags() *pflag.FlagSet { return flags(drivers.All()) }

func flags(list drivers.List) *pflag.FlagSet {
	fs := pflag.NewFlagSet("config", pflag.ContinueOnError)
	s := defaults(list)
	for _, k := range table(&s) {
		text := k.Text()
		if text == "[]" {
			text = ""
		}
		f := fs.VarPF(&recorded{kind: k.Type, many: k.Many(), secret: len(k.Fields) > 0}, k.Flag(), "", k.Help)
		f.DefValue, f.Hidden = text, !k.Shown
		if k.Type == "bool" {
			f.NoOptDefVal = "true"
		}
	}
	return fs
}

// recorded is the value of a flag: the texts that it was given.
type recorded struct {
	kind   string
	many   bool // each text adds to those before
	secret bool // passwords may be in it
	texts  []string
}

// String prints what was given, but for what may be a secret.
func (r *recorded) String() string {
	if r.secret || len(r.texts) == 0 {
		return ""
	}
	return r.texts[len(r.texts)-1]
}

// Type is what the help shows.
func (r *recorded) Type() string { return r.kind }

// Set records a text. Whether it is valid is said together with all that is wrong
// elsewhere.
func (r *recorded) Set(text string) error {
	if !r.many {
		r.texts = nil
	}
	r.texts = append(r.texts, text)
	return nil
}

// given returns the texts that a flag of ours was given.
func given(fs *pflag.FlagSet, name string) ([]string, bool) {
	if fs == nil {
		return nil, false
	}
	f := fs.Lookup(name)
	if f == nil || !f.Changed {
		return nil, false
	}
	r, ok := f.Value.(*recorded)
	if !ok {
		return []string{f.Value.String()}, true // a flag of the same name that somebody else declared
	}
	return r.texts, true
}
