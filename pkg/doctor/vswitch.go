package doctor

import "strings"

// openVSwitch checks the Open_vSwitch database and the bridges of
// ovn-bridge-mappings.
func (e *exam) openVSwitch() {
	if e.OpenVSwitchErr != nil {
		remedy := "start ovsdb-server, or correct ovsdb_connection"
		if denied(e.OpenVSwitchErr) {
			remedy = rootRemedy
		}
		e.fail("ovsdb", remedy, "cannot read %s: %v", e.Node.OVSDB, e.OpenVSwitchErr)
		return
	}
	e.ok("ovsdb", "%s answers, system-id %s", e.Node.OVSDB, e.OpenVSwitch.SystemID)
	for _, p := range e.OpenVSwitch.Problems {
		e.warn("ovsdb", "correct the entry, see ovs-vsctl list Open_vSwitch", "%s", p)
	}
	if len(e.OpenVSwitch.Mappings) == 0 {
		e.warn("ovn-bridge-mappings", "ovs-vsctl set Open_vSwitch . external_ids:ovn-bridge-mappings=NETWORK:BRIDGE",
			"it maps no provider network to a bridge of this node: nothing is exposed")
	}
	if e.OfctlErr != nil {
		e.fail("ovs-ofctl", "install the tools of Open vSwitch (package openvswitch-switch), or set flows.manage to false",
			"flows cannot be managed: %v", e.OfctlErr)
	}
	for _, name := range e.mapped() {
		e.bridge(name)
	}
}

// bridge checks one mapped bridge and its answer to ovs-ofctl.
func (e *exam) bridge(name string) {
	check := "bridge " + name
	b, exists := e.OpenVSwitch.Bridge(name)
	if !exists {
		e.fail(check, "ovs-vsctl add-br "+name+", or correct ovn-bridge-mappings",
			"ovn-bridge-mappings names it, and it does not exist")
		return
	}
	switch b.DatapathType {
	case "", "system": // "" is Open vSwitch's default, which is system
		e.ok(check, "datapath type system")
	case "netdev":
		e.warn(check, "use datapath type system unless DPDK is wanted",
			"datapath type netdev: all traffic of exposed addresses passes a tap device "+
				"between ovs-vswitchd and the kernel, which is slow")
	default:
		e.warn(check, "ovs-vsctl set Bridge "+name+" datapath_type=system", "unknown datapath type %q", b.DatapathType)
	}
	e.ofctl(name)
}

// ofctl checks the answer of a bridge. ovs-ofctl reports missing rights in its
// text alone.
func (e *exam) ofctl(bridge string) {
	check := "ovs-ofctl " + bridge
	err, asked := e.BridgeErrs[bridge]
	switch {
	case !asked: // flows are not managed, or ovs-ofctl is missing
	case err == nil:
		e.ok(check, "the bridge answers")
	case denied(err), strings.Contains(err.Error(), "Permission denied"):
		e.warn(check, rootRemedy, "not checked: %v", err)
	default:
		e.fail(check,
			"check that ovs-vswitchd runs, that column protocols of the bridge allows OpenFlow13, and that ovs_rundir is right",
			"the bridge does not answer: %v", err)
	}
}
