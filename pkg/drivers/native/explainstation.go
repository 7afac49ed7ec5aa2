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

// stations accounts for the rows of Advertised_MAC_Binding that have an address.
func (e *explainer) stations(addr netip.Addr) []reason.Account {
	var out []reason.Account
	var here []*segment
	for _, row := range e.sb.MACs {
		if have, err := netip.ParseAddr(strings.TrimSpace(row.IP)); err != nil || have != addr {
			continue
		}
		if out == nil {
			here = e.findSegments()
		}
		out = append(out, e.stationRow(row, addr, here))
	}
	return out
}

// stationRow follows one row (N-50, N-53).
func (e *explainer) stationRow(row *observe.AdvertisedMAC, addr netip.Addr, here []*segment) reason.Account {
	name := e.routerName(row.Datapath)
	a := &chain{}
	a.What = fmt.Sprintf("address of a station on switch %s", name)
	a.good("OVN", "Advertised_MAC_Binding of switch %s: %s has MAC %s", name, addr, cut(row.MAC))
	mac, err := object.ParseMAC(strings.TrimSpace(row.MAC))
	if err != nil || !usable(mac) {
		a.fail("OVN", reason.Unreadable, "", "%q is not the MAC of a station", cut(row.MAC))
	}
	d, ok := e.sb.Datapath(row.Datapath)
	if !ok {
		a.fail("OVN", reason.NoRow, "", "its switch has no row in Datapath_Binding")
		return a.Account
	}
	vni, ok := parseVNI(d.ExternalIDs[optVNI])
	if !ok {
		a.fail("policy", reason.NoVPN, "ovn-nbctl set Logical_Switch "+name+" other_config:"+optVNI+"=VNI",
			"switch %s has no valid %s", name, optVNI)
	}
	port, ok := e.parts.PortOf(row.LogicalPort)
	if !ok {
		a.fail("OVN", reason.NoRow, "", "its port leads to no Port_Binding")
		return a.Account
	}
	e.residence(a, port)
	at := slices.IndexFunc(here, func(s *segment) bool { return s.datapath == row.Datapath })
	switch {
	case at >= 0:
		a.good("policy", "VNI %d from VTEP %s", vni, here[at].vtep)
		a.Object = object.EVPNPath{
			Type: object.EVPNMacIP, RD: here[at].rd, MAC: mac, Prefix: hostPrefix(addr),
		}.Key()
	case !e.vteps().of(vni).IsValid():
		a.fail("policy", CodeNoVTEP, "ovs-vsctl set Open_vSwitch . external_ids:"+keyLocalIP+"=ADDRESS",
			"there is no local address for VNI %d", vni)
	case slices.ContainsFunc(here, func(s *segment) bool { return s.vni == vni }):
		a.fail("policy", CodeVNIConflict, "give each switch its own "+optVNI, "another switch here has VNI %d", vni)
	default:
		a.fail("ownership", reason.NotOwner, "", "switch %s is not on this node", name)
	}
	a.Chassis = e.stationChassis(row, mac, port)
	return a.Account
}

// residence says whether the port of a station is here.
func (e *explainer) residence(a *chain, port *observe.PortBinding) {
	homes := e.homes(port)
	switch {
	case e.onSegment(port):
		a.good("ownership", "port %s is here", port.LogicalPort)
	case len(homes) == 0:
		a.fail("ownership", reason.Unbound, "", "port %s is on no chassis", port.LogicalPort)
	default:
		a.fail("ownership", reason.NotOwner, "", "port %s is on %s, not here", port.LogicalPort, e.chassisText(homes[0]))
	}
}

// homes are the chassis that a port of a switch may be on: its own, or that of the router
// that it leads to.
func (p *pass) homes(port *observe.PortBinding) []observe.UUID {
	rows := []*observe.PortBinding{port}
	if peer, ok := p.sb.Port(port.Options["peer"]); ok {
		rows = append(rows, peer)
		if cr, _ := p.redirect(peer); cr != nil {
			rows = append(rows, cr)
		}
	}
	var out []observe.UUID
	for _, row := range rows {
		if !row.Chassis.IsZero() && !slices.Contains(out, row.Chassis) {
			out = append(out, row.Chassis)
		}
	}
	return out
}

// stationChassis are the chassis that announce a station.
func (e *explainer) stationChassis(row *observe.AdvertisedMAC, mac object.MAC, port *observe.PortBinding) []string {
	var out []string
	homes := e.homes(port)
	for _, c := range e.sb.Chassis {
		if !usable(mac) || !slices.Contains(homes, c.UUID) {
			continue
		}
		as := e.as(c)
		serves := func(s *segment) bool { return s.datapath == row.Datapath }
		if as.onSegment(port) && slices.ContainsFunc(as.findSegments(), serves) {
			out = append(out, c.Text())
		}
	}
	slices.Sort(out)
	return out
}
