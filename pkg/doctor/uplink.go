package doctor

import (
	"fmt"
	"maps"
	"slices"
)

// vxlanOverhead is what VXLAN over IPv4 adds to an IP packet of a tenant, in
// bytes (RFC 7348 section 5): the inner Ethernet header, outer IPv4, UDP and
// VXLAN headers. The outer Ethernet header does not count against an MTU.
const vxlanOverhead = 14 + 20 + 8 + 8

// network checks the routes to the BGP peers: which devices they leave by, the
// uplinks, and whether the packets of OVN fit through these.
func (e *exam) network() {
	if e.NetworkErr != nil {
		e.warn("network", "look for the cause in the kernel log (dmesg)",
			"not checked, devices and routes cannot be read: %v", e.NetworkErr)
		return
	}
	if len(e.Routes) == 0 {
		e.warn("peers", "set bgp.peers",
			"no BGP peer is configured: nothing is announced, and the MTU of uplinks is not checked")
		return
	}
	mtus := map[string]int{} // the least of each uplink
	for _, r := range e.Routes {
		check := "peer " + r.Peer.String()
		d, exists := e.device(r.Dev)
		if !exists {
			e.fail(check, "give the uplink an address in the peer's network, or add a route to the peer", "no route to the peer")
			continue
		}
		mtu := d.MTU
		if r.MTU > 0 {
			mtu = min(mtu, r.MTU)
		}
		e.ok(check, "reached by %s, MTU %d", r.Dev, mtu)
		if before, ok := mtus[r.Dev]; ok {
			mtu = min(mtu, before)
		}
		mtus[r.Dev] = mtu
	}
	for _, dev := range slices.Sorted(maps.Keys(mtus)) {
		e.mtu(dev, mtus[dev])
		e.uplinkFilter(dev, len(mtus))
	}
}

// mtu compares the MTU of an uplink with the largest one of the provider
// bridges. Neutron gives tenant networks smaller ones.
func (e *exam) mtu(uplink string, mtu int) {
	check := "mtu " + uplink
	var bridge Device
	for _, name := range e.mapped() {
		if d, ok := e.device(name); ok && d.MTU > bridge.MTU {
			bridge = d
		}
	}
	if bridge.Name == "" {
		e.warn(check, "see the checks of ovsdb and bridges above",
			"%d; there is no device of a provider bridge to compare it with", mtu)
		return
	}
	overhead, what := 0, ""
	if e.Node.EVPN {
		overhead, what = vxlanOverhead, fmt.Sprintf(" plus %d bytes of VXLAN", vxlanOverhead)
	}
	if need := bridge.MTU + overhead; mtu < need {
		remedy := fmt.Sprintf("ip link set %s mtu %d and the same on the whole fabric, "+
			"or give provider and tenant networks an MTU of at most %d",
			uplink, need, mtu-overhead)
		e.warn(check, remedy, "%d, but %s has %d%s: large packets are fragmented or lost", mtu, bridge.Name, bridge.MTU, what)
		return
	}
	e.ok(check, "%d is enough for the %d of %s%s", mtu, bridge.MTU, bridge.Name, what)
}

// uplinkFilter checks the reverse path filter of an uplink. With several
// uplinks, packets arrive by any of them, whichever the best route back is.
func (e *exam) uplinkFilter(uplink string, uplinks int) {
	if uplinks < 2 || e.Sysctls[SysctlFilterOf(uplink)] != "1" {
		return
	}
	name := SysctlName(SysctlFilterOf(uplink))
	e.warn(name, "sysctl -w "+name+"=0 and a file in /etc/sysctl.d",
		"1 (strict): packets that arrive by %s are dropped if the best route back is by another of the %d uplinks", uplink,
		uplinks)
}
