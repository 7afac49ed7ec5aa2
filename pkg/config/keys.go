package config

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// table declares every key, each bound to its place in s: those of the node, those
// that drivers share, and those of each driver. It is the only list of keys.
func table(s *Settings) []key.Key {
	all := slices.Concat(nodeKeys(s), sourceKeys(s), bgpKeys(&s.BGP), learnKeys(s), markKeys(s), s.Shared.Keys())
	for _, o := range s.options {
		all = append(all, o.Keys()...)
	}
	return append(all, kubeKeys(&s.Kube)...)
}

// kubeKeys are those of the Kubernetes API and of the own Node.
func kubeKeys(k *Kube) []key.Key {
	return []key.Key{
		key.Text(&k.Kubeconfig, "kube.kubeconfig", "kubeconfig of the Kubernetes API", checkAbsolute).
			Or("the service account of the pod"),
		key.Text(&k.NodeName, "kube.node_name", "name of the own Node", checkNodeName).
			Or("NODE_NAME, or hostname of the own Chassis"),
		key.Choice(&k.KeepCordoned, "kube.on_cordon",
			"drain announces addresses of services of a cordoned node as a last resort, then withdraws them; keep does nothing",
			key.Option[bool]{Word: "drain", Value: false}, key.Option[bool]{Word: "keep", Value: true}).Reloads(),
		key.Duration(&k.DrainTime, "kube.drain_time",
			"how long they are announced as a last resort (RFC 8326)").Reloads(),
	}
}

// checkNodeName wants a name that a Node may have (RFC 1123).
func checkNodeName(text string) error {
	if len(text) > 253 || strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.')
	}) {
		return key.Wrong("write it as kubectl get nodes shows it", "%s is not the name of a Node", key.Quote(text))
	}
	return nil
}

// Values returns the words that a shell offers for the value of a flag; none if
// any text may be right.
func Values(flag string) []string {
	s := defaults(drivers.All())
	for _, k := range table(&s) {
		if k.Flag() == flag {
			return k.Values
		}
	}
	return nil
}

// Choice is a key that may be set, with its values if they are a few.
type Choice struct {
	Key    string
	Values []string
}

// Choices are all keys, in the order of names.
func Choices() []Choice {
	s := defaults(drivers.All())
	var out []Choice
	for _, k := range table(&s) {
		values := k.Values
		if k.Type == "bool" && len(values) == 0 {
			values = []string{"false", "true"}
		}
		out = append(out, Choice{k.Name, values})
	}
	sorting.Sort(out, func(a, b Choice) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// nodeKeys are those of the process itself.
func nodeKeys(s *Settings) []key.Key {
	seconds := key.Range[int64]{High: key.MaxSeconds, Use: "use 0 or more seconds"}
	driver := func(name string) (string, error) {
		spec, err := s.list.Find(name)
		return spec.Name, err
	}
	return []key.Key{
		key.Text(&s.Chassis, "chassis",
			"system-id of this node (default: external_ids:system-id of Open_vSwitch)", nil).Show(),
		key.ListOf(&s.Drivers, "drivers", "drivers to run", driver, func(n string) string { return n }).
			Offering(s.list.Names()...).Reloads().Show(),
		pathKey(&s.StateFile, "state", "state file", 0).Show(),
		pathKey(&s.Socket, "socket", "control socket", maxSocketPath).Show(),
		key.Text(&s.SocketGroup, "socket_group",
			"group that may use the control socket, by name or number (default: that of the process)", nil),
		pathKey(&s.ReadSocket, "read_socket",
			"socket that answers questions and changes nothing; opened only with read_socket_group", maxSocketPath),
		key.Text(&s.ReadSocketGroup, "read_socket_group", "group that may use read_socket, by name or number", nil),
		key.Parsed(&s.Log.Level, "log.level", "string", "debug, info, warn or error", parseLevel, printLevel).
			Offering("debug", "info", "warn", "error").Reloads().Show(),
		key.Choice(&s.Log.JSON, "log.format", "text or json",
			key.Option[bool]{Word: "text", Value: false}, key.Option[bool]{Word: "json", Value: true}),
		key.Seconds(&s.AuditInterval, "reconcile_interval",
			"seconds between audits of everything; 0 turns them off", seconds).Reloads(),
		key.Duration(&s.StartupGrace, "startup_grace",
			"how long to wait for the databases before announcing what was last known; 0 waits for ever"),
		key.Choice(&s.Reviewed, "changes",
			"automatic applies them; reviewed keeps what was applied, and leaves changes to bgp-ovn apply",
			key.Option[bool]{Word: "automatic", Value: false}, key.Option[bool]{Word: "reviewed", Value: true}).Reloads(),
		key.Bool(&s.ManageSysctls, "sysctls.manage", "set node-wide settings: forwarding and rp_filter").Reloads(),
		key.Share(&s.Fuse.Share, "fuse.share",
			"share of paths that may be withdrawn at once without being on another chassis; 0 turns the fuse off").Reloads(),
		key.Number(&s.Fuse.Least, "fuse.least", "number of withdrawals below which the fuse never holds",
			key.Range[int]{Low: -1 << 31, High: 1<<31 - 1}).Reloads(),
		key.Duration(&s.Fuse.Hold, "fuse.hold",
			"how long a mass withdrawal, or one that no row explains, must persist before it is applied").Reloads(),
		key.Duration(&s.UnboundHold, "unbound_hold",
			"how long an address stays announced after its port is bound to no chassis any more; 0 withdraws it at once",
		).Reloads(),
		key.Duration(&s.Drain.Wait, "drain.wait",
			"how long bgp-ovn drain announces everything as a last resort before it withdraws").Reloads(),
		key.Number(&s.Drain.Prepend, "drain.prepend",
			"how often a drain prepends bgp.as to AS_PATH; not while a peer is of the same AS, which would take it for a loop",
			key.Range[uint8]{High: object.MostPrepended, Use: "use 0 to 10"}).Reloads(),
		key.Number(&s.History.Steps, "history.steps", "how many steps are remembered for bgp-ovn history; 0 remembers none",
			key.Range[int]{High: 1_000_000, Use: "use 0 to 1000000"}),
		key.Duration(&s.History.Age, "history.age", "how long they are remembered"),
		key.Text(&s.MetricsListen, "metrics.listen",
			"address:port for Prometheus; the control socket always has /metrics", checkListen).Reloads(),
		key.Text(&s.Web.Listen, "web.listen",
			"address:port or unix:/path of a page that shows this node and changes nothing; beyond loopback it needs the three "+
				"other keys", checkWebListen),
		key.Text(&s.Web.Certificate, "web.certificate", "file with the TLS certificate of the page", checkAbsolute),
		key.Text(&s.Web.Key, "web.private_key", "file with the private key of that certificate", checkAbsolute),
		key.Text(&s.Web.TokenFile, "web.token_file",
			"file that holds the password of the page, at least 16 bytes, and nothing else, which not everybody may read",
			checkAbsolute),
	}
}

// sourceKeys are those of the databases.
func sourceKeys(s *Settings) []key.Key {
	seconds := key.Range[int64]{High: key.MaxSeconds, Use: "use 0 or more seconds"}
	sb, nb := &s.Southbound, &s.Northbound
	return []key.Key{
		key.Text(&s.OpenVSwitch.Endpoint, "ovsdb_connection", "local Open_vSwitch database", checkLocalDatabase),
		key.Seconds(&s.OpenVSwitch.Timeout, "ovsdb_connection_timeout",
			"seconds one attempt to read it may take", seconds),
		key.Text(&s.OpenVSwitch.RunDir, "ovs_rundir",
			"run directory of Open vSwitch (default: OVS_RUNDIR or /var/run/openvswitch)", nil),
		key.CommaText(&sb.Remotes, "ovn_sb_connection",
			"Southbound database, comma separated (default: external_ids:ovn-remote)", checkRemote),
		key.Text(&sb.Key, "ovn_sb_private_key", "TLS key for ssl: remotes", nil),
		key.Text(&sb.Certificate, "ovn_sb_certificate", "TLS certificate for ssl: remotes", nil),
		key.Text(&sb.CA, "ovn_sb_ca_cert", "TLS CA certificate for ssl: remotes", nil),
		key.CommaText(&sb.ServerNames, "ovn_sb_server_name", serverNameHelp, checkServerName),
		key.Choice(&s.LocalScope, "ovn_sb_scope",
			"all reads every port of the cloud; local only those that concern this node, which spares nodes and servers of "+
				"clouds with very many ports",
			key.Option[bool]{Word: "all", Value: false}, key.Option[bool]{Word: "local", Value: true}),
		key.Seconds(&s.ProbeInterval, "ovn_sb_probe_interval",
			"seconds of silence after which the connection is probed; it is given up after as long again. 60, the default, "+
				"is 7.5 once the rows have been read; 0 turns it off", seconds),
		key.Number(&s.SizeLimit, "ovn_sb_size_limit",
			"MiB that a database of OVN may send as rows; 100,000 ports have about 80; one that sends more is left",
			key.Range[int64]{Low: 1, High: 1 << 20, Use: "use 1 to 1048576"}),
		key.CommaText(&nb.Remotes, "ovn_nb_connection",
			"Northbound database, comma separated (default: external_ids:ovn-nb-remote); read only with "+
				"require_snat_disabled_for_tenant_networks", checkRemote),
		key.Text(&nb.Key, "ovn_nb_private_key", "TLS key for ssl: remotes of the Northbound database", nil),
		key.Text(&nb.Certificate, "ovn_nb_certificate",
			"TLS certificate for ssl: remotes of the Northbound database", nil),
		key.Text(&nb.CA, "ovn_nb_ca_cert", "TLS CA certificate for ssl: remotes of the Northbound database", nil),
		key.CommaText(&nb.ServerNames, "ovn_nb_server_name", "the same for the Northbound database", checkServerName),
	}
}

const serverNameHelp = "names or addresses, comma separated: the certificate of an ssl: server must have " +
	"one of them (default: every certificate of the CA is accepted)"

// learnKeys are those of the node's own routes and prefixes.
func learnKeys(s *Settings) []key.Key {
	f := &s.Fabric
	return []key.Key{
		key.ListOf(&s.Learn.Accept, "learn.accept",
			`prefixes that become routes in the main table when neighbours announce them, as PREFIX or `+
				`"PREFIX le LENGTH"; empty learns nothing`,
			drivers.PrefixRange, observe.PrefixRange.String).Reloads(),
		addrKey(&f.Source4, "learn.source4", "preferred source address of learned IPv4 routes", checkIPv4).Reloads(),
		addrKey(&f.Source6, "learn.source6", "preferred source address of learned IPv6 routes", checkIPv6).Reloads(),
		key.Number(&f.Metric, "learn.metric", "metric of learned routes; lower ones are preferred",
			key.Range[uint32]{
				Low: 1, High: 1<<32 - 1, Use: "use 1 to 4294967295: the kernel has no IPv6 route with metric 0",
			}).Reloads(),
		key.Number(&f.Max, "learn.max", "how many prefixes become routes at most, the shortest first",
			key.Range[int]{
				Low: 1, High: 1<<31 - 1, Use: "use 1 or more; an empty learn.accept learns nothing",
			}).Reloads(),
		key.Bool(&f.Loopback, "advertise_loopback",
			"announce the addresses of lo, but for 127.0.0.0/8 and ::1").Reloads(),
		key.ListOf(&s.Protect, "protect",
			"prefixes that no route of ours may cover or lie in, beside those that the node is seen to live on",
			parsePrefix, printPrefix).Reloads(),
		key.ListOf(&f.Originate, "originate", "further prefixes to announce", parsePrefix, printPrefix).Reloads(),
	}
}

// markKeys are the numbers that identify what is ours.
func markKeys(s *Settings) []key.Key {
	r := &s.Routing
	return []key.Key{
		key.Parsed(&r.TableRange, "routing.table_range", "string", "routing tables that may be taken",
			parseTables, printTables),
		key.Number(&r.RulePriority, "routing.rule_priority", "priority of the ip rule of a bridge",
			key.Range[uint32]{Low: 1, High: 32765, Use: "use 1 to 32765, before the rule of the main table"}),
		key.Parsed(&r.RouteProtocol, "routing.route_protocol", "int", "protocol number that marks our routes",
			parseProtocol, printByte),
		key.Parsed(&r.RuleProtocol, "routing.rule_protocol", "int", "protocol number that marks our rules",
			parseProtocol, printByte),
		key.Strings(&r.TableFiles, "routing.tables_files",
			"files that name routing tables; *.conf in <file>.d is read too", nil),
		key.Bool(&s.Flows.Manage, "flows.manage",
			"install OpenFlow entries; off where there is no Open vSwitch or another tool does it"),
		key.Number(&s.Flows.Cookie, "flows.cookie", "cookie that marks our flows",
			key.Range[uint64]{Low: 1, High: 1<<64 - 1, Use: "use 1 or more: every flow of others may have cookie 0"}),
	}
}

// parseLevel reads the words of slog, which has steps between them: info+2.
func parseLevel(text string) (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
		return l, key.Wrong("use debug, info, warn or error", "unknown level %s", key.Quote(text))
	}
	return l, nil
}

func printLevel(l slog.Level) string { return strings.ToLower(l.String()) }
