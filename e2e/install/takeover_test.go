package install

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// The steps of docs/ovn-native.md by which a node whose routing daemon is FRR becomes one of bgp-ovn, with the units
// of both packages: systemd starts FRR no more once it is killed, what it has announced stays, and no packet is lost.
func TestFRRIsTakenOver(t *testing.T) {
	for i, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			m := boot(t, suite, shared.Chassis[i])
			m.put(t, debOf(newer))
			m.apt(t, "install", m.installed(newer))
			service := netip.MustParseAddr(fmt.Sprintf("10.99.2.%d", 1+i))
			m.run(t, "ip", "address", "add", service.String()+"/32", "dev", "lo")
			m.routedByFRR(t, service)
			traffic := harness.Must(shared.Host.SendTraffic(service, 5*time.Millisecond))(t)
			t.Cleanup(func() { _, _ = traffic.Stop() }) // twice does no harm
			harness.Check(t, traffic.AwaitAnswers(testContext(t), 20))

			imported := m.run(t, "sh", "-c", "bgp-ovn config import /etc/frr/frr.conf 2>/dev/null")
			if !strings.Contains(imported, m.TorAddr4.String()) {
				t.Fatalf("imported: %s", imported)
			}
			m.write(t, "/etc/bgp-ovn/config.yaml", imported)
			m.run(t, "bgp-ovn", "config", "check")
			m.run(t, "sh", "-c", "bgp-ovn adopt --dry-run || test $? = 2") // 2: there is something to do
			m.run(t, "bgp-ovn", "adopt")
			m.run(t, "sh", "-c", "systemctl mask --runtime frr && systemctl kill --signal=KILL frr")
			harness.Eventually(t, 30*time.Second, func() string {
				if left, err := m.try(testContext(t), "pgrep", "-l", "zebra|bgpd|watchfrr"); err == nil {
					return left
				}
				return ""
			})
			m.run(t, "bgp-ovn", "adopt")
			m.run(t, "systemctl", "enable", "--now", "bgp-ovn-speaker", "bgp-ovn")
			harness.Check(t, shared.Tor.AwaitPeer(testContext(t), m.Addr4))
			m.keepsRunning(t)
			for _, family := range []string{"-4", "-6"} {
				m.run(t, "ip", family, "route", "flush", "table", "main", "proto", "bgp")
			}
			m.run(t, "sh", "-c", "systemctl unmask --runtime frr && systemctl disable frr")
			m.fails(t, "systemctl", "is-active", "frr")
			m.fails(t, "systemctl", "is-enabled", "frr")
			m.announces(t, service)
			harness.Check(t, traffic.AwaitAnswers(testContext(t), 100))
			r := harness.Must(traffic.Stop())(t)
			t.Logf("%s: %d of %d packets lost", suite, r.Sent-r.Received, r.Sent)
			if !r.Lossless() {
				t.Errorf("%d of %d packets lost, want none", r.Sent-r.Received, r.Sent)
			}
			m.run(t, "systemctl", "disable", "--now", "bgp-ovn", "bgp-ovn-speaker")
		})
	}
}

// routedByFRR makes FRR announce an address of the node, as its package starts it.
func (m *machine) routedByFRR(t *testing.T, service netip.Addr) {
	t.Helper()
	m.run(t, "sed", "-i", "s/^bgpd=no/bgpd=yes/", "/etc/frr/daemons")
	m.write(t, "/etc/frr/frr.conf", fmt.Sprintf(`frr defaults traditional
router bgp %d
 bgp router-id %s
 bgp graceful-restart
 no bgp ebgp-requires-policy
 neighbor %s remote-as %d
 address-family ipv4 unicast
  network %[5]s/32
 exit-address-family
exit
`, lab.ChassisAS, m.Loopback, m.TorAddr4, lab.TorAS, service))
	m.run(t, "systemctl", "enable", "--now", "frr")
	harness.Check(t, shared.Tor.AwaitPeer(testContext(t), m.Addr4))
	m.announces(t, service)
}

// announces waits until the top of rack leads to an address of the node.
func (m *machine) announces(t *testing.T, service netip.Addr) {
	t.Helper()
	harness.Must(shared.Tor.WaitRoute(testContext(t), netip.PrefixFrom(service, 32), m.Chassis))(t)
}

// write replaces what is in a file of the machine.
func (m *machine) write(t *testing.T, path, text string) {
	t.Helper()
	harness.Check(t, os.WriteFile(filepath.Join("/proc", m.init, "root", path), []byte(text), 0))
}
