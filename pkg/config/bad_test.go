package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

// badFiles are files with one thing wrong, and what is said of it after the path.
var badFiles = []struct{ name, file, want string }{
	// The file as YAML.
	{"syntax", "bgp: [\n", "1: did not find expected node content: the file must be YAML"},
	{"tab", "bgp:\n\tas: 1\n", "2: found character that cannot start any token: the file must be YAML"},
	{"list", "- bgp\n", "1: it holds a list, not keys: write KEY: VALUE"},
	{"text", "bgp\n", "1: it holds a single value, not keys: write KEY: VALUE"},
	{
		"second document", "bgp: {as: 1}\n---\nbgp: {as: 2}\n",
		"2: a second document begins here: a configuration is one document: remove the ---, or what follows it",
	},
	{"key that is a list", "[a, b]: c\n", "1: a key that is no word: write KEY: VALUE"},
	{
		"anchor in itself", "learn: {accept: &a [*a]}\n",
		"1: an anchor contains itself: write the values out; %s:1: learn.accept[0]: it holds a list: " +
			"write a single value",
	},
	{"merge of a list", "bgp: {<<: 1}\n", "1: << merges no group of keys: write the values out"},
	// Keys.
	{"unknown key", "bgp:\n  as: 1\n  asn: 2\n", "3: bgp.asn: unknown key: did you mean as?"},
	{"unknown group", "bpg:\n  as: 1\n", "1: bpg: unknown key: did you mean bgp?"},
	{"key of a group", "router_id: 192.0.2.1\n", "1: router_id: unknown key: did you mean bgp.router_id?"},
	{"flag's name", "bgp-as: 1\n", "1: bgp-as: unknown key: see docs/configuration.md"},
	{"nothing like it", "expose_everything: true\n", "1: expose_everything: unknown key: see docs/configuration.md"},
	{
		"key twice", "state: /a\nsocket: /b\nstate: /c\n",
		"3: state: the key is here twice, first at %s:1: leave one of them out",
	},
	{
		"group is a value", "bgp: 65000\n",
		"1: bgp: it holds a single value, not keys: it is a group: write its keys below it, indented",
	},
	{"value is a group", "state: {file: /a}\n", "1: state: it holds a group of keys: write a single value"},
	{
		"list is a value", "drivers: osp_ovn_bgp_driver\n",
		"1: drivers: it holds a single value, not a list: write [VALUE, VALUE]",
	},
	{"list of lists", "drivers: [[a]]\n", "1: drivers[0]: it holds a list: write a single value"},
	{"empty element", "originate:\n  -\n", "2: originate[0]: an empty element: give it a value or leave it out"},
	// Values.
	{
		"seconds", "\n\nreconcile_interval: often\n",
		`3: reconcile_interval: "often" is not a whole number of seconds: use 0 or more seconds`,
	},
	{
		"half seconds", "reconcile_interval: 1.5\n",
		`1: reconcile_interval: "1.5" is not a whole number of seconds: use 0 or more seconds`,
	},
	{"negative", "reconcile_interval: -1\n", "1: reconcile_interval: -1 is out of range: use 0 or more seconds"},
	{
		"no unit", "startup_grace: 20\n",
		`1: startup_grace: "20" is not a duration: write number and unit, such as 20s or 5m`,
	},
	{"negative duration", "fuse: {hold: -1s}\n", "1: fuse.hold: -1s is negative: use 0s or more"},
	{"boolean", "flows: {manage: maybe}\n", `1: flows.manage: "maybe" is neither true nor false: use true or false`},
	{"share", "fuse: {share: 2}\n", "1: fuse.share: 2 is out of range: use 0 to 1"},
	{"no number", "fuse: {share: .nan}\n", `1: fuse.share: ".nan" is not a number: use 0 to 1`},
	{"not a number", "fuse: {share: NaN}\n", "1: fuse.share: NaN is out of range: use 0 to 1"},
	{"level", "log: {level: loud}\n", `1: log.level: unknown level "loud": use debug, info, warn or error`},
	{"format", "log: {format: xml}\n", `1: log.format: unknown value "xml": use text or json`},
	{
		"relative socket", "ovsdb_connection: unix:db.sock\n",
		`1: ovsdb_connection: "unix:db.sock" is not the address of a database: ` +
			`use unix:/absolute/path, tcp:IP:PORT or ssl:IP:PORT`,
	},
	{
		"port of a remote", "ovn_sb_connection: tcp:192.0.2.1:66420\n",
		`1: ovn_sb_connection: "tcp:192.0.2.1:66420" is not the address of a database: ` +
			`use unix:/absolute/path, tcp:IP:PORT or ssl:IP:PORT`,
	},
	{
		"no driver", "drivers: []\n",
		"1: drivers: there is none: name at least one of osp_ovn_bgp_driver, osp_ovn_evpn_driver, " +
			"ovn_native_driver, k8s_ovn_bgp_driver",
	},
	{
		"driver", "drivers:\n  - frr\n",
		`2: drivers[0]: unknown driver "frr": use one of osp_ovn_bgp_driver, osp_ovn_evpn_driver, ovn_native_driver, k8s_ovn_bgp_driver`,
	},
	{
		"table range", "routing: {table_range: 200}\n",
		`1: routing.table_range: "200" is not a range of tables: use LOW-HIGH, such as 200-252`,
	},
	{
		"table range, reversed", "routing: {table_range: 20-10}\n",
		`1: routing.table_range: "20-10" is not a range of tables: use LOW-HIGH, such as 200-252`,
	},
	{
		"rule priority", "routing: {rule_priority: 32766}\n",
		"1: routing.rule_priority: 32766 is out of range: use 1 to 32765, before the rule of the main table",
	},
	{
		"route protocol", "routing: {route_protocol: 186}\n",
		"1: routing.route_protocol: " +
			"protocol 186 is that of bgp, whose routes and rules would be removed as ours: " +
			"use a free number from 5 to 255, such as 98",
	},
	{
		"rule protocol", "routing: {rule_protocol: 2}\n",
		"1: routing.rule_protocol: " +
			"protocol 2 is that of kernel, whose routes and rules would be removed as ours: " +
			"use a free number from 5 to 255, such as 98",
	},
	{
		"rule protocol 0", "routing: {rule_protocol: 0}\n",
		"1: routing.rule_protocol: " +
			"protocol 0 is that of unspec, whose routes and rules would be removed as ours: " +
			"use a free number from 5 to 255, such as 98",
	},
	{
		"rule protocol 256", "routing: {rule_protocol: 256}\n",
		`1: routing.rule_protocol: "256" is not a protocol number: use a free number from 5 to 255, such as 98`,
	},
	{
		"cookie", "flows: {cookie: 0}\n",
		"1: flows.cookie: 0 is out of range: use 1 or more: every flow of others may have cookie 0",
	},
	{
		"scope", "address_scopes: [a]\n",
		`1: address_scopes[0]: "a" is not a UUID: use the form 2237917c-7b12-489a-84de-4ef384a2bcae`,
	},
	{
		"method", "advertisement_method_tenant_networks: both\n",
		`1: advertisement_method_tenant_networks: unknown value "both": use host or subnet`,
	},
	{
		"proxy", "proxy_ndp_addresses: [physnet1=10.0.0.1]\n",
		`1: proxy_ndp_addresses[0]: "physnet1=10.0.0.1" names no gateway: ` +
			`use NETWORK=ADDRESS or NETWORK:VLAN=ADDRESS with an IPv6 address`,
	},
	{
		"proxy VLAN", "proxy_ndp_addresses: [physnet1:4095=2001:db8::1]\n",
		`1: proxy_ndp_addresses[0]: "physnet1:4095=2001:db8::1": the VLAN is out of range: use 1 to 4094`,
	},
	{
		"host bits", "originate: [10.0.0.1/8]\n",
		`1: originate[0]: "10.0.0.1/8" is not a prefix: it has host bits: write 10.0.0.0/8`,
	},
	{"prefix", "originate: [10.0.0.1]\n", `1: originate[0]: "10.0.0.1" is not a prefix: write ADDRESS/LENGTH`},
	{
		"accept", "learn:\n  accept:\n    - 0.0.0.0/0\n    - default\n",
		`4: learn.accept[1]: "default" is not a range of prefixes: use PREFIX or PREFIX le LENGTH, without host bits`,
	},
	{
		"source", "learn: {source4: '::1'}\n",
		"1: learn.source4: ::1 is not an IPv4 address: write an IPv4 address, or leave it out",
	},
	{
		"source6", "learn: {source6: 'fe80::1%eth0'}\n",
		"1: learn.source6: fe80::1%eth0 is not an IPv6 address: " +
			"write an IPv6 address without a device, or leave it out",
	},
	{
		"metric", "learn: {metric: 0}\n",
		"1: learn.metric: 0 is out of range: use 1 to 4294967295: the kernel has no IPv6 route with metric 0",
	},
	{
		"max", "learn: {max: 0}\n",
		"1: learn.max: 0 is out of range: use 1 or more; an empty learn.accept learns nothing",
	},
	{
		"listen", "metrics: {listen: 9100}\n",
		`1: metrics.listen: "9100" is nothing to listen on: use ADDRESS:PORT or :PORT`,
	},
	{
		"listen port", "metrics: {listen: ':91000'}\n",
		`1: metrics.listen: ":91000" is nothing to listen on: use ADDRESS:PORT or :PORT`,
	},
	// BGP.
	{
		"as", "bgp: {as: many}\n",
		`1: bgp.as: "many" is not an autonomous system number: use 1 to 4294967294, or the form 65000.1`,
	},
	{
		"asdot", "bgp: {as: 65536.1}\n",
		`1: bgp.as: "65536.1" is not an autonomous system number: use 1 to 4294967294, or the form 65000.1`,
	},
	{"as 0", "bgp: {as: 0}\n", "1: bgp.as: 0 is reserved (RFC 7607): use 1 to 4294967294"},
	{
		"as of transition", "bgp: {as: 23456}\n",
		"1: bgp.as: 23456 is reserved for transition (RFC 6793): write the number that it stands for",
	},
	{"last as", "bgp: {as: 4294967295}\n", "1: bgp.as: 4294967295 is reserved (RFC 7300): use another"},
	{"last short as", "bgp: {as: 65535}\n", "1: bgp.as: 65535 is reserved (RFC 7300): use another"},
	{
		"router id", "bgp: {router_id: 0.0.0.0}\n",
		"1: bgp.router_id: 0.0.0.0 is no BGP identifier: write an IPv4 address of this node",
	},
	{
		"router id, IPv6", "bgp: {router_id: '::1'}\n",
		"1: bgp.router_id: ::1 is no BGP identifier: write an IPv4 address of this node",
	},
	{
		"speaker", "bgp: {speaker: /run/s}\n",
		`1: bgp.speaker: "/run/s" is no socket: use unix:/absolute/path, or leave it out`,
	},
	{
		"listen address", "bgp: {listen: {address: here}}\n",
		`1: bgp.listen.address: "here" is not an IP address: write an address, or leave it out`,
	},
	{
		"port 0", "bgp: {listen: {port: 0}}\n",
		"1: bgp.listen.port: 0 is out of range: use 1 to 65535, or -1 not to listen",
	},
	{
		"port", "bgp: {listen: {port: 65536}}\n",
		"1: bgp.listen.port: 65536 is out of range: use 1 to 65535, or -1 not to listen",
	},
	{"origin", "bgp: {origin: static}\n", `1: bgp.origin: unknown value "static": use igp, egp or incomplete`},
	{
		"restart time", "bgp: {graceful_restart: {restart_time: 4096}}\n",
		"1: bgp.graceful_restart.restart_time: 4096 is out of range: use 0 to 4095 seconds (RFC 4724)",
	},
	// Policy.
	{
		"class", "bgp: {attributes: {fips: {med: 1}}}\n",
		`1: bgp.attributes: unknown class "fips": ` +
			`use gateway, fip, vip, provider, tenant, subnet, ovn, loopback or originate`,
	},
	{
		"community", "bgp: {attributes: {fip: {communities: [65536:1]}}}\n",
		`1: bgp.attributes.fip.communities[0]: community "65536:1": ` +
			`use AS:VALUE, 0 to 65535 each, or a well-known name such as no-export (RFC 1997)`,
	},
	{
		"large community", "bgp: {attributes: {vip: {large_communities: [1:2]}}}\n",
		`1: bgp.attributes.vip.large_communities[0]: large community "1:2": ` +
			`use AS:VALUE:VALUE, 0 to 4294967295 each (RFC 8092)`,
	},
	{
		"attribute", "bgp:\n  attributes:\n    fip:\n      meds: 1\n",
		"4: bgp.attributes.fip.meds: unknown key: did you mean med?",
	},
	{
		"MED", "bgp:\n  attributes:\n    fip: {med: -1}\n",
		`3: bgp.attributes.fip.med: "-1" is not a whole number in range: use 0 to 4294967295`,
	},
	{
		"attributes as a list", "bgp: {attributes: [fip]}\n",
		"1: bgp.attributes: it holds a list, not a group: write NAME: {KEY: " +
			"VALUE}; use gateway, fip, vip, provider, tenant, subnet, ovn, loopback or originate as name",
	},
	{
		"allow", "bgp: {export: {allow: [10.0.0.0/33]}}\n",
		`1: bgp.export.allow[0]: "10.0.0.0/33" is not a range of prefixes: ` +
			`use PREFIX or PREFIX le LENGTH, without host bits`,
	},
	{
		"deny", "bgp: {export: {deny: [10.0.0.0/8 ge 24]}}\n",
		`1: bgp.export.deny[0]: "10.0.0.0/8 ge 24" is not a range of prefixes: ` +
			`use PREFIX or PREFIX le LENGTH, without host bits`,
	},
	{"export key", "bgp:\n  export:\n    permit: []\n", "3: bgp.export.permit: unknown key: see docs/configuration.md"},
}

// Bad input gets a message that says where, what and what to do.
func TestBadFiles(t *testing.T) {
	for _, tt := range badFiles {
		t.Run(tt.name, func(t *testing.T) { checkBad(t, tt.file, tt.want) })
	}
}

// checkBad loads a file and compares all that is said.
func checkBad(t *testing.T, file, want string) {
	t.Helper()
	src := source(t, drivers.All(), file, nil)
	_, problems := Load(src)
	if strings.Contains(want, "%s") {
		want = fmt.Sprintf(want, src.Path)
	}
	if want = src.Path + ":" + want; problems.Err() == nil || problems.Err().Error() != want {
		t.Errorf("got\n%v\nwant\n%s", problems.Err(), want)
	}
}

// badPeers are neighbours with one thing wrong, each on the second line.
var badPeers = []struct{ name, peer, want string }{
	{"name", "address: tor-a, as: 65000", `address: "tor-a" is not an IP address: write the neighbour's address`},
	{
		"unspecified", "address: '::', as: 1",
		"address: :: is no address of a single node: write the neighbour's own address",
	},
	{
		"multicast", "address: 224.0.0.5, as: 1",
		"address: 224.0.0.5 is no address of a single node: write the neighbour's own address",
	},
	{
		"broadcast", "address: 255.255.255.255, as: 1",
		"address: 255.255.255.255 is no address of a single node: write the neighbour's own address",
	},
	{"link-local", "address: 'fe80::1', as: 1", "address: fe80::1 is link-local: add the device: fe80::1%DEVICE"},
	{
		"mapped", "address: '::ffff:192.0.2.1', as: 1",
		"address: ::ffff:192.0.2.1 is an IPv4 address in the form of IPv6: write 192.0.2.1",
	},
	{"no address", "as: 1", "address: missing: set the neighbour's IP address, or its interface"},
	{"no as", "address: 192.0.2.1", "as: missing: set the neighbour's autonomous system number, or external"},
	{"as 0", "address: 192.0.2.1, as: 0", "as: 0 is reserved (RFC 7607): use 1 to 4294967294"},
	{"port", "address: 192.0.2.1, as: 1, port: 65536", "port: 65536 is out of range: use 1 to 65535"},
	{
		"family", "address: 192.0.2.1, as: 1, families: [ipv4]",
		`families[0]: unknown address family "ipv4": use ipv4-unicast, ipv6-unicast or l2vpn-evpn`,
	},
	{
		"hold time", "address: 192.0.2.1, as: 1, hold_time: 2",
		"hold_time: 2 is out of range: use 3 to 65535 seconds (RFC 4271)",
	},
	{"multihop", "address: 192.0.2.1, as: 1, multihop: 256", "multihop: 256 is out of range: use 1 to 255"},
	{
		"gtsm and multihop", "address: 192.0.2.1, as: 1, multihop: 2, ttl_security: true",
		"multihop: ttl_security and multihop exclude each other (RFC 5082): leave one of them out",
	},
	{
		"local address", "address: 192.0.2.1, as: 1, local_address: '2001:db8::1'",
		"local_address: no session from 2001:db8::1 reaches 192.0.2.1: " +
			"write an address of the same family, or leave it out",
	},
	{
		"local address, zone", "address: 192.0.2.1, as: 1, local_address: 'fe80::1%eth0'",
		"local_address: fe80::1%eth0 is not an address of this node: write an address of this node, or leave it out",
	},
	{
		"local address, interface", "interface: eth0, as: 1, local_address: 192.0.2.9",
		"local_address: no session from 192.0.2.9 reaches eth0: write an address of the same family, or leave it out",
	},
	{"interface", "interface: eth/0, as: 1", `interface: "eth/0" is no name of a device: ` +
		"write the name of a device such as eth0, or a pattern such as bond*"},
	{"both", "interface: eth0, address: 192.0.2.1, as: 1", "interface: address is set, too: leave one of them out"},
	{
		"interface and multihop", "interface: eth0, as: 1, multihop: 2",
		"multihop: a neighbour on an interface is on the link: leave it out",
	},
	{"own as", "address: 192.0.2.1, as: 1, allow_own_as: 256", "allow_own_as: 256 is out of range: use 0 to 255"},
	{
		"llgr", "address: 192.0.2.1, as: 1, llgr_time: 16777216",
		"llgr_time: 16777216 is out of range: use 0 to 16777215 seconds (RFC 9494)",
	},
	{
		"limit", "address: 192.0.2.1, as: 1, prefix_limit: -1",
		"prefix_limit: -1 is out of range: use 1 to 4294967295, or 0 for none",
	},
	{
		"bfd", "address: 192.0.2.1, as: 1, bfd_interval: 100",
		"bfd_interval: bfd is off: set bfd: true, or leave it out",
	},
	{
		"retry", "address: 192.0.2.1, as: 1, connect_retry: 1",
		"connect_retry: 1 is out of range: use 2 to 65535 seconds",
	},
	{"mistyped", "address: 192.0.2.1, as: 1, pasword: s3cret", "pasword: unknown key: did you mean password?"},
}

func TestBadPeers(t *testing.T) {
	for _, tt := range badPeers {
		t.Run(tt.name, func(t *testing.T) {
			checkBad(t, "bgp: {peers: [\n  {"+tt.peer+"}]}\n", "2: bgp.peers[0]."+tt.want)
		})
	}
	checkBad(
		t,
		"bgp:\n  peers:\n    - {address: '2001:db8::1', as: 1}\n    - {address: '2001:DB8:0::1', as: 2}\n",
		"4: bgp.peers[1].address: duplicate neighbour 2001:db8::1: bgp.peers[0] has it already: "+
			"leave one of them out: there is one session for each address",
	)
	checkBad(
		t,
		"bgp:\n  graceful_restart: {restart_time: 0}\n  peers:\n    - {address: 192.0.2.1, as: 1, llgr_time: 10}\n",
		"4: bgp.peers[0].llgr_time: it needs graceful restart, which is off (RFC 9494): "+
			"set bgp.graceful_restart.restart_time, or leave it out",
	)
	checkBad(
		t,
		"bgp:\n  peers:\n    - 192.0.2.1\n",
		"3: bgp.peers[0]: it holds a single value, not keys: write KEY: VALUE",
	)
	checkBad(
		t,
		"bgp: {peers: 192.0.2.1}\n",
		"1: bgp.peers: it holds a single value, not a list: write a list: - {KEY: VALUE}",
	)
}
