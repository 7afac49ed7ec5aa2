// Package reach judges whether this node would forward a packet for an address that it
// announces, and the answer to it: a pure function of facts, in the order in which the
// packet meets them, so that the first broken link comes first.
//
// Package gather reads the facts. What becomes of an announcement that is not reachable is
// decided by package withdraw, of what is [Certain]; here it is named, with what to do.
//
// Read next: [Judge], then [Facts].
package reach

import (
	"net/netip"
	"slices"
)

// The stable codes of what keeps packets away; docs/glossary.md explains each.
const (
	CodeUplinkDown      = "uplink-down"         // the device towards the fabric is down
	CodeForwardingOff   = "forwarding-off"      // the kernel does not forward what comes in there
	CodeReversePath     = "reverse-path-filter" // the kernel drops it because of its source
	CodeForeignRule     = "foreign-rule"        // an ip rule of others takes it first
	CodeRuleMissing     = "rule-missing"        // our ip rule is not there
	CodeForeignRoute    = "foreign-route"       // a route of others wins or refuses it
	CodeRouteMissing    = "route-missing"       // no route leads there
	CodeDeviceDown      = "device-down"         // the device of the provider bridge or a VNI is down
	CodeDeviceDetached  = "device-detached"     // a device of a VNI is not where it belongs
	CodeNoVTEP          = "vtep-missing"        // the address of the VTEP is not there
	CodeNeighbourFailed = "neighbour-failed"    // nobody answers for the address on the bridge
	CodeSwitchSilent    = "vswitchd-hung"       // Open vSwitch does not answer
	CodeFlowDrops       = "flow-drops"          // a flow drops it on the way in
	CodeForeignFlow     = "foreign-flow"        // a flow of others takes the answer before ours
	CodePortDown        = "port-link-down"      // the device of the port is down
	CodePortMissing     = "port-not-plugged"    // no interface of Open vSwitch has the port
	CodeProxyARPOff     = "proxy-arp-off"       // the kernel does not answer for the gateway
	CodeNoWayBack       = "no-way-back"         // no route leads from here to the fabric
	CodePacketFilter    = "packet-filter"       // nftables or iptables drops it
)

// Codes are all codes, in the order in which a packet meets what they name.
func Codes() []string {
	return []string{
		CodeUplinkDown, CodeNoVTEP, CodeDeviceDetached, CodeForwardingOff, CodeReversePath, CodeForeignRule,
		CodeRuleMissing, CodeForeignRoute,
		CodeRouteMissing, CodePacketFilter, CodeDeviceDown, CodeNeighbourFailed, CodeSwitchSilent, CodeFlowDrops,
		CodeForeignFlow, CodePortDown, CodePortMissing, CodeProxyARPOff, CodeNoWayBack,
	}
}

// State is how one stage of the way is.
type State string

// The states.
const (
	// OK: a packet passes.
	OK State = "ok"
	// Broken: no packet passes, or none of some.
	Broken State = "broken"
	// Suspect: packets may be lost here; it is named, and does not decide.
	Suspect State = "suspect"
	// Unknown: it could not be read.
	Unknown State = "unknown"
)

// Stage is one link of the way, in the order in which a packet meets them.
type Stage struct {
	// Name is one word: uplink, tunnel, filter, rule, route, device, neighbour, bridge, port,
	// and answer for what concerns the way back.
	Name string `json:"stage"`
	// Text says what is there.
	Text  string `json:"text"`
	State State  `json:"state"`
	// Code is the stable code of what is wrong; empty if nothing is.
	Code string `json:"code,omitempty"`
	// Try is a command that mends or shows it; empty if there is none.
	Try string `json:"try,omitempty"`
}

// Verdict is the whole way with what is wrong on it.
type Verdict struct {
	Address netip.Addr `json:"address"`
	// VNI is the one that a packet for it comes in by; 0 for the uplinks themselves.
	VNI uint32 `json:"vni,omitempty"`
	// From are the devices that a packet for it may come in by.
	From []string `json:"from"`
	// Checked says that the way could be judged at all.
	Checked   bool    `json:"checked"`
	Reachable bool    `json:"reachable"`
	Stages    []Stage `json:"stages"`
}

// First returns the first broken link; false if there is none.
func (v Verdict) First() (Stage, bool) {
	i := slices.IndexFunc(v.Stages, func(s Stage) bool { return s.State == Broken })
	if i < 0 {
		return Stage{}, false
	}
	return v.Stages[i], true
}

// add appends a stage.
func (v *Verdict) add(name string, state State, text string) {
	v.Stages = append(v.Stages, Stage{Name: name, State: state, Text: text})
}

// broken appends a stage that is broken.
func (v *Verdict) broken(name, code, try, text string) {
	v.Stages = append(v.Stages, Stage{Name: name, State: Broken, Text: text, Code: code, Try: try})
}
