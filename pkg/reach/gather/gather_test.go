package gather_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/gather"
)

// node gives the test a network namespace on its thread that forwards 198.51.100.7 and
// 2001:db8:7::7 from up0 to ex0 by rule 32000 and table 201, as the product sets it up.
func node(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root for a network namespace of its own; run it with `make real`")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	ip(t, `link set lo up
link add up0 type veth peer name up1
link add ex0 type veth peer name ex1
link set up0 up
link set up1 up
link set ex0 up
link set ex1 up
address add 192.0.2.2/24 dev up0
address add 2001:db8:2::2/64 dev up0 nodad
address add 169.254.0.1/32 dev ex0
route add default via 192.0.2.1
-6 route add default via 2001:db8:2::1
rule add priority 32000 lookup 201 suppress_prefixlength 0 protocol 98
-6 rule add priority 32000 lookup 201 suppress_prefixlength 0 protocol 98
route add 198.51.100.7/32 dev ex0 table 201 proto 98
-6 route add 2001:db8:7::7/128 dev ex0 table 201 proto 98`)
	set(t, "ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1", "ipv4/conf/ex0/proxy_arp=1", "ipv4/conf/all/rp_filter=0",
		"ipv4/conf/up0/rp_filter=0", "ipv4/conf/ex0/rp_filter=0")
}

func ip(t *testing.T, lines string) {
	t.Helper()
	for line := range strings.SplitSeq(lines, "\n") {
		program(t, "ip "+line)
	}
}

func program(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}

func set(t *testing.T, settings ...string) {
	t.Helper()
	for _, s := range settings {
		path, value, _ := strings.Cut(s, "=")
		if err := os.WriteFile(filepath.Join("/proc/sys/net", path), []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ask reads the facts of an address and judges them.
func ask(t *testing.T, addr, peer, far string) reach.Verdict {
	t.Helper()
	r, err := gather.Open(gather.Config{RuleProtocol: 98})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := netip.MustParseAddr(addr)
	q := gather.Question{
		Way: reach.Way{
			Addr: a, Priority: 32000, Table: 201, Route: netip.PrefixFrom(a, a.BitLen()), Dev: "ex0", Protocol: 98,
		},
		Uplinks: []string{"up0"}, NeedsDefault: true,
		Fabric: []gather.Source{{Addr: netip.MustParseAddr(peer), Dev: "up0"}, {Addr: netip.MustParseAddr(far), Far: true}},
	}
	facts := r.Facts(t.Context(), []gather.Question{q})
	return reach.Judge(facts[0])
}

func ask4(t *testing.T) reach.Verdict {
	t.Helper()
	return ask(t, "198.51.100.7", "192.0.2.1", "192.88.98.1")
}

func ask6(t *testing.T) reach.Verdict {
	t.Helper()
	return ask(t, "2001:db8:7::7", "2001:db8:2::1", "2001:4:112::1")
}

// A node on which all is well forwards both families.
func TestWellNode(t *testing.T) {
	node(t)
	for _, v := range []reach.Verdict{ask4(t), ask6(t)} {
		if first, broken := v.First(); broken || !v.Reachable || len(v.Stages) < 6 {
			t.Errorf("%s: %+v\n%+v", v.Address, first, v.Stages)
		}
		for _, s := range v.Stages {
			if s.State != reach.OK {
				t.Errorf("%s: %+v", v.Address, s)
			}
		}
	}
}

// kernelFault is a fault, and the first broken link that is found; without a code none is.
type kernelFault struct {
	name string
	// inject are commands, with ; between them.
	inject string
	code   string
	text   string
	try    string
	six    bool
}

var kernelFaults = []kernelFault{
	{
		"foreign rule", "ip rule add pref 100 to 198.51.100.0/24 lookup main", reach.CodeForeignRule,
		`"100: from all to 198.51.100.0/24 lookup main" comes before ours (32000)`, "ip rule del priority 100", false,
	},
	{
		"foreign rule of IPv6", "ip -6 rule add pref 100 to 2001:db8:7::/48 lookup main", reach.CodeForeignRule,
		"comes before ours", "ip -6 rule del priority 100", true,
	},
	{
		"refusing rule", "ip rule add pref 100 to 198.51.100.7 prohibit", reach.CodeForeignRule, "prohibit",
		"ip rule del priority 100", false,
	},
	{
		"rule by input", "ip rule add pref 100 iif up0 blackhole", reach.CodeForeignRule, "iif up0 blackhole",
		"ip rule del priority 100", false,
	},
	{"rule that leaves us alone", "ip rule add pref 100 to 203.0.113.0/24 lookup main", "", "", "", false},
	{
		"our rule is gone", "ip rule del pref 32000", reach.CodeRuleMissing, "no rule 32000 that looks up table 201",
		"audit --repair", false,
	},
	{
		"our route is gone", "ip route del 198.51.100.7 table 201", reach.CodeForeignRoute,
		"packets for 198.51.100.7 leave by up0", "", false,
	},
	{
		"our route is gone and there is no other", "ip route del 198.51.100.7 table 201; ip route del default",
		reach.CodeRouteMissing, "no way to forward", "ip route show table 201", false,
	},
	{
		"blackhole", "ip route prepend blackhole 198.51.100.7/32 table 201", reach.CodeForeignRoute,
		`"blackhole 198.51.100.7 table 201`, "ip route del blackhole 198.51.100.7/32 table 201", false,
	},
	{
		"unreachable", "ip route prepend unreachable 198.51.100.7/32 table 201", reach.CodeForeignRoute,
		`"unreachable 198.51.100.7 table 201`, "ip route del unreachable 198.51.100.7/32 table 201", false,
	},
	{
		"prohibit", "ip route prepend prohibit 198.51.100.7/32 table 201", reach.CodeForeignRoute,
		`"prohibit 198.51.100.7 table 201`, "ip route del prohibit 198.51.100.7/32 table 201", false,
	},
	{
		"blackhole of IPv6", "ip -6 route add blackhole 2001:db8:7::7/128 table 201 metric 1", reach.CodeForeignRoute,
		`"blackhole 2001:db8:7::7`, "ip -6 route del blackhole 2001:db8:7::7/128 table 201 metric 1", true,
	},
	{
		"better route", "ip route prepend 198.51.100.7/32 dev up0 table 201", reach.CodeForeignRoute,
		"leave by up0", "ip route del 198.51.100.7/32 table 201", false,
	},
	{
		"uplink does not forward", "sysctl ipv4/conf/up0/forwarding=0", reach.CodeForwardingOff, "up0.forwarding is 0",
		"sysctl -w net.ipv4.conf.up0.forwarding=1", false,
	},
	{
		"bridge does not forward", "sysctl ipv4/conf/ex0/forwarding=0", reach.CodeForwardingOff, "ex0.forwarding is 0",
		"sysctl -w net.ipv4.conf.ex0.forwarding=1", false,
	},
	{
		"IPv6 is not forwarded", "sysctl ipv6/conf/all/forwarding=0", reach.CodeForwardingOff, "conf.all.forwarding is 0",
		"sysctl -w net.ipv6.conf.all.forwarding=1", true,
	},
	{
		"no proxy ARP", "sysctl ipv4/conf/ex0/proxy_arp=0", reach.CodeProxyARPOff, "proxy_arp is 0",
		"sysctl -w net.ipv4.conf.ex0.proxy_arp=1", false,
	},
	{
		"strict filter, way back elsewhere", "sysctl ipv4/conf/up0/rp_filter=1; ip route add 192.88.98.0/24 dev ex0",
		reach.CodeReversePath, "reverse path filter of up0 drops packets from 192.88.98.1", "rp_filter=0", false,
	},
	{"strict filter, same way back", "sysctl ipv4/conf/up0/rp_filter=1", "", "", "", false},
	{"default route lost", "ip route del default", reach.CodeNoWayBack, "no default route", "route add default", false},
	{
		"default route of IPv6 lost", "ip -6 route del default", reach.CodeNoWayBack, "no default route",
		"ip -6 route add default", true,
	},
	{
		"default route refuses", "ip route del default; ip route add unreachable default", reach.CodeForeignRoute,
		`"unreachable default table main`, "ip route del unreachable 0.0.0.0/0 table main", false,
	},
	{"uplink down", "ip link set up0 down", reach.CodeUplinkDown, "device up0 is down", "ip link set up0 up", false},
	{"uplink without carrier", "ip link set up1 down", reach.CodeUplinkDown, "up0 has no carrier", "link show up0", false},
	{"bridge down", "ip link set ex0 down", reach.CodeDeviceDown, "device ex0 is down", "ip link set ex0 up", false},
	{
		"nobody answers", "ip neigh add 198.51.100.7 dev ex0 nud failed", reach.CodeNeighbourFailed,
		"nobody answers for 198.51.100.7", "ip neigh show 198.51.100.7", false,
	},
	{
		"policy drop", "nft add table inet f; nft add chain inet f chain1 FORWARD_DROP",
		reach.CodePacketFilter, "chain inet f chain1 (hook forward) drops", "nft list chain inet f chain1", false,
	},
	{"policy drop that lets us pass", `nft add table inet f; nft add chain inet f chain1 FORWARD_DROP;
			nft add rule inet f chain1 ip daddr 198.51.100.0/24 accept;
			nft add rule inet f chain1 ip saddr 198.51.100.0/24 accept`, "", "", "", false},
	{
		"a rule drops", `nft add table ip f; nft add chain ip f chain1 FORWARD;
			nft add rule ip f chain1 iifname up0 ip daddr 198.51.100.0/24 counter drop`, reach.CodePacketFilter,
		"rule 1 (iifname up0 daddr 198.51.100.0/24 drop)", "nft list chain ip f chain1", false,
	},
	{"a rule drops others", `nft add table ip f; nft add chain ip f chain1 FORWARD;
			nft add rule ip f chain1 ip daddr 203.0.113.0/24 drop;
			nft add rule ip f chain1 iifname eth* drop`, "", "", "", false},
	{
		"IPv6 alone is dropped", `nft add table ip6 f; nft add chain ip6 f chain1 FORWARD_DROP`,
		"", "", "", false,
	},
	{
		"a filter of local traffic", `nft add table ip f; nft add chain ip f chain1 INPUT_DROP`,
		"", "", "", false,
	},
}

// Each fault is found in a real kernel, and the first broken link is its cause.
func TestFaults(t *testing.T) {
	for _, tt := range kernelFaults {
		t.Run(tt.name, func(t *testing.T) {
			node(t)
			inject(t, tt.inject)
			v := ask4
			if tt.six {
				v = ask6
			}
			got := v(t)
			first, broken := got.First()
			if tt.code == "" {
				if broken {
					t.Fatalf("found %+v", first)
				}
				return
			}
			if first.Code != tt.code || !strings.Contains(first.Text, tt.text) || !strings.Contains(first.Try, tt.try) ||
				first.Try == "" {
				t.Fatalf("found %+v, want %s with %q and remedy %q\n%+v", first, tt.code, tt.text, tt.try, got.Stages)
			}
		})
	}
}

// hooks are what chains of nftables are made with.
var hooks = strings.NewReplacer(
	"FORWARD_DROP", "{ type filter hook forward priority 0 ; policy drop ; }",
	"FORWARD", "{ type filter hook forward priority 0 ; }",
	"INPUT_DROP", "{ type filter hook input priority 0 ; policy drop ; }",
)

func inject(t *testing.T, lines string) {
	t.Helper()
	for line := range strings.SplitSeq(lines, ";") {
		line = hooks.Replace(strings.TrimSpace(line))
		if setting, ok := strings.CutPrefix(line, "sysctl "); ok {
			set(t, setting)
			continue
		}
		program(t, line)
	}
}
