package main

import "strings"

// words splits a command line.
func words(line string) []string { return strings.Fields(line) }

// wrongCommandLines are commands, arguments and flags that are not what they should
// be.
var wrongCommandLines = []wrong{
	{
		name: "unknown command",
		args: words("nonsense"),
		want: `unknown command "nonsense" for "bgp-ovn"; see bgp-ovn --help`,
	},
	{
		name: "mistyped command",
		args: words("stauts"),
		want: `unknown command "stauts" for "bgp-ovn"; did you mean status?`,
	},
	{
		name: "unknown command of config",
		args: words("config nonsense"),
		want: `unknown command "nonsense" for "bgp-ovn config"`,
	},
	{name: "mistyped command of config", args: words("config chek"), want: `unknown command "chek"`},
	{
		name: "unknown global flag",
		args: words("status --nonsense"),
		want: "unknown flag: --nonsense; see bgp-ovn status --help",
	},
	{
		name: "mistyped flag",
		args: words("status --confg x"),
		want: "unknown flag: --confg; did you mean --config? see bgp-ovn status --help",
	},
	{
		name: "mistyped flag of a key",
		args: words("plan --bgp-lisen-port 1"),
		want: "unknown flag: --bgp-lisen-port; did you mean --bgp-listen-port? see bgp-ovn plan --help",
	},
	{
		name: "mistyped command of bgp",
		args: words("bgp pears"),
		want: `unknown command "pears" for "bgp-ovn bgp"; did you mean peers? see bgp-ovn bgp --help`,
	},
	{
		name: "unknown short flag",
		args: words("status -z"),
		want: "unknown shorthand flag: 'z' in -z; see bgp-ovn status --help",
	},
	{name: "output", args: words("version -o toml"), want: `--output "toml": use text, json or yaml`},
	{name: "output, empty", args: words("version --output="), want: `--output "": use text, json or yaml`},
	{name: "output of a reader", args: words("plan -o xml"), want: `--output "xml": use text, json or yaml`},
	{name: "output without value", args: words("version -o"), want: "flag needs an argument: 'o' in -o"},
	{
		name: "config without value",
		args: words("config check --config"),
		want: "flag needs an argument: --config",
	},
	{
		name: "config not there",
		args: words("config check --config /nonexistent/c.yaml"),
		want: "/nonexistent/c.yaml: the configuration cannot be read: no such file or directory: name another",
	},
	{
		name: "config a directory",
		args: words("config check --config /tmp"),
		want: "/tmp: the configuration cannot be read: it is a directory",
	},
	{name: "config a device", args: words("config check --config /dev/zero"), want: "larger than 1 MiB"},
	{
		name: "config of run not there",
		args: words("run --config /nonexistent/c.yaml"),
		want: "/nonexistent/c.yaml",
	},
	{
		name: "argument of version",
		args: words("version extra"),
		want: `bgp-ovn version: unexpected argument "extra"; it takes none`,
	},
	{
		name: "argument of status",
		args: words("status extra"),
		want: `bgp-ovn status: unexpected argument "extra"`,
	},
	{name: "argument of plan", args: words("plan extra"), want: `bgp-ovn plan: unexpected argument "extra"`},
	{
		name: "argument of desired",
		args: words("desired extra"),
		want: `bgp-ovn desired: unexpected argument "extra"`,
	},
	{
		name: "argument of snapshot",
		args: words("snapshot extra"),
		want: `bgp-ovn snapshot: unexpected argument "extra"`,
	},
	{name: "argument of audit", args: words("audit extra"), want: `bgp-ovn audit: unexpected argument "extra"`},
	{
		name: "argument of reload",
		args: words("reload extra"),
		want: `bgp-ovn reload: unexpected argument "extra"`,
	},
	{
		name: "argument of cleanup",
		args: words("cleanup extra"),
		want: `bgp-ovn cleanup: unexpected argument "extra"`,
	},
	{name: "argument of adopt", args: words("adopt extra"), want: `bgp-ovn adopt: unexpected argument "extra"`},
	{
		name: "argument of doctor",
		args: words("doctor extra"),
		want: `bgp-ovn doctor: unexpected argument "extra"`,
	},
	{name: "argument of run", args: words("run extra"), want: `bgp-ovn run: unexpected argument "extra"`},
	{
		name: "argument of speaker",
		args: words("speaker extra"),
		want: `bgp-ovn speaker: unexpected argument "extra"`,
	},
	{
		name: "argument of config check",
		args: words("config check extra"),
		want: `bgp-ovn config check: unexpected argument "extra"`,
	},
	{
		name: "argument of config reference",
		args: words("config reference extra"),
		want: `unexpected argument "extra"`,
	},
	{
		name: "explain nothing",
		args: words("explain"),
		want: "bgp-ovn explain: 0 arguments; give one address or name, such as 203.0.113.7",
	},
	{
		name: "explain two",
		args: words("explain 192.0.2.1 192.0.2.2"),
		want: "bgp-ovn explain: 2 arguments; give one address or name",
	},
	{
		name: "explain half a prefix",
		args: words("explain 192.0.2.0/"),
		want: `explain "192.0.2.0/": give an address`,
	},
	{name: "explain empty", args: []string{"explain", ""}, want: `explain "": give an address`},
	{
		name: "explain a prefix",
		args: words("explain 192.0.2.0/33"),
		want: `explain "192.0.2.0/33": give an address`,
	},
	{
		name: "explain with blank",
		args: []string{"explain", " 192.0.2.1"},
		want: `explain " 192.0.2.1": give an address`,
	},
	{
		name: "explain a number",
		args: words("explain 256.0.0.1"),
		want: `explain "256.0.0.1": give an address`,
	},
	{name: "explain lines", args: []string{"explain", "a\nb"}, want: `explain "a\nb": give an address`},
	{
		name: "explain a long word",
		args: []string{"explain", strings.Repeat("x", 100_000)},
		want: "give an address",
	},
	{name: "evpn banana", args: words("evpn banana"), want: `evpn "banana": give a VNI, 1 to 16777215`},
	{name: "evpn 0", args: words("evpn 0"), want: `evpn "0": give a VNI, 1 to 16777215`},
	{name: "evpn too large", args: words("evpn 16777216"), want: `evpn "16777216": give a VNI`},
	{name: "evpn hexadecimal", args: words("evpn 0x7"), want: `evpn "0x7": give a VNI`},
	{name: "evpn negative", args: words("evpn -- -1"), want: `evpn "-1": give a VNI`},
	{
		name: "evpn two",
		args: words("evpn 1 2"),
		want: "bgp-ovn evpn: 2 arguments; give at most one VNI, such as 1001",
	},
	{
		name: "wait, no duration",
		args: words("plan --wait soon"),
		want: `invalid argument "soon" for "--wait" flag: use a duration above 0, such as 30s or 5m`,
	},
	{name: "wait, no unit", args: words("plan --wait 30"), want: "use a duration above 0, such as 30s or 5m"},
	{name: "wait, zero", args: words("plan --wait 0s"), want: "use a duration above 0, such as 30s or 5m"},
	{
		name: "wait, negative",
		args: words("run --once --wait=-1s"),
		want: "use a duration above 0, such as 30s or 5m",
	},
	{name: "wait of adopt", args: words("adopt --wait x"), want: "use a duration above 0, such as 30s or 5m"},
	{name: "wait of doctor", args: words("doctor --wait x"), want: "use a duration above 0, such as 30s or 5m"},
	{
		name: "wait of explain",
		args: words("explain 192.0.2.1 --wait x"),
		want: "use a duration above 0, such as 30s or 5m",
	},
	{
		name: "dry run",
		args: words("run --dry-run=x"),
		want: `invalid argument "x" for "--dry-run" flag: must be true or false; see bgp-ovn run --help`,
	},
	{
		name: "once",
		args: words("run --once=2"),
		want: `invalid argument "2" for "--once" flag: must be true or false`,
	},
	{
		name: "repair",
		args: words("audit --repair=maybe"),
		want: `invalid argument "maybe" for "--repair" flag: must be true or false`,
	},
	{
		name: "dry run of reload",
		args: words("reload --dry-run=maybe"),
		want: "must be true or false; see bgp-ovn reload --help",
	},
	{
		name: "dry run of cleanup",
		args: words("cleanup --dry-run=maybe"),
		want: "must be true or false; see bgp-ovn cleanup --help",
	},
	{
		name: "dry run of adopt",
		args: words("adopt --dry-run=maybe"),
		want: "must be true or false; see bgp-ovn adopt --help",
	},
	{name: "driver of plan", args: words("plan --driver frr"), want: `unknown driver "frr"`},
	{name: "driver of desired", args: words("desired --driver frr"), want: `unknown driver "frr"`},
	{name: "driver of explain", args: words("explain 192.0.2.1 --driver frr"), want: `unknown driver "frr"`},
	{name: "driver of evpn", args: words("evpn --driver frr"), want: `unknown driver "frr"`},
	{name: "against", args: words("plan --against moon"), want: `--against "moon": use model or actual`},
	{
		name: "against with a file",
		args: words("plan --against moon --snapshot x.json"),
		want: `--against "moon": use model or actual`,
	},
	{
		name: "against without a file",
		args: words("plan --against actual"),
		want: "--against actual needs --snapshot FILE",
	},
	{
		name: "flag of another command",
		args: words("desired --against model"),
		want: "unknown flag: --against; see bgp-ovn desired --help",
	},
	{
		name: "snapshot of audit",
		args: words("audit --snapshot x"),
		want: "unknown flag: --snapshot; see bgp-ovn audit --help",
	},
	{name: "snapshot of snapshot", args: words("snapshot --snapshot x"), want: "unknown flag: --snapshot"},
	{
		name: "speaker, no socket",
		args: words("speaker --listen x"),
		want: `speaker "x": use unix:/absolute/path`,
	},
	{name: "speaker, relative", args: words("speaker --listen unix:run/x"), want: `use unix:/absolute/path`},
	{name: "speaker, empty path", args: words("speaker --listen unix:"), want: `use unix:/absolute/path`},
	{
		name: "speaker, a file",
		args: words("speaker --listen unix:/etc/passwd"),
		want: "socket /etc/passwd: a regular file exists there",
	},
	{
		name: "speaker, a directory",
		args: words("speaker --listen unix:/etc"),
		want: "socket /etc: a directory exists there",
	},
	{
		name: "speaker, a device",
		args: words("speaker --listen unix:/dev/null"),
		want: "socket /dev/null: a device exists there",
	},
	{
		name: "import nothing",
		args: words("config import"),
		want: "bgp-ovn config import: 0 arguments; give one FILE, such as /etc/ovn-bgp-agent",
	},
	{
		name: "import two",
		args: words("config import a b"),
		want: "bgp-ovn config import: 2 arguments; give one FILE",
	},
	{
		name: "import not there",
		args: words("config import /nonexistent"),
		want: "/nonexistent: the configuration to import cannot be read: no such file or directory; name another file",
	},
	{
		name: "import a directory",
		args: words("config import /tmp"),
		want: "/tmp: the configuration to import cannot be read: it is a directory",
	},
	{name: "import without end", args: words("config import /dev/zero"), want: "larger than 1 MiB"},
	{name: "repair without controller", args: words("audit --repair"), want: "start one with bgp-ovn run"},
	{
		name: "status without controller",
		args: words("status"),
		want: "no controller is running (control socket ",
	},
	{
		name: "release without an address",
		args: words("peer release"),
		want: "bgp-ovn peer release: 0 arguments; give one address, such as 192.0.2.1",
	},
	{
		name: "release of no address",
		args: words("peer release spine-1"),
		want: `peer "spine-1": give the address of a peer as in bgp.peers, such as 192.0.2.1 or fe80::1%eth0`,
	},
	{
		name: "release without controller",
		args: words("peer release 192.0.2.1"),
		want: "no controller is running",
	},
	{
		name: "reload without controller",
		args: words("reload"),
		want: "no controller is running (control socket ",
	},
	{
		name: "dry run of reload without controller",
		args: words("reload --dry-run"),
		want: "no controller is running (control socket ",
	},
}

// wrongConfigurations are files that are wrong beyond a single value.
var wrongConfigurations = []wrong{
	{name: "no YAML", file: "a: [1\n", want: "config.yaml:"},
	{
		name: "a tab",
		file: "log:\n\tlevel: info\n",
		want: "config.yaml:2: found character that cannot start any token: the file must be YAML",
	},
	{
		name: "two documents",
		file: "log: {level: info}\n---\nlog: {level: debug}\n",
		want: "config.yaml:2: a second document begins here",
	},
	{name: "a list", file: "- log\n", want: "config.yaml:1: it holds a list, not keys"},
	{name: "a word", file: "log\n", want: "config.yaml:1: it holds a single value, not keys"},
	{name: "a number", file: "42\n", want: "config.yaml:1: it holds a single value, not keys"},
	{name: "binary", file: "\x00\x01\x02\n", want: "config.yaml: control characters are not allowed"},
	{name: "no UTF-8", file: "log: {level: \xff}\n", want: "config.yaml"},
	{name: "a key twice", file: "state: /a\nstate: /b\n", want: "config.yaml:2: state: the key is here twice"},
	{
		name: "an unknown anchor",
		file: "state: *a\n",
		want: "refers to an anchor that there is not: quote values that begin with *",
	},
	{name: "a key that is a list", file: "[a]: 1\n", want: "a key that is no word: write KEY: VALUE"},
	{name: "larger than 1 MiB", file: strings.Repeat("#", 1<<20+1), want: "config.yaml: larger than 1 MiB"},
	{
		name: "a group without group",
		file: "bgp: 65000\n",
		want: "config.yaml:1: bgp: it holds a single value, not keys",
	},
	{
		name: "no driver",
		file: "drivers: []\n",
		want: "config.yaml:1: drivers: there is none: name at least one of",
	},
	{
		name: "an unknown driver",
		file: "drivers: [frr]\n",
		want: `config.yaml:1: drivers[0]: unknown driver "frr"`,
	},
	{
		name: "an empty element",
		file: "drivers: [osp_ovn_bgp_driver, ]\noriginate: [null]\n",
		want: "config.yaml:2: originate[0]: an empty element",
	},
	{
		name: "a peer twice",
		file: "bgp:\n  peers:\n    - {address: 192.0.2.1, as: 1}\n    - {address: 192.0.2.1, as: 2}\n",
		want: "config.yaml:4: bgp.peers[1].address: duplicate neighbour 192.0.2.1",
	},
	{
		name: "a peer without address",
		file: "bgp: {peers: [{as: 1}]}\n",
		want: "bgp.peers[0].address: missing: set the neighbour's IP address",
	},
	{
		name: "a peer without AS",
		file: "bgp: {peers: [{address: 192.0.2.1}]}\n",
		want: "bgp.peers[0].as: missing",
	},
	{
		name: "an empty peer list element",
		file: "bgp: {peers: [{address: 192.0.2.1, as: 1, families: [null]}]}\n",
		want: "families[0]: an empty element",
	},
	{name: "a prefix with host bits", file: "originate: [192.0.2.1/24]\n", want: "write 192.0.2.0/24"},
	{name: "NaN", file: "fuse: {share: .nan}\n", want: "config.yaml:1: fuse.share: "},
	{name: "infinite", file: "fuse: {share: .inf}\n", want: "config.yaml:1: fuse.share: "},
	{
		name: "a negative duration",
		file: "fuse: {hold: -1s}\n",
		want: "fuse.hold: -1s is negative: use 0s or more",
	},
	{name: "a huge number", file: "bgp: {listen: {port: 99999999999999999999999}}\n", want: "bgp.listen.port: "},
	{name: "a date", file: "routing: {rule_priority: 2026-01-01}\n", want: "routing.rule_priority: "},
	{
		name: "plan of a wrong file",
		args: words("plan"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "run of a wrong file",
		args: words("run"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "once of a wrong file",
		args: words("run --once"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "adopt of a wrong file",
		args: words("adopt"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "cleanup of a wrong file",
		args: words("cleanup"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "doctor of a wrong file",
		args: words("doctor"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "speaker of a wrong file",
		args: words("speaker"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "reload of a wrong file",
		args: words("reload"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "audit of a wrong file",
		args: words("audit"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "snapshot of a wrong file",
		args: words("snapshot"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
	{
		name: "evpn of a wrong file",
		args: words("evpn"),
		file: "log: {level: loud}\n",
		want: "config.yaml:1: log.level: unknown level",
	},
}
