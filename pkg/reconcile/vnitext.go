package reconcile

import (
	"cmp"
	"fmt"
	"strings"
)

// String prints devices, port and number: "veth-vrf-7 - veth-ovs-7 on br-ex ofport 3".
func (l Leg) String() string {
	text := l.Dev
	if l.Peer != "" {
		text += " - " + l.Peer
	}
	return text + l.Port.String()
}

// String is what follows the name of the device; empty for no port.
func (p SwitchPort) String() string {
	if p.Bridge == "" {
		return ""
	}
	text := " on " + p.Bridge
	if p.Tag != 0 {
		text += fmt.Sprintf(" tag %d", p.Tag)
	}
	switch {
	case p.Unread:
		return text
	case p.Number == 0:
		return text + " without a port number"
	default:
		return text + fmt.Sprintf(" ofport %d", p.Number)
	}
}

// String prints the address, what is sent there, and the number of routes.
func (t VTEP) String() string {
	text := t.Addr.String() + " flooded to"
	if !t.RouterMAC.IsZero() {
		text = t.Addr.String() + " router-mac " + t.RouterMAC.String()
	}
	if t.Routes > 0 {
		text += fmt.Sprintf(" routes %d", t.Routes)
	}
	return text
}

// String prints what is known: "10.0.0.5 is MAC", "MAC at VTEP" or "MAC here".
func (s Station) String() string {
	switch {
	case s.Addr.IsValid():
		return s.Addr.String() + " is " + s.MAC.String()
	case s.VTEP.IsValid():
		return s.MAC.String() + " at " + s.VTEP.String()
	default:
		return s.MAC.String() + " here"
	}
}

// MarshalText is String for JSON.
func (l Leg) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// MarshalText is String for JSON.
func (t VTEP) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalText is String for JSON.
func (s Station) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// texts are the printed forms of a list.
func texts[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
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
		{"leg", texts(v.Legs)},
		{"rd", v.RDs},
		{"rt export", v.Targets},
		{"rt import", v.Imports},
		{"announced", v.Announced},
		{"local", v.Local},
		{"remote", v.Remote},
		{"vtep", texts(v.VTEPs)},
		{"station", texts(v.Stations)},
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
