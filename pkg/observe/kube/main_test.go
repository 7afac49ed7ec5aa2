package kube_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// isolated is set in the process that runs the tests, in a network namespace of its own.
const isolated = "KUBE_TEST_ISOLATED"

// podDir is where a pod has the token of its service account and the certificate of the API.
const podDir = "/run/secrets/kubernetes.io/serviceaccount"

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
	// What a pod is given lies in a fixed place, which is the tests' own in a mount namespace.
	const script = "ip link set lo up && exec unshare --mount --propagation private /bin/sh -c '" +
		"mount -t tmpfs tmpfs /run && mkdir -p " + podDir + ` && exec "$0" "$@"' "$0" "$@"`
	os.Exit(harness.Isolated(script, []string{isolated + "=1"}))
}
