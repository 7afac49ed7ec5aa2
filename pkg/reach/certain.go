package reach

import (
	"slices"
	"strings"
)

// Certain reports whether facts prove that this node can forward no packet at all for the
// address of a verdict on them, for a reason that is the node's own: whoever withdraws an
// announcement because of it is never wrong. Where something could not be read, where
// packets by another uplink or of another source may pass, and where it is the machine at
// the other end that does not answer, nothing is certain.
func Certain(f Facts, v Verdict) bool {
	first, broken := v.First()
	if !broken || f.Incomplete {
		return false
	}
	j := &judgement{Facts: f.entry(), Verdict: v}
	switch first.Code {
	case CodeForwardingOff:
		return first.Name == "answer" || j.ipv6() || !slices.ContainsFunc(j.up(), func(d Device) bool { return d.Forwarding })
	case CodeForeignRule, CodeRuleMissing, CodeForeignRoute, CodeRouteMissing:
		// Whatever leads to the device of the network may get there, by our table or not.
		arrives := func(l Lookup) bool {
			return l.Refused == "" && (j.Dev == "" || l.Route.leadsTo(j.Dev))
		}
		in := j.in()
		return first.Name != "answer" && len(in) > 0 && !slices.ContainsFunc(in, arrives)
	case CodeDeviceDown, CodeDeviceDetached, CodeNoVTEP, CodePortMissing:
		return true
	case CodeFlowDrops:
		// A flow that selects by the source may let others pass.
		return !strings.Contains(j.Switch.In.Last, "src=")
	default:
		return false
	}
}

// leadsTo reports whether a route has a next hop by a device.
func (r Route) leadsTo(dev string) bool {
	return slices.ContainsFunc(r.Hops, func(h Hop) bool { return h.Dev == dev })
}
