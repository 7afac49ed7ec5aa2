package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// The exit statuses of every command.
const (
	exitSame    = 0 // done, or in agreement
	exitError   = 1
	exitDiffers = 2 // differences were found
)

// environment is what a command may use of the outside, so that tests can run
// commands in their own process.
type environment struct {
	args           []string
	stdout, stderr io.Writer
	getenv         func(string) (string, bool)
	// environ names the variables that there are, so that config check can tell of
	// those that look like keys and are none.
	environ []string
	// ticker is the time between two answers, and terminal how wide the terminal is that
	// is written to, if it is one; nil for the real ones.
	ticker   func(time.Duration) (<-chan time.Time, func())
	terminal func(io.Writer) (columns int, ok bool)
}

// cli is one invocation.
type cli struct {
	environment
	configPath string
	form       view.Form
	exit       int
	// tty says that stdout is a terminal.
	tty bool
	// flags are the keys of the configuration that were given on the command line.
	flags *pflag.FlagSet
	// level is that of the logger; a reload can change it.
	level slog.LevelVar
}

// Main runs one command and returns its exit status.
func Main(ctx context.Context, env environment) int {
	c := &cli{environment: env}
	if c.ticker == nil {
		c.ticker = realTicker
	}
	if c.terminal == nil {
		c.terminal = terminal
	}
	root := c.root()
	root.SetArgs(env.args)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		err = commandError(err)
		for _, line := range lines(err) {
			fmt.Fprintln(env.stderr, "bgp-ovn:", line)
		}
		return exitError
	}
	return c.exit
}

// invalid is a configuration with problems.
type invalid struct{ problems config.Problems }

// Error is all of them in one line.
func (e *invalid) Error() string { return e.problems.Err().Error() }

// lines are what is printed of an error: a line for each problem of the
// configuration, and for each of several errors that were joined.
func lines(err error) []string {
	var bad *invalid
	if !errors.As(err, &bad) {
		return strings.Split(err.Error(), "\n")
	}
	out := make([]string, len(bad.problems))
	for i, p := range bad.problems {
		out[i] = p.Error()
	}
	return out
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "bgp-ovn",
		Short:         "make the addresses of OVN reachable through BGP",
		Long:          longHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Example:       exampleHelp,
	}
	output := ""
	pf := root.PersistentFlags()
	pf.StringVar(&c.configPath, "config", "", "configuration file (default "+config.DefaultPath+" if it exists)")
	pf.StringVarP(&output, "output", "o", string(view.Text), "form of the output: text, json or yaml")
	c.flags = config.Flags()
	pf.AddFlagSet(c.flags)
	c.flags.VisitAll(func(f *pflag.Flag) {
		if words := config.Values(f.Name); len(words) > 0 {
			complete := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
			_ = root.RegisterFlagCompletionFunc(f.Name, complete) // it is a flag of root, and has none yet
		}
	})
	root.PersistentPreRunE = func(*cobra.Command, []string) (err error) {
		if c.form, err = view.ParseForm(output); c.form == view.Text {
			c.screen()
		}
		return err
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		c.runCommand(), c.speakerCommand(), c.planCommand(), c.applyCommand(), c.whatIfCommand(),
		c.desiredCommand(), c.snapshotCommand(), c.auditCommand(),
		c.statusCommand(), c.historyCommand(), c.rollbackCommand(), c.bgpCommand(), c.verifyCommand(),
		c.explainCommand(), c.traceCommand(), c.evpnCommand(), c.kubeCommand(), c.doctorCommand(), c.supportBundleCommand(),
		c.reloadCommand(),
		c.peerCommand(), c.drainCommand(), c.undrainCommand(), c.retryCommand(), c.quarantineCommand(),
		c.cleanupCommand(), c.adoptCommand(), c.configCommand(), c.versionCommand(),
	)
	c.completions(root)
	extra(root)
	return root
}

// extra adds commands that only a program for building packages has.
var extra = func(*cobra.Command) {}

// load reads the configuration. With problems, the settings are good enough to
// find a running controller with.
func (c *cli) load() (config.Settings, config.Problems) {
	return c.loadWith(nil)
}

// loadWith is load with keys set to other values, each as KEY=VALUE.
func (c *cli) loadWith(set []string) (config.Settings, config.Problems) {
	return config.Load(config.Source{Path: c.configPath, Getenv: c.getenv, Environ: c.environ, Flags: c.flags, Set: set})
}

// valid is load for commands that need all of it.
func (c *cli) valid(set ...string) (config.Settings, error) {
	s, problems := c.loadWith(set)
	return s, asError(problems)
}

func asError(problems config.Problems) error {
	if len(problems) == 0 {
		return nil
	}
	return &invalid{problems}
}

// warn tells of a bad configuration where a running controller, which has a good
// one, can still be asked.
func (c *cli) warn(problems config.Problems) {
	for _, p := range problems {
		fmt.Fprintln(c.stderr, "bgp-ovn: warning, the configuration is not valid:", p.Error())
	}
}

func (c *cli) logger(s config.Settings) *slog.Logger {
	return agent.NewLogger(c.stderr, s.Log, &c.level)
}

// differs sets the exit status of a command that looks for differences.
func (c *cli) differs(yes bool) {
	if yes {
		c.exit = exitDiffers
	}
}

const longHelp = `bgp-ovn runs on every node of an OVN deployment. It reads the OVN Southbound
database and the local Open_vSwitch database, derives the routes, rules,
neighbours, addresses, flows and BGP paths that this node must have, and makes
the smallest change that gets there.

Every key of the configuration file is a flag and an environment variable too:
"bgp-ovn config reference" lists them.

Exit status: 0 done or in agreement, 2 differences found, 1 error.`

const exampleHelp = `  bgp-ovn run                       the node controller
  bgp-ovn run --dry-run             compute and print every round, write nothing
  bgp-ovn status                    is it well, and if not, what is wrong
  bgp-ovn doctor                    is this node fit for it, and if not, what to do
  bgp-ovn bgp peers                 the sessions, and why one is not up
  bgp-ovn explain 203.0.113.7       why an address is or is not announced
  bgp-ovn history 203.0.113.7       what was done about it, when, why and by whom
  bgp-ovn audit --repair            compare everything once and mend it
  bgp-ovn plan --snapshot f.json    what a node in that state would do`
