package kernel

import (
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestContract runs the suite that all backends share on the real kernel.
func TestContract(t *testing.T) { contract.Run(t, subject(t, new(*lab))) }

// subject is the kernel in a fresh namespace, which is put where is.
func subject(t *testing.T, is **lab) contract.Subject {
	t.Helper()
	subject := contract.Subject{
		New: func(t *testing.T) actual.Backend {
			*is = newLab(t)
			return (*is).b
		},
		Device: "d0",
		Foreign: func(t *testing.T, _ actual.Backend, v object.Value) {
			t.Helper()
			here := *is
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
	subject.OmitLinks = map[string]string{}
	for _, kind := range []string{object.LinkVLAN, object.LinkVRF} {
		if !canLink(t, kind) {
			subject.OmitLinks[kind] = "this kernel lacks it; the tests of e2e/vm run this suite where it is there"
		}
	}
	return subject
}

// canVLAN reports whether the kernel can make VLAN links.
func canVLAN(t *testing.T) bool { return canLink(t, object.LinkVLAN) }

// canLink reports whether the kernel can make links of a type.
func canLink(t *testing.T, kind string) bool {
	t.Helper()
	needRoot(t)
	return map[string]func() bool{object.LinkVLAN: tryVLAN, object.LinkVRF: tryVRF}[kind]()
}

// The kernel is asked once: each question is two processes.
var (
	tryVLAN = sync.OnceValue(func() bool { return tryLink("link", "lo", "type", "vlan", "id", "7") })
	tryVRF  = sync.OnceValue(func() bool { return tryLink("type", "vrf", "table", "7") })
)

// tryLink makes a link in a namespace of its own. That it is refused for another
// reason than its type, as a VLAN on lo may be, shows that the module is there.
func tryLink(args ...string) bool {
	out, err := exec.Command("unshare", append(strings.Fields("-n ip link add name v"), args...)...).CombinedOutput()
	return err == nil || !strings.Contains(string(out), "Unknown device type")
}
