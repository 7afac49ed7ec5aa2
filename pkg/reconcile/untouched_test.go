package reconcile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// What was never tried, because something that it needs has failed, is not ours: what others make
// in its place is left alone, by this process and by the next one.
func TestNotTriedIsNotOurs(t *testing.T) {
	n := evpnNode(t, "include evpn", "gw-1")
	vrf := object.Key{Kind: object.KindLink, Name: "vrf-1001"}
	bridge := object.Key{Kind: object.KindLink, Name: "br-1001"}
	n.world.FailNext(vrf, errors.New("no VRFs here"))
	n.round()
	if n.db.Owned(bridge) {
		t.Errorf("%s is ours by the ledger", bridge.Text())
	}
	if !n.db.Owned(vrf) {
		t.Errorf("%s is not ours, although nobody knows what became of it", vrf.Text())
	}
	theirs := object.Link{Name: bridge.Name, Type: object.LinkBridge, MAC: object.MAC{2, 0, 0, 0, 0, 0x99}, Up: true}
	n.world.Set(false, theirs)
	for _, process := range []string{"this", "the next"} {
		n.clock.advance(time.Hour)
		n.settle()
		if r := n.round(); !strings.Contains(r.Plan.String(), "foreign") {
			t.Errorf("%s process does not tell of it:\n%s", process, r.Plan)
		}
		if world := n.world.String(); !strings.Contains(world, "* "+object.Text(theirs)) {
			t.Errorf("%s process has not left it alone:\n%s", process, world)
		}
		n.start()
	}
}
