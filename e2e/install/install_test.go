package install

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// From a bare node to a purge, on both releases of Debian at the same time, each on a
// chassis of its own.
func TestLifeOfThePackage(t *testing.T) {
	for i, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			m := boot(t, suite, shared.Chassis[i])
			m.put(t, debOf(former))
			m.put(t, debOf(newer))
			before := m.files(t)
			addr := netip.MustParseAddr(fmt.Sprintf("172.24.4.%d", 10+i))

			m.installs(t)
			m.starts(t, addr)
			traffic := harness.Must(shared.Host.SendTraffic(addr, 5*time.Millisecond))(t)
			t.Cleanup(func() { _, _ = traffic.Stop() }) // twice does no harm
			harness.Check(t, traffic.AwaitAnswers(testContext(t), 20))
			m.upgrades(t)
			m.restartsSpeaker(t, addr)
			m.downgrades(t)
			m.keepsRunning(t)
			harness.Check(t, traffic.AwaitAnswers(testContext(t), 20))
			if r := harness.Must(traffic.Stop())(t); !r.Lossless() {
				t.Errorf("%d of %d packets lost, want none", r.Sent-r.Received, r.Sent)
			}
			m.drains(t)
			m.removes(t, addr)
			m.purges(t, before)
		})
	}
}

// apt runs apt-get without questions.
func (m *machine) apt(t *testing.T, args ...string) string {
	t.Helper()
	return m.run(t, append([]string{"apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0"}, args...)...)
}

func (m *machine) installed(version string) string {
	return fmt.Sprintf("/root/bgp-ovn_%s_amd64.deb", version)
}

// installs installs the package, which starts nothing.
func (m *machine) installs(t *testing.T) {
	t.Helper()
	m.apt(t, "install", m.installed(former))
	for _, unit := range []string{"bgp-ovn", "bgp-ovn-speaker", "bgp-ovn-drain"} {
		m.fails(t, "systemctl", "is-enabled", unit)
		m.fails(t, "systemctl", "is-active", unit)
		if said := m.run(t, "systemd-analyze", "verify", "--man=no", unit+".service"); strings.Contains(said, "bgp-ovn") {
			t.Errorf("%s: systemd-analyze verify: %s", m.suite, said)
		}
		said := m.run(t, "systemd-analyze", "security", "--no-pager", unit+".service")
		level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(said)
		if level == nil {
			t.Fatalf("%s: no exposure level: %s", m.suite, said)
		}
		if n, err := strconv.ParseFloat(level[1], 64); err != nil || n > 2.5 {
			t.Errorf("%s: %s has exposure %s, want at most 2.5", m.suite, unit, level[1])
		}
	}
	if said := m.run(t, "stat", "-c", "%a %U %G", "/etc/bgp-ovn/config.yaml"); said != "640 root bgp-ovn\n" {
		t.Errorf("%s: the configuration is %s", m.suite, said)
	}
	if said := m.run(t, "bgp-ovn", "version"); !strings.Contains(said, "bgp-ovn "+former+" ") ||
		!strings.Contains(said, "commit ") {
		t.Errorf("%s: version: %s", m.suite, said)
	}
}

// starts configures the node with three lines: a VM of the chassis is reachable then.
func (m *machine) starts(t *testing.T, addr netip.Addr) {
	t.Helper()
	ctx := testContext(t)
	port := harness.Must(shared.Neutron.Port(ctx, lab.PortSpec{
		Name: "vm-" + m.suite, Network: public, Chassis: m.Chassis, Addrs: []netip.Addr{addr},
	}))(t)
	harness.Must(m.PlugVM(ctx, port))(t)
	m.add(t, "/etc/bgp-ovn/config.yaml",
		fmt.Sprintf("bgp.as: %d", lab.ChassisAS),
		"bgp.router_id: "+m.Loopback.String(),
		fmt.Sprintf("bgp.peers: [{address: %s, as: %d}]", m.TorAddr4, lab.TorAS))
	m.run(t, "bgp-ovn", "config", "check")
	m.run(t, "systemctl", "enable", "--now", "bgp-ovn-speaker", "bgp-ovn")
	harness.Check(t, shared.Tor.AwaitPeer(ctx, m.Addr4))
	harness.Check(t, shared.Host.AwaitPing(testContext(t), addr))
	m.keepsRunning(t)
	for unit, caps := range map[string]string{"bgp-ovn": "0000000000001402", "bgp-ovn-speaker": "0000000000000400"} {
		status := m.run(t, "cat", "/proc/"+m.mainPID(t, unit)+"/status")
		user := strings.TrimSpace(m.run(t, "id", "-u", "bgp-ovn"))
		for _, want := range []string{"Uid:\t" + user + "\t", "CapEff:\t" + caps, "CapBnd:\t" + caps, "NoNewPrivs:\t1"} {
			if !strings.Contains(status, want) {
				t.Errorf("%s: %s has not %q:\n%s", m.suite, unit, want, status)
			}
		}
	}
}

// keepsRunning demands that both units are up and the node is well.
func (m *machine) keepsRunning(t *testing.T) {
	t.Helper()
	m.run(t, "systemctl", "is-active", "bgp-ovn", "bgp-ovn-speaker")
	harness.Eventually(t, 30*time.Second, func() string {
		if said, err := m.try(testContext(t), "bgp-ovn", "status"); err != nil {
			return said
		}
		return ""
	})
}

// sessions counts how often the top of rack has seen the session of this node come and go.
func (m *machine) sessions(t *testing.T) int {
	t.Helper()
	text := harness.Must(shared.Tor.BGPLog())(t)
	return strings.Count(text, fmt.Sprintf("ADJCHANGE: neighbor %s(", m.Addr4))
}

// upgrades installs the newer package: the controller is restarted, and the speaker is not.
func (m *machine) upgrades(t *testing.T) {
	t.Helper()
	changes := m.sessions(t)
	controller, speaker := m.mainPID(t, "bgp-ovn"), m.mainPID(t, "bgp-ovn-speaker")
	said := m.apt(t, "install", m.installed(newer))
	if !strings.Contains(said, "systemctl restart bgp-ovn-speaker") {
		t.Errorf("%s: the upgrade does not say what the speaker needs:\n%s", m.suite, said)
	}
	m.keepsRunning(t)
	if now := m.mainPID(t, "bgp-ovn"); now == controller || now == "0" {
		t.Errorf("%s: the controller is process %s, before the upgrade %s", m.suite, now, controller)
	}
	if now := m.mainPID(t, "bgp-ovn-speaker"); now != speaker {
		t.Errorf("%s: the speaker is process %s, before the upgrade %s", m.suite, now, speaker)
	}
	if now := m.sessions(t); now != changes {
		t.Errorf("%s: %d changes of the session by the upgrade, want none", m.suite, now-changes)
	}
	if said := m.run(t, "bgp-ovn", "version"); !strings.Contains(said, "bgp-ovn "+newer+" ") {
		t.Errorf("%s: version: %s", m.suite, said)
	}
	// A configuration that the new version refuses stops nothing.
	m.add(t, "/etc/bgp-ovn/config.yaml", "no.such.key: 1")
	controller = m.mainPID(t, "bgp-ovn")
	said = m.apt(t, "install", "--reinstall", m.installed(newer))
	if !strings.Contains(said, "refuses the configuration") || m.mainPID(t, "bgp-ovn") != controller {
		t.Errorf("%s: with a wrong configuration the upgrade said:\n%s", m.suite, said)
	}
	m.run(t, "sed", "-i", "/no.such.key/d", "/etc/bgp-ovn/config.yaml")
}

// restartsSpeaker does what the upgrade has announced.
func (m *machine) restartsSpeaker(t *testing.T, addr netip.Addr) {
	t.Helper()
	changes := m.sessions(t)
	m.run(t, "systemctl", "restart", "bgp-ovn-speaker")
	harness.Eventually(t, time.Minute, func() string {
		if now := m.sessions(t); now < changes+2 { // down and up
			return fmt.Sprintf("%d changes of the session", now-changes)
		}
		return ""
	})
	_, err := shared.Tor.WaitRoute(testContext(t), netip.PrefixFrom(addr, 32), m.Chassis)
	harness.Check(t, err)
	m.keepsRunning(t)
}

// downgrades goes back to the former package: apt refuses it unless it is told to.
func (m *machine) downgrades(t *testing.T) {
	t.Helper()
	said := m.fails(t, "apt-get", "-y", "install", m.installed(former))
	if !strings.Contains(said, "downgrade") {
		t.Errorf("%s: a downgrade is refused by: %s", m.suite, said)
	}
	m.apt(t, "install", "--allow-downgrades", m.installed(former))
	if said := m.run(t, "bgp-ovn", "version"); !strings.Contains(said, "bgp-ovn "+former+" ") {
		t.Errorf("%s: version: %s", m.suite, said)
	}
	if aside := m.run(t, "ls", "/var/lib/bgp-ovn"); aside != "state.db\n" {
		t.Errorf("%s: in the state directory: %s", m.suite, aside)
	}
}

// ours lists what bgp-ovn has in the kernel and in Open vSwitch of the chassis.
func (m *machine) ours(t *testing.T) string {
	t.Helper()
	var all []string
	for _, args := range [][]string{
		{"ip", "route", "show", "table", "all", "proto", "98"},
		{"ip", "-6", "route", "show", "table", "all", "proto", "98"},
		{"ip", "rule", "show"},
		{"ip", "-6", "rule", "show"},
		{"ovs-ofctl", "dump-flows", "br-ex", "cookie=999/-1"},
	} {
		for line := range strings.Lines(harness.Must(m.Run(testContext(t), args[0], args[1:]...))(t)) {
			rule := slices.Contains(args, "rule") // "ip rule" cannot leave out those of others
			if !strings.Contains(line, "ST_FLOW") && (!rule || strings.Contains(line, "proto 98")) {
				all = append(all, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(all, "\n")
}

// drains has the unit take the node back into service, and drain it when it is stopped, as at a
// shutdown. Nobody else announces the VM: the drain would wait, until an operator ends it.
func (m *machine) drains(t *testing.T) {
	t.Helper()
	drained := func(want bool) {
		t.Helper()
		harness.Eventually(t, 30*time.Second, func() string {
			said, err := m.try(testContext(t), "bgp-ovn", "status", "-o", "json")
			var s struct{ Drain *struct{ Phase string } }
			if bad := json.Unmarshal([]byte(said), &s); bad != nil {
				return fmt.Sprintf("status: %v, %v: %s", err, bad, said)
			}
			if (s.Drain != nil) != want {
				return fmt.Sprintf("drain is %+v, want %t", s.Drain, want)
			}
			return ""
		})
	}
	m.run(t, "bgp-ovn", "drain")
	drained(true)
	m.run(t, "systemctl", "enable", "--now", "bgp-ovn-drain")
	drained(false)
	m.run(t, "systemctl", "restart", "bgp-ovn") // which is no drain
	m.keepsRunning(t)
	m.run(t, "systemctl", "is-active", "bgp-ovn-drain")
	drained(false)
	m.run(t, "systemctl", "disable", "bgp-ovn-drain")
	m.run(t, "systemctl", "stop", "--no-block", "bgp-ovn-drain")
	drained(true)
	m.run(t, "bgp-ovn", "undrain")
	harness.Eventually(t, 30*time.Second, func() string {
		if said := m.run(t, "systemctl", "show", "--property=ActiveState", "--value", "bgp-ovn-drain"); said != "failed\n" {
			return "the unit does not say that the drain was ended: " + said
		}
		return ""
	})
	m.run(t, "systemctl", "reset-failed", "bgp-ovn-drain")
	drained(false)
}

// removes removes the package while the unit is on that drains: that is said, and how long it
// takes. What the package has made on the node goes, the configuration stays.
func (m *machine) removes(t *testing.T, addr netip.Addr) {
	t.Helper()
	if m.ours(t) == "" {
		t.Fatalf("%s: nothing of ours is on the node", m.suite)
	}
	// Nobody else announces the VM: the drain waits for as long as it may.
	const wait = "/etc/systemd/system/bgp-ovn-drain.service.d/wait.conf"
	m.run(t, "install", "-D", "-m", "644", "/dev/null", wait)
	m.add(t, wait, "[Service]", "ExecStop=",
		"ExecStop=/usr/bin/bgp-ovn drain --wait=2s", "TimeoutStopSec=3min")
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "enable", "--now", "bgp-ovn-drain")
	said := m.apt(t, "remove", "bgp-ovn")
	for _, want := range []string{"it takes less than 3min", "the drain has not come to its end"} {
		if !strings.Contains(said, want) {
			t.Errorf("%s: the removal does not say %q:\n%s", m.suite, want, said)
		}
	}
	m.run(t, "rm", "-r", "/etc/systemd/system/bgp-ovn-drain.service.d")
	if left := m.ours(t); left != "" {
		t.Errorf("%s: after the removal:\n%s", m.suite, left)
	}
	m.run(t, "test", "-e", "/etc/bgp-ovn/config.yaml")
	// Installed again it goes on from there: what root has written meanwhile is no obstacle.
	m.apt(t, "install", m.installed(newer))
	m.run(t, "systemctl", "start", "bgp-ovn-speaker", "bgp-ovn")
	m.keepsRunning(t) // and not drained, which is no state that is well
	harness.Check(t, shared.Host.AwaitPing(testContext(t), addr))
	if m.ours(t) == "" {
		t.Errorf("%s: installed again it does nothing", m.suite)
	}
}

// purges removes everything, with a configuration that no cleanup can use.
func (m *machine) purges(t *testing.T, before []string) {
	t.Helper()
	m.add(t, "/etc/bgp-ovn/config.yaml", "no.such.key: 1")
	said := m.apt(t, "purge", "bgp-ovn")
	if !strings.Contains(said, "not everything could be removed") {
		t.Errorf("%s: a cleanup that fails is not said:\n%s", m.suite, said)
	}
	before = append(before, "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-") // the user stays
	for _, file := range m.files(t) {
		if !slices.Contains(before, file) {
			t.Errorf("%s: %s is left", m.suite, file)
		}
	}
	if failed := m.run(t, "systemctl", "--failed", "--plain", "--no-legend"); strings.Contains(failed, "bgp-ovn") {
		t.Errorf("%s: failed units: %s", m.suite, failed)
	}
	harness.Check(t, os.Remove(filepath.Join(m.dir, "console")))
}
