package interop_test

import (
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestEVPNLastResort: what a node that is drained announces in EVPN is a last resort in the table of
// FRR, by GRACEFUL_SHUTDOWN (RFC 8326) and, of its own AS, by LOCAL_PREF 0; it is not so before, and
// not so after.
func TestEVPNLastResort(t *testing.T) {
	t.Parallel()
	for name, release := range frrReleases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, n := newWire(t), newNode(t)
			evpn := object.L2VPNEVPN
			f, _ := release.start(w, session{
				ours: w.ours4, theirs: w.theirs4, families: []object.Family{evpn}, internal: true,
			}).(frr)
			const rd = "10.99.0.1:7"
			prefix := netip.MustParsePrefix("203.0.113.7/32")
			path := object.EVPNPath{
				Type: object.EVPNPrefix, RD: rd, Prefix: prefix, VNI: 7, NextHop: netip.MustParseAddr(w.ours4),
				Targets: words(t, object.RouteTargetsOf, []string{"65001:7"}), RouterMAC: object.MAC{2, 0, 0, 0, 0, 7},
			}
			lowered := path.Lowered(object.LastResort{LocalPref: true})
			table := func() string {
				out, _ := exec.Command(f.vtysh[0], append(slices.Clone(f.vtysh[1:]), "--vty_socket", f.dir, "-d", "bgpd",
					"-c", "show bgp l2vpn evpn route rd "+rd)...).CombinedOutput()
				return string(out)
			}
			shows := func(last bool) {
				t.Helper()
				harness.Eventually(t, time.Minute, func() string {
					out := table()
					community, lowest := strings.Contains(out, "graceful-shutdown"), strings.Contains(out, "localpref 0,")
					return unless(strings.Contains(out, "203.0.113.7") && community == last && lowest == last, out)
				})
			}
			n.change(nil, path)
			peer := toRouter(w.theirs4, evpn)
			peer.AS = nodeAS
			n.want(peer)
			shows(false)
			n.change(path, lowered)
			shows(true)
			n.change(lowered, path)
			shows(false)
		})
	}
}
