package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/config/frr"
	"github.com/bgp-ovn/bgp-ovn/pkg/config/oslo"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) configCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "config", Short: "check, list or import the configuration"})
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "check file, environment and flags without connecting to anything", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := c.valid()
			if err != nil {
				return err
			}
			fmt.Fprintln(c.stdout, "configuration is valid")
			for _, note := range s.Notes() {
				fmt.Fprintln(c.stdout, "note:", note)
			}
			return nil
		},
	}, &cobra.Command{
		Use: "reference", Short: "list every key with its flag, variable, default and meaning, as Markdown",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprint(c.stdout, config.Reference())
			return nil
		},
	}, &cobra.Command{
		Use: "sample", Short: "print a configuration file with every key as a comment", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprint(c.stdout, config.Sample())
			return nil
		},
	}, c.importCommand())
	return cmd
}

func (c *cli) importCommand() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "translate the configuration of ovn-bgp-agent, or of FRR",
		Args: oneArg("FILE", "/etc/ovn-bgp-agent/bgp-agent.conf", false),
		Long: `import prints the file of ovn-bgp-agent as a configuration of bgp-ovn, each key
with the option that it comes from, and on standard error every option that was
dropped or means something else now. Of a file of FRR (frr.conf) it takes the
neighbours and filters of a node that Neutron's ovn-bgp service uses, and names
every statement that has no counterpart. It reads that one file and nothing else.
Exit status: 0 everything was translated, 2 something needs a look, 1 error.`,
		Example: "  bgp-ovn config import /etc/ovn-bgp-agent/bgp-agent.conf >/etc/bgp-ovn/config.yaml\n" +
			"  bgp-ovn config import /etc/frr/frr.conf >/etc/bgp-ovn/config.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			raw, err := config.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("%s: the configuration to import cannot be read: %w; name another file", args[0], err)
			}
			if frr.Looks(string(raw)) {
				in := frr.Import(args[0], string(raw))
				return c.printImported(in, in.YAML, in.Remarks(), in.Complete())
			}
			in := oslo.Import(args[0], string(raw))
			return c.printImported(in, in.YAML, in.Remarks(), in.Complete())
		},
	}
}

// printImported prints a translation, and what people must read beside it.
func (c *cli) printImported(in any, text string, remarks []string, complete bool) error {
	for _, remark := range remarks {
		fmt.Fprintln(c.stderr, remark)
	}
	c.differs(!complete)
	return view.Print(c.stdout, c.form, in, text)
}

// version is set by the linker for releases.
var version = ""

// commit and date are those of the commit that the program was built from, set like version.
var commit, date = "", ""

// versionText names the program and its build.
func versionText() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	if v == "" || v == "(devel)" {
		v = "development"
	}
	return "bgp-ovn " + v
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			out := map[string]string{
				"version": versionText(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			}
			text := fmt.Sprintf("%s %s %s\n", out["version"], out["go"], out["platform"])
			if commit != "" {
				out["commit"], out["date"] = commit, date
				text += fmt.Sprintf("commit %s of %s\n", commit, date)
			}
			return view.Print(c.stdout, c.form, out, text)
		},
	}
}
