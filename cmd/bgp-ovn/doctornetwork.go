package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
)

// vxlanOverhead are the bytes that VXLAN over IPv4 puts before an IP packet: two
// headers of Ethernet (the outer one does not count against an MTU), IPv4, UDP
// and VXLAN.
const vxlanOverhead = 14 + 20 + 8 + 8

// programName is what our processes are called.
const programName = "bgp-ovn"

func (e *exam) device(name string) (host.Surveyed, bool) {
	at := slices.IndexFunc(e.survey.Devices, func(d host.Surveyed) bool { return d.Name == name })
	if at < 0 {
		return host.Surveyed{}, false
	}
	return e.survey.Devices[at], true
}

// network looks at the ways to the peers: which devices they leave by, and
// whether what comes from OVN fits through.
func (e *exam) network() {
	if e.surveyErr != nil {
		e.bad(levelWarn, "network", "look at the kernel's log (dmesg)", "devices and routes cannot be read: %v", e.surveyErr)
		return
	}
	if len(e.survey.Ways) == 0 {
		e.bad(levelWarn, "peers", "set bgp.peers", "no peer is configured: nothing is announced, and the MTU towards the fabric cannot be told")
		return
	}
	mtus := map[string]int{} // of uplinks
	for _, way := range e.survey.Ways {
		check := "peer " + way.Addr.String()
		d, exists := e.device(way.Dev)
		if !exists {
			e.bad(levelFail, check, "give the uplink an address in the peer's network, or a route to the peer", "no route leads there")
			continue
		}
		mtu := d.MTU
		if way.MTU > 0 {
			mtu = min(mtu, way.MTU)
		}
		e.ok(check, "by %s, MTU %d", way.Dev, mtu)
		if before, ok := mtus[way.Dev]; ok {
			mtu = min(mtu, before)
		}
		mtus[way.Dev] = mtu
	}
	var uplinks []string
	for dev := range mtus {
		uplinks = append(uplinks, dev)
	}
	slices.Sort(uplinks)
	for _, dev := range uplinks {
		e.fits(dev, mtus[dev])
		e.filter(dev, len(uplinks))
	}
}

// fits compares the MTU of an uplink with those of the provider bridges. Those of
// tenant networks are smaller than these wherever they are set by Neutron.
func (e *exam) fits(uplink string, mtu int) {
	check := "mtu " + uplink
	bridge := host.Surveyed{}
	for _, name := range e.mapped() {
		if d, ok := e.device(name); ok && d.MTU > bridge.MTU {
			bridge = d
		}
	}
	if bridge.Name == "" {
		e.bad(levelWarn, check, "see ovsdb and the bridges above", "%d; no device of a provider bridge is there to compare it with", mtu)
		return
	}
	overhead, what := 0, ""
	if e.cfg.evpnRuns() {
		overhead, what = vxlanOverhead, fmt.Sprintf(" and %d bytes of VXLAN", vxlanOverhead)
	}
	if need := bridge.MTU + overhead; mtu < need {
		e.bad(levelWarn, check, fmt.Sprintf("ip link set %s mtu %d and the same on all of the fabric, or give provider and tenant networks MTU %d at most", uplink, need, mtu-overhead),
			"%d, but %s has %d%s: large packets are fragmented or lost", mtu, bridge.Name, bridge.MTU, what)
		return
	}
	e.ok(check, "%d carries the %d of %s%s", mtu, bridge.MTU, bridge.Name, what)
}

// filter looks at the reverse path filter of an uplink: with several, answers
// come in by any of them.
func (e *exam) filter(uplink string, uplinks int) {
	if uplinks < 2 || e.sysctls[sysctlFilterOf(uplink)] != "1" {
		return
	}
	name := sysctlName(sysctlFilterOf(uplink))
	e.bad(levelWarn, name, "sysctl -w "+name+"=0 and a file in /etc/sysctl.d",
		"1: packets are dropped that come in by %s while the best route back is by another of the %d uplinks", uplink, uplinks)
}

// bgpPort says who listens where the speaker would.
func (e *exam) bgpPort() {
	port := e.cfg.BGP.Listen.Port
	check := "tcp " + strconv.Itoa(port)
	if port < 0 {
		e.ok("tcp", "bgp.listen.port is off: sessions are opened by us alone")
		return
	}
	if e.socketErr != nil {
		e.bad(levelWarn, check, "is /proc mounted?", "cannot be told: %v", e.socketErr)
		return
	}
	var others []string
	for _, o := range e.tcp {
		if o.Name != programName {
			others = append(others, o.String())
		}
	}
	switch {
	case len(e.tcp) == 0 && e.running && e.cfg.BGP.Speaker == "":
		e.bad(levelFail, check, "bgp-ovn status", "a controller runs and does not listen")
	case len(e.tcp) == 0:
		e.ok(check, "nobody listens yet")
	case len(others) == 0:
		e.ok(check, "%s listens", e.tcp[0])
	case e.cfg.BGP.Speaker != "":
		e.ok(check, "%s listens, and bgp.speaker is %s", strings.Join(others, "; "), e.cfg.BGP.Speaker)
	case slices.Contains(e.tcp, socketOwner{}) && len(others) == 1:
		e.bad(levelWarn, check, "run bgp-ovn doctor as root", "somebody listens: %s", others[0])
	default:
		e.bad(levelFail, check, "stop it (FRR: bgpd=no in /etc/frr/daemons), or set bgp.listen.port to another one, or to -1 to open sessions from here alone",
			"another program listens: %s", strings.Join(others, "; "))
	}
}

// vxlanPort looks for others on the UDP port of our VXLAN devices.
func (e *exam) vxlanPort() {
	check := "udp " + strconv.Itoa(e.cfg.EVPNPort)
	remedy := "set evpn_udp_dstport to another port on all VTEPs"
	before := len(e.out)
	seen := false // a device of VXLAN, whose socket is the kernel's
	for _, d := range e.survey.Devices {
		if d.Type != object.LinkVXLAN || int(d.Port) != e.cfg.EVPNPort {
			continue
		}
		seen = true
		switch {
		case d.Ours:
		case strings.HasPrefix(d.Name, "vxlan_sys_"):
			e.bad(levelFail, check, remedy+", or take vxlan out of ovn-encap-type", "Open vSwitch has it for its tunnels (%s): no VXLAN device of ours comes up", d.Name)
		case len(d.Modes) > 0:
			e.bad(levelFail, check, "remove "+d.Name+", or "+remedy, "device %s has it with another configuration (%s): no VXLAN device of ours comes up", d.Name, strings.Join(d.Modes, ", "))
		case d.IPv6: // a socket of its own
		default:
			e.bad(levelWarn, check, "remove "+d.Name+" unless its VNI is nobody else's", "device %s, which is not ours, shares it: VNI %d cannot be used here", d.Name, d.VNI)
		}
	}
	for _, o := range e.udp {
		switch {
		case o.PID != 0:
			e.bad(levelFail, check, "stop it, or "+remedy, "another program has it: %s", o)
		case !seen && e.surveyErr == nil:
			e.bad(levelWarn, check, "run bgp-ovn doctor as root, and look for network namespaces that share it: ss -lunp", "somebody has it: %s", o)
		}
	}
	switch {
	case len(e.out) > before:
	case e.surveyErr != nil || e.socketErr != nil:
		e.bad(levelWarn, check, "see the failures above", "cannot be told")
	default:
		e.ok(check, "free for VXLAN devices of ours")
	}
}

// vrfs looks at what all VRFs of the node have in common.
func (e *exam) vrfs() {
	if e.surveyErr != nil {
		return // said before
	}
	tables := map[uint32][]string{}
	for _, d := range e.survey.Devices {
		if d.Type == object.LinkVRF {
			tables[d.Table] = append(tables[d.Table], d.Name)
		}
	}
	e.strictMode(tables)
	for i, family := range []string{"ipv4", "ipv6"} {
		e.l3mdev(family, e.survey.L3mdev[i], len(tables) > 0)
	}
}

// strictMode looks for VRFs that share a table, which only the setting rules out.
func (e *exam) strictMode(tables map[uint32][]string) {
	name := sysctlName(sysctlStrict)
	value, exists := e.sysctls[sysctlStrict]
	var shared []string
	for table, names := range tables {
		if len(names) > 1 {
			shared = append(shared, fmt.Sprintf("%s share table %d", strings.Join(names, " and "), table))
		}
	}
	slices.Sort(shared)
	switch {
	case len(shared) > 0:
		e.bad(levelFail, name, "give each VRF a table of its own (evpn.table_offset moves ours), then sysctl -w "+name+"=1",
			"%s: what is in one can reach the other", strings.Join(shared, "; "))
	case !exists:
		e.ok(name, "there is no VRF module in use, so no VRF shares a table")
	default:
		e.ok(name, "%s; no two VRFs share a table", value)
	}
}

// l3mdev looks for the rule that sends packets of a VRF to its table.
func (e *exam) l3mdev(family string, priorities []uint32, anyVRF bool) {
	check := "l3mdev rule " + family
	option := ""
	if family == "ipv6" {
		option = "-6 "
	}
	add := fmt.Sprintf("ip %srule add priority 1000 l3mdev", option)
	switch {
	case len(priorities) == 0 && !anyVRF:
		e.ok(check, "the kernel adds it with the first VRF")
	case len(priorities) == 0:
		e.bad(levelFail, check, add, "there are VRFs and no rule looks their tables up: their packets take the routes of the node")
	case slices.Min(priorities) >= e.cfg.Routing.RulePriority:
		e.bad(levelWarn, check, add, "priority %d comes after those of bridges (routing.rule_priority %d), whose routes win over a VRF's",
			slices.Min(priorities), e.cfg.Routing.RulePriority)
	default:
		e.ok(check, "priority %d", slices.Min(priorities))
	}
}
