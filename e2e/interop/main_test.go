// Package interop_test holds `bgp-ovn speaker`, the binary, against the routers
// that a node may meet: FRR, BIRD and GoBGP, each in a network namespace of its
// own at the other end of a veth pair. One test is one claim about one router.
//
// It refuses to skip: where a router is not installed its tests fail.
//
// Read next: world_test.go, then sessions_test.go; frr_test.go, bird_test.go and
// gobgpd_test.go say how each router is told and asked.
package interop_test

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// TestMain builds bgp-ovn and runs the tests in a network namespace, which
// plays the node.
func TestMain(m *testing.M) {
	if os.Getenv(wakeVariable) != "" {
		wake()
	}
	// The tests wait for timers of BGP and hardly compute.
	harness.Main(m, "ip link set lo up", "-test.parallel=8")
}

// awaitListener waits until somebody listens on a socket, which is there a little
// earlier.
func awaitListener(t testing.TB, path string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() string {
		c, err := net.Dial("unix", path)
		if err != nil {
			return err.Error()
		}
		return unless(c.Close() == nil, "cannot close it")
	})
}

// child starts a process that dies with the test.
func child(t testing.TB, output string, args ...string) *exec.Cmd {
	t.Helper()
	return harness.Child(t, output, exec.Command(args[0], args[1:]...))
}
