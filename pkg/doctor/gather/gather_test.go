package gather

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// isolate gives the test a fresh network namespace on its thread.
func isolate(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root for a network namespace of its own; run it with `make real`")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, out)
	}
}

func set(t *testing.T, path, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every fact of the kernel is that of the namespace that the test has made.
func TestFactsOfTheKernel(t *testing.T) {
	isolate(t)
	ip(t, "link set lo up")
	ip(t, "link add up0 mtu 1400 type veth peer name up1")
	ip(t, "link set up0 alias bgp-ovn up")
	ip(t, "link set up1 up")
	ip(t, "address add 192.0.2.2/24 dev up0")
	ip(t, "route add 198.51.100.0/24 via 192.0.2.1 mtu lock 1300")
	ip(t, "rule add priority 1500 l3mdev")
	set(t, doctor.SysctlForward4, "1")
	set(t, doctor.SysctlFilter, "2")
	set(t, doctor.SysctlFilterOf("up0"), "1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	peers := []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1"),
		netip.MustParseAddr("203.0.113.1"),
	}
	node := doctor.Node{
		OVSDB:      "unix:" + filepath.Join(t.TempDir(), "none.sock"),
		ListenPort: l.Addr().(*net.TCPAddr).Port, VXLANPort: u.LocalAddr().(*net.UDPAddr).Port,
	}
	f := Facts(t.Context(), Config{Node: node, Running: true, Alias: "bgp-ovn", Peers: peers})

	if !reflect.DeepEqual(f.Node, node) || !f.Running {
		t.Errorf("node %+v, running %v: not what was given", f.Node, f.Running)
	}
	if f.NetworkErr != nil || f.TrialErr != nil || f.CapabilitiesErr != nil || f.SocketErr != nil {
		t.Fatalf("errors %v, %v, %v, %v", f.NetworkErr, f.TrialErr, f.CapabilitiesErr, f.SocketErr)
	}
	routes := []doctor.PeerRoute{{Peer: peers[0], Dev: "up0"}, {Peer: peers[1], Dev: "up0", MTU: 1300}, {Peer: peers[2]}}
	if !slices.Equal(f.Routes, routes) {
		t.Errorf("routes\n%v\nwant\n%v", f.Routes, routes)
	}
	at := slices.IndexFunc(f.Devices, func(d doctor.Device) bool { return d.Name == "up0" })
	if at < 0 || f.Devices[at].MTU != 1400 || !f.Devices[at].Ours || f.Devices[at].Type != "veth" {
		t.Errorf("up0 is not right among %+v", f.Devices)
	}
	if !slices.Equal(f.L3mdev[0], []uint32{1500}) || f.L3mdev[1] != nil {
		t.Errorf("rules of VRFs %v, want 1500 for IPv4 alone", f.L3mdev)
	}
	for path, want := range map[string]string{
		doctor.SysctlForward4: "1", doctor.SysctlFilter: "2",
		doctor.SysctlFilterOf("up0"): "1",
	} {
		if got := f.Sysctls[path]; got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if want := []string{doctor.CapNetAdmin, doctor.CapNetBindService}; !slices.Equal(f.Capabilities, want) {
		t.Errorf("root has %v, want %v", f.Capabilities, want)
	}
	for _, owners := range [][]doctor.SocketOwner{f.TCP, f.UDP} {
		if len(owners) != 1 || owners[0].PID != os.Getpid() || owners[0].Name == "" {
			t.Errorf("owners %v, want this process, %d", owners, os.Getpid())
		}
	}
	if f.OpenVSwitch != nil || f.OpenVSwitchErr == nil {
		t.Errorf("without a database: %v, %v", f.OpenVSwitch, f.OpenVSwitchErr)
	}
}

// Each type of device was tried, and the trial has left nothing behind: neither
// a device nor the thread in another namespace.
func TestTrialsLeaveNothing(t *testing.T) {
	isolate(t)
	before, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	trials, err := deviceTrials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, x := range trials {
		types = append(types, x.Type)
		if x.NotTried && x.Err == nil {
			t.Errorf("%s was not tried, and no error says why", x.Type)
		}
	}
	slices.Sort(types)
	if want := []string{"bridge", "veth", "vlan", "vrf", "vxlan"}; !slices.Equal(types, want) {
		t.Errorf("tried %v, want %v", types, want)
	}
	if after, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || after != before {
		t.Errorf("the thread is in %s, %v, and was in %s", after, err, before)
	}
	if out, err := exec.Command("ip", "-o", "link").CombinedOutput(); err != nil || strings.Contains(string(out), "try-") {
		t.Errorf("devices are left: %v\n%s", err, out)
	}
}

// The sysctls that are examined are those that drivers set.
func TestSysctlsAreThoseOfDrivers(t *testing.T) {
	if got, want := doctor.SysctlForward4, expose.Forwarding(false).Path; got != want {
		t.Errorf("IPv4: examined %s, set %s", got, want)
	}
	if got, want := doctor.SysctlForward6, expose.Forwarding(true).Path; got != want {
		t.Errorf("IPv6: examined %s, set %s", got, want)
	}
}

// A socket is found by the real /proc, and only while it is there.
func TestSocketOwners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if owners, err := socketOwners("tcp", port); err != nil || len(owners) != 1 || owners[0].PID != os.Getpid() {
		t.Errorf("while listening: %v, %v, want this process, %d", owners, err, os.Getpid())
	}
	l.Close()
	if owners, err := socketOwners("tcp", port); err != nil || len(owners) != 0 {
		t.Errorf("after closing: %v, %v", owners, err)
	}
}

// A TCP socket counts only while it listens; UDP has no such state.
func TestSocketOnPort(t *testing.T) {
	const (
		listening = "   0: 0100007F:00B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n"
		connected = "   1: 0100007F:00B3 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n"
		header    = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	)
	for _, tt := range []struct {
		line   string
		port   int
		listen bool
		inode  string
		ok     bool
	}{
		{listening, 179, true, "4711", true},
		{listening, 180, true, "4711", false},
		{connected, 179, true, "", false},
		{connected, 179, false, "4712", true},
		{header, 179, false, "", false},
		{"", 179, false, "", false},
	} {
		inode, ok := socketOnPort(tt.line, tt.port, tt.listen)
		if ok != tt.ok || ok && inode != tt.inode {
			t.Errorf("%q, port %d: got %q, %v", tt.line, tt.port, inode, ok)
		}
	}
}

// A socket that no process is seen to have is reported without a name.
func TestUnseenHolder(t *testing.T) {
	if got := holders(map[string]bool{"no inode": true}); !slices.Equal(got, []doctor.SocketOwner{{}}) {
		t.Errorf("got %v", got)
	}
}

// The real Open vSwitch: one bridge answers, another is mapped and missing.
func TestFactsOfOpenVSwitch(t *testing.T) {
	s := vswitchtest.Start(t)
	s.AddBridge("br-ex")
	s.Vsctl("set", "Open_vSwitch", ".", "external_ids:system-id=hv1",
		"external_ids:ovn-bridge-mappings=net1:br-ex,net2:br-none,net3:br-ex")
	var f doctor.Facts
	cfg := Config{Node: doctor.Node{OVSDB: s.Endpoint()}, RunDir: s.Dir, ManageFlows: true}
	openVSwitch(t.Context(), cfg, &f)
	if f.OpenVSwitchErr != nil || f.OfctlErr != nil {
		t.Fatal(f.OpenVSwitchErr, f.OfctlErr)
	}
	if f.OpenVSwitch.SystemID != "hv1" || len(f.OpenVSwitch.Mappings) != 3 {
		t.Errorf("system-id %q, mappings %v", f.OpenVSwitch.SystemID, f.OpenVSwitch.Mappings)
	}
	if len(f.BridgeErrs) != 2 || f.BridgeErrs["br-ex"] != nil || f.BridgeErrs["br-none"] == nil {
		t.Errorf("answers %v, want a good one of br-ex and none of br-none", f.BridgeErrs)
	}

	cfg.ManageFlows = false
	f = doctor.Facts{}
	if openVSwitch(t.Context(), cfg, &f); f.OpenVSwitchErr != nil || f.BridgeErrs != nil {
		t.Errorf("flows are not managed: %v, answers %v", f.OpenVSwitchErr, f.BridgeErrs)
	}

	t.Setenv("PATH", t.TempDir())
	cfg.ManageFlows = true
	if openVSwitch(t.Context(), cfg, &f); f.OfctlErr == nil || f.BridgeErrs != nil {
		t.Errorf("without ovs-ofctl: %v, answers %v", f.OfctlErr, f.BridgeErrs)
	}
}

// A database that accepts connections and never answers takes half of the time
// at most.
func TestSilentDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var f doctor.Facts
	openVSwitch(ctx, Config{Node: doctor.Node{OVSDB: "unix:" + path}}, &f)
	if f.OpenVSwitchErr == nil {
		t.Error("no error from a silent database")
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Error("the database has taken all of the time")
	}
}
