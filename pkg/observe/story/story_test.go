package story

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// TestPrintedStoriesLeadToTheSameSnapshot, for every scenario of the driver.
func TestPrintedStoriesLeadToTheSameSnapshot(t *testing.T) {
	var files []*golden.File
	for _, driver := range []string{"bgp", "evpn"} {
		suite := golden.Suite{
			Dir: "../../drivers/" + driver + "/testdata", Given: []string{"snapshot", "config", "node"}, Want: []string{
				"want",
				"skipped",
			},
		}
		files = append(files, suite.Files(t)...)
	}
	for _, f := range files {
		want := tell(t, f.Section("snapshot"))
		got := tell(t, want.String())
		opts := []cmp.Option{
			cmp.Transformer("rows", rowlist.List[*observe.PortBinding].Slice),
			cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty(), cmpopts.EquateErrors(),
			cmpopts.IgnoreFields(observe.Southbound{}, "Revision", "BadRows"), cmpopts.IgnoreFields(observe.Northbound{},
				"Revision", "BadRows"),
			cmpopts.IgnoreFields(observe.OpenVSwitch{}, "Revision"), cmpopts.IgnoreFields(observe.Host{}, "Revision"),
			cmpopts.IgnoreFields(observe.Learned{}, "Revision"), cmpopts.EquateComparable(object.Words{}),
		}
		if diff := cmp.Diff(snapshot(t, want), snapshot(t, got), opts...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Path, diff)
		}
	}
}

func tell(t *testing.T, text string) *Story {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return s
}

func snapshot(t *testing.T, s *Story) observe.Snapshot {
	t.Helper()
	snap, err := s.Snapshot("cmp-1")
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// TestRowsAreNotShared: a snapshot does not change when the story goes on.
func TestRowsAreNotShared(t *testing.T) {
	s := tell(t, "include base")
	before := snapshot(t, s)
	vm, _ := before.SB.Port("vm1")
	was := *vm
	if err := s.Tell("set vm1 chassis cmp-2 id neutron:port_name=web\npatch br-ex provnet-c1 gone"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, *vm, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" ||
		len(before.OVS.Bridges[0].Patches) != 2 {
		t.Errorf("the old snapshot changed: %s", diff)
	}
	after, _ := snapshot(t, s).SB.Port("vm1")
	if after.Chassis != UUID("chassis cmp-2") || after.ExternalIDs["neutron:port_name"] != "web" ||
		after.ExternalIDs["neutron:cidrs"] == "" {
		t.Errorf("the new snapshot has %+v", after)
	}
}

func TestBadLines(t *testing.T) {
	for _, line := range []string{
		"once upon a time", "include nothing", "set nobody down", "drop nobody", `port vm mac "fa:16:3e`, "port vm tag many",
		"port vm colour blue", "bridge br-ex mac 12", "patch br-x p ofport 1", "made veth on br-x ofport 1", "made veth",
		"table x name y", "table 1 colour", "stale wine",
		"port", "balancer L1 backend x", "northbound with dp-r1", "nat dp-r1 snat", "port vm option novalue",
		"vrf v table x", "vrf v table 7 theirs", "address 1 dev lo", "learned type-4 x",
		"learned type-5 10.0.0.0/8 rd 1:2 colour blue",
		"noroute x", "service web", "service a/b port tcp/70000", "service a/b ingress x", "slice a/b on c",
		"slice a/b of c IPv4 n:ill", "node n colour", "egressip e x@n", "kubeapi with wine", "uplink br-x e ofport 1",
		"flow br-ex tcp 192.0.2.1:80", "monitor x tcp online",
	} {
		if _, err := Parse(line); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: got %v, want an error with the line", line, err)
		}
	}
}

// TestMadePorts: they move between bridges, leave, and are told anew.
func TestMadePorts(t *testing.T) {
	s := tell(t,
		"include base\nbridge br-2 mac 02:00:00:00:00:02\n"+
			"made vlan-7 on br-ex ofport 9\nmade veth-ovs-1001 on br-ex ofport none")
	before := snapshot(t, s).OVS
	if err := s.Tell("made veth-ovs-1001 on br-2 ofport 7\nmade vlan-7 gone"); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		have *observe.OpenVSwitch
		want map[string][]observe.MadePort
	}{
		"before": {before, map[string][]observe.MadePort{
			"br-ex": {{Name: "veth-ovs-1001"}, {Name: "vlan-7", OFPort: 9}},
			"br-2":  nil,
		}},
		"after": {snapshot(t, s).OVS, map[string][]observe.MadePort{
			"br-ex": nil,
			"br-2":  {{Name: "veth-ovs-1001", OFPort: 7}},
		}},
		"again": {snapshot(t, tell(t, s.String())).OVS, map[string][]observe.MadePort{
			"br-ex": nil,
			"br-2":  {{Name: "veth-ovs-1001", OFPort: 7}},
		}},
	} {
		for _, b := range c.have.Bridges {
			if diff := cmp.Diff(c.want[b.Name], b.Made, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", what, b.Name, diff)
			}
		}
	}
}
