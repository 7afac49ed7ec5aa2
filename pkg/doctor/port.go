package doctor

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// programName is the name of our own processes (/proc/PID/comm).
const programName = "bgp-ovn"

// bgpPort checks that the speaker can listen.
func (e *exam) bgpPort() {
	if e.Node.ListenPort < 0 {
		e.ok("tcp", "bgp.listen.port is -1: the speaker opens all sessions itself")
		return
	}
	check := "tcp " + strconv.Itoa(e.Node.ListenPort)
	if e.SocketErr != nil {
		e.warn(check, "make sure that /proc is mounted and readable", "not checked: %v", e.SocketErr)
		return
	}
	var others []string
	for _, o := range e.TCP {
		if o.Name != programName {
			others = append(others, o.String())
		}
	}
	switch {
	case len(e.TCP) == 0 && e.Running && e.Node.Speaker == "":
		e.fail(check, "see bgp-ovn status", "a controller runs and does not listen")
	case len(e.TCP) == 0:
		e.ok(check, "free")
	case len(others) == 0:
		e.ok(check, "%s listens", e.TCP[0])
	case e.Node.Speaker != "":
		e.ok(check, "%s listens, and bgp.speaker is %s", strings.Join(others, "; "), e.Node.Speaker)
	case slices.Contains(e.TCP, SocketOwner{}) && len(others) == 1:
		e.warn(check, rootRemedy, "in use: %s listens", others[0])
	default:
		e.fail(check,
			"stop the program (FRR: bgpd=no in /etc/frr/daemons), "+
				"or set bgp.listen.port to another port, or to -1 not to listen",
			"another program listens: %s", strings.Join(others, "; "))
	}
}

// vxlanPort checks that our VXLAN devices can have their UDP port. The kernel
// shares one socket among the VXLAN devices of a port, if their settings agree.
func (e *exam) vxlanPort() {
	check := "udp " + strconv.Itoa(e.Node.VXLANPort)
	const remedy = "set evpn_udp_dstport to another port on all VTEPs"
	before := len(e.out)
	kernelSocket := false // a device explains a socket without a process
	for _, d := range e.Devices {
		if d.Type == object.LinkVXLAN && int(d.Port) == e.Node.VXLANPort {
			kernelSocket = true
			e.vxlanDevice(check, remedy, d)
		}
	}
	for _, o := range e.UDP {
		switch {
		case o.PID != 0:
			e.fail(check, "stop the program, or "+remedy, "another program uses the port: %s", o)
		case !kernelSocket && e.NetworkErr == nil:
			e.warn(check, rootRemedy+", and look in network namespaces that share the port: ss -lunp", "in use by %s", o)
		}
	}
	switch {
	case len(e.out) > before:
	case e.NetworkErr != nil || e.SocketErr != nil:
		e.warn(check, "see the warnings above", "not checked: devices or sockets cannot be read")
	default:
		e.ok(check, "free for our VXLAN devices")
	}
}

// vxlanDevice checks a VXLAN device on our port.
func (e *exam) vxlanDevice(check, remedy string, d Device) {
	switch {
	case d.Ours:
	case strings.HasPrefix(d.Name, "vxlan_sys_"): // ovs-vswitchd's name for its tunnels
		e.fail(check, remedy+", or remove vxlan from ovn-encap-type",
			"Open vSwitch uses the port for its own tunnels (%s): our VXLAN devices cannot be set up", d.Name)
	case len(d.Modes) > 0:
		e.fail(check, "remove "+d.Name+", or "+remedy,
			"device %s uses the port with other settings (%s): our VXLAN devices cannot be set up", d.Name, strings.Join(d.Modes,
				", "))
	case d.IPv6: // has a socket of its own
	default:
		e.warn(check, "remove "+d.Name+", unless no tenant uses its VNI",
			"device %s, which is not ours, shares the port: VNI %d cannot be used on this node", d.Name, d.VNI)
	}
}
