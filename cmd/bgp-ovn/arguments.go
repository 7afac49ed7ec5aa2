package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s: unexpected argument %q; it takes none, see %s --help", cmd.CommandPath(), args[0],
		cmd.CommandPath())
}

// oneArg wants an argument that is called name; optional is how many may be missing.
func oneArg(name, example string, optional bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 1 || len(args) == 0 && optional:
			return nil
		case optional:
			return fmt.Errorf("%s: %d arguments; give at most one %s, such as %s", cmd.CommandPath(), len(args), name, example)
		default:
			return fmt.Errorf("%s: %d arguments; give one %s, such as %s", cmd.CommandPath(), len(args), name, example)
		}
	}
}

// group makes a command of nothing but other commands: without one it prints its help.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		return fmt.Errorf("unknown command %q for %q; %ssee %s --help", args[0], cmd.CommandPath(),
			meant("", args[0], names), cmd.CommandPath())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// waitFlag declares --wait.
func waitFlag(flags *pflag.FlagSet, target *time.Duration, value time.Duration, help string) {
	*target = value
	flags.Var((*positive)(target), "wait", help)
}

// positive is a duration above zero: with less, nothing could be done in time.
type positive time.Duration

// String prints it.
func (p *positive) String() string { return time.Duration(*p).String() }

// Type is what the help shows.
func (p *positive) Type() string { return "duration" }

// Set reads it.
func (p *positive) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("use a duration above 0, such as 30s or 5m")
	}
	*p = positive(d)
	return nil
}

// didYouMean is what cobra adds to an unknown command, on lines of its own.
var didYouMean = regexp.MustCompile(`(?s)\n\nDid you mean this\?\n(.*)$`)

// flagError is what is printed of a flag that cannot be read.
func flagError(cmd *cobra.Command, err error) error {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	guess := ""
	if unknown := new(pflag.NotExistError); errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		guess = meant("--", unknown.GetSpecifiedName(), names)
	}
	return fmt.Errorf("%w; %ssee %s --help", err, guess, cmd.CommandPath())
}

// meant asks whether the name that is nearest was meant; empty if none is near.
func meant(prefix, name string, names []string) string {
	if near := key.Closest(name, names); near != "" {
		return "did you mean " + prefix + near + "? "
	}
	return ""
}

// commandError is an error of cobra as one line.
func commandError(err error) error {
	text := err.Error()
	if !strings.HasPrefix(text, "unknown command ") || strings.Contains(text, "--help") {
		return err
	}
	m := didYouMean.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%w; see bgp-ovn --help", err)
	}
	words := strings.Fields(m[1])
	return fmt.Errorf("%s; did you mean %s?", strings.TrimSuffix(text, m[0]), strings.Join(words, " or "))
}
