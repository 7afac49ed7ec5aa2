package reconcile

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// forgetful is a driver with a defect: what it derives again lacks all paths.
type forgetful struct {
	*bgp.Driver
	defect bool
}

func (d *forgetful) DesiredAgain(m *parts.Memory, snap observe.Snapshot, out *object.Set) []observe.Skip {
	skips := d.Driver.DesiredAgain(m, snap, out)
	if d.defect {
		for k := range out.Clone().AllOf(object.KindPath) {
			out.Remove(k)
		}
	}
	return skips
}

// TestAuditDerivesEverything: what is derived from a change counts until the next audit, which
// finds that it is not what everything leads to, puts it right and says so.
func TestAuditDerivesEverything(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	driver := &forgetful{Driver: bgp.New(defaults())}
	var log bytes.Buffer
	n := newNode(t, "cmp-1", s, defaults(), func(c *Config) {
		c.Drivers, c.Log = []desired.Driver{driver}, slog.New(slog.NewTextHandler(&log, nil))
	})
	n.settle()
	if r := n.round(); r.Mismatch || strings.Contains(log.String(), "a defect") {
		t.Fatalf("without a defect: %s", log.String())
	}
	driver.defect = true
	if err := s.Tell(`port vmQ on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.93" chassis cmp-1 up`); err != nil {
		t.Fatal(err)
	}
	r, err := n.c.Round(t.Context(), false)
	if err != nil || r.Mismatch || r.Want.LenOf(object.KindPath) != 0 {
		t.Fatalf("%v\n%s", err, r.Plan)
	}
	for range 2 { // of the change, and of one that has been derived before
		r = n.round()
		if !r.Mismatch || r.Want.LenOf(object.KindPath) < 2 || !strings.Contains(log.String(), "first=\"path ipv4-unicast ") {
			t.Errorf("mismatch %v\n%s\n%s", r.Mismatch, r.Plan, log.String())
		}
		n.c.derived.whole = false
	}
	driver.defect = false
	if r = n.round(); r.Mismatch || !r.Plan.Empty() {
		t.Errorf("once the defect is gone: mismatch %v\n%s", r.Mismatch, r.Plan)
	}
}
