package native

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// tableLearned is what sources and skips call the speaker's table.
const tableLearned = "Learned"

// learn adds the routes that ovn-controller is to find in the tables of routers
// (N-30 to N-41).
func (p *pass) learn() {
	if len(p.routers) == 0 {
		return
	}
	given := []any{p.routers, p.stopped, p.learned, p.host, p.release, p.sb.Learned}
	p.parts.Part(phaseLearned, given, p.learnAll)
}

func (p *pass) learnAll() {
	p.holdLearned()
	if p.learned == nil {
		for _, r := range p.routers {
			p.waiting(r) // what would be learned is not known
		}
		return
	}
	for _, r := range p.routers {
		held := func() []object.Source {
			return []object.Source{p.family(netip.IPv4Unspecified()), p.family(netip.IPv6Unspecified())}
		}
		p.Part("learned routes of router "+r.name, held, func() { p.learnInto(r) })
	}
}

// holdLearned keeps learned routes while it is not known whether they are still
// announced: a restart of ours must not remove OVN's way out.
func (p *pass) holdLearned() {
	text := "the speaker has not reported what neighbours announce"
	if p.learned != nil {
		text = p.learned.Unsettled
	}
	if text == "" {
		return
	}
	for _, f := range []object.Family{object.IPv4Unicast, object.IPv6Unicast} {
		p.Skip(observe.Skip{
			Table: tableLearned, Row: f.String(), Code: observe.SkipDegraded, Text: text, Hold: true,
		})
	}
}

// family is the source that all routes of a family share, by which they are held.
func (p *pass) family(a netip.Addr) object.Source {
	return p.Why("N-41", tableLearned, object.FamilyOf(a).String())
}

// session is what is known of the session that a path comes from.
type session struct {
	device string
	// own says that the device is in the router's own VRF.
	own bool
}

// learnInto adds the routes of one router.
func (p *pass) learnInto(r *router) {
	if p.stopped[r] != "" || !r.learns() {
		return
	}
	hops := map[netip.Prefix][]object.Hop{}
	why := map[netip.Prefix][]object.Source{}
	var prefixes []netip.Prefix
	for _, path := range p.learned.Paths {
		prefix := path.Prefix.Masked()
		s, ok := p.feeds(r, path)
		if !ok || !p.takes(r, prefix, s) {
			continue
		}
		via, ok := p.gateway(path)
		if !ok {
			continue
		}
		if hops[prefix] == nil {
			prefixes = append(prefixes, prefix)
			why[prefix] = []object.Source{p.family(prefix.Addr()), p.Why("N-10", tableDatapath, r.name)}
		}
		hops[prefix] = append(hops[prefix], object.Hop{Via: via, Dev: s.device})
		why[prefix] = addWhy(why[prefix], p.Why("N-40", "peer", path.Peer))
	}
	if len(prefixes) == 0 {
		return
	}
	vrf, ready := p.vrfOf(r)
	if !ready {
		p.waiting(r)
		return
	}
	var after []object.Key
	if vrf != nil {
		p.put(object.Item{Value: *vrf, Why: []object.Source{p.Why("N-30", tableDatapath, r.name)}})
		after = []object.Key{vrf.Key()}
	}
	slices.SortFunc(prefixes, object.ComparePrefix)
	for _, prefix := range prefixes {
		route := object.Route{Table: r.table, Dst: prefix, Metric: p.cfg.Cost, Protocol: p.cfg.Protocol}
		route = route.WithHops(hops[prefix]...)
		p.put(object.Item{Value: route, Why: why[prefix], After: after})
		p.offLink(r, route)
	}
	p.compare(r, prefixes, hops)
}

// learns reports whether ovn-controller learns anything for the router: by a port that
// may, and whose name leads to a device. A port without a name learns nothing once some
// port of the router has one (N-36, N-42, N-44).
func (r *router) learns() bool { return slices.ContainsFunc(r.bound, r.learnsBy) }

func (r *router) learnsBy(l *lrp) bool {
	if l.noLearning {
		return false
	}
	if l.portName != "" {
		return l.device != ""
	}
	return !r.filters
}

// feeds reports whether the session of a path feeds a router, and by which device
// (N-32, N-40).
func (p *pass) feeds(r *router, path observe.LearnedPath) (session, bool) {
	dev := p.sessionDevice(path)
	if dev == "" {
		return session{}, false
	}
	if table := p.vrfTable(dev); table != 0 {
		return session{device: dev, own: true}, table == r.table
	}
	s := session{device: dev}
	if p.named(dev) {
		return s, slices.ContainsFunc(r.bound, func(l *lrp) bool { return r.learnsBy(l) && l.device == dev })
	}
	return s, p.cfg.LearnMap[dev] == r.name
}

// named reports whether a port name of some router leads to the device.
func (p *pass) named(dev string) bool {
	return slices.ContainsFunc(p.routers, func(r *router) bool {
		return slices.ContainsFunc(r.bound, func(l *lrp) bool { return l.device == dev })
	})
}

// sessionDevice is the device of a session: that of an unnumbered neighbour, else the
// one by which the next hop is reached.
func (p *pass) sessionDevice(path observe.LearnedPath) string {
	if addr, err := netip.ParseAddr(path.Peer); err == nil && addr.Zone() != "" {
		return addr.Zone()
	}
	if path.Dev != "" {
		return path.Dev
	}
	if p.host == nil {
		return path.NextHop.Zone()
	}
	if _, ok := p.host.Link(path.Peer); ok {
		return path.Peer // a neighbour that is configured by its interface
	}
	if zone := path.NextHop.Zone(); zone != "" {
		return zone
	}
	dev, _ := p.host.Connected(path.NextHop)
	return dev
}

// vrfTable is the table of the VRF that a device is in; 0 if it is in none.
func (p *pass) vrfTable(dev string) uint32 {
	if p.host == nil {
		return 0
	}
	link, ok := p.host.Link(dev)
	if !ok || link.Master == 0 {
		return 0
	}
	for _, l := range p.host.Links {
		if l.Index == link.Master {
			return l.Table
		}
	}
	return 0
}

// takes reports whether a prefix may become a route of the router (N-34, N-41).
func (p *pass) takes(r *router, prefix netip.Prefix, s session) bool {
	if prefix.Addr().IsLinkLocalUnicast() {
		return false
	}
	if p.parts.Told(advertised{r.datapath.UUID, prefix}) {
		return false
	}
	return s.own || slices.ContainsFunc(p.cfg.LearnAccept, func(a observe.PrefixRange) bool { return a.Contains(prefix) })
}

// gateway is the next hop to write: of an unnumbered session the link-local one, because
// the other may be anywhere. IPv4 cannot be a gateway for IPv6.
func (p *pass) gateway(path observe.LearnedPath) (netip.Addr, bool) {
	hop := path.NextHop
	if path.LinkLocal.IsValid() && !hop.IsLinkLocalUnicast() && !p.connected(hop) {
		hop = path.LinkLocal
	}
	hop = hop.WithZone("")
	if !hop.IsValid() || hop.IsUnspecified() || hop.Is4() && path.Prefix.Addr().Is6() {
		return netip.Addr{}, false
	}
	return hop, true
}

// connected reports whether an address is on a network that is connected to this node.
func (p *pass) connected(a netip.Addr) bool {
	if p.host == nil {
		return false
	}
	_, ok := p.host.Connected(a)
	return ok
}

// vrfOf is the VRF that we make for a router, nil if it is not for us to make; false
// while ovn-controller has not made its own (N-30, N-31). One that we have made before the option was
// set stays: ovn-controller takes it for its own, and would not notice that it is gone.
func (p *pass) vrfOf(r *router) (*object.Link, bool) {
	there := func(l observe.Link) bool { return l.Table == r.table }
	ours := &object.Link{Name: r.vrf, Type: object.LinkVRF, Table: r.table, Up: true}
	switch {
	case r.maintained:
		if p.host != nil && slices.ContainsFunc(p.host.Links, func(l observe.Link) bool {
			return l.Ours && l.Name == r.vrf && there(l)
		}) {
			return ours, true
		}
		return nil, p.host != nil && slices.ContainsFunc(p.host.Links, there)
	case !p.cfg.MakeVRFs:
		return nil, true
	}
	if p.host == nil {
		return ours, true
	}
	if link, ok := p.host.Link(r.vrf); ok && !link.Ours {
		return nil, true // somebody else's stays as it is
	}
	foreign := func(l observe.Link) bool { return there(l) && !l.Ours }
	if slices.ContainsFunc(p.host.Links, foreign) {
		return nil, true // another device has the table
	}
	return ours, true
}

// waiting says that ovn-controller has not made the VRF of a router yet.
func (p *pass) waiting(r *router) {
	if _, ready := p.vrfOf(r); ready || !r.learns() {
		return
	}
	p.report(tableDatapath, r.name, CodeWaitingVRF,
		"router %s: there is no VRF with routing table %d yet: learned routes are put there once ovn-controller has made "+
			"%s (%s=true); what it announces is not concerned", r.name, r.table, r.vrf, optMaintain)
}

// offLink warns of a next hop that this release of OVN does not use (N-35).
func (p *pass) offLink(r *router, route object.Route) {
	if !p.release.lacks(learnsOffLink...) {
		return
	}
	for _, hop := range route.NextHops() {
		inside := func(l *lrp) bool {
			nets := l.addresses()
			return slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Masked().Contains(hop.Via) }) ||
				len(nets) > 0 && hop.Via.IsLinkLocalUnicast()
		}
		if !slices.ContainsFunc(r.bound, func(l *lrp) bool { return r.learnsBy(l) && inside(l) }) {
			p.report(tableDatapath, r.name, CodeOffLink,
				"next hop %s of %s is in no network of the ports of router %s: ovn-northd %d.%02d.%d ignores it; upgrade OVN, or "+
					"give the port an address in that network", hop.Via, route.Dst, r.name, p.release.version[0],
				p.release.version[1], p.release.version[2])
			return
		}
	}
}

// compare says what of a router's table OVN has not learned, once it has learned
// something (N-39).
func (p *pass) compare(r *router, prefixes []netip.Prefix, hops map[netip.Prefix][]object.Hop) {
	rows := map[string]bool{}
	for _, row := range p.sb.Learned {
		port, ok := p.parts.PortOf(row.LogicalPort)
		if row.Datapath == r.datapath.UUID && ok && r.boundPort(port.LogicalPort) != nil {
			prefix, err := parsePrefix(row.Prefix)
			if err == nil {
				rows[fmt.Sprintf("%s via %s", prefix, row.NextHop)] = true
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	var missing []string
	for _, prefix := range prefixes {
		for _, hop := range hops[prefix] {
			if key := fmt.Sprintf("%s via %s", prefix, hop.Via); rows[key] {
				delete(rows, key)
			} else if !slices.Contains(missing, key) {
				missing = append(missing, key)
			}
		}
	}
	var extra []string
	for key := range rows {
		extra = append(extra, key)
	}
	slices.Sort(extra)
	if len(missing)+len(extra) > 0 {
		p.report(tableDatapath, r.name, CodeMismatch,
			"router %s: OVN has learned other routes than its table has: missing %s; beyond it %s", r.name,
			listed(missing), listed(extra))
	}
}

// listed names some of a list for a message.
func listed(list []string) string {
	const most = 4
	switch {
	case len(list) == 0:
		return "none"
	case len(list) > most:
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}
