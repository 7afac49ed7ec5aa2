package reconcile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// VNI is what a node wants of one VXLAN network identifier, and what is missing of
// it. It is read off the objects, whichever driver wanted them.
type VNI struct {
	VNI    uint32 `json:"vni"`
	VXLAN  string `json:"vxlan"`
	Bridge string `json:"bridge"`
	// VRF and Table are those of an L3VNI; empty and 0 for a stretched network.
	VRF   string `json:"vrf,omitempty"`
	Table uint32 `json:"table,omitempty"`
	// VTEP is our own address, RouterMAC that of the bridge in a VRF.
	VTEP      string `json:"vtep"`
	RouterMAC string `json:"router_mac,omitempty"`
	// RDs and Targets are those of what is announced, Imports the targets of what is
	// taken in.
	RDs     []string `json:"rds"`
	Targets []string `json:"route_targets"`
	Imports []string `json:"import_targets"`
	// Legs are the devices that lead to provider bridges.
	Legs []string `json:"legs"`
	// Announced are the NLRI of our paths, Local the local routes of the VRF,
	// Remote those that lead to other VTEPs.
	Announced []string `json:"announced"`
	Local     []string `json:"local"`
	Remote    []string `json:"remote"`
	// VTEPs are the others with their router MACs, or as flooding entries;
	// Stations are MAC addresses of a stretched network and where they are.
	VTEPs    []string `json:"vteps"`
	Stations []string `json:"stations"`
	// Unused are rows and routes of the VNI that could not be used, with the reason.
	Unused []string `json:"unused"`
	// Missing are objects that are not as wanted, with the reason. What the operator
	// keeps back by policy is not among them.
	Missing []string `json:"missing"`
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
	for _, o := range object.Overlays(r.Want) {
		v := newVNI(o)
		v.fill(r, all)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b VNI) int { return cmp.Compare(a.VNI, b.VNI) })
	return out
}

func newVNI(o object.Overlay) VNI {
	l := o.VXLAN
	v := VNI{
		VNI: l.VNI, VXLAN: l.Name, Bridge: l.Master, VTEP: l.Local.String(), RDs: []string{}, Targets: []string{}, Imports: []string{}, Legs: []string{},
		Announced: []string{}, Local: []string{}, Remote: []string{}, VTEPs: []string{}, Stations: []string{}, Unused: []string{}, Missing: []string{},
	}
	if o.VRF.Name != "" {
		v.VRF, v.Table, v.RouterMAC = o.VRF.Name, o.VRF.Table, o.Bridge.MAC.String()
	}
	return v
}

// fill takes in what of all wanted objects belongs to the VNI.
func (v *VNI) fill(r Round, all []object.Item) {
	devices := map[string]bool{v.VXLAN: true, v.Bridge: true, v.VRF: v.VRF != ""}
	for _, it := range all {
		switch o := it.Value.(type) {
		case object.Link:
			if o.Type == object.LinkVeth && (o.Master == v.VRF && v.VRF != "" || o.Master == v.Bridge) {
				v.Legs = append(v.Legs, o.Name+" - "+o.Peer+portOf(r, o.Peer))
				devices[o.Name], devices[o.Peer] = true, true
			}
		case object.Master:
			if o.Master == v.VRF && v.VRF != "" {
				v.Legs = append(v.Legs, o.Dev+portOf(r, o.Dev))
				devices[o.Dev] = true
			}
		}
	}
	through := map[netip.Addr]int{}
	for _, it := range all {
		v.take(it.Value, through)
	}
	for i, text := range v.VTEPs {
		word, _, _ := strings.Cut(text, " ")
		if n := through[netip.MustParseAddr(word)]; n > 0 {
			v.VTEPs[i] += fmt.Sprintf(" routes %d", n)
		}
	}
	for _, s := range r.Skipped {
		if s.VNI == v.VNI {
			v.Unused = append(v.Unused, s.String())
		}
	}
	v.RDs, v.Targets = compact(v.RDs), compact(v.Targets)
	v.missing(r, devices)
}

// portOf says where a device is a port of Open vSwitch, and its number there.
func portOf(r Round, dev string) string {
	it, ok := r.Want.Get(object.Key{Kind: object.KindOVSPort, Name: dev})
	if !ok {
		return ""
	}
	p := it.Value.(object.OVSPort)
	text := " on " + p.Bridge
	if p.Tag != 0 {
		text += fmt.Sprintf(" tag %d", p.Tag)
	}
	if r.Snapshot.OVS == nil {
		return text
	}
	for _, b := range r.Snapshot.OVS.Bridges {
		for _, made := range b.Made {
			if made.Name == dev && b.Name == p.Bridge {
				return fmt.Sprintf("%s ofport %d", text, made.OFPort)
			}
		}
	}
	return text + " without a port number"
}

// take sorts an object in, and counts the routes through each VTEP.
func (v *VNI) take(o object.Value, through map[netip.Addr]int) {
	switch o := o.(type) {
	case object.Route:
		switch {
		case v.Table == 0 || o.Table != v.Table || o.Unreachable:
		case o.Dev == v.Bridge || strings.Contains(o.Hops.String(), " dev "+v.Bridge):
			v.Remote = append(v.Remote, o.Dst.String()+" "+o.Attrs())
			for _, h := range o.NextHops() {
				through[h.Via]++
			}
		default:
			v.Local = append(v.Local, o.Dst.String()+" "+o.Attrs())
		}
	case object.Neigh:
		switch {
		case o.Dev != v.Bridge || !o.Learned:
		case v.VRF != "":
			v.VTEPs = append(v.VTEPs, o.Addr.String()+" router-mac "+o.MAC.String())
		default:
			v.Stations = append(v.Stations, o.Addr.String()+" is "+o.MAC.String())
		}
	case object.FDB:
		switch {
		case o.Dev == v.VXLAN && o.MAC.IsZero():
			v.VTEPs = append(v.VTEPs, o.Dst.String()+" flooded to")
		case v.VRF == "" && o.Dev == v.VXLAN && o.Dst.IsValid():
			v.Stations = append(v.Stations, o.MAC.String()+" at "+o.Dst.String())
		case v.VRF == "" && o.Dev != v.VXLAN && slices.ContainsFunc(v.Legs, func(leg string) bool { return strings.HasPrefix(leg, o.Dev+" ") }):
			v.Stations = append(v.Stations, o.MAC.String()+" here")
		}
	case object.EVPNPath:
		if o.VNI == v.VNI {
			v.Announced = append(v.Announced, o.Key().String())
			v.RDs = append(v.RDs, o.RD)
			v.Targets = append(v.Targets, o.Targets.List()...)
		}
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
			v.Missing = append(v.Missing, fmt.Sprintf("%s: to %s", op.Key().Text(), op.Verb))
		}
	}
	for _, n := range r.Plan.Notes {
		if !n.Meant() && mine(n.Value) {
			v.Missing = append(v.Missing, fmt.Sprintf("%s: %s: %s", n.Key.Text(), n.Block.Code, n.Block.Text))
		}
	}
}

func compact(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// String is one screen about the VNI.
func (v VNI) String() string {
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
		{"leg", v.Legs},
		{"rd", v.RDs},
		{"rt export", v.Targets},
		{"rt import", v.Imports},
		{"announced", v.Announced},
		{"local", v.Local},
		{"remote", v.Remote},
		{"vtep", v.VTEPs},
		{"station", v.Stations},
		{"unused", v.Unused},
		{"MISSING", v.Missing},
	} {
		for _, text := range part.list {
			fmt.Fprintf(&b, "  %-12s %s\n", part.name, text)
		}
	}
	return b.String()
}

// Line is the VNI in one line of a table.
func (v VNI) Line() string {
	state := "ok"
	if len(v.Missing) > 0 {
		state = fmt.Sprintf("%d MISSING, first: %s", len(v.Missing), v.Missing[0])
	}
	return fmt.Sprintf("%-9d %-14s %-21s %9d %7d %6d  %s", v.VNI, cmp.Or(v.VRF, "(stretched)"), cmp.Or(strings.Join(v.RDs, ","), "-"),
		len(v.Announced), len(v.Remote), len(v.VTEPs), state)
}

// VNIHead is the head of a table of lines.
const VNIHead = "VNI       VRF            RD                    announced  remote  vteps  state"
