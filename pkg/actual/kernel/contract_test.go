package kernel

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestContract runs the suite that all backends share on the real kernel.
func TestContract(t *testing.T) {
	var here *lab
	subject := contract.Subject{
		New: func(t *testing.T) actual.Backend {
			here = newLab(t)
			return here.b
		},
		Device: "d0",
		Foreign: func(t *testing.T, _ actual.Backend, v object.Value) {
			t.Helper()
			here.t = t
			switch v := v.(type) {
			case object.Route:
				line := "route add " + v.Dst.String() + " dev " + v.Dev + " table 201 proto bgp"
				if v.Via.IsValid() {
					line += " via " + v.Via.String() + " onlink"
				}
				here.ip(line)
			case object.Neigh:
				here.ip("neigh add " + v.Addr.String() + " dev " + v.Dev + " lladdr " + v.MAC.String() + " nud permanent")
			case object.Link:
				here.ip("link add " + v.Name + " type bridge")
			default:
				t.Fatalf("no way to make a foreign %s", object.Text(v))
			}
		},
	}
	if !canVLAN(t) {
		subject.Omit = map[object.Kind]string{object.KindLink: "this kernel lacks 802.1Q; TestLinkWithoutModule checks what is said about it"}
	}
	contract.Run(t, subject)
}

// canVLAN reports whether the kernel can make VLAN links.
func canVLAN(t *testing.T) bool {
	t.Helper()
	needRoot(t)
	out, err := exec.Command("unshare", "-n", "ip", "link", "add", "link", "lo", "name", "v", "type", "vlan", "id", "7").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "Unknown device type") {
		// On lo it may be refused for other reasons, which tells the module is there.
		t.Logf("vlan on lo: %s", out)
	}
	return !strings.Contains(string(out), "Unknown device type")
}
