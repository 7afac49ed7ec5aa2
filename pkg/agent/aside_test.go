package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestFlappingIsTold: what is set aside because it comes and goes is on the list of what is set
// aside, and one problem, while something asks for it; it is told once.
func TestFlappingIsTold(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	var r reconcile.Round
	for last := range byte(2) {
		a := netip.AddrFrom4([4]byte{203, 0, 113, last})
		v := object.NewPath(netip.PrefixFrom(a, 32), object.OriginIncomplete)
		r.Quarantined = append(r.Quarantined, reconcile.Quarantined{
			Key: v.Key(), Why: "it was withdrawn 7 times in 3m0s", Failing: at, Since: at.Add(3 * time.Minute), Tries: 7,
			Next: at.Add(50 * time.Minute), Flapping: true,
		})
		if last == 1 {
			continue // nothing asks for it now
		}
		b := object.Block{Code: object.BlockFlapping, Text: "it was withdrawn 7 times in 3m0s"}
		r.Want.Put(object.Item{Value: v, Block: &b})
		r.Plan.Notes = append(r.Plan.Notes, plan.Note{Key: v.Key(), Value: v, Block: b})
	}
	s := &statusReport{}
	s.objects(r)
	s.setAside(r)
	if len(s.Quarantine) != 2 || s.Quarantine[1].Code != object.BlockFlapping || len(s.NotAsWanted) != 1 {
		t.Errorf("set aside %+v, not as wanted %v", s.Quarantine, s.NotAsWanted)
	}
	if len(s.found) != 1 || !problem.Known(s.found[0].Code) {
		t.Fatalf("%+v", s.found)
	}
	f := s.found[0]
	const text = "path ipv4-unicast 203.0.113.0/32 is set aside since 2026-03-04 05:09:07: it was withdrawn 7 times " +
		"in 3m0s; announced again at 2026-03-04 05:56:07 if it stays until then"
	if f.Code != object.BlockFlapping || f.Text != text ||
		!strings.Contains(f.Try, "bgp-ovn retry path ipv4-unicast 203.0.113.0/32") {
		t.Errorf("told as %s: %s\ntry %s", f.Code, f.Text, f.Try)
	}
}
