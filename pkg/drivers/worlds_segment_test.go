package drivers_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// stretched are the worlds in which ovn_native_driver announces stations of switches with a VNI.
func stretched(t *testing.T, all []world) []world {
	t.Helper()
	d := native.New(native.Defaults())
	out := slices.DeleteFunc(slices.Clone(all), func(w world) bool {
		for _, view := range w.views {
			if stationsOf(desired.Compute(view, nil, d).Want) > 0 {
				return false
			}
		}
		return true
	})
	if len(out) == 0 {
		t.Fatal("no world has a station on a switch with a VNI")
	}
	return out
}

func hasVNI(d *observe.Datapath) bool { return d.ExternalIDs["dynamic-routing-vni"] != "" }

// stationsOf counts what the driver announces of stations on segments.
func stationsOf(want object.Set) (n int) {
	for _, it := range want.AllOf(object.KindEVPN) {
		path := it.Value.(object.EVPNPath)
		if path.Type == object.EVPNMacIP && slices.ContainsFunc(it.Why, func(s object.Source) bool {
			return s.Driver == native.Name
		}) {
			n++
		}
	}
	return n
}

// changeSegments changes what is on switches with a VNI, or what is known of it elsewhere.
func changeSegments(t *rapid.T, view observe.Snapshot, w world) (observe.Snapshot, world) {
	sb := *w.sb
	sb.Chassis, sb.Datapaths, sb.MACs = slices.Clone(sb.Chassis), slices.Clone(sb.Datapaths), slices.Clone(sb.MACs)
	w.sb, view.SB = &sb, &sb
	for range rapid.IntRange(1, 2).Draw(t, "changes of segments") {
		switch rapid.IntRange(0, 13).Draw(t, "what of segments") {
		case 0, 1, 2, 3:
			w.changeOnSegment(t)
		case 4, 5, 6:
			w.putMAC(t)
		case 7:
			w.changeMAC(t)
		case 8:
			w.changeSwitch(t)
		case 9:
			w.changeVTEP(t)
		case 10:
			view = changeDevicesOf(t, view)
		default:
			view = claimAgain(t, view)
		}
	}
	return view, w
}

// changeOnSegment changes a port of a switch with a VNI, or one that leads there.
func (w world) changeOnSegment(t *rapid.T) {
	at := map[observe.UUID]bool{}
	for _, d := range w.sb.Datapaths {
		at[d.UUID] = hasVNI(d)
	}
	ports := slices.DeleteFunc(w.sb.Ports.Slice(), func(p *observe.PortBinding) bool {
		return !at[p.Datapath] && p.Type != observe.PortPatch && p.Type != observe.PortChassisRedirect
	})
	i, ok := pick(t, ports, "port of a segment")
	if !ok {
		return
	}
	p, other := *ports[i], ports[rapid.IntRange(0, len(ports)-1).Draw(t, "another port")]
	p.Options = maps.Clone(p.Options)
	if p.Options == nil {
		p.Options = map[string]string{}
	}
	switch rapid.IntRange(0, 8).Draw(t, "change of it") {
	case 0, 1, 2:
		p.Chassis = observe.UUID{}
		if c, ok := pick(t, w.sb.Chassis, "to"); ok && rapid.IntRange(0, 3).Draw(t, "bound") > 0 {
			p.Chassis = w.sb.Chassis[c].UUID
		}
	case 3:
		p.Addresses = []observe.PortAddress{{MAC: randomMAC(t)}, {MAC: randomMAC(t)}}
	case 4:
		p.Options["dynamic-routing-advertise"] = rapid.SampledFrom([]string{"true", "false"}).Draw(t, "advertise")
	case 5:
		p.Datapath = other.Datapath
	case 6:
		p.Type = rapid.SampledFrom([]string{observe.PortVIF, observe.PortVirtual, observe.PortPatch, observe.PortL3Gateway}).
			Draw(t, "type")
	case 7:
		key := rapid.SampledFrom([]string{"peer", "chassis-redirect-port", "always-redirect"}).Draw(t, "option of it")
		p.Options[key] = rapid.SampledFrom([]string{other.LogicalPort, other.Options[key], "true", ""}).Draw(t, "value")
	case 8:
		story.ReplacePort(w.sb, ports[i], nil)
		return
	}
	story.ReplacePort(w.sb, ports[i], &p)
}

// randomMAC is one of few: of stations, of others and of none.
func randomMAC(t *rapid.T) object.MAC {
	last := rapid.SampledFrom([]byte{1, 2, 3, 4, 7, 0xaa, 0xbb, 0xcc}).Draw(t, "MAC")
	return object.MAC{rapid.SampledFrom([]byte{0xf0, 0xf0, 0xf0, 0xf1}).Draw(t, "first octet"), 5: last}
}

// randomAddress is one of few, too.
func randomAddress(t *rapid.T) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, 1, rapid.SampledFrom([]byte{1, 10, 11, 12, 50, 99}).Draw(t, "address")})
}

// putMAC adds a row of Advertised_MAC_Binding, or changes one.
func (w world) putMAC(t *rapid.T) {
	row := &observe.AdvertisedMAC{
		UUID: story.UUID(fmt.Sprint("binding ", rapid.IntRange(0, 9).Draw(t, "binding"))), Datapath: drawDatapath(t, w.sb),
		LogicalPort: drawPort(t, w.sb), MAC: randomMAC(t).String(), IP: randomAddress(t).String(),
	}
	if port := one(t, w.sb.Ports.Slice(), "port of it"); port != nil && rapid.Bool().Draw(t, "on its switch") {
		row.Datapath, row.LogicalPort = port.Datapath, port.UUID
	}
	at, there := slices.BinarySearchFunc(w.sb.MACs, row.UUID, func(r *observe.AdvertisedMAC, u observe.UUID) int {
		return observe.CompareUUID(r.UUID, u)
	})
	if there {
		w.sb.MACs[at] = row
		return
	}
	w.sb.MACs = slices.Insert(w.sb.MACs, at, row)
}

// changeSwitch changes what a switch with a VNI, or any other one, says of itself.
func (w world) changeSwitch(t *rapid.T) {
	i, ok := pick(t, w.sb.Datapaths, "switch")
	if !ok {
		return
	}
	d := *w.sb.Datapaths[i]
	d.ExternalIDs = maps.Clone(d.ExternalIDs)
	if d.ExternalIDs == nil {
		d.ExternalIDs = map[string]string{}
	}
	of := rapid.SampledFrom([][]string{
		{"dynamic-routing-vni", "10", "20", "65546", "x"},
		{"dynamic-routing-redistribute", "fdb", "ip", "fdb,ip"},
		{"dynamic-routing-bridge-ifname", "br-10", "br-20", "vlan-10"},
		{"dynamic-routing-vxlan-ifname", "vxlan-10", "vxlan0", "a name that is too long"},
		{"dynamic-routing-advertise-ifname", "lo-10", "lo-20"},
		{"name", "ls0", "ls1", "ls1 ", "ls\x00"},
	}).Draw(t, "key of switch")
	d.ExternalIDs[of[0]] = rapid.SampledFrom(of[1:]).Draw(t, "value")
	w.sb.Datapaths[i] = &d
}

// changeVTEP changes what a chassis says of its own VTEP.
func (w world) changeVTEP(t *rapid.T) {
	i, ok := pick(t, w.sb.Chassis, "chassis")
	if !ok {
		return
	}
	c := *w.sb.Chassis[i]
	if rapid.IntRange(0, 3).Draw(t, "row made anew") == 0 {
		w.makeAnew(t, i)
		return
	}
	c.OtherConfig = maps.Clone(c.OtherConfig)
	if c.OtherConfig == nil {
		c.OtherConfig = map[string]string{}
	}
	c.OtherConfig["ovn-evpn-local-ip"] = rapid.SampledFrom([]string{
		"", "192.0.2.1", "192.0.2.1", "192.0.2.10", "10-192.0.2.7", "20-192.0.2.7,192.0.2.1", "2001:db8::1",
	}).Draw(t, "VTEP")
	c.OtherConfig["ovn-evpn-vxlan-ports"] = rapid.SampledFrom([]string{"", "", "60010"}).Draw(t, "port of VXLAN")
	w.sb.Chassis[i] = &c
}

// makeAnew gives a chassis another row, to which some of its ports are bound.
func (w world) makeAnew(t *rapid.T, i int) {
	c, former := *w.sb.Chassis[i], w.sb.Chassis[i].UUID
	if c.UUID = story.UUID(fmt.Sprint("chassis again ", c.Name)); c.UUID == former {
		return
	}
	w.sb.Chassis[i] = &c
	for _, row := range w.sb.Ports.Slice() {
		if row.Chassis == former && rapid.Bool().Draw(t, "follows") {
			p := *row
			p.Chassis = c.UUID
			story.ReplacePort(w.sb, row, &p)
		}
	}
}

// changeDevicesOf lets a device of a segment be there or not.
func changeDevicesOf(t *rapid.T, view observe.Snapshot) observe.Snapshot {
	host := observe.Host{}
	if view.Host != nil {
		host = *view.Host
	}
	names := []string{"br-10", "vxlan-10", "lo-10", "br-20", "vlan-10", "vxlan0"}
	link := observe.Link{Name: rapid.SampledFrom(names).Draw(t, "device"), Ours: rapid.Bool().Draw(t, "ours")}
	byName := func(l observe.Link, n string) int { return cmp.Compare(l.Name, n) }
	at, there := slices.BinarySearchFunc(host.Links, link.Name, byName)
	host.Links = slices.Clone(host.Links)
	switch {
	case !there:
		host.Links = slices.Insert(host.Links, at, link)
	case rapid.Bool().Draw(t, "it goes"):
		host.Links = slices.Delete(host.Links, at, at+1)
	default:
		host.Links[at] = link
	}
	view.Host = &host
	return view
}

// claimAgain changes what others announce of the MACs and addresses of segments.
func claimAgain(t *rapid.T, view observe.Snapshot) observe.Snapshot {
	l := observe.Learned{}
	if view.Learned != nil {
		l = *view.Learned
	}
	l.EVPN = slices.Clone(l.EVPN)
	for range rapid.IntRange(1, 3).Draw(t, "claims") {
		if i, ok := pick(t, l.EVPN, "route"); ok && rapid.IntRange(0, 3).Draw(t, "it goes") == 0 {
			l.EVPN = slices.Delete(l.EVPN, i, i+1)
			continue
		}
		vni := rapid.SampledFrom([]uint32{10, 10, 20, 65546}).Draw(t, "VNI")
		vtep := netip.AddrFrom4([4]byte{192, 0, 2, rapid.SampledFrom([]byte{1, 2, 10, 20}).Draw(t, "VTEP")})
		r := observe.EVPNRoute{
			Type: object.EVPNMacIP, RD: fmt.Sprintf("%s:%d", vtep, vni&0xffff), VNI: vni, NextHop: vtep, Peer: "192.0.2.254",
			Targets: object.WordsOf(fmt.Sprintf("65000:%d", vni)), MAC: randomMAC(t),
		}
		switch rapid.IntRange(0, 5).Draw(t, "of what type") {
		case 0:
			r.Type, r.MAC, r.Prefix = object.EVPNMulticast, object.MAC{}, netip.PrefixFrom(vtep, 32)
		case 1:
			r.Sticky = true
		case 2:
			r.Mobility = object.MetricOf(uint32(rapid.IntRange(0, 6).Draw(t, "sequence")))
		case 3:
			r.Targets = object.WordsOf("65000:7")
		}
		if r.Type == object.EVPNMacIP && rapid.Bool().Draw(t, "with an address") {
			r.Prefix = netip.PrefixFrom(randomAddress(t), 32)
		}
		l.EVPN = append(l.EVPN, r)
	}
	view.Learned = &l
	return view
}
