package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
)

// wellNode are the facts of a node on which all is well for both drivers.
func wellNode() facts {
	cfg := newConfig()
	cfg.Drivers = []string{"osp_ovn_bgp_driver", "osp_ovn_evpn_driver"}
	f := facts{
		cfg: cfg, running: true, caps: 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_BIND_SERVICE,
		vswitch: &observe.OpenVSwitch{
			SystemID: "hv1", Mappings: []observe.BridgeMapping{{Position: 1, Network: "physnet1", Bridge: "br-ex"}},
			Bridges: []observe.Bridge{{Name: "br-ex"}, {Name: "br-int"}},
		},
		answers: map[string]error{"br-ex": nil},
		sysctls: map[string]string{
			sysctlForward4: "1", sysctlForward6: "1", sysctlFilter: "0", sysctlStrict: "0", sysctlFilterOf("eth0"): "0", sysctlFilterOf("eth1"): "1",
		},
		survey: host.Survey{
			Devices: []host.Surveyed{
				{Name: "br-ex", MTU: 1500},
				{Name: "eth0", MTU: 1550},
				{Name: "eth1", MTU: 9000},
				{Name: "vrf-1001", Type: "vrf", Table: 1001, Ours: true},
				{Name: "vxlan-1001", Type: "vxlan", VNI: 1001, Port: 4789, Ours: true},
			},
			Ways:   []host.Way{{Addr: netip.MustParseAddr("192.0.2.1"), Dev: "eth0"}},
			L3mdev: [2][]uint32{{1000}, {1000}},
		},
		tcp: []socketOwner{{PID: 7, Name: "bgp-ovn"}},
		udp: []socketOwner{{}}, // the kernel's, for vxlan-1001
	}
	for _, kind := range []string{"bridge", "veth", "vrf", "vxlan", "vlan"} {
		f.trials = append(f.trials, kernel.Trial{Type: kind})
	}
	return f
}

func (f *facts) fail(kind string, err error) {
	for i := range f.trials {
		if f.trials[i].Type == kind {
			f.trials[i].Err = err
		}
	}
}

func (f *facts) add(devices ...host.Surveyed) {
	f.survey.Devices = append(f.survey.Devices, devices...)
}

func bgpOnly(f *facts) { f.cfg.Drivers = []string{"osp_ovn_bgp_driver"} }

func TestExamineWellNode(t *testing.T) {
	all := examine(wellNode())
	for _, f := range all {
		if f.Level != levelOK || f.Remedy != "" {
			t.Errorf("%+v", f)
		}
	}
	plain := wellNode()
	bgpOnly(&plain)
	for _, f := range examine(plain) {
		for _, word := range []string{"vxlan", "vrf", "udp", "l3mdev", "bridge device"} {
			if strings.Contains(f.Check, word) {
				t.Errorf("without the EVPN driver: %+v", f)
			}
		}
	}
}

// One thing is wrong at a time, and nothing else is found.
func TestExamine(t *testing.T) {
	no := errors.New("Unknown device type")
	tests := []struct {
		name   string
		spoil  func(*facts)
		level  level
		check  string
		text   string
		remedy string
	}{
		{"no VRF", func(f *facts) { f.fail("vrf", no) }, levelFail, "device type vrf", "every L3VNI", "modprobe vrf"},
		{"no VRF needed", func(f *facts) { f.fail("vrf", no); bgpOnly(f) }, levelOK, "", "", ""},
		{"no VLAN", func(f *facts) { f.fail("vlan", no) }, levelWarn, "device type vlan", "with a VLAN", "modprobe 8021q"},
		{"no VLAN needed", func(f *facts) { f.fail("vlan", no); f.cfg.Drivers = []string{"ovn_evpn_driver"} }, levelOK, "", "", ""},
		{"VLAN not tried", func(f *facts) { f.fail("vlan", kernel.ErrNotTried) }, levelWarn, "device type vlan", "cannot be told", "above"},
		{"not root", func(f *facts) { f.trialErr = fmt.Errorf("make: %w", unix.EPERM) }, levelWarn, "device types", "cannot be told", "as root"},
		{"no capability", func(f *facts) { f.caps = 1 << unix.CAP_NET_BIND_SERVICE }, levelFail, "capabilities", "lacks CAP_NET_ADMIN,", "AmbientCapabilities=CAP_NET_ADMIN"},
		{"high port", func(f *facts) { f.caps = 1 << unix.CAP_NET_ADMIN; f.cfg.BGP.Listen.Port = 1790 }, levelOK, "", "", ""},
		{"no bridge", func(f *facts) { f.vswitch.Bridges = f.vswitch.Bridges[1:] }, levelFail, "bridge br-ex", "does not exist", "ovs-vsctl add-br br-ex"},
		{"userspace", func(f *facts) { f.vswitch.Bridges[0].DatapathType = "netdev" }, levelWarn, "bridge br-ex", "netdev", "DPDK"},
		{"bad item", func(f *facts) { f.vswitch.Problems = []string{"item x"} }, levelWarn, "ovsdb", "item x", "ovs-vsctl list"},
		{"switch away", func(f *facts) { f.answers["br-ex"] = no }, levelFail, "ovs-ofctl br-ex", "Unknown", "ovs-vswitchd"},
		{"socket closed", func(f *facts) { f.answers["br-ex"] = fmt.Errorf("open: %w", os.ErrPermission) }, levelWarn, "ovs-ofctl br-ex", "cannot be told", "root"},
		{"no tool", func(f *facts) { f.ofctlErr, f.answers = no, nil }, levelFail, "ovs-ofctl", "Unknown", "flows.manage"},
		{"no forwarding", func(f *facts) { f.sysctls[sysctlForward4] = "0" }, levelFail, "net.ipv4.ip_forward", "0", "audit --repair"},
		{"not started", func(f *facts) { f.sysctls[sysctlForward4], f.running = "0", false }, levelOK, "", "", ""},
		{"no forwarding, unmanaged", func(f *facts) {
			f.sysctls[sysctlForward6], f.running, f.cfg.Sysctls.Manage = "0", false, false
		}, levelFail, "net.ipv6.conf.all.forwarding", "0", "sysctl -w net.ipv6.conf.all.forwarding=1"},
		{"IPv6 off", func(f *facts) { delete(f.sysctls, sysctlForward6) }, levelWarn, "net.ipv6.conf.all.forwarding", "without the protocol", "turn"},
		{"strict filter", func(f *facts) { f.sysctls[sysctlFilter] = "1" }, levelFail, "net.ipv4.conf.all.rp_filter", "dropped", "sets it"},
		{"loose filter", func(f *facts) { f.sysctls[sysctlFilter] = "2" }, levelWarn, "net.ipv4.conf.all.rp_filter", "without a route", "sets it"},
		{"two uplinks, one strict", func(f *facts) {
			f.survey.Ways = append(f.survey.Ways, host.Way{Addr: netip.MustParseAddr("192.0.2.5"), Dev: "eth1"})
		}, levelWarn, "net.ipv4.conf.eth1.rp_filter", "2 uplinks", "net.ipv4.conf.eth1.rp_filter=0"},
		{"no peer", func(f *facts) { f.survey.Ways = nil }, levelWarn, "peers", "no peer", "bgp.peers"},
		{"no way", func(f *facts) {
			f.survey.Ways = append(f.survey.Ways, host.Way{Addr: netip.MustParseAddr("2001:db8::1")})
		}, levelFail, "peer 2001:db8::1", "no route", "route"},
		{"no room for VXLAN", func(f *facts) { f.survey.Devices[1].MTU = 1549 }, levelWarn, "mtu eth0", "1549, but br-ex has 1500 and 50 bytes of VXLAN", "mtu 1550"},
		{"no room on the route", func(f *facts) { f.survey.Ways[0].MTU = 1500 }, levelWarn, "mtu eth0", "1500, but", "MTU 1450 at most"},
		{"room without VXLAN", func(f *facts) { f.survey.Ways[0].MTU = 1500; bgpOnly(f) }, levelOK, "", "", ""},
		{"no room without VXLAN", func(f *facts) { f.survey.Ways[0].MTU = 1499; bgpOnly(f) }, levelWarn, "mtu eth0", "1499, but br-ex has 1500:", "mtu 1500"},
		{"FRR", func(f *facts) { f.tcp = []socketOwner{{PID: 9, Name: "bgpd"}} }, levelFail, "tcp 179", "bgpd, pid 9", "bgp.listen.port"},
		{"another speaker", func(f *facts) {
			f.tcp, f.cfg.BGP.Speaker = []socketOwner{{PID: 9, Name: "gobgpd"}}, "unix:/run/gobgp.sock"
		}, levelOK, "", "", ""},
		{"unseen owner", func(f *facts) { f.tcp = []socketOwner{{}} }, levelWarn, "tcp 179", "cannot be seen", "root"},
		{"nobody listens", func(f *facts) { f.tcp = nil }, levelFail, "tcp 179", "does not listen", "status"},
		{"tunnels of OVS", func(f *facts) {
			f.add(host.Surveyed{Name: "vxlan_sys_4789", Type: "vxlan", Port: 4789, Modes: []string{"external"}})
		}, levelFail, "udp 4789", "vxlan_sys_4789", "evpn_udp_dstport"},
		{"tunnels of OVS elsewhere", func(f *facts) {
			f.add(host.Surveyed{Name: "vxlan_sys_4790", Type: "vxlan", Port: 4790, Modes: []string{"external"}})
		}, levelOK, "", "", ""},
		{"another mode", func(f *facts) {
			f.add(host.Surveyed{Name: "vx", Type: "vxlan", Port: 4789, VNI: 5, Modes: []string{"gbp"}})
		}, levelFail, "udp 4789", "(gbp)", "remove vx"},
		{"another's VNI", func(f *facts) { f.add(host.Surveyed{Name: "vx", Type: "vxlan", Port: 4789, VNI: 5}) }, levelWarn, "udp 4789", "VNI 5", "remove vx"},
		{"between IPv6 addresses", func(f *facts) { f.add(host.Surveyed{Name: "vx", Type: "vxlan", Port: 4789, VNI: 5, IPv6: true}) }, levelOK, "", "", ""},
		{"a program on the port", func(f *facts) { f.udp = []socketOwner{{PID: 9, Name: "tunneld"}} }, levelFail, "udp 4789", "tunneld", "stop it"},
		{"somebody on the port", func(f *facts) { f.survey.Devices = f.survey.Devices[:4] }, levelWarn, "udp 4789", "somebody", "ss -lunp"},
		{"shared table", func(f *facts) { f.add(host.Surveyed{Name: "blue", Type: "vrf", Table: 1001}) }, levelFail, "net.vrf.strict_mode", "vrf-1001 and blue share table 1001", "table_offset"},
		{"no rule", func(f *facts) { f.survey.L3mdev[1] = nil }, levelFail, "l3mdev rule ipv6", "no rule", "ip -6 rule add priority 1000 l3mdev"},
		{"no rule, no VRF", func(f *facts) {
			f.survey.L3mdev = [2][]uint32{}
			f.survey.Devices = slices.Delete(f.survey.Devices, 3, 4)
		}, levelOK, "", "", ""},
		{"late rule", func(f *facts) { f.survey.L3mdev[0] = []uint32{32765} }, levelWarn, "l3mdev rule ipv4", "32765", "ip rule add"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := wellNode()
			tt.spoil(&f)
			var found []finding
			for _, x := range examine(f) {
				if x.Level != levelOK {
					found = append(found, x)
				}
			}
			if tt.level == levelOK {
				if len(found) > 0 {
					t.Errorf("found %+v, want nothing", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("found %+v, want one", found)
			}
			got := found[0]
			if got.Level != tt.level || got.Check != tt.check || !strings.Contains(got.Text, tt.text) || !strings.Contains(got.Remedy, tt.remedy) {
				t.Errorf("found %+v, want %s %s with %q and remedy %q", got, tt.level, tt.check, tt.text, tt.remedy)
			}
		})
	}
}

// What is not known gives no failures beyond the one that says so.
func TestExamineUnknown(t *testing.T) {
	f := wellNode()
	f.vswitch, f.vswitchErr = nil, fmt.Errorf("dial: %w", os.ErrPermission)
	f.survey, f.surveyErr = host.Survey{}, errors.New("no netlink")
	f.tcp, f.udp, f.socketErr = nil, nil, errors.New("no /proc")
	d := diagnose(examine(f))
	if d.Failures != 1 || d.Warnings != 3 {
		t.Errorf("got\n%s", d)
	}
	for _, x := range d.Findings {
		if (x.Level == levelOK) != (x.Remedy == "") {
			t.Errorf("%+v: a remedy is due if and only if it is not ok", x)
		}
	}
}

func TestDiagnosisText(t *testing.T) {
	got := diagnose([]finding{{levelOK, "ovsdb", "answers", ""}, {levelWarn, "mtu eth0", "1500", "raise it"}, {levelFail, "tcp 179", "bgpd", "stop it"}}).String()
	const want = `ok    ovsdb                 answers
warn  mtu eth0              1500
      remedy: raise it
FAIL  tcp 179               bgpd
      remedy: stop it
3 checks, 1 warnings, 1 failures
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// The owner of a port is found in the real /proc: this process.
func TestSocketOwners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		u, err = net.ListenPacket("udp4", "127.0.0.1:0") // a host without IPv6
	}
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for protocol, port := range map[string]int{"tcp": l.Addr().(*net.TCPAddr).Port, "udp": u.LocalAddr().(*net.UDPAddr).Port} {
		owners, err := socketOwners(protocol, port)
		if err != nil || len(owners) != 1 || owners[0].PID != os.Getpid() || owners[0].Name == "" {
			t.Errorf("%s %d: %v, %v, want this process, %d", protocol, port, owners, err, os.Getpid())
		}
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	if owners, err := socketOwners("tcp", port); err != nil || len(owners) != 0 {
		t.Errorf("after closing: %v, %v", owners, err)
	}
}

// The command on this very host: whatever it is like, each check has a verdict,
// and the exit status says what they amount to.
func TestDoctor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	args := []string{
		"doctor", "-o", "json", "--ovsdb-connection", "unix:" + t.TempDir() + "/none.sock", "--drivers", "osp_ovn_evpn_driver",
		"--bgp-peers", "address=127.0.0.1,as=65000,families=l2vpn-evpn", "--bgp-listen-port", fmt.Sprint(port), "--config", writeFile(t, ""),
	}
	out, errs, exit := run(t, nil, args...)
	if exit != exitDiffers {
		t.Fatalf("exit %d, want %d: %s", exit, exitDiffers, errs)
	}
	var got diagnosis
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	levels := map[string]level{}
	for _, f := range got.Findings {
		levels[f.Check] = f.Level
	}
	want := map[string]level{"ovsdb": levelFail, "peer 127.0.0.1": levelOK, fmt.Sprintf("tcp %d", port): levelFail}
	for check, l := range want {
		if levels[check] != l {
			t.Errorf("%s is %q, want %s", check, levels[check], l)
		}
	}
	if got.Version != 1 || got.Failures == 0 {
		t.Errorf("version %d, %d failures", got.Version, got.Failures)
	}
	if _, _, exit := run(t, nil, "doctor", "--drivers", "frr"); exit != exitError {
		t.Errorf("with a bad configuration: exit %d, want %d", exit, exitError)
	}
}
