package native

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// inbound accounts for the routes to an address that routers of OVN are to learn: for
// each router the longest prefix that is put into its table, or else what is in the way.
func (e *explainer) inbound(addr netip.Addr) []reason.Account {
	if e.learned == nil {
		return nil
	}
	byPrefix := map[netip.Prefix][]observe.LearnedPath{}
	var prefixes []netip.Prefix
	for _, path := range e.learned.Paths {
		prefix := path.Prefix.Masked()
		if !prefix.IsValid() || !prefix.Contains(addr) {
			continue
		}
		if byPrefix[prefix] == nil {
			prefixes = append(prefixes, prefix)
		}
		byPrefix[prefix] = append(byPrefix[prefix], path)
	}
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int { return b.Bits() - a.Bits() })
	if len(prefixes) == 0 {
		return nil
	}
	e.candidates() // what a router announces itself it does not learn
	var out []reason.Account
	for _, r := range e.routers {
		var best *chain
		for _, prefix := range prefixes {
			a := e.learnedBy(r, prefix, byPrefix[prefix])
			if a != nil && (best == nil || best.stop && !a.stop) {
				best = a
			}
		}
		if best != nil {
			out = append(out, best.Account)
		}
	}
	return out
}

// learnedBy follows a prefix into the table of one router; nil if none of its paths is
// meant for the router.
func (e *explainer) learnedBy(r *router, prefix netip.Prefix, paths []observe.LearnedPath) *chain {
	var feeding []observe.LearnedPath
	var peers []string
	for _, path := range paths {
		if dev := e.sessionDevice(path); dev != "" && e.meant(r, dev) {
			feeding = append(feeding, path)
			peers = append(peers, path.Peer)
		}
	}
	if len(feeding) == 0 {
		return nil
	}
	slices.Sort(peers)
	from := strings.Join(slices.Compact(peers), ", ")
	a := &chain{}
	a.What = fmt.Sprintf("address in %s, learned from %s for router %s", prefix, from, r.name)
	a.Object = object.Route{Table: r.table, Dst: prefix, Metric: e.cfg.Cost, Protocol: e.cfg.Protocol}.Key()
	text := fmt.Sprintf("%s is announced by %s, whose sessions feed router %s", prefix, from, r.name)
	if e.learned.Unsettled != "" {
		text += "; more may come: " + e.learned.Unsettled
	}
	a.good("learned", "%s", text)
	e.refusal(a, r)
	e.hops(a, r, prefix, feeding)
	if _, ready := e.vrfOf(r); !ready {
		a.fail("steering", CodeWaitingVRF, "see the log of ovn-controller, which makes the VRF",
			"there is no VRF with routing table %d yet: ovn-controller makes %s", r.table, r.vrf)
	}
	return a
}

// meant reports whether sessions on a device are to feed a router, if nothing is in the
// way.
func (p *pass) meant(r *router, dev string) bool {
	if table := p.vrfTable(dev); table != 0 {
		return table == r.table
	}
	if p.named(dev) {
		return slices.ContainsFunc(r.bound, func(l *lrp) bool { return l.device == dev })
	}
	return p.cfg.LearnMap[dev] == r.name
}

// refusal says why a router learns nothing at all (N-36, N-37, N-42, N-44).
func (e *explainer) refusal(a *chain, r *router) {
	unresolved := func(l *lrp) bool { return !l.noLearning && l.portName != "" && l.device == "" }
	switch {
	case e.stopped[r] != "":
		a.fail("policy", CodeTableConflict, "give each router a "+optVRFID+" of its own", "%s", e.stopped[r])
	case r.learns():
	case !slices.ContainsFunc(r.bound, func(l *lrp) bool { return !l.noLearning }):
		a.fail("policy", reason.OptionOff, "unset "+optNoLearning, "%s is true on the ports of router %s here: %s",
			optNoLearning, r.name, names(r.bound))
	case slices.ContainsFunc(r.bound, unresolved):
		a.fail("policy", CodeUnresolved, "add it to external_ids:dynamic-routing-port-mapping of Open_vSwitch",
			"the %s of the ports of router %s here leads to no device", optPortName, r.name)
	default:
		a.fail("policy", CodeElsewhere, "set "+optPortName+" on the ports here too",
			"only ports of router %s that are not bound here, or do not learn, have a %s: ovn-controller learns nothing by %s",
			r.name, optPortName, names(r.bound))
	}
}

// hops says which next hops are put into the table, or why the prefix is not (N-34, N-36,
// N-41).
func (e *explainer) hops(a *chain, r *router, prefix netip.Prefix, paths []observe.LearnedPath) {
	var list []string
	fed, taken := false, false
	for _, path := range paths {
		s, ok := e.feeds(r, path)
		fed = fed || ok
		if !ok || !e.takes(r, prefix, s) {
			continue
		}
		taken = true
		if via, ok := e.gateway(path); ok {
			list = append(list, fmt.Sprintf("%s dev %s", via, s.device))
		}
	}
	own := e.parts.Told(advertised{r.datapath.UUID, prefix})
	switch {
	case !fed:
		a.fail("policy", reason.OptionOff, "unset "+optNoLearning,
			"%s is true on the port of router %s that leads to the device", optNoLearning, r.name)
	case taken && len(list) == 0:
		a.fail("steering", reason.NoNextHop, "", "no path has a next hop that could be a gateway")
	case taken:
		a.good("policy", "table %d of router %s takes it: next hop %s", r.table, r.name, listed(list))
	case prefix.Addr().IsLinkLocalUnicast():
		a.fail("policy", reason.Conflict, "", "link-local prefixes are not learned")
	case own:
		a.fail("policy", reason.Conflict, "", "router %s advertises %s itself", r.name, prefix)
	default:
		a.fail("policy", reason.OptionOff, "add it to native.learn_accept", "native.learn_accept does not have %s", prefix)
	}
}
