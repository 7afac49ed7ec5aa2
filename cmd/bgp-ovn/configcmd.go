package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
		RunE: func(*cobra.Command, []string) error { return c.print(answer{body: []byte(reference())}) },
	}, c.importCommand())
	return cmd
}

// reference is docs/configuration.md, made from the flags' declarations so that
// it cannot say anything else than the program does.
func reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	keys := yamlKeys(reflect.TypeFor[Config](), "")
	newConfig().flagSet().VisitAll(func(f *pflag.Flag) {
		def := f.DefValue
		if def == "" || def == "[]" {
			def = "none"
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | `%s` | %s |\n", keys[f.Name], f.Name, def, strings.ReplaceAll(f.Usage, "|", "or"))
	})
	b.WriteString(referenceTail)
	return b.String()
}

// yamlKeys maps flag names to keys of the file: a flag is its key with dashes.
func yamlKeys(t reflect.Type, prefix string) map[string]string {
	keys := map[string]string{}
	for i := range t.NumField() {
		key := prefix + t.Field(i).Tag.Get("yaml")
		keys[strings.NewReplacer(".", "-", "_", "-").Replace(key)] = key
		if t.Field(i).Type.Kind() == reflect.Struct {
			maps.Copy(keys, yamlKeys(t.Field(i).Type, key+"."))
		}
	}
	return keys
}

const referenceHead = `# Configuration

Made by ` + "`bgp-ovn config reference`" + `; do not edit.

The file is YAML, ` + "`/etc/bgp-ovn/config.yaml`" + ` by default. An unknown key is an error that names its line. Each key
is also a flag and an environment variable (` + "`BGP_OVN_`" + ` and the flag in capitals with underscores); flags win over
variables, variables over the file. ` + "`bgp-ovn config check`" + ` checks all of it without connecting to anything.

| Key | Flag | Default | Meaning |
|---|---|---|---|
`

const referenceTail = `
## Peers

` + "`bgp.peers`" + ` is a list; as flags, each neighbour is one ` + "`--bgp-peers`" + `:

    bgp:
      as: 64999
      peers:
        - {address: 192.0.2.1, as: 65000}
        - {address: "2001:db8::1", as: 65000, families: [ipv6-unicast], password: secret, ttl_security: true}

| Key | Default | Meaning |
|---|---|---|
| ` + "`address`" + ` | required | the neighbour's IP address |
| ` + "`as`" + ` | required | its autonomous system number |
| ` + "`port`" + ` | 179 | its TCP port |
| ` + "`families`" + ` | the unicast ones | any of ipv4-unicast, ipv6-unicast, l2vpn-evpn; the first peer with l2vpn-evpn takes a restart |
| ` + "`password`" + ` | none | TCP MD5 key (RFC 2385); never printed |
| ` + "`ttl_security`" + ` | false | GTSM (RFC 5082); excludes multihop |
| ` + "`multihop`" + ` | 0 | TTL of a session over several hops |
| ` + "`hold_time`" + ` | 90 | seconds, 3 to 65535 |
| ` + "`passive`" + ` | false | wait for the neighbour to connect |
| ` + "`local_address`" + ` | the kernel's choice | our end of the session; not for link-local neighbours |
| ` + "`allow_own_as`" + ` | 0 | how often our own AS may stand in a path that is taken |
| ` + "`llgr_time`" + ` | 0 | seconds that the neighbour keeps our routes as a last resort once the restart time is over (long-lived graceful restart, RFC 9494); 0 turns it off |
| ` + "`add_path_receive`" + ` | false | take several paths a prefix (RFC 7911) |
| ` + "`prefix_limit`" + ` | 0 | end the session when the neighbour announces more prefixes of one family; 0 for no limit |
| ` + "`connect_retry`" + ` | 3 | seconds between attempts to connect, at least 2 |

` + "`password`, `families`, `as`, `port`, `passive`, `local_address`, `allow_own_as`, `add_path_receive`" + ` and turning
` + "`llgr_time`" + ` or graceful restart on or off change the session only by ending it; the others change under it.
`

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
