package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
)

// exam collects findings. It looks at facts alone, so that the same facts give
// the same findings in the same order.
type exam struct {
	facts
	out []finding
}

// examine makes findings of facts.
func examine(f facts) []finding {
	e := &exam{facts: f}
	e.devices()
	e.capabilities()
	e.openVSwitch()
	e.settings()
	e.network()
	e.bgpPort()
	if f.cfg.evpnRuns() {
		e.vxlanPort()
		e.vrfs()
	}
	return e.out
}

func (e *exam) ok(check, format string, args ...any) {
	e.out = append(e.out, finding{Level: levelOK, Check: check, Text: fmt.Sprintf(format, args...)})
}

func (e *exam) bad(l level, check, remedy, format string, args ...any) {
	e.out = append(e.out, finding{Level: l, Check: check, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

// devices says which types of devices the kernel can make.
func (e *exam) devices() {
	needed := map[string]string{}
	if slices.ContainsFunc(e.cfg.Drivers, func(name string) bool { return drivers.Canonical(name) != evpn.Name }) {
		needed[object.LinkVLAN] = "provider networks with a VLAN stand on"
	}
	if e.cfg.evpnRuns() {
		needed[object.LinkBridge], needed[object.LinkVXLAN] = "every VNI stands on", "every VNI stands on"
		needed[object.LinkVRF], needed[object.LinkVeth] = "every L3VNI stands on", "VNIs of flat provider networks stand on"
	}
	if e.trialErr != nil {
		remedy := "look at the kernel's log (dmesg)"
		if errors.Is(e.trialErr, unix.EPERM) {
			remedy = "run bgp-ovn doctor as root"
		}
		e.bad(levelWarn, "device types", remedy, "cannot be told, because they could not be tried: %v", e.trialErr)
		return
	}
	for _, t := range e.trials {
		why, is := needed[t.Type]
		check := "device type " + t.Type
		switch {
		case !is:
		case t.Err == nil:
			e.ok(check, "the kernel makes it")
		case errors.Is(t.Err, kernel.ErrNotTried):
			e.bad(levelWarn, check, "see the failures above", "cannot be told: %v", t.Err)
		default:
			l := levelFail
			if t.Type == object.LinkVLAN {
				l = levelWarn // there may be no such network
			}
			e.bad(l, check, fmt.Sprintf("modprobe %s, or install a kernel that has it", module(t.Type)),
				"the kernel cannot make the device that %s: %v", why, t.Err)
		}
	}
}

// module has the type of device.
func module(kind string) string {
	if kind == object.LinkVLAN {
		return "8021q"
	}
	return kind
}

func (e *exam) capabilities() {
	if e.capsErr != nil {
		e.bad(levelWarn, "capabilities", "is /proc mounted?", "cannot be told: %v", e.capsErr)
		return
	}
	need := []string{"CAP_NET_ADMIN"}
	bits := []int{unix.CAP_NET_ADMIN}
	if port := e.cfg.BGP.Listen.Port; port > 0 && port < 1024 {
		need, bits = append(need, "CAP_NET_BIND_SERVICE"), append(bits, unix.CAP_NET_BIND_SERVICE)
	}
	var missing []string
	for i, bit := range bits {
		if e.caps&(1<<bit) == 0 {
			missing = append(missing, need[i])
		}
	}
	if len(missing) == 0 {
		e.ok("capabilities", "%s", strings.Join(need, ", "))
		return
	}
	e.bad(levelFail, "capabilities", "run as root, or give the service AmbientCapabilities="+strings.Join(need, " "),
		"this process lacks %s, and a controller started like it would", strings.Join(missing, ", "))
}

// openVSwitch looks at the database, and at the bridges that it maps.
func (e *exam) openVSwitch() {
	if e.vswitchErr != nil {
		remedy := "is ovsdb-server running, and is ovsdb_connection right?"
		if errors.Is(e.vswitchErr, os.ErrPermission) {
			remedy = "run bgp-ovn doctor as root"
		}
		e.bad(levelFail, "ovsdb", remedy, "%s: %v", e.cfg.OVSDBConnection, e.vswitchErr)
		return
	}
	e.ok("ovsdb", "%s answers, system-id %s", e.cfg.OVSDBConnection, e.vswitch.SystemID)
	for _, p := range e.vswitch.Problems {
		e.bad(levelWarn, "ovsdb", "ovs-vsctl list Open_vSwitch", "%s", p)
	}
	if len(e.vswitch.Mappings) == 0 {
		e.bad(levelWarn, "ovn-bridge-mappings", "ovs-vsctl set Open_vSwitch . external_ids:ovn-bridge-mappings=NETWORK:BRIDGE",
			"no provider network has a bridge here: nothing is exposed")
	}
	if e.ofctlErr != nil {
		e.bad(levelFail, "ovs-ofctl", "install Open vSwitch's tools (package openvswitch-switch), or set flows.manage to false", "%v", e.ofctlErr)
	}
	for _, name := range e.mapped() {
		e.bridge(name)
	}
}

// mapped are the bridges of ovn-bridge-mappings, in order and once.
func (e *exam) mapped() []string {
	var out []string
	if e.vswitch == nil {
		return nil
	}
	for _, m := range e.vswitch.Mappings {
		if !slices.Contains(out, m.Bridge) {
			out = append(out, m.Bridge)
		}
	}
	return out
}

func (e *exam) bridge(name string) {
	check := "bridge " + name
	at := -1
	for i, b := range e.vswitch.Bridges {
		if b.Name == name {
			at = i
		}
	}
	if at < 0 {
		e.bad(levelFail, check, "ovs-vsctl add-br "+name+", or correct ovn-bridge-mappings", "it is mapped and does not exist")
		return
	}
	switch kind := e.vswitch.Bridges[at].DatapathType; kind {
	case "", "system":
		e.ok(check, "datapath type system")
	case "netdev":
		e.bad(levelWarn, check, "use datapath type system unless DPDK is wanted",
			"datapath type netdev: all traffic of exposed addresses goes between ovs-vswitchd and the kernel through a tap device, which is slow")
	default:
		e.bad(levelWarn, check, "ovs-vsctl set Bridge "+name+" datapath_type=system", "datapath type %q is not known here", kind)
	}
	err, asked := e.answers[name]
	switch {
	case !asked: // flows are not managed, or there is no tool
	case errors.Is(err, os.ErrPermission), err != nil && strings.Contains(err.Error(), "Permission denied"):
		e.bad(levelWarn, "ovs-ofctl "+name, "run bgp-ovn doctor as root", "cannot be told: %v", err)
	case err != nil:
		e.bad(levelFail, "ovs-ofctl "+name, "is ovs-vswitchd running? does column protocols of the bridge allow OpenFlow13? is ovs_rundir right?", "%v", err)
	default:
		e.ok("ovs-ofctl "+name, "the bridge answers")
	}
}

// settings looks at what the node needs to forward.
func (e *exam) settings() {
	e.forwarding(sysctlForward4)
	e.forwarding(sysctlForward6)
	name := sysctlName(sysctlFilter)
	switch value, exists := e.sysctls[sysctlFilter]; {
	case !exists:
		e.bad(levelWarn, name, "is /proc/sys mounted?", "cannot be read")
	case value == "0", e.willSet():
		e.managed(name, value, "0")
	case value == "2":
		e.bad(levelWarn, name, e.setRemedy(name, "0"), "2: packets from sources without a route are dropped")
	default:
		e.bad(levelFail, name, e.setRemedy(name, "0"), "%s: packets are dropped that come in by another device than answers leave by", value)
	}
}

func (e *exam) forwarding(path string) {
	name := sysctlName(path)
	switch value, exists := e.sysctls[path]; {
	case !exists:
		e.bad(levelWarn, name, "turn the protocol on, or expect none of its addresses to be announced", "there is no such setting: the kernel does without the protocol")
	case value != "0", e.willSet():
		e.managed(name, value, "1")
	default:
		e.bad(levelFail, name, e.setRemedy(name, "1"), "0: nothing is forwarded, and no address of the family announced")
	}
}

// willSet reports whether a controller has yet to set what the node needs. It
// does not as long as no bridge is mapped.
func (e *exam) willSet() bool {
	return e.cfg.Sysctls.Manage && (!e.running || len(e.mapped()) == 0)
}

// managed is a setting that is right, or will be when the controller runs.
func (e *exam) managed(name, value, want string) {
	if value == want || value != "0" && want != "0" {
		e.ok(name, "%s", value)
		return
	}
	e.ok(name, "%s; bgp-ovn sets it to %s when it runs with a bridge mapped (sysctls.manage)", value, want)
}

func (e *exam) setRemedy(name, value string) string {
	if e.cfg.Sysctls.Manage {
		return fmt.Sprintf("somebody sets it against bgp-ovn: look for it in /etc/sysctl.d; bgp-ovn audit --repair sets it to %s", value)
	}
	return fmt.Sprintf("sysctl -w %s=%s and a file in /etc/sysctl.d, or set sysctls.manage to true", name, value)
}

// sysctlName is the path as sysctl(8) takes it. A dot in the name of a device is a
// slash there.
func sysctlName(path string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		default:
			return r
		}
	}, path)
}
