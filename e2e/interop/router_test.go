package interop_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// session is one end of a session as a router is told.
type session struct {
	ours, theirs string
	// dev is the router's interface of an unnumbered session; it has no addresses then.
	dev      string
	families []object.Family
	// internal says that the router is of our AS, on all of its sessions.
	internal bool
	password string
	gtsm     bool
	bfd      bool
	// bfdKeeps is what the router has so that a failure of BFD during a graceful restart does not
	// end that: check-control-plane-failure in FRR, graceful in BIRD.
	bfdKeeps bool
	// bfdEvery is the interval of BFD in milliseconds; 0 is 300.
	bfdEvery  int
	graceful  bool
	longLived bool
	// announce are prefixes that the router originates; loop puts our AS into
	// their path.
	announce []string
	loop     bool
	// refuse is a prefix that the router does not take from us, tag one to which it adds the
	// community of tagged.
	refuse, tag string
	// refuseVNI and tagVNI are the same of EVPN.
	refuseVNI, tagVNI uint32
	// looking says that the router waits for us and sends everything it has, all paths.
	looking bool
	// bmp is our port to which the router sends by BMP what it has behind its policy; 0 is none.
	bmp uint16
}

// tagged is the community that routers add to the prefix of tag.
const tagged = "65002:7"

// route is what a router has learned, in one spelling for all of them.
type route struct {
	Hop         string
	MED         string
	Communities object.Words
	Large       object.Words
}

// router is a program at the other end.
type router interface {
	// hops lists what it has learned and can use: prefixes with their next hops.
	hops(f object.Family) map[string]string
	// learned is one of them with its attributes.
	learned(f object.Family, prefix string) (route, bool)
}

// routers start each program with these sessions.
var routers = map[string]func(w *wire, sessions ...session) router{
	"frr-8.4": frrReleases["frr-8.4"].start, "frr-10.3": frrReleases["frr-10.3"].start,
	"bird": newBIRD, "gobgpd": newGoBGP,
}

// hopsOf leaves the attributes out.
func hopsOf(routes map[string]route) map[string]string {
	out := make(map[string]string, len(routes))
	for prefix, r := range routes {
		out[prefix] = r.Hop
	}
	return out
}

// each runs a test against every router, side by side.
func each(t *testing.T, test func(t *testing.T, start func(*wire, ...session) router)) {
	t.Helper()
	t.Parallel()
	for name, start := range routers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

// expect waits until the router has exactly these prefixes with these next hops.
func expect(t testing.TB, r router, f object.Family, want map[string]string) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, func() string {
		have := r.hops(f)
		return unless(fmt.Sprint(have) == fmt.Sprint(want), fmt.Sprintf("the router has %v, want %v", have, want))
	})
}
