package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// wellNode are the facts of a node on which all is well for both drivers.
func wellNode() Facts {
	f := Facts{
		Node: Node{
			PlainBGP: true, EVPN: true, OVSDB: "unix:/run/openvswitch/db.sock", ManageSysctls: true,
			ListenPort: 179, VXLANPort: 4789, RulePriority: 32000,
		},
		Running: true, Capabilities: []string{CapNetAdmin, CapNetBindService},
		OpenVSwitch: &observe.OpenVSwitch{
			SystemID: "hv1", Mappings: []observe.BridgeMapping{{Position: 1, Network: "physnet1", Bridge: "br-ex"}},
			Bridges: []observe.Bridge{{Name: "br-ex"}, {Name: "br-int"}},
		},
		BridgeErrs: map[string]error{"br-ex": nil},
		Sysctls: map[string]string{
			SysctlForward4: "1", SysctlForward6: "1", SysctlFilter: "0", SysctlStrict: "0",
			SysctlFilterOf("eth0"): "0", SysctlFilterOf("eth1"): "1",
		},
		Devices: []Device{
			{Name: "br-ex", MTU: 1500},
			{Name: "eth0", MTU: 1550},
			{Name: "eth1", MTU: 9000},
			{Name: "vrf-1001", Type: "vrf", Table: 1001, Ours: true},
			{Name: "vxlan-1001", Type: "vxlan", VNI: 1001, Port: 4789, Ours: true},
		},
		Routes: []PeerRoute{{Peer: netip.MustParseAddr("192.0.2.1"), Dev: "eth0"}},
		L3mdev: [2][]uint32{{1000}, {1000}},
		TCP:    []SocketOwner{{PID: 7, Name: "bgp-ovn"}},
		UDP:    []SocketOwner{{}}, // the kernel's, for vxlan-1001
	}
	for _, kind := range []string{"bridge", "veth", "vrf", "vxlan", "vlan"} {
		f.Trials = append(f.Trials, DeviceTrial{Type: kind})
	}
	return f
}

func (f *Facts) fail(kind string, err error) {
	for i := range f.Trials {
		if f.Trials[i].Type == kind {
			f.Trials[i].Err = err
		}
	}
}

func (f *Facts) add(devices ...Device) { f.Devices = append(f.Devices, devices...) }

func (f *Facts) vxlan(d Device) {
	d.Type = "vxlan"
	f.add(d)
}

func bgpOnly(f *Facts) { f.Node.EVPN = false }

func evpnOnly(f *Facts) { f.Node.PlainBGP = false }

func TestWellNode(t *testing.T) {
	for _, f := range Examine(wellNode()) {
		if f.Level != LevelOK || f.Remedy != "" {
			t.Errorf("%+v", f)
		}
	}
	plain := wellNode()
	bgpOnly(&plain)
	for _, f := range Examine(plain) {
		for _, word := range []string{"vxlan", "vrf", "udp", "l3mdev", "bridge device"} {
			if strings.Contains(f.Check, word) {
				t.Errorf("without the EVPN driver: %+v", f)
			}
		}
	}
}

// spoiled is a well node with one fault, and the one finding that it must give;
// the level ok stands for none.
type spoiled struct {
	name   string
	spoil  func(*Facts)
	level  Level
	check  string
	text   string
	remedy string
}

func examineEach(t *testing.T, tests []spoiled) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := wellNode()
			tt.spoil(&f)
			found := slices.DeleteFunc(Examine(f), func(x Finding) bool { return x.Level == LevelOK })
			if tt.level == LevelOK {
				if len(found) > 0 {
					t.Errorf("found %+v, want nothing", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("found %+v, want one", found)
			}
			got := found[0]
			if got.Level != tt.level || got.Check != tt.check || !strings.Contains(got.Text, tt.text) ||
				!strings.Contains(got.Remedy, tt.remedy) {
				t.Errorf("found %+v, want %s %s with %q and remedy %q", got, tt.level, tt.check, tt.text, tt.remedy)
			}
		})
	}
}

var errRefused = errors.New("Unknown device type")

func TestDeviceTypes(t *testing.T) {
	examineEach(t, []spoiled{
		{"no VRF", func(f *Facts) { f.fail("vrf", errRefused) }, LevelFail, "device type vrf", "every L3VNI", "modprobe vrf"},
		{
			"no bridge", func(f *Facts) { f.fail("bridge", errRefused) }, LevelFail, "device type bridge", "every VNI",
			"modprobe bridge",
		},
		{
			"no veth", func(f *Facts) { f.fail("veth", errRefused) }, LevelFail, "device type veth", "flat provider",
			"modprobe veth",
		},
		{"no VRF needed", func(f *Facts) { f.fail("vrf", errRefused); bgpOnly(f) }, LevelOK, "", "", ""},
		{
			"no VLAN", func(f *Facts) { f.fail("vlan", errRefused) }, LevelWarn, "device type vlan", "with a VLAN",
			"modprobe 8021q",
		},
		{"no VLAN needed", func(f *Facts) { f.fail("vlan", errRefused); evpnOnly(f) }, LevelOK, "", "", ""},
		{"VLAN not tried", func(f *Facts) {
			f.fail("vlan", errRefused)
			f.Trials[4].NotTried = true
		}, LevelWarn, "device type vlan", "not checked", "above"},
		{
			"not root", func(f *Facts) { f.TrialErr = fmt.Errorf("make: %w", syscall.EPERM) }, LevelWarn, "device types",
			"not checked", "as root",
		},
		{"no namespaces", func(f *Facts) { f.TrialErr = errRefused }, LevelWarn, "device types", "not checked", "dmesg"},
	})
}

func TestCapabilities(t *testing.T) {
	examineEach(t, []spoiled{
		{
			"none", func(f *Facts) { f.Capabilities = nil }, LevelFail, "capabilities",
			"lacks CAP_NET_ADMIN, CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_BIND_SERVICE",
		},
		{
			"no CAP_NET_ADMIN", func(f *Facts) { f.Capabilities = f.Capabilities[1:] }, LevelFail, "capabilities",
			"lacks CAP_NET_ADMIN;", "AmbientCapabilities=CAP_NET_ADMIN",
		},
		{"high port", func(f *Facts) { f.Capabilities = f.Capabilities[:1]; f.Node.ListenPort = 1790 }, LevelOK, "", "", ""},
		{"no port", func(f *Facts) { f.Capabilities = f.Capabilities[:1]; f.Node.ListenPort = -1 }, LevelOK, "", "", ""},
		{"no proc", func(f *Facts) { f.CapabilitiesErr = errRefused }, LevelWarn, "capabilities", "not checked", "/proc"},
	})
}

func TestOpenVSwitch(t *testing.T) {
	examineEach(t, []spoiled{
		{
			"no bridge", func(f *Facts) { f.OpenVSwitch.Bridges = f.OpenVSwitch.Bridges[1:] }, LevelFail, "bridge br-ex",
			"does not exist", "ovs-vsctl add-br br-ex",
		},
		{
			"userspace", func(f *Facts) { f.OpenVSwitch.Bridges[0].DatapathType = "netdev" }, LevelWarn, "bridge br-ex",
			"netdev", "DPDK",
		},
		{
			"another type", func(f *Facts) { f.OpenVSwitch.Bridges[0].DatapathType = "dummy" }, LevelWarn, "bridge br-ex",
			`"dummy"`, "datapath_type=system",
		},
		{
			"bad item", func(f *Facts) { f.OpenVSwitch.Problems = []string{"item x"} }, LevelWarn, "ovsdb", "item x",
			"ovs-vsctl list",
		},
		{
			"bridge silent", func(f *Facts) { f.BridgeErrs["br-ex"] = errRefused }, LevelFail, "ovs-ofctl br-ex",
			"does not answer", "ovs-vswitchd",
		},
		{
			"socket closed", func(f *Facts) { f.BridgeErrs["br-ex"] = fmt.Errorf("open: %w", fs.ErrPermission) }, LevelWarn,
			"ovs-ofctl br-ex", "not checked", "root",
		},
		{
			"socket closed to ovs-ofctl", func(f *Facts) { f.BridgeErrs["br-ex"] = errors.New("connect: Permission denied") },
			LevelWarn, "ovs-ofctl br-ex", "not checked", "root",
		},
		{
			"no tool", func(f *Facts) { f.OfctlErr, f.BridgeErrs = errRefused, nil }, LevelFail, "ovs-ofctl",
			"cannot be managed", "flows.manage",
		},
		{"flows not managed", func(f *Facts) { f.BridgeErrs = nil }, LevelOK, "", "", ""},
	})
}

func TestNoMapping(t *testing.T) {
	f := wellNode()
	f.OpenVSwitch.Mappings = nil
	got := slices.DeleteFunc(Examine(f), func(x Finding) bool { return x.Level == LevelOK })
	if len(got) != 2 || got[0].Check != "ovn-bridge-mappings" || got[1].Check != "mtu eth0" ||
		!strings.Contains(got[1].Text, "no device") {
		t.Errorf("found %+v, want the mapping and what cannot be compared without it", got)
	}
}

func TestSysctls(t *testing.T) {
	examineEach(t, []spoiled{
		{
			"no forwarding", func(f *Facts) { f.Sysctls[SysctlForward4] = "0" }, LevelFail, "net.ipv4.ip_forward", "0",
			"audit --repair",
		},
		{
			"not started", func(f *Facts) { f.Sysctls[SysctlForward4], f.Running, f.TCP = "0", false, nil }, LevelOK, "", "",
			"",
		},
		{"no forwarding, not managed", func(f *Facts) {
			f.Sysctls[SysctlForward6], f.Running, f.Node.ManageSysctls = "0", false, false
		}, LevelFail, "net.ipv6.conf.all.forwarding", "0", "sysctl -w net.ipv6.conf.all.forwarding=1"},
		{"forwarding without router advertisements", func(f *Facts) { f.Sysctls[SysctlForward6] = "2" }, LevelOK, "", "", ""},
		{
			"IPv6 off", func(f *Facts) { delete(f.Sysctls, SysctlForward6) }, LevelWarn, "net.ipv6.conf.all.forwarding",
			"without the protocol", "enable",
		},
		{
			"strict filter", func(f *Facts) { f.Sysctls[SysctlFilter] = "1" }, LevelFail, "net.ipv4.conf.all.rp_filter",
			"dropped", "sets it",
		},
		{
			"strict filter, not started", func(f *Facts) { f.Sysctls[SysctlFilter], f.Running, f.TCP = "1", false, nil },
			LevelOK, "", "", "",
		},
		{
			"loose filter", func(f *Facts) { f.Sysctls[SysctlFilter] = "2" }, LevelWarn, "net.ipv4.conf.all.rp_filter",
			"without a route", "sets it",
		},
		{
			"no proc", func(f *Facts) { delete(f.Sysctls, SysctlFilter) }, LevelWarn, "net.ipv4.conf.all.rp_filter",
			"cannot be read", "mounted",
		},
	})
}

// What the controller announces and packets do not get through to is a failure for each
// reason, with its remedy.
func TestReachable(t *testing.T) {
	a, b := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
	tests := []spoiled{
		{"all reachable", func(f *Facts) { f.Checked = 2 }, LevelOK, "", "", ""},
		{
			"one", func(f *Facts) {
				f.Checked, f.Unreachable = 2, []Unreachable{{a, "foreign-rule", "rule 100 comes first", "ip rule del priority 100"}}
			},
			LevelFail, "reachable", "203.0.113.7 is announced and not reachable here: foreign-rule: rule 100 comes first",
			"ip rule del priority 100",
		},
		{
			"two of one reason", func(f *Facts) {
				f.Checked, f.Unreachable = 2, []Unreachable{{a, "packet-filter", "chain", ""}, {b, "packet-filter", "chain", ""}}
			},
			LevelFail, "reachable", "chain (and 1 more of 2 that were checked)", "bgp-ovn trace 203.0.113.7",
		},
	}
	examineEach(t, tests)
	f := wellNode()
	f.Checked = 2
	if !slices.Contains(Examine(f), Finding{Level: LevelOK, Check: "reachable", Text: "packets get through to all 2 " +
		"announced addresses that were checked"}) {
		t.Error("what was checked is not told")
	}
}

func TestSysctlName(t *testing.T) {
	for path, want := range map[string]string{
		SysctlForward4: "net.ipv4.ip_forward", SysctlFilterOf("eth0"): "net.ipv4.conf.eth0.rp_filter",
		SysctlFilterOf("bond0.100"): "net.ipv4.conf.bond0/100.rp_filter",
	} {
		if got := SysctlName(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	second := PeerRoute{Peer: netip.MustParseAddr("192.0.2.5"), Dev: "eth1"}
	examineEach(t, []spoiled{
		{
			"two uplinks, one strict", func(f *Facts) { f.Routes = append(f.Routes, second) }, LevelWarn,
			"net.ipv4.conf.eth1.rp_filter", "2 uplinks", "net.ipv4.conf.eth1.rp_filter=0",
		},
		{"one uplink, strict", func(f *Facts) { f.Routes = []PeerRoute{second} }, LevelOK, "", "", ""},
		{"no peer", func(f *Facts) { f.Routes = nil }, LevelWarn, "peers", "no BGP peer", "bgp.peers"},
		{"no route", func(f *Facts) {
			f.Routes = append(f.Routes, PeerRoute{Peer: netip.MustParseAddr("2001:db8::1")})
		}, LevelFail, "peer 2001:db8::1", "no route", "route"},
		{
			"no room for VXLAN", func(f *Facts) { f.Devices[1].MTU = 1549 }, LevelWarn, "mtu eth0",
			"1549, but br-ex has 1500 plus 50 bytes of VXLAN", "mtu 1550",
		},
		{"no room on one route", func(f *Facts) {
			f.Routes = append(f.Routes, PeerRoute{Peer: netip.MustParseAddr("192.0.2.9"), Dev: "eth0", MTU: 1500})
		}, LevelWarn, "mtu eth0", "1500, but", "an MTU of at most 1450"},
		{"room without VXLAN", func(f *Facts) { f.Routes[0].MTU = 1500; bgpOnly(f) }, LevelOK, "", "", ""},
		{
			"no room without VXLAN", func(f *Facts) { f.Routes[0].MTU = 1499; bgpOnly(f) }, LevelWarn, "mtu eth0",
			"1499, but br-ex has 1500:", "mtu 1500",
		},
	})
}

func TestBGPPort(t *testing.T) {
	examineEach(t, []spoiled{
		{
			"FRR", func(f *Facts) { f.TCP = []SocketOwner{{PID: 9, Name: "bgpd"}} }, LevelFail, "tcp 179", "bgpd, pid 9",
			"bgp.listen.port",
		},
		{"another speaker", func(f *Facts) {
			f.TCP, f.Node.Speaker = []SocketOwner{{PID: 9, Name: "gobgpd"}}, "unix:/run/gobgp.sock"
		}, LevelOK, "", "", ""},
		{"owner not visible", func(f *Facts) { f.TCP = []SocketOwner{{}} }, LevelWarn, "tcp 179", "another user", "root"},
		{"nobody listens", func(f *Facts) { f.TCP = nil }, LevelFail, "tcp 179", "does not listen", "status"},
		{"not started", func(f *Facts) { f.TCP, f.Running = nil, false }, LevelOK, "", "", ""},
		{"not wanted", func(f *Facts) { f.TCP, f.Node.ListenPort = nil, -1 }, LevelOK, "", "", ""},
		{"no proc", func(f *Facts) {
			f.TCP, f.SocketErr = nil, errRefused
			bgpOnly(f)
		}, LevelWarn, "tcp 179", "not checked", "/proc"},
	})
}

func TestVXLANPort(t *testing.T) {
	examineEach(t, []spoiled{
		{
			"tunnels of OVS", func(f *Facts) {
				f.vxlan(Device{
					Name: "vxlan_sys_4789", Port: 4789,
					Modes: []string{"external"},
				})
			},
			LevelFail, "udp 4789", "vxlan_sys_4789", "evpn_udp_dstport",
		},
		{"tunnels of OVS elsewhere", func(f *Facts) {
			f.vxlan(Device{
				Name: "vxlan_sys_4790", Port: 4790,
				Modes: []string{"external"},
			})
		}, LevelOK, "", "", ""},
		{
			"other settings", func(f *Facts) { f.vxlan(Device{Name: "vx", Port: 4789, VNI: 5, Modes: []string{"gbp"}}) },
			LevelFail, "udp 4789", "(gbp)", "remove vx",
		},
		{
			"another's VNI", func(f *Facts) { f.vxlan(Device{Name: "vx", Port: 4789, VNI: 5}) }, LevelWarn, "udp 4789", "VNI 5",
			"remove vx",
		},
		{
			"between IPv6 addresses", func(f *Facts) { f.vxlan(Device{Name: "vx", Port: 4789, VNI: 5, IPv6: true}) }, LevelOK,
			"", "", "",
		},
		{
			"a program", func(f *Facts) { f.UDP = []SocketOwner{{PID: 9, Name: "tunneld"}} }, LevelFail, "udp 4789", "tunneld",
			"stop the program",
		},
		{"owner not visible", func(f *Facts) { f.Devices = f.Devices[:4] }, LevelWarn, "udp 4789", "in use", "ss -lunp"},
		{"nobody", func(f *Facts) { f.Devices, f.UDP = f.Devices[:4], nil }, LevelOK, "", "", ""},
	})
}

func TestVRFs(t *testing.T) {
	examineEach(t, []spoiled{
		{
			"shared table", func(f *Facts) { f.add(Device{Name: "blue", Type: "vrf", Table: 1001}) }, LevelFail,
			"net.vrf.strict_mode", "vrf-1001 and blue share table 1001", "table_offset",
		},
		{"no module", func(f *Facts) {
			delete(f.Sysctls, SysctlStrict)
			f.Devices = slices.Delete(f.Devices, 3, 4)
		}, LevelOK, "", "", ""},
		{
			"no rule", func(f *Facts) { f.L3mdev[1] = nil }, LevelFail, "l3mdev rule ipv6", "no rule",
			"ip -6 rule add priority 1000 l3mdev",
		},
		{"no rule, no VRF", func(f *Facts) {
			f.L3mdev = [2][]uint32{}
			f.Devices = slices.Delete(f.Devices, 3, 4)
		}, LevelOK, "", "", ""},
		{
			"late rule", func(f *Facts) { f.L3mdev[0] = []uint32{32765} }, LevelWarn, "l3mdev rule ipv4", "32765",
			"ip rule add",
		},
		{"one early rule of two", func(f *Facts) { f.L3mdev[0] = []uint32{1000, 32765} }, LevelOK, "", "", ""},
	})
}

// What could not be read gives no failures beyond the one that says so.
func TestUnreadableFacts(t *testing.T) {
	f := wellNode()
	f.OpenVSwitch, f.OpenVSwitchErr = nil, fmt.Errorf("dial: %w", fs.ErrPermission)
	f.Devices, f.Routes, f.NetworkErr = nil, nil, errors.New("no netlink")
	f.TCP, f.UDP, f.SocketErr = nil, nil, errors.New("no /proc")
	r := ReportOf(Examine(f))
	if r.Failures != 1 || r.Warnings != 3 || r.Healthy() {
		t.Errorf("got\n%s", r)
	}
	for _, x := range r.Findings {
		if (x.Level == LevelOK) != (x.Remedy == "") {
			t.Errorf("%+v: a remedy is due if and only if it is not ok", x)
		}
	}
}

// The same facts give the same findings in the same order, whatever the order
// of maps.
func TestExamineIsDeterministic(t *testing.T) {
	facts := func() Facts {
		f := wellNode()
		for _, name := range []string{"a", "b", "c", "d"} {
			table := uint32(len(f.Devices))
			f.add(Device{Name: "eth-" + name, MTU: 1400}, Device{Name: name, Type: "vrf", Table: table}, Device{Name: name +
				name, Type: "vrf", Table: table})
			f.Routes = append(f.Routes, PeerRoute{Peer: netip.MustParseAddr("192.0.2.9"), Dev: "eth-" + name})
		}
		return f
	}
	want := Examine(facts())
	for range 50 {
		if got := Examine(facts()); !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nand before\n%+v", got, want)
		}
	}
}

// Of several mapped bridges the one with the largest MTU counts, and a bridge
// that two networks are mapped to is examined once.
func TestSeveralBridges(t *testing.T) {
	f := wellNode()
	bgpOnly(&f)
	f.OpenVSwitch.Mappings = append(f.OpenVSwitch.Mappings,
		observe.BridgeMapping{Position: 2, Network: "physnet2", Bridge: "br-big"},
		observe.BridgeMapping{Position: 3, Network: "physnet3", Bridge: "br-ex"})
	f.OpenVSwitch.Bridges = append(f.OpenVSwitch.Bridges, observe.Bridge{Name: "br-big"})
	f.add(Device{Name: "br-big", MTU: 9000})
	checks := map[string]int{}
	for _, x := range Examine(f) {
		checks[x.Check]++
		if x.Check == "mtu eth0" && (x.Level != LevelWarn || !strings.Contains(x.Text, "br-big has 9000")) {
			t.Errorf("%+v: br-big is the largest", x)
		}
	}
	for _, name := range []string{"bridge br-ex", "bridge br-big", "mtu eth0"} {
		if checks[name] != 1 {
			t.Errorf("%s was checked %d times", name, checks[name])
		}
	}
}

func TestSocketOwnerText(t *testing.T) {
	for owner, want := range map[SocketOwner]string{
		{PID: 9, Name: "bgpd"}: "bgpd, pid 9",
		{}:                     "the kernel or a process of another user",
	} {
		if got := owner.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
