package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

func (c *cli) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "check, list or import the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "check file, environment and flags without connecting to anything", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			text := "configuration is valid\n"
			for _, note := range cfg.notes() {
				text += "note: " + note + "\n"
			}
			return c.print(answer{body: []byte(text)})
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use: "reference", Short: "list every key with its flag, variable, default and meaning, as Markdown", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.print(answer{body: []byte(config.Reference())}) },
	}, c.importCommand())
	return cmd
}

// version is set by the linker for releases.
var version = ""

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
		Use: "version", Short: "print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			out := map[string]string{"version": versionText(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if c.output == "json" {
				raw, err := json.Marshal(out)
				if err != nil {
					return err
				}
				return c.print(answer{body: append(raw, '\n')})
			}
			return c.print(answer{body: fmt.Appendf(nil, "%s %s %s\n", out["version"], out["go"], out["platform"])})
		},
	}
}
