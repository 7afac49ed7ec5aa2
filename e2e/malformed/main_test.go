// Package malformed_test sends what no neighbour may send to `bgp-ovn speaker`, the
// binary, and demands that it costs nobody else anything: the process lives, the session
// of another peer stays up with its routes, and a new session is served afterwards.
//
// How the speaker answers the neighbour that sends it is not judged here: whether a
// message ends that session is decided by RFC 7606 and tested in GoBGP.
//
// Read next: malformed_test.go; what is sent is in package speakertest.
package malformed_test

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// TestMain builds bgp-ovn and runs the tests in a network namespace, all of whose
// addresses in 10.98.0.0/16 are its own.
func TestMain(m *testing.M) {
	harness.Main(m, "ip link set lo up && ip route add local 10.98.0.0/16 dev lo")
}
