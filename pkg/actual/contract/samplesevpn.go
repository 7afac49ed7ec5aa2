package contract

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// The VRF, bridge, VXLAN device and veth of the network identifier that the
// samples are about.
var (
	sampleVRF    = object.Link{Name: "vrf-1001", Type: object.LinkVRF, Table: 1001, Up: true}
	sampleBridge = object.Link{Name: "br-1001", Type: object.LinkBridge, MAC: object.MAC{2, 0, 0, 0, 0x10, 1}, Up: true}
	sampleVXLAN  = object.Link{
		Name: "vxlan-1001", Type: object.LinkVXLAN, VNI: 1001, Local: netip.MustParseAddr("192.0.2.1"), Port: 4789,
		MAC: object.MAC{2, 0, 0, 0, 0x10, 2}, Master: "br-1001", NoLearning: true, Suppress: true, Up: true,
	}
	sampleVeth = object.Link{
		Name: "veth-vrf-1001", Type: object.LinkVeth, Peer: "veth-ovs-1001",
		MAC: object.MAC{2, 0, 0, 0, 0x10, 3}, Up: true,
	}
)

// links are one of each type, with all that can be changed in place changed.
func (s Subject) links() []sample {
	// Names of devices have 15 characters at most (IFNAMSIZ), hence the cut.
	vlan := object.Link{
		Name: s.Device[:min(len(s.Device), 10)] + ".100", Type: object.LinkVLAN, Parent: s.Device,
		VLAN: 100, Up: true,
	}
	down := vlan
	down.Up = false
	vrfDown := sampleVRF
	vrfDown.Up = false
	// The master and the MAC change in one update.
	inVRF := sampleBridge
	inVRF.Master, inVRF.MAC = "vrf-1001", object.MAC{2, 0, 0, 0, 0x10, 0x11}
	renamed, relaid := sampleBridge, sampleVeth
	renamed.MAC, renamed.Up = object.MAC{2, 0, 0, 0, 0x10, 0x11}, false
	relaid.MAC, relaid.Up = object.MAC{2, 0, 0, 0, 0x10, 0x13}, false
	// Out of the bridge a VXLAN device has no port settings left: no suppression.
	alone := sampleVXLAN
	alone.Master, alone.Suppress, alone.MAC = "", false, object.MAC{2, 0, 0, 0, 0x10, 0x12}
	six := sampleVXLAN
	six.Local = netip.MustParseAddr("2001:db8:ffff::1")
	leg := sampleVeth
	leg.Master, leg.MAC = "vrf-1001", object.MAC{2, 0, 0, 0, 0x10, 0x13}
	port := sampleVeth
	port.Master, port.NoLearning, port.Suppress = "br-1001", true, true
	return []sample{
		of(vlan, down),
		{value: sampleVRF, other: vrfDown, name: "vrf"},
		{value: sampleBridge, other: renamed, name: "bridge"},
		{value: sampleBridge, other: inVRF, name: "bridge in a VRF", before: []object.Value{sampleVRF}},
		{value: sampleVXLAN, other: alone, name: "vxlan", before: []object.Value{sampleBridge}},
		{value: six, name: "vxlan6", before: []object.Value{sampleBridge}},
		{value: sampleVeth, other: relaid, name: "veth"},
		{value: sampleVeth, other: leg, name: "veth in a VRF", before: []object.Value{sampleVRF}},
		{value: port, other: sampleVeth, name: "veth in a bridge", before: []object.Value{sampleBridge}},
	}
}

// ovsPorts are the two types: an internal port, whose MAC is ours to set, and a device of
// the kernel as port, which keeps its own. 4094 is the highest VLAN.
func (s Subject) ovsPorts() []sample {
	internal := object.OVSPort{
		Name: "vlan-1001", Bridge: s.Bridge, Type: object.OVSInternal, Tag: 100,
		MAC: object.MAC{2, 0, 0, 0, 0x10, 5},
	}
	other := internal
	other.Tag, other.MAC = 0, object.MAC{2, 0, 0, 0, 0x10, 6}
	device := object.OVSPort{Name: s.Device, Bridge: s.Bridge}
	tagged := device
	tagged.Tag = 4094
	return []sample{of(internal, other), {value: device, other: tagged, name: "of a device"}}
}

// masters put the device of the world, which others made, into a bridge.
func (s Subject) masters() []sample {
	in := object.Master{Dev: s.Device, Master: "br-1001", Up: true}
	down := in
	down.Up = false
	return []sample{{value: in, other: down, name: "in a bridge", before: []object.Value{sampleBridge}}}
}

// fdbs are the three forms: a MAC behind a VTEP (self), a MAC that stays in the bridge
// (master), and the VTEP list for flooded frames, which has the zero MAC.
func (s Subject) fdbs() []sample {
	mac := object.MAC{0x52, 0x54, 0, 0xaa, 0xbb, 2}
	vtep, other := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	ground := []object.Value{sampleBridge, sampleVXLAN}
	return []sample{
		{
			value: object.FDB{Dev: "vxlan-1001", MAC: mac, Dst: vtep},
			other: object.FDB{Dev: "vxlan-1001", MAC: mac, Dst: other}, name: "self", before: ground,
		},
		{value: object.FDB{Dev: "vxlan-1001", MAC: mac}, name: "master", before: ground},
		{value: object.FDB{Dev: "vxlan-1001", Dst: vtep}, name: "flood", before: ground},
	}
}

// evpnPaths are one of each route type.
func evpnPaths() []sample {
	vtep := netip.MustParseAddr("192.0.2.1")
	targets := object.WordsOf("64999:1001", "65000:7")
	prefix := object.EVPNPath{
		Type: object.EVPNPrefix, RD: "192.0.2.1:1001", Prefix: netip.MustParsePrefix("10.0.0.5/32"), VNI: 1001, NextHop: vtep,
		Targets: targets, RouterMAC: object.MAC{2, 0, 0, 0, 0x10, 1}, Origin: object.OriginIncomplete,
	}
	moved := prefix
	moved.RouterMAC, moved.Targets = object.MAC{2, 0, 0, 0, 0x10, 7}, object.WordsOf("4200000000:9")
	moved.MED = object.MetricOf(1000)
	moved = moved.Lowered(object.LastResort{
		LocalPref: true, Prepend: object.Prepend{AS: 4200000000, Times: 3},
	}).(object.EVPNPath)
	prefix6 := prefix
	prefix6.Prefix = netip.MustParsePrefix("2001:db8:a::/64")
	mac := object.EVPNPath{
		Type: object.EVPNMacIP, RD: "64999:1001", MAC: object.MAC{0xfa, 0x16, 0x3e, 0, 0, 1},
		Prefix: netip.MustParsePrefix("10.0.0.5/32"), VNI: 70000, NextHop: vtep, Targets: targets, Origin: object.OriginIGP,
	}
	bare := mac
	bare.Prefix, bare.Mobility = netip.Prefix{}, object.MetricOf(3)
	flood := object.EVPNPath{
		Type: object.EVPNMulticast, RD: "192.0.2.1:1001", Prefix: netip.MustParsePrefix("192.0.2.1/32"), VNI: 1001,
		NextHop: vtep, Targets: targets, Origin: object.OriginIGP,
	}
	// The default route, an AS of four octets and an underlay of IPv6, in one.
	inIPv6 := prefix6
	inIPv6.NextHop, inIPv6.RD, inIPv6.Prefix = netip.MustParseAddr("2001:db8:ffff::1"), "4200000000:7",
		netip.MustParsePrefix("::/0")
	// The highest VNI of 24 bits.
	relabelled := mac
	relabelled.VNI, relabelled.Mobility = 16777215, object.MetricOf(7)
	// GoBGP refuses a lower sequence number than the one that it holds; the backend has to
	// withdraw first.
	backwards := bare
	backwards.Mobility = object.MetricOf(0)
	mac6 := mac
	mac6.Prefix, mac6.RD, mac6.Mobility = netip.MustParsePrefix("2001:db8:a::5/128"), "64999:4294967295",
		object.MetricOf(0)
	mac6.Targets, mac6.Origin = object.WordsOf("192.0.2.1:65535", "64999:4294967295", "4200000000:65535"), object.OriginEGP
	flood6 := flood
	flood6.Prefix, flood6.NextHop = netip.MustParsePrefix("2001:db8:ffff::1/128"), netip.MustParseAddr("2001:db8:ffff::1")
	// 50 targets take 400 octets: the attribute needs the extended length (RFC 4271 section
	// 4.3).
	wide := prefix
	var targets50 []string
	for i := range 50 {
		targets50 = append(targets50, fmt.Sprintf("64999:%d", i))
	}
	wide.Targets = object.WordsOf(targets50...)
	return []sample{
		{value: prefix, other: moved},
		{value: prefix6, name: "type-5 IPv6"},
		{value: inIPv6, name: "type-5 over IPv6"},
		{value: wide, other: prefix, name: "type-5 with many targets"},
		{value: mac, other: relabelled, name: "type-2"},
		{value: mac6, name: "type-2 IPv6"},
		{value: bare, other: backwards, name: "type-2 without an address"},
		{value: flood, name: "type-3"},
		{value: flood6, name: "type-3 over IPv6"},
	}
}

// manyEVPN is a type-5 route for one of many hosts, as a node with many networks
// announces them.
func manyEVPN(host netip.Prefix) object.EVPNPath {
	return object.EVPNPath{
		Type: object.EVPNPrefix, RD: "192.0.2.1:1001", Prefix: host, VNI: 1001, NextHop: netip.MustParseAddr("192.0.2.1"),
		Targets: object.WordsOf("64999:1001"), RouterMAC: object.MAC{2, 0, 0, 0, 0x10, 1}, Origin: object.OriginIncomplete,
	}
}
