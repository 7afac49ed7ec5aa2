package reconcile

import (
	"errors"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// A fresh process without a snapshot puts everything back that was there: whatever was
// lost of paths, routes, rules and neighbours, and of the settings that they stand on,
// those included that were right before this node changed anything.
func TestLastKnownRestoresEverything(t *testing.T) {
	for name, before := range map[string][]string{
		"settings of ours": nil,
		"settings that were right": {
			"device br-ex up", "sysctl net/ipv4/conf/br-ex/proxy_arp = 1", "sysctl net/ipv4/ip_forward = 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := story.Parse("include base\nport vmP on dp-pub mac \"fa:16:3e:15:9e:f0 172.24.4.92\" chassis cmp-1 up")
			if err != nil {
				t.Fatal(err)
			}
			n := newNode(t, "cmp-1", s, defaults(), nil)
			n.world.Set(false, parse(t, before...)...)
			n.settle()
			want, have := n.world.String(), snapshotOf(t, n)
			for k, it := range have.All() {
				switch {
				case k.Kind == object.KindDevice:
					d := it.Value.(object.Device)
					d.Up = false
					n.world.Set(false, d)
				case k.Kind == object.KindSysctl:
					v := it.Value.(object.Sysctl)
					v.Val = "9"
					n.world.Set(false, v)
				case it.Marked || k.Kind == object.KindNeigh:
					n.world.Unset(k)
				}
			}
			if n.world.String() == want {
				t.Fatal("nothing is lost")
			}
			n.start()
			for range 3 { // a device that was down is up after the first
				r, err := n.c.planLastKnown(t.Context(), errors.New("no database answers"))
				if err != nil {
					t.Fatal(err)
				}
				n.c.finish(t.Context(), r)
			}
			if got := n.world.String(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// snapshotOf is all that is there and wanted.
func snapshotOf(t *testing.T, n *node) object.Set {
	t.Helper()
	r := n.round()
	have, err := n.world.Read(t.Context(), actual.Focus{Want: r.Want, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	return have
}
