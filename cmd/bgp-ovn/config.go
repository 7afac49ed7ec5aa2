package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

const defaultConfigPath = "/etc/bgp-ovn/config.yaml"

// The predecessor's files for ssl: remotes.
const (
	defaultPrivateKey  = "/etc/pki/tls/private/ovn_bgp_agent.key"
	defaultCertificate = "/etc/pki/tls/certs/ovn_bgp_agent.crt"
	defaultCACert      = "/etc/ipa/ca.crt"
)

// Config is the whole configuration. Options of the drivers keep the names
// that the predecessor gave them. Each key is also a flag (dots and underscores
// become dashes) and an environment variable (BGP_OVN_ and capitals).
type Config struct {
	Chassis string   `yaml:"chassis"`
	Drivers []string `yaml:"drivers"`
	State   string   `yaml:"state"`
	Socket  string   `yaml:"socket"`

	Log struct {
		Level  string `yaml:"level"`
		Format string `yaml:"format"`
	} `yaml:"log"`

	ReconcileInterval int           `yaml:"reconcile_interval"` // seconds
	StartupGrace      time.Duration `yaml:"startup_grace"`

	OVSDBConnection        string `yaml:"ovsdb_connection"`
	OVSDBConnectionTimeout int    `yaml:"ovsdb_connection_timeout"` // seconds
	OVSRunDir              string `yaml:"ovs_rundir"`
	SBConnection           string `yaml:"ovn_sb_connection"`
	SBPrivateKey           string `yaml:"ovn_sb_private_key"`
	SBCertificate          string `yaml:"ovn_sb_certificate"`
	SBCACert               string `yaml:"ovn_sb_ca_cert"`
	SBProbe                int    `yaml:"ovn_sb_probe_interval"` // seconds
	NBConnection           string `yaml:"ovn_nb_connection"`
	NBPrivateKey           string `yaml:"ovn_nb_private_key"`
	NBCertificate          string `yaml:"ovn_nb_certificate"`
	NBCACert               string `yaml:"ovn_nb_ca_cert"`

	ExposeTenantNetworks        bool     `yaml:"expose_tenant_networks"`
	ExposeIPv6GUATenantNetworks bool     `yaml:"expose_ipv6_gua_tenant_networks"`
	AdvertisementMethodTenant   string   `yaml:"advertisement_method_tenant_networks"`
	AddressScopes               []string `yaml:"address_scopes"`
	RequireSNATDisabled         bool     `yaml:"require_snat_disabled_for_tenant_networks"`
	ExposePortForwardings       bool     `yaml:"expose_port_forwardings"`
	ExposeGatewayRouters        bool     `yaml:"expose_gateway_routers"`
	ProviderUnknownMAC          bool     `yaml:"provider_unknown_mac_from_cidrs"`
	ProxyNDPPlainPorts          bool     `yaml:"proxy_ndp_plain_ports"`
	ProxyNDPAddresses           []string `yaml:"proxy_ndp_addresses"`

	ExposingMethod string     `yaml:"exposing_method"`
	EVPNLocalIP    string     `yaml:"evpn_local_ip"`
	EVPNNIC        string     `yaml:"evpn_nic"`
	EVPNPort       int        `yaml:"evpn_udp_dstport"`
	DeleteVRF      bool       `yaml:"delete_vrf_on_disconnect"`
	EVPN           EVPNConfig `yaml:"evpn"`

	AdvertiseLoopback bool     `yaml:"advertise_loopback"`
	Originate         []string `yaml:"originate"`

	BGP     BGPConfig     `yaml:"bgp"`
	Learn   LearnConfig   `yaml:"learn"`
	Routing RoutingConfig `yaml:"routing"`
	Flows   FlowsConfig   `yaml:"flows"`
	Sysctls struct {
		Manage bool `yaml:"manage"`
	} `yaml:"sysctls"`
	Fuse    FuseConfig `yaml:"fuse"`
	Metrics struct {
		Listen string `yaml:"listen"`
	} `yaml:"metrics"`
}

// BGPConfig is the key bgp.
type BGPConfig struct {
	AS       uint32 `yaml:"as"`
	RouterID string `yaml:"router_id"`
	Speaker  string `yaml:"speaker"`
	Listen   struct {
		Address string `yaml:"address"`
		Port    int    `yaml:"port"`
	} `yaml:"listen"`
	Origin          string `yaml:"origin"`
	GracefulRestart struct {
		RestartTime  int `yaml:"restart_time"`  // seconds
		DeferralTime int `yaml:"deferral_time"` // seconds
	} `yaml:"graceful_restart"`
	Peers      []PeerConfig                `yaml:"peers"`
	Attributes map[string]AttributesConfig `yaml:"attributes"`
	Export     ExportConfig                `yaml:"export"`
}

// PeerConfig is an element of bgp.peers.
type PeerConfig struct {
	Address     string   `yaml:"address"`
	Port        int      `yaml:"port"`
	AS          uint32   `yaml:"as"`
	Families    []string `yaml:"families"`
	Password    string   `yaml:"password"`
	TTLSecurity bool     `yaml:"ttl_security"`
	Multihop    int      `yaml:"multihop"`
	HoldTime    int      `yaml:"hold_time"` // seconds
	Passive     bool     `yaml:"passive"`

	LocalAddress   string `yaml:"local_address"`
	AllowOwnAS     int    `yaml:"allow_own_as"`
	LLGRTime       int    `yaml:"llgr_time"` // seconds
	AddPathReceive bool   `yaml:"add_path_receive"`
	PrefixLimit    int    `yaml:"prefix_limit"`
	ConnectRetry   int    `yaml:"connect_retry"` // seconds
}

// LearnConfig is the key learn: which announcements of neighbours become routes
// in the main table.
type LearnConfig struct {
	Accept  []string `yaml:"accept"`
	Source4 string   `yaml:"source4"`
	Source6 string   `yaml:"source6"`
	Metric  uint32   `yaml:"metric"`
	Max     int      `yaml:"max"`
}

// RoutingConfig is the key routing: the numbers that identify us.
type RoutingConfig struct {
	TableRange    string   `yaml:"table_range"`
	RulePriority  uint32   `yaml:"rule_priority"`
	RouteProtocol uint8    `yaml:"route_protocol"`
	RuleProtocol  uint8    `yaml:"rule_protocol"`
	TablesFiles   []string `yaml:"tables_files"`
}

// FlowsConfig is the key flows.
type FlowsConfig struct {
	Manage   bool   `yaml:"manage"`
	Cookie   uint64 `yaml:"cookie"`
	Priority uint16 `yaml:"priority"`
}

// FuseConfig is the key fuse.
type FuseConfig struct {
	Share float64       `yaml:"share"`
	Least int           `yaml:"least"`
	Hold  time.Duration `yaml:"hold"`
}

// newConfig returns the defaults.
func newConfig() *Config {
	c := &Config{
		Drivers: []string{"osp_ovn_bgp_driver"}, State: "/var/lib/bgp-ovn/state.db", Socket: "/run/bgp-ovn/control.sock",
		ReconcileInterval: 300, StartupGrace: 20 * time.Second,
		OVSDBConnection: "unix:/var/run/openvswitch/db.sock", OVSDBConnectionTimeout: 180, SBProbe: 60,
		SBPrivateKey:              defaultPrivateKey,
		SBCertificate:             defaultCertificate,
		SBCACert:                  defaultCACert,
		NBPrivateKey:              defaultPrivateKey,
		NBCertificate:             defaultCertificate,
		NBCACert:                  defaultCACert,
		AdvertisementMethodTenant: "host", ProxyNDPPlainPorts: true,
		ExposingMethod: "underlay", EVPNPort: 4789, DeleteVRF: true,
	}
	c.Log.Level, c.Log.Format = "info", "text"
	c.BGP.AS, c.BGP.Origin, c.BGP.Listen.Port = 64999, "incomplete", 179
	c.BGP.GracefulRestart.RestartTime, c.BGP.GracefulRestart.DeferralTime = 120, 10
	// The metric lies above those of DHCP, router advertisements and static
	// routes, so that a learned default route never takes over from them: it
	// serves nodes that have no other.
	c.Learn = LearnConfig{Accept: []string{"0.0.0.0/0", "::/0"}, Metric: 4098, Max: 100}
	c.Routing = RoutingConfig{
		TableRange: "200-252", RulePriority: 32000, RouteProtocol: 98, RuleProtocol: 98,
		TablesFiles: []string{"/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables"},
	}
	c.Flows = FlowsConfig{Manage: true, Cookie: 0x3e7, Priority: 900}
	c.Sysctls.Manage = true
	c.Fuse = FuseConfig{Share: 0.5, Least: 10, Hold: 30 * time.Second}
	return c
}

// flagSet declares every key as a flag bound to its field.
func (c *Config) flagSet() *pflag.FlagSet {
	fs := pflag.NewFlagSet("config", pflag.ContinueOnError)
	fs.StringVar(&c.Chassis, "chassis", c.Chassis, "system-id of this node (default: external_ids:system-id of Open_vSwitch)")
	fs.StringSliceVar(&c.Drivers, "drivers", c.Drivers, "drivers to run")
	fs.StringVar(&c.State, "state", c.State, "state file")
	fs.StringVar(&c.Socket, "socket", c.Socket, "control socket")
	fs.StringVar(&c.Log.Level, "log-level", c.Log.Level, "debug, info, warn or error")
	fs.StringVar(&c.Log.Format, "log-format", c.Log.Format, "text or json")
	fs.IntVar(&c.ReconcileInterval, "reconcile-interval", c.ReconcileInterval, "seconds between audits of everything; 0 turns them off")
	fs.DurationVar(&c.StartupGrace, "startup-grace", c.StartupGrace, "how long to wait for the databases before announcing what was last known; 0 waits for ever")
	fs.StringVar(&c.OVSDBConnection, "ovsdb-connection", c.OVSDBConnection, "local Open_vSwitch database")
	fs.IntVar(&c.OVSDBConnectionTimeout, "ovsdb-connection-timeout", c.OVSDBConnectionTimeout, "seconds one attempt to read it may take")
	fs.StringVar(&c.OVSRunDir, "ovs-rundir", c.OVSRunDir, "run directory of Open vSwitch (default: OVS_RUNDIR or /var/run/openvswitch)")
	fs.StringVar(&c.SBConnection, "ovn-sb-connection", c.SBConnection, "Southbound database, comma separated (default: external_ids:ovn-remote)")
	fs.StringVar(&c.SBPrivateKey, "ovn-sb-private-key", c.SBPrivateKey, "TLS key for ssl: remotes")
	fs.StringVar(&c.SBCertificate, "ovn-sb-certificate", c.SBCertificate, "TLS certificate for ssl: remotes")
	fs.StringVar(&c.SBCACert, "ovn-sb-ca-cert", c.SBCACert, "TLS CA certificate for ssl: remotes")
	fs.IntVar(&c.SBProbe, "ovn-sb-probe-interval", c.SBProbe, "seconds of silence after which the connection is probed; 0 turns it off")
	fs.StringVar(&c.NBConnection, "ovn-nb-connection", c.NBConnection, "Northbound database, comma separated (default: external_ids:ovn-nb-remote); read only with require_snat_disabled_for_tenant_networks")
	fs.StringVar(&c.NBPrivateKey, "ovn-nb-private-key", c.NBPrivateKey, "TLS key for ssl: remotes of the Northbound database")
	fs.StringVar(&c.NBCertificate, "ovn-nb-certificate", c.NBCertificate, "TLS certificate for ssl: remotes of the Northbound database")
	fs.StringVar(&c.NBCACert, "ovn-nb-ca-cert", c.NBCACert, "TLS CA certificate for ssl: remotes of the Northbound database")
	fs.BoolVar(&c.ExposeTenantNetworks, "expose-tenant-networks", c.ExposeTenantNetworks, "expose tenant networks behind gateways on this node")
	fs.BoolVar(&c.ExposeIPv6GUATenantNetworks, "expose-ipv6-gua-tenant-networks", c.ExposeIPv6GUATenantNetworks, "expose only globally routable IPv6 tenant addresses")
	fs.StringVar(&c.AdvertisementMethodTenant, "advertisement-method-tenant-networks", c.AdvertisementMethodTenant, "host or subnet")
	fs.StringSliceVar(&c.AddressScopes, "address-scopes", c.AddressScopes, "UUIDs of Neutron address scopes to which tenant networks are limited")
	fs.BoolVar(&c.RequireSNATDisabled, "require-snat-disabled-for-tenant-networks", c.RequireSNATDisabled, "leave out tenant subnets whose source addresses their router translates; reads the Northbound database")
	fs.BoolVar(&c.ExposePortForwardings, "expose-port-forwardings", c.ExposePortForwardings, "expose VIPs of load balancers on a router whose gateway is here: port forwardings of floating IPs")
	fs.BoolVar(&c.ExposeGatewayRouters, "expose-gateway-routers", c.ExposeGatewayRouters, "expose gateway routers bound to this chassis (type l3gateway)")
	fs.BoolVar(&c.ProviderUnknownMAC, "provider-unknown-mac-from-cidrs", c.ProviderUnknownMAC, "take addresses of provider ports with unknown MAC from neutron:cidrs")
	fs.BoolVar(&c.ProxyNDPPlainPorts, "proxy-ndp-plain-ports", c.ProxyNDPPlainPorts, "add NDP proxies for the subnets of ordinary provider ports too")
	fs.StringSliceVar(&c.ProxyNDPAddresses, "proxy-ndp-addresses", c.ProxyNDPAddresses, "IPv6 gateways to answer for, as NETWORK[:VLAN]=ADDRESS, such as physnet1:101=2001:db8::1")
	c.evpnFlags(fs)
	fs.BoolVar(&c.AdvertiseLoopback, "advertise-loopback", c.AdvertiseLoopback, "announce the addresses of lo, but for 127.0.0.0/8 and ::1")
	fs.StringSliceVar(&c.Originate, "originate", c.Originate, "further prefixes to announce")
	c.BGP.flags(fs)
	c.Learn.flags(fs)
	fs.StringVar(&c.Routing.TableRange, "routing-table-range", c.Routing.TableRange, "routing tables that may be taken")
	fs.Uint32Var(&c.Routing.RulePriority, "routing-rule-priority", c.Routing.RulePriority, "priority of the ip rule of a bridge")
	fs.Uint8Var(&c.Routing.RouteProtocol, "routing-route-protocol", c.Routing.RouteProtocol, "protocol number that marks our routes")
	fs.Uint8Var(&c.Routing.RuleProtocol, "routing-rule-protocol", c.Routing.RuleProtocol, "protocol number that marks our rules")
	fs.StringSliceVar(&c.Routing.TablesFiles, "routing-tables-files", c.Routing.TablesFiles, "files that name routing tables; *.conf in <file>.d is read too")
	fs.BoolVar(&c.Flows.Manage, "flows-manage", c.Flows.Manage, "install OpenFlow entries; off where there is no Open vSwitch or another tool does it")
	fs.Uint64Var(&c.Flows.Cookie, "flows-cookie", c.Flows.Cookie, "cookie that marks our flows")
	fs.Uint16Var(&c.Flows.Priority, "flows-priority", c.Flows.Priority, "priority of our flows")
	fs.BoolVar(&c.Sysctls.Manage, "sysctls-manage", c.Sysctls.Manage, "set node-wide settings: forwarding and rp_filter")
	fs.Float64Var(&c.Fuse.Share, "fuse-share", c.Fuse.Share, "share of paths that vanished rows may withdraw at once; 0 turns the fuse off")
	fs.IntVar(&c.Fuse.Least, "fuse-least", c.Fuse.Least, "number of withdrawals below which the fuse never blows")
	fs.DurationVar(&c.Fuse.Hold, "fuse-hold", c.Fuse.Hold, "how long such a wish must last before it is believed")
	fs.StringVar(&c.Metrics.Listen, "metrics-listen", c.Metrics.Listen, "address:port for Prometheus; the control socket always has /metrics")
	return fs
}

func (l *LearnConfig) flags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&l.Accept, "learn-accept", l.Accept, "prefixes that become routes in the main table when neighbours announce them, as PREFIX or \"PREFIX le LENGTH\"; empty learns nothing")
	fs.StringVar(&l.Source4, "learn-source4", l.Source4, "preferred source address of learned IPv4 routes")
	fs.StringVar(&l.Source6, "learn-source6", l.Source6, "preferred source address of learned IPv6 routes")
	fs.Uint32Var(&l.Metric, "learn-metric", l.Metric, "metric of learned routes; lower ones are preferred")
	fs.IntVar(&l.Max, "learn-max", l.Max, "how many prefixes become routes at most, the shortest first")
}

func (b *BGPConfig) flags(fs *pflag.FlagSet) {
	fs.Uint32Var(&b.AS, "bgp-as", b.AS, "our autonomous system number")
	fs.StringVar(&b.RouterID, "bgp-router-id", b.RouterID, "our BGP identifier (default: the first IPv4 ovn-encap-ip)")
	fs.StringVar(&b.Speaker, "bgp-speaker", b.Speaker, "socket of the process that holds the sessions, unix:/run/bgp-ovn/speaker.sock for bgp-ovn speaker (default: this process does)")
	fs.StringVar(&b.Listen.Address, "bgp-listen-address", b.Listen.Address, "address to listen on (default: all)")
	fs.IntVar(&b.Listen.Port, "bgp-listen-port", b.Listen.Port, "port to listen on; -1 does not listen")
	fs.StringVar(&b.Origin, "bgp-origin", b.Origin, "ORIGIN of our paths: igp, egp or incomplete")
	fs.IntVar(&b.GracefulRestart.RestartTime, "bgp-graceful-restart-restart-time", b.GracefulRestart.RestartTime, "seconds that peers keep our routes while we restart; 0 turns it off")
	fs.IntVar(&b.GracefulRestart.DeferralTime, "bgp-graceful-restart-deferral-time", b.GracefulRestart.DeferralTime, "seconds that we wait for the peers' End-of-RIB after a restart")
	b.policyFlags(fs)
	fs.Var((*peersFlag)(&b.Peers), "bgp-peers", "a neighbour as address=...,as=...[,port=...][,families=a+b][,password=...][,ttl_security][,multihop=n][,hold_time=s][,passive] and so on; may be repeated")
}

// loadConfig puts defaults, file, environment and flags on top of each other.
// With an error, the configuration is what could be made of it, and good enough
// to find a running controller with.
func (c *cli) loadConfig() (*Config, error) {
	cfg := newConfig()
	var problems []error
	if err := c.readFile(cfg); err != nil {
		problems = append(problems, err)
	}
	fs := cfg.flagSet()
	fs.VisitAll(func(f *pflag.Flag) {
		name := "BGP_OVN_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := c.getenv(name); ok {
			if err := fs.Set(f.Name, value); err != nil {
				problems = append(problems, fmt.Errorf("environment variable %s: %w", name, err))
			}
		}
	})
	c.flags.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			return
		}
		if err := copyFlag(fs.Lookup(f.Name), f); err != nil {
			problems = append(problems, fmt.Errorf("--%s: %w", f.Name, err))
		}
	})
	problems = append(problems, cfg.Validate()...)
	return cfg, errors.Join(problems...)
}

// copyFlag sets to from what was given on the command line.
func copyFlag(to, from *pflag.Flag) error {
	if many, ok := from.Value.(pflag.SliceValue); ok {
		if target, ok := to.Value.(pflag.SliceValue); ok {
			return target.Replace(many.GetSlice())
		}
	}
	return to.Value.Set(from.Value.String())
}

// readFile reads the configuration file. Only the default one may be missing.
func (c *cli) readFile(cfg *Config) error {
	path := c.configPath
	if path == "" {
		path = defaultConfigPath
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && c.configPath == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(cfg); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration file %s: %s", path, yamlError(err))
	}
	return nil
}

// yamlError turns the library's words into ours; line numbers are kept.
func yamlError(err error) string {
	text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n  ", " ")
	text = strings.TrimPrefix(text, "unmarshal errors: ")
	return unknownKey.ReplaceAllString(text, "is not a key here; see docs/configuration.md")
}

// unknownKey is how the library says that a struct has no such field.
var unknownKey = regexp.MustCompile(`not found in type (main\.\w+|struct \{[^}]*\})`)

// routerID resolves the BGP identifier.
func (c *Config) routerID(encap []netip.Addr) (netip.Addr, error) {
	if c.BGP.RouterID != "" {
		return netip.ParseAddr(c.BGP.RouterID)
	}
	for _, ip := range encap {
		if ip.Is4() {
			return ip, nil
		}
	}
	return netip.Addr{}, errors.New("no BGP identifier: set bgp.router_id to an IPv4 address of this node (Open_vSwitch has no IPv4 external_ids:ovn-encap-ip to take it from)")
}
