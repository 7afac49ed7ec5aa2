package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
}

// cli is one invocation.
type cli struct {
	environment
	configPath string
	output     string
	exit       int
	// flags holds the configuration's flags as given on the command line.
	flags *pflag.FlagSet
	// level is that of all loggers; a reload can change it.
	level slog.LevelVar
}

// Main runs one command and returns its exit status.
func Main(ctx context.Context, env environment) int {
	c := &cli{environment: env}
	root := c.root()
	root.SetArgs(env.args)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(env.stderr, "bgp-ovn:", oneLine(err))
		return exitError
	}
	return c.exit
}

// oneLine makes aggregated errors fit for logs: the library's default prints a
// bulleted list.
func oneLine(err error) string {
	var many *multierror.Error
	if errors.As(err, &many) {
		many.ErrorFormat = func(errs []error) string {
			text := ""
			for i, e := range errs {
				if i > 0 {
					text += "; "
				}
				text += e.Error()
			}
			return text
		}
	}
	return err.Error()
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
	pf := root.PersistentFlags()
	pf.StringVar(&c.configPath, "config", "", "configuration file (default "+defaultConfigPath+" if it exists)")
	pf.StringVarP(&c.output, "output", "o", "text", "form of the output: text or json")
	c.flags = newConfig().flagSet()
	c.flags.VisitAll(func(f *pflag.Flag) {
		f.Hidden = !slices.Contains(shownFlags, f.Name)
		pf.AddFlag(f)
	})
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if c.output != "text" && c.output != "json" {
			return fmt.Errorf("--output %q: use text or json", c.output)
		}
		return nil
	}
	root.AddCommand(
		c.runCommand(), c.speakerCommand(), c.planCommand(), c.desiredCommand(), c.snapshotCommand(), c.auditCommand(),
		c.statusCommand(), c.explainCommand(), c.evpnCommand(), c.doctorCommand(), c.reloadCommand(), c.cleanupCommand(), c.adoptCommand(), c.configCommand(), c.versionCommand(),
	)
	return root
}

// shownFlags are those keys of the configuration that a person types; the help
// of every command would be three screens long with all of them.
var shownFlags = []string{"chassis", "drivers", "log-level", "socket", "state"}

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
  bgp-ovn explain 203.0.113.7       why an address is or is not announced
  bgp-ovn audit --repair            compare everything once and mend it
  bgp-ovn plan --snapshot f.json    what a node in that state would do`
