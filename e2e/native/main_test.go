// Package native tells the promises of ovn_native_driver as stories on a lab: OVN releases that
// compute by themselves what their routers advertise, with FRR as the top of rack and bgp-ovn as
// the routing daemon that OVN lacks.
package native

import (
	"os"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// patience bounds every wait.
const patience = 90 * time.Second

// releases are the ones that the tests run on: the first with the tables of this driver, and
// the first that has what Neutron's ovn-bgp service needs.
var releases = []string{"25.03", "26.03"}

// directory is where scripts/install-ovn25 and scripts/install-ovn26 put a release.
func directory(t *testing.T, release string) string {
	t.Helper()
	dir := "/var/cache/bgp-ovn-test/ovn-" + release
	if _, err := os.Stat(dir + "/complete"); err != nil {
		if reason, unread := os.ReadFile(dir + ".reason"); unread == nil {
			t.Fatalf("there is no OVN %s: %s", release, reason)
		}
		t.Fatalf("%v: run scripts/install-deps test", err)
	}
	return dir
}

// world is a lab with bgp-ovn on some of its chassis.
type world struct {
	*lab.Lab
	t      *testing.T
	bin    string
	agents []*product.Agent
}

// start builds a lab of a release.
func start(t *testing.T, release string, o lab.Options) *world {
	t.Helper()
	o.OVN = directory(t, release)
	o.Log, o.KeepDir = os.Stderr, os.Getenv("LAB_KEEP") != ""
	ctx := harness.Context(t, 3*time.Minute)
	w := &world{t: t, bin: harness.Must(harness.Binary(ctx))(t)}
	var err error
	w.Lab, err = lab.Start(ctx, o)
	harness.Check(t, err)
	t.Cleanup(func() { harness.Check(t, w.Lab.Close()) })
	return w
}
