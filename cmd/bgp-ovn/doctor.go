package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// level is how a check of doctor ended.
type level string

const (
	levelOK   level = "ok"
	levelWarn level = "warn" // it may do harm, or cannot be told
	levelFail level = "FAIL" // it does harm
)

// finding is the outcome of one check.
type finding struct {
	Level level  `json:"level"`
	Check string `json:"check"`
	Text  string `json:"text"`
	// Remedy is what to do; empty if all is well.
	Remedy string `json:"remedy,omitempty"`
}

// diagnosis is the contract of `doctor -o json`.
type diagnosis struct {
	Version  int       `json:"version"`
	Warnings int       `json:"warnings"`
	Failures int       `json:"failures"`
	Findings []finding `json:"findings"`
}

func (c *cli) doctorCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "doctor", Short: "examine this node: kernel, Open vSwitch, settings, MTU, ports", Args: cobra.NoArgs,
		Long: `doctor checks what the configured drivers need of this node and prints a line
for each check, with a remedy where one is due. It changes nothing: types of
devices are tried in a network namespace of its own, for which the kernel may
load modules. It needs no controller. What it cannot see without root it says.
Exit status: 0 all is well, 2 warnings or failures, 1 error.`,
		Example: "  bgp-ovn doctor\n  bgp-ovn doctor -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			ans, err := diagnose(examine(c.gatherFacts(ctx, cfg))).answer(c.output)
			if err != nil {
				return err
			}
			return c.print(ans)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for Open vSwitch and the kernel")
	return cmd
}

func diagnose(findings []finding) diagnosis {
	d := diagnosis{Version: 1, Findings: findings}
	for _, f := range findings {
		switch f.Level {
		case levelWarn:
			d.Warnings++
		case levelFail:
			d.Failures++
		}
	}
	return d
}

// String is a line for each check and one for each remedy.
func (d diagnosis) String() string {
	var b strings.Builder
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "%-4s  %-20s  %s\n", f.Level, f.Check, f.Text)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "      remedy: %s\n", f.Remedy)
		}
	}
	fmt.Fprintf(&b, "%d checks, %d warnings, %d failures\n", len(d.Findings), d.Warnings, d.Failures)
	return b.String()
}

func (d diagnosis) answer(output string) (answer, error) {
	ans := answer{exit: exitSame}
	if d.Warnings+d.Failures > 0 {
		ans.exit = exitDiffers
	}
	return ans.with(output, d.String(), d)
}
