package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Overlay is the VNI by which packets for an address come in.
type Overlay struct {
	VNI uint32
	// VRF is the device in whose table the address is looked up; empty for a bridged VNI.
	VRF string
	// Bridge and VXLAN are the devices of the VNI, Port the end of its leg on the provider
	// bridge.
	Bridge, VXLAN, Port string
	// Local is the address of our VTEP.
	Local netip.Addr
	// VLAN is that of the provider network; 0 for a flat one.
	VLAN uint16
	// MAC is that of the station, for a bridged VNI.
	MAC string
}

// Tunnel is what was read about the devices of a VNI.
type Tunnel struct {
	VRF, Bridge, VXLAN Device
	// Port is the end of the leg on the provider bridge.
	Port Device
	// Local is the kernel's answer for packets to our VTEP.
	Local Lookup
	// Remotes are the VTEPs that answers go to.
	Remotes []Remote
}

// Remote is a VTEP that answers go to.
type Remote struct {
	VTEP netip.Addr
	// Neighbour is its entry on the bridge of the VNI; nil if there is none.
	Neighbour *Neighbour
	// At is where the VXLAN device sends frames for its MAC address to; invalid if it does
	// not know.
	At netip.Addr
	// Out is the kernel's answer for packets to it.
	Out Lookup
}

// kindVXLAN and kindVRF are types of devices as the kernel names them.
const (
	kindVXLAN = "vxlan"
	kindVRF   = "vrf"
)

// entry has the device by which packets come in to be routed in place of the uplinks: for a
// VNI it is its bridge, behind the tunnel.
func (f Facts) entry() Facts {
	if f.Overlay == nil || f.Tunnel == nil {
		return f
	}
	f.Uplinks = []Device{f.Tunnel.Bridge}
	if i := slices.IndexFunc(f.Rules, func(r Rule) bool { return r.L3MDev }); i >= 0 {
		f.Priority = f.Rules[i].Priority
	}
	return f
}

// overlay judges the way of a packet that comes in by a VNI, and of the answer to it.
func (j *judgement) overlay() {
	j.carrier()
	if j.Tunnel == nil {
		j.add("tunnel", Unknown, fmt.Sprintf("the devices of VNI %d could not be read", j.Overlay.VNI))
		return
	}
	if l := j.Tunnel.Local; l.Refused != "" || l.Route.Type != "local" {
		j.broken("tunnel", CodeNoVTEP, "ip address add "+j.Overlay.Local.String()+"/32 dev lo",
			"the VTEP's address "+j.Overlay.Local.String()+" is not an address of this node: VXLAN packets to it are lost")
	}
	whole := j.devices()
	j.Facts = j.entry()
	if j.Overlay.VRF != "" && whole {
		j.forwards("tunnel", j.Tunnel.Bridge, fmt.Sprintf("%s and %s are up, VNI %d", j.Overlay.VXLAN, j.Overlay.Bridge,
			j.Overlay.VNI))
		j.l3mdev()
		j.route()
		j.filter()
	} else if whole {
		j.add("tunnel", OK, fmt.Sprintf("%s and %s are up, VNI %d", j.Overlay.VXLAN, j.Overlay.Bridge, j.Overlay.VNI))
	}
	j.leg()
	if j.Overlay.VRF != "" {
		j.neighbour()
	}
	j.bridge()
	j.port()
	if j.Overlay.VRF != "" && whole {
		j.answerVNI()
	}
}

// carrier judges the uplinks of the underlay. Nothing is forwarded from there: the tunnel
// ends on this node.
func (j *judgement) carrier() {
	up := j.up()
	for _, d := range j.Uplinks {
		switch text, try := d.Fault(); {
		case text == "":
			j.add("uplink", OK, d.Name+" is up")
		case len(up) > 0:
			j.Stages = append(j.Stages, Stage{Name: "uplink", State: Suspect, Text: text, Try: try})
		default:
			j.broken("uplink", CodeUplinkDown, try, text)
		}
	}
}

// devices judges those between the tunnel and the routing table, and reports whether they
// are as they have to be. Of a bridge and a VRF the carrier is left out: it is that of what
// is in them.
func (j *judgement) devices() bool {
	o, t := j.Overlay, j.Tunnel
	whole := j.isUp(t.VXLAN, true)
	switch d := t.VXLAN; {
	case d.Missing:
	case d.Kind != kindVXLAN || d.VNI != o.VNI:
		j.detached(&whole, "ip -d link show "+d.Name, fmt.Sprintf("%s is no VXLAN device of VNI %d", d.Name, o.VNI))
	case d.Local.IsValid() && d.Local != o.Local:
		j.detached(&whole, "ip -d link show "+d.Name, fmt.Sprintf("%s has the VTEP's address %s, and %s is announced", d.Name,
			d.Local, o.Local))
	case d.Master != o.Bridge:
		j.inPlace(&whole, d, o.Bridge)
	case d.Learning:
		j.Stages = append(j.Stages, Stage{
			Name: "tunnel", State: Suspect, Try: "ip link set " + d.Name + " type vxlan nolearning",
			Text: d.Name + " learns MAC addresses from packets: anybody who can send VXLAN packets here may take one",
		})
	}
	whole = j.isUp(t.Bridge, false) && whole
	if o.VRF == "" {
		return whole
	}
	if !t.Bridge.Missing && t.Bridge.Master != o.VRF {
		j.inPlace(&whole, t.Bridge, o.VRF)
	}
	whole = j.isUp(t.VRF, false) && whole
	if d := t.VRF; !d.Missing && (d.Kind != kindVRF || d.Table != j.Table) {
		j.detached(&whole, "ip -d link show "+d.Name, fmt.Sprintf("%s is no VRF with table %d", d.Name, j.Table))
	}
	return whole
}

// isUp tells of a device that is missing or down.
func (j *judgement) isUp(d Device, carrier bool) bool {
	if !carrier {
		d.Carrier = true
	}
	text, try := d.Fault()
	if text == "" {
		return true
	}
	if d.Missing {
		try = "bgp-ovn plan; bgp-ovn audit --repair"
	}
	j.broken("tunnel", CodeDeviceDown, try, fmt.Sprintf("%s: it is a part of VNI %d", text, j.Overlay.VNI))
	return false
}

// inPlace tells of a device that is not where it belongs.
func (j *judgement) inPlace(whole *bool, d Device, master string) {
	in := "in no bridge or VRF"
	if d.Master != "" {
		in = "in " + d.Master
	}
	j.detached(whole, "ip link set "+d.Name+" master "+master, d.Name+" is "+in+", not in "+master)
}

func (j *judgement) detached(whole *bool, try, text string) {
	*whole = false
	j.broken("tunnel", CodeDeviceDetached, try, text)
}

// l3mdev judges the rule that has what comes in by a device of a VRF looked up in its table.
func (j *judgement) l3mdev() {
	for _, l := range j.in() {
		if j.fits(l) {
			continue
		}
		if r, ok := j.taker(l); ok {
			j.broken("rule", CodeForeignRule, "ip"+six(l.Dst)+" rule del priority "+fmt.Sprint(r.Priority),
				fmt.Sprintf("rule %q comes before that of VRFs (%d) and takes packets for %s%s", r.Text, j.Priority, l.Dst,
					suffix(l)))
			return
		}
	}
	switch {
	case slices.ContainsFunc(j.Rules, func(r Rule) bool { return r.L3MDev }):
		j.add("rule", OK, fmt.Sprintf("%d: lookup of VRFs, %s has table %d", j.Priority, j.Overlay.VRF, j.Table))
	case len(j.Rules) > 0:
		j.broken("rule", CodeRuleMissing, "ip"+six(j.Addr)+" rule add priority 1000 l3mdev protocol kernel",
			"there is no ip rule that looks up the tables of VRFs (l3mdev): packets of every VRF are looked up in main")
	}
}

// leg judges the device by which packets get to the provider bridge.
func (j *judgement) leg() {
	o, d, whole := j.Overlay, j.Facts.Device, true
	master := o.VRF
	if master == "" {
		master = o.Bridge
	}
	if o.Port != "" && o.Port != d.Name && !j.isUp(j.Tunnel.Port, false) {
		return // why the other end has no carrier
	}
	if !d.Missing && d.Master != master {
		j.inPlace(&whole, d, master)
	}
	if whole {
		j.device()
	}
}

// answerVNI judges the way back: from the port over the leg into the VRF, and out by the
// tunnel.
func (j *judgement) answerVNI() {
	j.answerFlow()
	d := j.Facts.Device
	if d.Missing || !d.Up {
		return
	}
	if !j.ipv6() {
		j.forwards("answer", d, d.Name+" forwards")
	}
	if !slices.ContainsFunc(j.Back, func(l Lookup) bool { return !l.Far }) {
		j.add("answer", Suspect, fmt.Sprintf("nobody announces a route of the family into VNI %d: nobody is known that "+
			"would be answered", j.Overlay.VNI))
		return
	}
	j.back()
	for _, r := range j.Tunnel.Remotes {
		j.remote(r)
	}
}

// remote judges whether answers get to a VTEP.
func (j *judgement) remote(r Remote) {
	o := j.Overlay
	const repair = "bgp-ovn plan; bgp-ovn audit --repair"
	n := r.Neighbour
	switch {
	case r.Out.Refused != "":
		j.broken("answer", CodeNoWayBack, "ip route get "+r.VTEP.String(), fmt.Sprintf(
			"no route leads to VTEP %s (%s): answers of %s are lost", r.VTEP, r.Out.Refused, j.Addr))
	case n == nil || n.MAC == "" || strings.HasPrefix(n.State, "FAILED") || n.State == "INCOMPLETE":
		j.broken("answer", CodeNoWayBack, repair, fmt.Sprintf("VTEP %s has no neighbour entry on %s: answers of %s are lost",
			r.VTEP, o.Bridge, j.Addr))
	case r.At != r.VTEP:
		where := "unknown to"
		if r.At.IsValid() {
			where = "at " + r.At.String() + " in the table of"
		}
		j.broken("answer", CodeNoWayBack, repair, fmt.Sprintf("router MAC %s of VTEP %s is %s %s: answers of %s are lost",
			n.MAC, r.VTEP, where, o.VXLAN, j.Addr))
	default:
		j.add("answer", OK, fmt.Sprintf("to VTEP %s, router MAC %s", r.VTEP, n.MAC))
	}
}
