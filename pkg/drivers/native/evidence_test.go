package native_test

import (
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// An address that another router's gateway attracts is withdrawn as soon as that gateway is on
// another chassis, also when ovn-controller has left and taken our Chassis row with it.
func TestTrackedGatewayMoves(t *testing.T) {
	const scene = `include native
datapath edge key 19
routerport lrp-edge on edge mac "00:00:00:00:ff:05" redirect cr-lrp-edge
gateway cr-lrp-edge on edge mac "00:00:00:00:ff:05" of lrp-edge chassis hv1
set lrp-ext option dynamic-routing-redistribute-local-only=true
advertised a1 on lr0 port lrp-ext prefix 172.24.4.101 tracked lrp-edge
`
	at := func(changes string) observe.Snapshot {
		s, err := story.Parse(scene + changes)
		if err != nil {
			t.Fatal(err)
		}
		snap, err := s.Snapshot("hv1")
		if err != nil {
			t.Fatal(err)
		}
		return snap
	}
	var path object.Key
	var why []object.Source
	for _, it := range desired.Compute(at(""), nil, native.New(defaults())).Want.SortedOf(object.KindPath) {
		if k := it.Value.Key(); k.Prefix.String() == "172.24.4.101/32" {
			path, why = k, it.Why
		}
	}
	for _, tt := range []struct {
		name, changes string
		want          evidence.Class
	}{
		{"nothing has changed", "", evidence.Unexplained},
		{"the gateway is elsewhere", "set cr-lrp-edge chassis hv2\n", evidence.Elsewhere},
		{
			"ovn-controller has left", "set cr-lrp-edge chassis hv2\nset cr-lrp-ext chassis none\nchassis gone hv1\n",
			evidence.Elsewhere,
		},
		{"the gateway is nowhere", "set cr-lrp-edge chassis none\n", evidence.Unbound},
	} {
		if got := evidence.Judge(path, why, at(tt.changes)); got.Class != tt.want {
			t.Errorf("%s: %s %q, want %s", tt.name, got.Class, got.Text, tt.want)
		}
	}
}

// While the table of a router cannot be read, what was verified in it before is held.
func TestUnreadTableHolds(t *testing.T) {
	s, err := story.Parse("include native\nadvertised a1 on lr0 port lrp-ext prefix 172.24.4.100\n")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot("hv1")
	if err != nil {
		t.Fatal(err)
	}
	host := *snap.Host
	host.Unread = []uint32{7}
	snap.Host = &host
	conf := defaults()
	conf.RequireKernel = true
	res := desired.Compute(snap, nil, native.New(conf))
	held := slices.ContainsFunc(res.Skipped, func(s observe.Skip) bool {
		return s.Hold && s.Code == observe.SkipUnknown && s.Table == observe.TableAdvertisedRoute
	})
	if !held || res.Want.Len() > 0 {
		t.Errorf("held %t, wanted %d objects", held, res.Want.Len())
	}
}
