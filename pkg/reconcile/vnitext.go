package reconcile

import "fmt"

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

// String prints the object and what is done about it, or why nothing is.
func (m Missing) String() string {
	if m.Verb != "" {
		return m.Key.Text() + ": to " + m.Verb
	}
	return m.Key.Text() + ": " + m.Block.Code + ": " + m.Block.Text
}
