package evidence_test

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestJudgeAdvertised: what OVN's own routers advertise ends with its row, and is
// elsewhere once one of the ports is that it needs here.
func TestJudgeAdvertised(t *testing.T) {
	row := object.Source{
		Table: observe.TableAdvertisedRoute, Row: story.UUID("advertised a1").String(), Lists: object.ListsOwn,
	}
	why := []object.Source{
		row, deciding(source("N-10", "cr-lrp-ext")), deciding(source("N-14", "vm1")),
	}
	const scene = "include native\nadvertised a1 on lr0 port lrp-ext prefix 172.24.4.100 tracked vm1\n"
	for _, c := range []struct {
		name, change string
		want         evidence.Class
	}{
		{"nothing has changed", "", evidence.Unexplained},
		{"the row is deleted", "advertised a1 gone", evidence.Ended},
		{"the VM moved", "set vm1 chassis hv2", evidence.Elsewhere},
		{"the gateway moved", "set cr-lrp-ext chassis hv2", evidence.Elsewhere},
		{"the gateway is bound to nobody", "set cr-lrp-ext chassis none", evidence.Unbound},
		{"the row is deleted and the database away", "advertised a1 gone\nstale sb away", evidence.Unexplained},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := story.Parse(scene + c.change)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Snapshot("hv1")
			if err != nil {
				t.Fatal(err)
			}
			if got := evidence.Judge(path(t, "172.24.4.100"), why, snap); got.Class != c.want {
				t.Errorf("got %s %q, want %s", got.Class, got.Text, c.want)
			}
		})
	}
}
