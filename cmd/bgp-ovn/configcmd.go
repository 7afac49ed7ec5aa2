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

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
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
	b.WriteString(referenceTail())
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

// classTable lists the classes in order of precedence.
func classTable() string {
	var b strings.Builder
	for _, c := range expose.Classes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c, c.Meaning())
	}
	return b.String()
}

func referenceTail() string {
	return `
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

` + "`password`, `families`, `as`, `port`, `passive`, `local_address`, `allow_own_as`, `add_path_receive`" + `, turning
` + "`llgr_time`" + ` on or off and ` + "`bgp.graceful_restart.restart_time`" + ` change the session only by ending it; the others change under
it, ` + "`hold_time`" + ` and ` + "`llgr_time`" + ` for when it next comes up. ` + "`bgp-ovn reload --dry-run`" + ` says which it will be.

## Path attributes

` + "`bgp.attributes`" + ` gives what is announced as one class its own attributes; as flags, each class is one
` + "`--bgp-attributes`" + `, such as ` + "`class=fip,communities=65000:100+no-export,med=20`" + `; in the variable, classes are separated by
semicolons. A class that a flag names takes the place of the same one in the file.

    bgp:
      attributes:
        fip: {communities: ["65000:100", no-export], med: 20}
        gateway: {large_communities: ["4200000000:1:2"], local_pref: 200}

| Key | Meaning |
|---|---|
| ` + "`communities`" + ` | COMMUNITIES (RFC 1997) as AS:VALUE, or graceful-shutdown, no-llgr, blackhole, no-export, no-advertise, no-export-subconfed, no-peer |
| ` + "`large_communities`" + ` | LARGE_COMMUNITY (RFC 8092) as AS:VALUE:VALUE |
| ` + "`med`" + ` | MULTI_EXIT_DISC, 0 to 4294967295 |
| ` + "`local_pref`" + ` | LOCAL_PREF, 0 to 4294967295; sent to neighbours of our own AS only |

| Class | What is announced as such |
|---|---|
` + classTable() + `
A prefix that is wanted as several classes is announced once, with the attributes of the class that comes first in this
table; ` + "`status`" + ` lists the others as outranked.

## What may be announced

Host prefixes are (/32, /128), and with ` + "`advertisement_method_tenant_networks: subnet`" + ` tenant subnets, and what
` + "`originate`" + ` and ` + "`advertise_loopback`" + ` ask for. ` + "`bgp.export.allow`" + ` takes the place of the first two: only what lies in one
of its ranges is announced then. ` + "`bgp.export.deny`" + ` keeps back what lies in one of its ranges, whatever allows it.

    bgp:
      export:
        allow: ["203.0.113.0/24 le 32", "2001:db8:1::/48 le 128"]
        deny: ["203.0.113.128/25 le 32"]

What is kept back is routed on this node all the same. ` + "`plan`" + `, ` + "`status`" + ` and ` + "`explain`" + ` show it as
` + "`filtered-by-policy`" + ` with the entry that did it; it counts as intended, not as something wrong.

Both, and the attributes above, concern the unicast families. Prefixes in a VNI are tenants' own, which may be the same;
who gets them is decided by route targets.

## EVPN

With ` + "`osp_ovn_evpn_driver`" + ` among the drivers, routers whose ports Neutron's BGPVPN service has given a VXLAN network
identifier (VNI) get a VRF. What follows is beyond that. Quote targets with a star, which YAML would take for something
else:

    drivers: [osp_ovn_evpn_driver]
    evpn_local_ip: 192.0.2.11
    bgp:
      peers:
        - {address: 192.0.2.1, as: 65000, families: [ipv4-unicast, l2vpn-evpn]}
    evpn:
      vnis:
        - {vni: 1001, rd: "192.0.2.11:1001", import: ["*:1001", "65000:5"], export: ["64999:1001"]}
      networks:
        - {network: physnet1, vlan: 100, method: vrf, vni: 2001, gateways: [172.24.8.1, "2001:db8:8::1"]}
        - {switch: provider-lab, method: l2vni, vni: 2002}

| Key of ` + "`evpn.vnis`" + ` | Default | Meaning |
|---|---|---|
| ` + "`vni`" + ` | required | 1 to 16777215 |
| ` + "`rd`" + ` | VTEP and VNI | route distinguisher (RFC 4364); VNIs beyond 65535 get a number of their own |
| ` + "`import`" + ` | ` + "`*:VNI`" + ` | route targets that are taken in; a list replaces the default |
| ` + "`export`" + ` | ` + "`AS:VNI`" + ` | route targets that are announced, by default with the AS that the router is annotated with |

What is configured for a VNI goes before annotations.

| Key of ` + "`evpn.networks`" + ` | Default | Meaning |
|---|---|---|
| ` + "`network`, `vlan`" + ` | none | the provider network by physical network and VLAN |
| ` + "`switch`" + ` | none | or by the name of its logical switch, as OVN or Neutron has it |
| ` + "`method`" + ` | required | ` + "`vrf`" + `: routed, addresses are announced as prefixes. ` + "`l2vni`" + `: bridged, MAC addresses are announced |
| ` + "`vni`" + ` | required | several networks of method vrf may share one, if their VLANs differ |
| ` + "`rd`, `import`, `export`" + ` | as above | the AS of the default target is ` + "`bgp.as`" + ` |
| ` + "`gateways`" + ` | none | method vrf: the gateways of its subnets, which are in no table of the Southbound database |

A network of method vrf gets no router advertisements: its ports need their IPv6 gateway from elsewhere. One of method
l2vni must not be connected to others by an uplink of its bridge as well: that would be a loop. ` + "`osp_ovn_bgp_driver`" + `
leaves both alone.
`
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
