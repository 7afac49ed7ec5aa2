package reconcile

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// VNI is what a node wants of one VXLAN network identifier, and what is missing of
// it. It is read off the objects, whichever driver wanted them.
type VNI struct {
	VNI    uint32
	VXLAN  string
	Bridge string
	// VRF and Table are those of an L3VNI; empty and 0 for a stretched network.
	VRF   string
	Table uint32
	// VTEP is our own address, RouterMAC that of the bridge in a VRF.
	VTEP      netip.Addr
	RouterMAC object.MAC
	// RDs and Targets are those of what is announced, Imports the targets of what is
	// taken in.
	RDs     []string
	Targets []string
	Imports []string
	// Legs are the devices that lead to provider bridges.
	Legs []Leg
	// Announced are our paths, Local the local routes of the VRF, Remote those that lead
	// to other VTEPs.
	Announced []object.EVPNPath
	Local     []object.Route
	Remote    []object.Route
	// VTEPs are the others; Stations are MAC addresses of a stretched network and
	// where they are.
	VTEPs    []VTEP
	Stations []Station
	// Unused are rows and routes of the VNI that could not be used, with the reason.
	Unused []observe.Skip
	// Missing are objects that differ from the desired state, with the reason. What
	// the operator keeps back by policy is not among them.
	Missing []Missing
}

// Missing is an object that is not as a VNI needs it.
type Missing struct {
	Key object.Key
	// Verb is that of the step that will mend it; empty where Block says why none will.
	Verb  string
	Block object.Block
}

// Leg is a device in the VRF or on the bridge of a VNI that leads to a provider
// bridge.
type Leg struct {
	Dev string
	// Peer is the other end of a veth; empty for a device of another type.
	Peer string
	// Port is where Dev or Peer is a port of Open vSwitch.
	Port SwitchPort
}

// SwitchPort is a wanted port of Open vSwitch; the zero value is none.
type SwitchPort struct {
	Bridge string
	// Tag is the VLAN; 0 for none.
	Tag uint16
	// Number is that of OpenFlow; 0 until ovs-vswitchd has assigned it.
	Number uint16
	// Unread says that the Open_vSwitch database was not there to be asked.
	Unread bool
}

// VTEP is another tunnel end point of a VNI.
type VTEP struct {
	Addr netip.Addr
	// RouterMAC is the one that routes through it are sent to; zero for a flooding
	// entry, to which frames for unknown and for many stations are copied.
	RouterMAC object.MAC
	// Routes is how many of the VRF's lead there.
	Routes int
}

// Station is a MAC address of a stretched network, and one thing that is known of
// it: an IP address that it has, or the VTEP behind which it is. With neither it
// is on this node.
type Station struct {
	MAC  object.MAC
	Addr netip.Addr
	VTEP netip.Addr
}

// VNIs is [Round.VNIs] with what only drivers know.
func (c *Controller) VNIs(r Round) []VNI {
	imports := map[uint32][]string{}
	if r.Snapshot.SB != nil {
		imports = desired.Imports(r.Snapshot, c.cfg.Drivers...)
	}
	out := r.VNIs()
	for i := range out {
		out[i].Imports = append(out[i].Imports, imports[out[i].VNI]...)
	}
	return out
}

// VNIs sorts what a round wants, and what its plan has yet to do, by VNI.
func (r Round) VNIs() []VNI {
	var out []VNI
	all := r.Want.Sorted()
	for _, o := range overlaysOf(r.Want) {
		v := newVNI(o)
		v.fill(r, all)
		out = append(out, v)
	}
	sorting.Sort(out, func(a, b VNI) int { return cmp.Compare(a.VNI, b.VNI) })
	return out
}

func newVNI(o overlay) VNI {
	l := o.VXLAN
	v := VNI{VNI: l.VNI, VXLAN: l.Name, Bridge: l.Master, VTEP: l.Local}
	if o.VRF.Name != "" {
		v.VRF, v.Table, v.RouterMAC = o.VRF.Name, o.VRF.Table, o.Bridge.MAC
	}
	return v
}

// fill takes in what of all wanted objects belongs to the VNI.
func (v *VNI) fill(r Round, all []object.Item) {
	devices := map[string]bool{v.VXLAN: true, v.Bridge: true, v.VRF: v.VRF != ""}
	for _, it := range all {
		if leg, ok := v.legOf(it.Value); ok {
			leg.Port = portOf(r, cmp.Or(leg.Peer, leg.Dev))
			v.Legs = append(v.Legs, leg)
			devices[leg.Dev] = true
			if leg.Peer != "" {
				devices[leg.Peer] = true
			}
		}
	}
	through := map[netip.Addr]int{}
	for _, it := range all {
		v.take(it.Value, through)
	}
	for i := range v.VTEPs {
		v.VTEPs[i].Routes = through[v.VTEPs[i].Addr]
	}
	for _, s := range r.Skipped {
		if s.VNI == v.VNI {
			v.Unused = append(v.Unused, s)
		}
	}
	v.RDs, v.Targets = compact(v.RDs), compact(v.Targets)
	v.missing(r, devices)
}

// legOf reports whether an object puts a leg into the VRF or onto the bridge.
func (v *VNI) legOf(o object.Value) (Leg, bool) {
	switch o := o.(type) {
	case object.Link:
		inside := o.Master == v.Bridge || v.VRF != "" && o.Master == v.VRF
		return Leg{Dev: o.Name, Peer: o.Peer}, inside && o.Type == object.LinkVeth
	case object.Master:
		return Leg{Dev: o.Dev}, v.VRF != "" && o.Master == v.VRF
	}
	return Leg{}, false
}

// portOf says where a device is wanted as a port of Open vSwitch.
func portOf(r Round, dev string) SwitchPort {
	it, ok := r.Want.Get(object.Key{Kind: object.KindOVSPort, Name: dev})
	if !ok {
		return SwitchPort{}
	}
	o := it.Value.(object.OVSPort)
	p := SwitchPort{Bridge: o.Bridge, Tag: o.Tag, Unread: r.Snapshot.OVS == nil}
	if p.Unread {
		return p
	}
	for _, b := range r.Snapshot.OVS.Bridges {
		for _, made := range b.Made {
			if made.Name == dev && b.Name == o.Bridge {
				p.Number = made.OFPort
			}
		}
	}
	return p
}

// take sorts an object in, and counts the routes through each VTEP.
func (v *VNI) take(o object.Value, through map[netip.Addr]int) {
	switch o := o.(type) {
	case object.Route:
		v.takeRoute(o, through)
	case object.Neigh:
		switch {
		case o.Dev != v.Bridge || !o.Learned:
		case v.VRF != "":
			v.VTEPs = append(v.VTEPs, VTEP{Addr: o.Addr, RouterMAC: o.MAC})
		default:
			v.Stations = append(v.Stations, Station{MAC: o.MAC, Addr: o.Addr})
		}
	case object.FDB:
		onLeg := func(l Leg) bool { return l.Dev == o.Dev }
		switch {
		case o.Dev == v.VXLAN && o.MAC.IsZero():
			v.VTEPs = append(v.VTEPs, VTEP{Addr: o.Dst})
		case v.VRF == "" && o.Dev == v.VXLAN && o.Dst.IsValid():
			v.Stations = append(v.Stations, Station{MAC: o.MAC, VTEP: o.Dst})
		case v.VRF == "" && slices.ContainsFunc(v.Legs, onLeg):
			v.Stations = append(v.Stations, Station{MAC: o.MAC})
		}
	case object.EVPNPath:
		if o.VNI == v.VNI {
			v.Announced = append(v.Announced, o)
			v.RDs = append(v.RDs, o.RD)
			v.Targets = append(v.Targets, o.Targets.List()...)
		}
	}
}

// takeRoute tells routes to other VTEPs, which leave by the bridge, from local
// ones.
func (v *VNI) takeRoute(o object.Route, through map[netip.Addr]int) {
	if v.Table == 0 || o.Table != v.Table || o.Unreachable {
		return
	}
	hops := o.NextHops()
	if !slices.ContainsFunc(hops, func(h object.Hop) bool { return h.Dev == v.Bridge }) {
		v.Local = append(v.Local, o)
		return
	}
	v.Remote = append(v.Remote, o)
	for _, h := range hops {
		through[h.Via]++
	}
}

// missing takes in what the plan has to do or waits for.
func (v *VNI) missing(r Round, devices map[string]bool) {
	mine := func(o object.Value) bool {
		switch o := o.(type) {
		case object.EVPNPath:
			return o.VNI == v.VNI
		case object.Route:
			return v.Table != 0 && o.Table == v.Table
		case object.Flow:
			return false // told by the path that needs it
		default:
			return o != nil && devices[o.Key().Name]
		}
	}
	for _, op := range r.Plan.Ops {
		if mine(op.After) || mine(op.Before) {
			v.Missing = append(v.Missing, Missing{Key: op.Key(), Verb: op.Verb.String()})
		}
	}
	for _, n := range r.Plan.Notes {
		if !n.Intentional() && mine(n.Value) {
			v.Missing = append(v.Missing, Missing{Key: n.Key, Block: n.Block})
		}
	}
}

func compact(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// overlay are the devices of a VNI. VRF is empty where it is bridged only, and so
// is whatever a set lacks.
type overlay struct{ VXLAN, Bridge, VRF object.Link }

// overlaysOf returns those of each VNI for which the set has a VXLAN device; of
// several the lowest name.
func overlaysOf(s object.Set) map[uint32]overlay {
	links := map[string]object.Link{}
	for _, it := range s.AllOf(object.KindLink) {
		if l, ok := it.Value.(object.Link); ok {
			links[l.Name] = l
		}
	}
	out := map[uint32]overlay{}
	for _, l := range links {
		if have := out[l.VNI].VXLAN.Name; l.Type == object.LinkVXLAN && (have == "" || l.Name < have) {
			bridge := links[l.Master]
			out[l.VNI] = overlay{VXLAN: l, Bridge: bridge, VRF: links[bridge.Master]}
		}
	}
	return out
}
