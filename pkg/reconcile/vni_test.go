package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// The lines of an L3VNI, of a stretched network and of what is neither.
const vniWant = `device br-ex up
link vrf-1001 type vrf table 1001 up
link br-1001 type bridge mac 02:00:00:00:10:01 master vrf-1001 up
link vxlan-1001 type vxlan id 1001 local 99.99.1.1 port 4789 mac 02:00:00:00:10:02 master br-1001 nolearning neigh_suppress up
link veth-vrf-1001 type veth peer veth-ovs-1001 mac 02:00:00:00:10:03 master vrf-1001 up
link veth-ovs-1001 type veth peer veth-vrf-1001 mac 02:00:00:00:10:04 up
ovsport veth-ovs-1001 bridge br-ex
neigh 99.99.2.2 dev br-1001 lladdr 52:54:00:aa:bb:02 extern_learn
route 10.0.0.0/26 table 1001 metric 0 dev veth-vrf-1001 via 172.24.4.146
route 10.9.0.0/24 table 1001 metric 20 dev br-1001 via 99.99.2.2
route 0.0.0.0/0 table 1001 metric 4278198272 unreachable
route 172.24.4.92/32 table 201 metric 0 dev br-ex
evpn type-5 10.0.0.5/32 rd 99.99.1.1:1001 next-hop 99.99.1.1 vni 1001 rt 64999:1001 router-mac 02:00:00:00:10:01 origin incomplete
link br-3001 type bridge mac 02:00:00:00:30:01 up
link vxlan-3001 type vxlan id 3001 local 99.99.1.1 port 4789 mac 02:00:00:00:30:02 master br-3001 nolearning neigh_suppress up
link veth-br-3001 type veth peer veth-ovs-3001 mac 02:00:00:00:30:03 master br-3001 nolearning up
fdb flood 99.99.2.2 dev vxlan-3001
fdb self fa:16:3e:00:00:02 dev vxlan-3001 dst 99.99.2.2
fdb master fa:16:3e:00:00:01 dev veth-br-3001
neigh 172.24.8.9 dev br-3001 lladdr fa:16:3e:00:00:02 extern_learn
evpn type-3 99.99.1.1 rd 99.99.1.1:3001 next-hop 99.99.1.1 vni 3001 rt 64999:3001 origin incomplete`

func parsed(t *testing.T, text string, leave string) object.Set {
	t.Helper()
	var s object.Set
	for line := range strings.Lines(text) {
		if leave != "" && strings.HasPrefix(line, leave) {
			continue
		}
		v, err := object.Parse(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(object.Item{Value: v, Marked: true}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// importer is a driver that has nothing but import targets.
type importer map[uint32][]string

func (importer) Name() string                                         { return "importer" }
func (importer) Desired(observe.Snapshot, *object.Set) []observe.Skip { return nil }
func (i importer) Imports(observe.Snapshot) map[uint32][]string       { return i }

// vniRound wants all of vniWant, has no port yet, and could not use one row.
func vniRound(t *testing.T) Round {
	t.Helper()
	r := Round{Want: parsed(t, vniWant, "")}
	r.Have = parsed(t, vniWant, "ovsport")
	r.Plan = plan.Diff(plan.Input{Want: r.Want, Have: r.Have, Ledger: plan.NoLedger{}})
	r.Snapshot.SB = &observe.Southbound{}
	r.Snapshot.OVS = &observe.OpenVSwitch{Bridges: []observe.Bridge{{
		Name: "br-ex",
		Made: []observe.MadePort{{Name: "veth-ovs-1001", OFPort: 11}},
	}}}
	r.Skipped = []observe.Skip{
		{
			Table: "Learned", Row: "type-5 10.8.0.0/24 rd 99.99.2.2:7", Code: observe.SkipDegraded,
			Text: "VNI 1001, peer 192.0.2.1: it has no Router's MAC", VNI: 1001,
		},
		{Table: "Port_Binding", Row: "p9", Code: observe.SkipConflict, Text: "of another VNI", VNI: 4711},
	}
	return r
}

func TestVNIs(t *testing.T) {
	r := vniRound(t)
	// What policy keeps back is not missing.
	r.Plan.Notes = append(r.Plan.Notes, plan.Note{
		Key: object.EVPNPath{Type: object.EVPNPrefix}.Key(), Value: object.EVPNPath{VNI: 1001},
		Block: object.Block{Code: object.BlockFiltered},
	})
	c := &Controller{cfg: Config{Drivers: []desired.Driver{importer{1001: {"*:1001", "65000:5"}}}}}
	var got strings.Builder
	for _, v := range c.VNIs(r) {
		got.WriteString(screen(v))
	}
	const want = `VNI 1001  VRF vrf-1001, table 1001, router MAC 02:00:00:00:10:01
  devices      vxlan-1001 in br-1001, VTEP 99.99.1.1
  leg          veth-vrf-1001 - veth-ovs-1001 on br-ex ofport 11
  rd           99.99.1.1:1001
  rt export    64999:1001
  rt import    *:1001
  rt import    65000:5
  announced    type-5 10.0.0.5/32 rd 99.99.1.1:1001
  local        10.0.0.0/26 dev veth-vrf-1001 via 172.24.4.146
  remote       10.9.0.0/24 dev br-1001 via 99.99.2.2
  vtep         99.99.2.2 router-mac 52:54:00:aa:bb:02 routes 1
  unused       Learned type-5 10.8.0.0/24 rd 99.99.2.2:7: degraded: VNI 1001, peer 192.0.2.1: it has no Router's MAC
  MISSING      ovsport veth-ovs-1001: to create
VNI 3001  stretched network
  devices      vxlan-3001 in br-3001, VTEP 99.99.1.1
  leg          veth-br-3001 - veth-ovs-3001
  rd           99.99.1.1:3001
  rt export    64999:3001
  announced    type-3 99.99.1.1 rd 99.99.1.1:3001
  vtep         99.99.2.2 flooded to
  station      172.24.8.9 is fa:16:3e:00:00:02
  station      fa:16:3e:00:00:01 here
  station      fa:16:3e:00:00:02 at 99.99.2.2
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// A bridge whose name begins with that of another one has routes of its own.
func TestVNIsTellBridgesApart(t *testing.T) {
	r := Round{Want: parsed(t, `link vrf-1 type vrf table 1 up
link br-1 type bridge mac 02:00:00:00:00:01 master vrf-1 up
link vxlan-1 type vxlan id 1 local 99.99.1.1 port 4789 mac 02:00:00:00:00:02 master br-1 nolearning up
neigh 99.99.2.2 dev br-1 lladdr 52:54:00:aa:bb:02 extern_learn
route 10.1.0.0/24 table 1 metric 20 nexthop 99.99.2.2 dev br-1 nexthop 99.99.3.3 dev br-1
route 10.2.0.0/24 table 1 metric 20 nexthop 99.99.2.2 dev br-10 nexthop 99.99.3.3 dev br-10`, "")}
	vnis := r.VNIs()
	if len(vnis) != 1 {
		t.Fatalf("got %d VNIs", len(vnis))
	}
	v := vnis[0]
	if len(v.Remote) != 1 || v.Remote[0].Dst.String() != "10.1.0.0/24" || len(v.Local) != 1 ||
		v.Local[0].Dst.String() != "10.2.0.0/24" {
		t.Errorf("remote %v, local %v; want 10.1.0.0/24 alone as remote", v.Remote, v.Local)
	}
	if len(v.VTEPs) != 1 || v.VTEPs[0].Routes != 1 {
		t.Errorf("VTEPs %v, want one with one route", v.VTEPs)
	}
}

// What is known of a port of Open vSwitch shows.
func TestLegText(t *testing.T) {
	for want, leg := range map[string]Leg{
		"eth1":                                 {Dev: "eth1"},
		"eth1 on br-ex":                        {Dev: "eth1", Port: SwitchPort{Bridge: "br-ex", Unread: true}},
		"a - b on br-ex tag 7 ofport 3":        {Dev: "a", Peer: "b", Port: SwitchPort{Bridge: "br-ex", Tag: 7, Number: 3}},
		"a - b on br-ex without a port number": {Dev: "a", Peer: "b", Port: SwitchPort{Bridge: "br-ex"}},
	} {
		if got := leg.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// texts are the printed forms of a list.
func texts[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}

func keysOf(list []object.EVPNPath) (keys []object.Key) {
	for _, p := range list {
		keys = append(keys, p.Key())
	}
	return keys
}

func routes(list []object.Route) (out []string) {
	for _, r := range list {
		out = append(out, r.Dst.String()+" "+r.Attrs())
	}
	return out
}

// screen is everything about the VNI, line by line.
func screen(v VNI) string {
	var b strings.Builder
	kind := "stretched network"
	if v.VRF != "" {
		kind = fmt.Sprintf("VRF %s, table %d, router MAC %s", v.VRF, v.Table, v.RouterMAC)
	}
	fmt.Fprintf(&b, "VNI %d  %s\n", v.VNI, kind)
	fmt.Fprintf(&b, "  devices      %s in %s, VTEP %s\n", v.VXLAN, v.Bridge, v.VTEP)
	for _, part := range []struct {
		name string
		list []string
	}{
		{"leg", texts(v.Legs)},
		{"rd", v.RDs},
		{"rt export", v.Targets},
		{"rt import", v.Imports},
		{"announced", texts(keysOf(v.Announced))},
		{"local", routes(v.Local)},
		{"remote", routes(v.Remote)},
		{"vtep", texts(v.VTEPs)},
		{"station", texts(v.Stations)},
		{"unused", texts(v.Unused)},
		{"MISSING", texts(v.Missing)},
	} {
		for _, text := range part.list {
			fmt.Fprintf(&b, "  %-12s %s\n", part.name, text)
		}
	}
	return b.String()
}

// TestOverlays: a VNI is routed or bridged, and may lack what the set lacks.
func TestOverlays(t *testing.T) {
	var s object.Set
	for _, l := range []object.Link{
		{Name: "vrf-7", Type: object.LinkVRF, Table: 7},
		{Name: "br-7", Type: object.LinkBridge, Master: "vrf-7"},
		{Name: "vxlan-7", Type: object.LinkVXLAN, VNI: 7, Master: "br-7"},
		{Name: "vxlan-7b", Type: object.LinkVXLAN, VNI: 7, Port: 8472},
		{Name: "br-8", Type: object.LinkBridge},
		{Name: "vxlan-8", Type: object.LinkVXLAN, VNI: 8, Master: "br-8"},
		{Name: "vxlan-9", Type: object.LinkVXLAN, VNI: 9, Master: "gone"},
	} {
		s.Put(object.Item{Value: l})
	}
	var got []string
	for vni, o := range overlaysOf(s) {
		got = append(got, fmt.Sprintf("%d %s %s %s %d", vni, o.VXLAN.Name, o.Bridge.Name, o.VRF.Name, o.VRF.Table))
	}
	slices.Sort(got)
	if want := []string{"7 vxlan-7 br-7 vrf-7 7", "8 vxlan-8 br-8  0", "9 vxlan-9   0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
