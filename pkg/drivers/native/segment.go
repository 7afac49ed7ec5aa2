package native

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The keys of Datapath_Binding.external_ids of a switch with a VNI, and those of the
// node's own Chassis.other_config.
const (
	optVNI        = "dynamic-routing-vni"
	optTokens     = "dynamic-routing-redistribute"
	optBridge     = "dynamic-routing-bridge-ifname"
	optVXLAN      = "dynamic-routing-vxlan-ifname"
	optDummy      = "dynamic-routing-advertise-ifname"
	keyLocalIP    = "ovn-evpn-local-ip"
	keyVXLANPorts = "ovn-evpn-vxlan-ports"
	tokenFDB      = "fdb"
)

// segment is a logical switch with a VNI that this node serves (N-50).
type segment struct {
	domain
	name    string
	row     *observe.Datapath
	imports []string
	// bridge, vxlan and dummy are the names of the devices that ovn-controller reads.
	bridge, vxlan, dummy string
	// shared says that other switches have the same VXLAN device.
	shared bool
	// bridged says that the bridge is there or is made.
	bridged bool
	// why are the sources of what is announced of the segment itself, and whyOthers those of what others
	// announce for it.
	why, whyOthers []object.Source
}

// domain is what of a segment the stations on it have to do with.
type domain struct {
	// id is the name of the switch and its UUID: no other segment has it, and it is their order.
	id string
	// datapath is the row of the switch, and chassis that of this node.
	datapath observe.UUID
	chassis  observe.UUID
	vni      uint32
	vtep     netip.Addr
	rd       string
	exports  object.Words
	// fdb says that MAC addresses are announced as such.
	fdb bool
	// after are the devices that what is announced stands on.
	after []object.Key
}

// vteps are the local addresses for EVPN (ovn-evpn-local-ip): one for each VNI that has
// its own, and one for all others.
type vteps struct {
	byVNI    map[uint32]netip.Addr
	fallback netip.Addr
}

func (p *pass) vteps() vteps {
	v := vteps{byVNI: map[uint32]netip.Addr{}}
	if p.me == nil {
		return v
	}
	for _, item := range strings.Split(p.me.OtherConfig[keyLocalIP], ",") {
		item = strings.TrimSpace(item)
		number, text, own := strings.Cut(item, "-")
		if !own {
			text = item
		}
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || a.Zone() != "" {
			continue
		}
		if !own {
			if !v.fallback.IsValid() {
				v.fallback = a
			}
			continue
		}
		if vni, ok := parseVNI(number); ok && !v.byVNI[vni].IsValid() {
			v.byVNI[vni] = a
		}
	}
	return v
}

// of is the address for a VNI; invalid if there is none.
func (v vteps) of(vni uint32) netip.Addr {
	if a, ok := v.byVNI[vni]; ok {
		return a
	}
	return v.fallback
}

func parseVNI(text string) (uint32, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	return uint32(n), err == nil && n >= 1 && n <= maxVNI
}

// autoTarget is the route target of a VNI without another one: the AS, cut to 16 bits so
// that the whole VNI has room, and the VNI.
func autoTarget(as, vni uint32) string { return fmt.Sprintf("%d:%d", as&0xffff, vni) }

// autoRD is a route distinguisher of type 1 (RFC 4364 section 4.2), whose number has 16
// bits. A VTEP that is no IPv4 address is represented by the VNI's halves.
func autoRD(vtep netip.Addr, vni uint32) string {
	if vtep.Is4() {
		return fmt.Sprintf("%s:%d", vtep, vni&0xffff)
	}
	return fmt.Sprintf("%d:%d", vni>>16, vni&0xffff)
}

// segments adds what belongs to each VNI of this node: what its switch consists of, then what is on this
// node, station by station, and what others announce.
func (p *pass) segments() {
	found := p.findSegments()
	if len(found) == 0 {
		return
	}
	p.holdEVPN()
	var served []*segment
	for _, f := range found {
		given := []any{f, p.me, p.present(f)}
		if s := parts.ValueOf(p.parts, phaseSegments, f.id, given, func() *segment { return p.serve(f) }); s != nil {
			served = append(served, s)
		}
	}
	others := p.findOthers(served)
	p.stations(served)
	p.importRoutes(served, others)
}

// serve adds the devices of a segment that has been found, and says that it is here. If that panics there is
// no segment, and all that may have led to something of it is held.
func (p *pass) serve(found *segment) *segment {
	s := *found
	rows := func() []object.Source { return append(p.rowsOn(s.datapath), s.whyOthers...) }
	if !p.Part(fmt.Sprintf("VNI %d", s.vni), rows, func() {
		s.after = p.devices(&s)
		s.bridged = p.exists(s.bridge)
		p.multicast(&s)
	}) {
		return nil
	}
	return &s
}

// part derives something of a VNI that rows lead to; see [expose.Exposer.Part].
func (p *pass) part(vni uint32, rows []object.Source, derive func()) {
	p.Part(fmt.Sprintf("VNI %d", vni), func() []object.Source { return rows }, derive)
}

// findSegments finds the switches with a VNI that are local here, by name; of two with
// one VNI the first is served.
func (p *pass) findSegments() []*segment {
	if p.me == nil {
		return nil
	}
	switches := parts.Value(p.parts, phaseSwitches, p.sb.Datapaths, p.switches)
	if len(switches) == 0 {
		return nil
	}
	linked := p.linked()
	local := parts.Value(p.parts, phaseLocal, []any{p.me.UUID, linked}, func() map[observe.UUID]string {
		return p.localDatapaths(linked)
	})
	return parts.Value(p.parts, phaseFound, []any{p.me, switches, local}, func() []*segment {
		return p.localSegments(switches, local)
	})
}

// stretched is a switch with a VNI, wherever it is.
type stretched struct {
	id  string
	vni uint32
	row *observe.Datapath
}

// switches are those with a VNI, by name.
func (p *pass) switches() (out []stretched) {
	for _, d := range p.sb.Datapaths {
		vni, ok := parseVNI(d.ExternalIDs[optVNI])
		if router := d.Type == "logical-router" || d.ExternalIDs["logical-router"] != ""; ok && !router {
			out = append(out, stretched{datapathName(d) + "\x00" + d.UUID.String(), vni, d})
		}
	}
	slices.SortFunc(out, func(a, b stretched) int { return strings.Compare(a.id, b.id) })
	return out
}

// localSegments are the switches that are served. local has the port by which each datapath is local.
func (p *pass) localSegments(switches []stretched, local map[observe.UUID]string) (out []*segment) {
	devices := map[string]int{} // how many switches name a VXLAN device
	for _, d := range switches {
		devices[vxlanName(d.row, d.vni)]++
	}
	addrs := p.vteps()
	for _, d := range switches {
		by, here := local[d.row.UUID]
		if !here {
			continue
		}
		s := &segment{name: datapathName(d.row), row: d.row}
		s.id, s.datapath, s.chassis, s.vni, s.vtep = d.id, d.row.UUID, p.me.UUID, d.vni, addrs.of(d.vni)
		if !s.vtep.IsValid() {
			p.report(tableDatapath, s.name, CodeNoVTEP,
				"switch %s: there is no local address for VNI %d: it is not served; set external_ids:%s of Open_vSwitch",
				s.name, s.vni, keyLocalIP)
			continue
		}
		if i := slices.IndexFunc(out, func(o *segment) bool { return o.vni == s.vni }); i >= 0 {
			p.report(tableDatapath, s.name, CodeVNIConflict,
				"switches %s and %s have VNI %d: %s is served, which of them OVN serves is not defined; give each its own",
				out[i].name, s.name, s.vni, out[i].name)
			continue
		}
		p.fill(s, by, devices[vxlanName(d.row, d.vni)] > 1)
		out = append(out, s)
	}
	return out
}

// datapathName is the name that OVN knows a datapath by.
func datapathName(d *observe.Datapath) string { return cmp.Or(d.ExternalIDs["name"], d.UUID.String()) }

// vxlanName is the first of the VXLAN devices of a switch.
func vxlanName(d *observe.Datapath, vni uint32) string {
	first, _, _ := strings.Cut(d.ExternalIDs[optVXLAN], ",")
	return cmp.Or(strings.TrimSpace(first), fmt.Sprintf("vxlan-%d", vni))
}

// fill completes a segment that is served.
//
// The port by which the switch is local here decides: while that is bound here, a row
// that is missing beside it is no evidence that the VNI is served no longer.
func (p *pass) fill(s *segment, by string, shared bool) {
	ids := s.row.ExternalIDs
	s.bridge = cmp.Or(ids[optBridge], fmt.Sprintf("br-%d", s.vni))
	s.vxlan = vxlanName(s.row, s.vni)
	s.dummy = cmp.Or(ids[optDummy], fmt.Sprintf("lo-%d", s.vni))
	s.shared = shared
	s.rd = autoRD(s.vtep, s.vni)
	tokens := strings.FieldsFunc(ids[optTokens], func(r rune) bool { return r == ',' || r == ' ' })
	s.fdb = slices.Contains(tokens, tokenFDB)
	decides := p.whyPort("N-50", by)
	decides.Decides = true
	s.why = []object.Source{p.Why("N-50", tableDatapath, s.name), decides}
	s.whyOthers = append([]object.Source{p.learnedEVPN()}, s.why...)
	if rt := p.cfg.RouteTargets[s.vni]; len(rt) > 0 {
		s.exports, s.imports = object.WordsOf(rt...), rt
		return
	}
	s.exports = object.WordsOf(autoTarget(p.cfg.AS, s.vni))
	s.imports = []string{fmt.Sprintf("*:%d", s.vni)}
}

// linked are the ports by which datapaths are local: those that are bound here, and those that lead from
// one datapath to another.
func (p *pass) linked() []*observe.PortBinding {
	return p.parts.Select("linked to "+p.me.UUID.String(), func(port *observe.PortBinding) bool {
		return p.resident(port) || port.Type == observe.PortPatch
	})
}

// localDatapaths are those that ovn-controller has on this node: with a port that is
// bound here, and all that patch ports lead to from there. A distributed gateway port is
// crossed only where it is, unless its router lets traffic pass elsewhere too. Each has the
// name of the first port by which it is local.
func (p *pass) localDatapaths(linked []*observe.PortBinding) map[observe.UUID]string {
	out := map[observe.UUID]string{}
	var todo []observe.UUID
	add := func(u observe.UUID, by string) {
		if _, there := out[u]; !there && !u.IsZero() {
			out[u] = by
			todo = append(todo, u)
		}
	}
	patches := map[observe.UUID][]*observe.PortBinding{}
	for _, port := range linked {
		if p.resident(port) {
			add(port.Datapath, port.LogicalPort)
		}
		if port.Type == observe.PortPatch || port.Type == observe.PortL3Gateway && p.resident(port) {
			patches[port.Datapath] = append(patches[port.Datapath], port)
		}
	}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, port := range patches[at] {
			peer, ok := p.parts.Port(port.Options["peer"])
			if ok && p.crosses(port) && p.crosses(peer) {
				add(peer.Datapath, out[at])
			}
		}
	}
	return out
}

// crosses reports whether a datapath is local because that on the other side is.
func (p *pass) crosses(port *observe.PortBinding) bool {
	cr, distributed := p.redirect(port)
	return !distributed || p.resident(cr) || cr != nil && !truth(cr.Options, "always-redirect")
}

// device is the need of what is written on a device: none if it is not ours to make, and
// will be there or not.
func (p *pass) devices(s *segment) (after []object.Key) {
	if s.shared {
		p.report(tableDatapath, s.name, CodeSharedVXLAN,
			"switch %s: VXLAN device %s is that of other switches too: it is not made here, and OVN credits what is learned on "+
				"it to all of them; give each switch its own %s", s.name, s.vxlan, optVXLAN)
		return nil
	}
	links := []object.Link{
		{Name: s.bridge, Type: object.LinkBridge, MAC: madeMAC(s, "bridge"), Up: true},
		{
			Name: s.vxlan, Type: object.LinkVXLAN, VNI: s.vni, Local: s.vtep, Port: p.vxlanPort(s.vni),
			MAC: madeMAC(s, "vxlan"), Master: s.bridge, NoLearning: true, Up: true,
		},
		{Name: s.dummy, Type: object.LinkDummy, Master: s.bridge, Up: true},
	}
	for _, link := range links {
		if have, exists := p.link(link.Name); exists && !have.Ours || !p.cfg.MakeVRFs {
			continue // present ones are never altered
		}
		if len(link.Name) > deviceNameMost {
			p.report(tableDatapath, s.name, codeUnreadableCell, "device name %q is too long: it is not made", cut(link.Name))
			continue
		}
		p.put(object.Item{Value: link, Why: s.why})
		after = append(after, link.Key())
	}
	return after
}

// madeMAC is a locally administered MAC address that is known before the device exists,
// and stays when it is made again.
func madeMAC(s *segment, role string) object.MAC {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s %d %s %s", s.vtep, s.vni, s.name, role)))
	return object.MAC{2, sum[0], sum[1], sum[2], sum[3], sum[4]}
}

// present are the devices of a segment that are there.
func (p *pass) present(s *segment) (out []observe.Link) {
	for _, name := range []string{s.bridge, s.vxlan, s.dummy} {
		if link, there := p.link(name); there {
			out = append(out, link)
		}
	}
	return out
}

func (p *pass) link(name string) (observe.Link, bool) {
	if p.host == nil {
		return observe.Link{}, false
	}
	return p.host.Link(name)
}

// exists reports whether a device is there, or is made.
func (p *pass) exists(name string) bool {
	_, there := p.link(name)
	return there || p.parts.Has(object.Link{Name: name}.Key())
}

// vxlanPort is the UDP port of a VXLAN device that only holds entries: another one than
// Open vSwitch receives on.
func (p *pass) vxlanPort(vni uint32) uint16 {
	taken := map[uint32]bool{4789: true}
	for _, text := range strings.Split(p.me.OtherConfig[keyVXLANPorts], ",") {
		if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16); err == nil {
			taken[uint32(n)] = true
		}
	}
	port := (defaultVXLANBase+vni-1)%65535 + 1
	for range taken {
		if !taken[port] {
			break
		}
		port = port%65535 + 1
	}
	return uint16(port)
}
