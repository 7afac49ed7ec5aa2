package harness

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// isolatedVariable is set in the process that runs the tests of Main.
const isolatedVariable = "E2E_ISOLATED"

// Main is the TestMain of a suite whose tests run the binary in a network namespace of
// their own: it builds bgp-ovn, sets the namespace up by a line of shell, and runs the
// tests there with further arguments. It does not return.
func Main(m *testing.M, setup string, args ...string) {
	if os.Getenv(isolatedVariable) != "" {
		os.Exit(m.Run())
	}
	bin, err := Binary(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(Isolated(setup, []string{isolatedVariable + "=1", BinaryVariable + "=" + bin}, args...))
}
