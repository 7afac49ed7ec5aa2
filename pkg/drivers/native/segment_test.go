package native

import (
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestPanicOfSegment: a segment whose devices cannot be derived because of a defect leads to nothing, and what
// its switch, its ports and its rows of Advertised_MAC_Binding led to is held, beside what others announce.
func TestPanicOfSegment(t *testing.T) {
	s, err := story.Parse(`include native
datapath ls0 key 8 id dynamic-routing-vni=10 id dynamic-routing-redistribute=fdb
other hv1 ovn-evpn-local-ip=192.0.2.1
macrow m1 on ls0 port vm1 ip 10.0.1.10 mac f0:00:00:00:00:01
learned nothing`)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot("hv1")
	if err != nil {
		t.Fatal(err)
	}
	var out object.Set
	p := New(Defaults()).newPass(nil, snap, &out)
	found := p.findSegments()
	if len(found) != 1 {
		t.Fatalf("%d segments", len(found))
	}
	p.me = nil // the defect
	if p.serve(found[0]) != nil || out.Len() > 0 {
		t.Errorf("there is a segment, with %d objects", out.Len())
	}
	for _, row := range []string{"ls0", "vm1", "vm2", snap.SB.MACs[0].UUID.String(), rowEVPN} {
		if !slices.ContainsFunc(p.Skips(), func(s observe.Skip) bool { return s.Row == row && s.Hold }) {
			t.Errorf("%s is not held: %v", row, p.Skips())
		}
	}
}
