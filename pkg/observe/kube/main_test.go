package kube_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// isolated is set in the process that runs the tests, in a network namespace of its own.
const isolated = "KUBE_TEST_ISOLATED"

func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(childVariable); ok {
		if err := child(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(isolated) != "" {
		os.Exit(m.Run())
	}
	os.Exit(harness.Isolated("ip link set lo up", []string{isolated + "=1"}))
}
