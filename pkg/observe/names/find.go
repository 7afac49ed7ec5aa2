package names

import (
	"cmp"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

const uuidPattern = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

var (
	uuidToken = regexp.MustCompile(`(?:[A-Za-z0-9_]+-)*` + uuidPattern)
	uuidAtEnd = regexp.MustCompile(uuidPattern + `$`)
	uuidStart = regexp.MustCompile(`^[0-9a-f]{8}[0-9a-f-]{0,28}$`)
)

// question is what is looked for, as far as it can be read as that.
type question struct {
	text   string
	prefix netip.Prefix // of an address or a prefix
	mac    object.MAC
	vni    uint64
	// start says that the text may be the beginning of a UUID.
	start bool
}

func ask(text string) question {
	q := question{text: text}
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		q.prefix = netip.PrefixFrom(a, a.BitLen())
	} else if p, err := netip.ParsePrefix(text); err == nil {
		q.prefix = p.Masked()
	}
	if mac, err := object.ParseMAC(text); err == nil {
		q.mac = mac
	}
	if n, err := strconv.ParseUint(text, 10, 24); err == nil {
		q.vni = n
	}
	q.start = uuidStart.MatchString(text)
	return q
}

// is reports whether a name or UUID is the one that is asked for.
func (q question) is(name string) bool {
	return name != "" && (name == q.text || q.start && strings.HasPrefix(name, q.text))
}

// finder goes through a snapshot once.
type finder struct {
	Book
	q       question
	chassis map[observe.UUID]string
	// floating are the addresses that are translated, by the logical port that must be
	// there for them.
	floating map[string][]netip.Addr
	// inVNI are the networks of which a port has the VNI that is asked for.
	inVNI   map[observe.UUID]bool
	matches []Match
}

// Find looks for what text stands for: an address, a prefix, a MAC address, a VNI, the
// name or UUID of a port, of a VM, of a network, router, load balancer or chassis, or the
// name of a bridge or device, or a service of Kubernetes. A UUID may be cut off after its first part.
func Find(snap observe.Snapshot, text string) Result {
	f := finder{
		Book: Of(snap), q: ask(text), chassis: map[observe.UUID]string{}, floating: map[string][]netip.Addr{},
		inVNI: map[observe.UUID]bool{},
	}
	r := Result{Matches: []Match{}, Looked: []Looked{}}
	if text == "" {
		return r
	}
	if snap.SB != nil {
		f.southbound(snap.SB)
		r.Looked = append(
			r.Looked, Looked{"ports", snap.SB.Ports.Len()}, Looked{"networks and routers", len(snap.SB.Datapaths)},
			Looked{"load balancers", len(snap.SB.Balancers)}, Looked{"chassis", len(snap.SB.Chassis)},
		)
	}
	if snap.OVS != nil {
		f.bridges(snap.OVS)
		r.Looked = append(r.Looked, Looked{"bridges", len(snap.OVS.Bridges)})
	}
	if snap.Kube != nil {
		f.services(snap.Kube)
		r.Looked = append(r.Looked, Looked{"services", len(snap.Kube.Services)})
	}
	if snap.Host != nil {
		f.devices(snap.Host)
		r.Looked = append(r.Looked, Looked{"devices", len(snap.Host.Links)})
	}
	sorting.Stable(f.matches, func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	r.Total = len(f.matches)
	r.Matches = append(r.Matches, f.matches[:min(len(f.matches), MostMatches)]...)
	return r
}

func (f *finder) southbound(sb *observe.Southbound) {
	for _, c := range sb.Chassis {
		f.chassis[c.UUID] = cmp.Or(c.Hostname, c.Name)
	}
	for p := range sb.Ports.All() {
		for _, n := range p.NAT {
			f.floating[n.Resident] = append(f.floating[n.Resident], n.Addrs...)
		}
		if f.q.vni != 0 && p.ExternalIDs["neutron_bgpvpn:vni"] == f.q.text {
			f.inVNI[p.Datapath] = true
		}
	}
	datapaths := map[observe.UUID]int{}
	for _, d := range sb.Datapaths {
		if m, ok := f.datapath(d); ok {
			f.matches = append(f.matches, m)
			datapaths[d.UUID] = len(f.matches) - 1
		}
	}
	for p := range sb.Ports.All() {
		if i, ok := datapaths[p.Datapath]; ok {
			m := &f.matches[i]
			m.Addresses = f.listedBy(p, f.addressesOf(p, m.Addresses))
			if len(m.Terms) < mostAddresses {
				m.Terms = append(m.Terms, p.LogicalPort)
			}
		}
		if by := f.matchesPort(p); by != "" {
			f.port(p, by)
		}
	}
	for _, l := range sb.Balancers {
		f.balancer(l)
	}
	f.advertised(sb)
	for _, c := range sb.Chassis {
		if f.q.is(c.Name) || f.q.is(c.Hostname) || f.q.is(c.UUID.String()) {
			f.matches = append(f.matches, Match{
				Kind: KindChassis, Name: cmp.Or(c.Hostname, c.Name), ID: c.Name, By: "name", Addresses: []Address{},
				Terms: []string{c.Name},
			})
		}
	}
}

// matchesPort says what of a port is as was asked; empty if nothing is.
func (f *finder) matchesPort(p *observe.PortBinding) string {
	q := f.q
	ids := p.ExternalIDs
	switch {
	case q.prefix.IsValid():
		if slices.ContainsFunc(f.addressesOf(p, nil), func(a Address) bool { return q.prefix.Contains(a.Addr) }) {
			return "address"
		}
		return ""
	case q.mac != (object.MAC{}):
		if slices.ContainsFunc(p.Addresses, func(a observe.PortAddress) bool { return a.MAC == q.mac }) ||
			slices.ContainsFunc(p.NAT, func(n observe.NATAddress) bool { return n.MAC == q.mac }) {
			return "mac-address"
		}
		return ""
	case p.LogicalPort == q.text || ids[keyPortName] == q.text:
		return "name"
	case q.is(p.LogicalPort) || q.is(p.UUID.String()) || q.is(strings.TrimPrefix(strings.TrimPrefix(p.LogicalPort, "cr-"),
		"lrp-")):
		return "uuid"
	case strings.HasPrefix(ids["neutron:device_owner"], "compute:") && q.is(ids["neutron:device_id"]):
		return "device-id"
	case ids["pod"] == "true" && (q.text == strings.Replace(p.LogicalPort, "_", "/", 1) ||
		strings.TrimPrefix(p.LogicalPort, ids["namespace"]+"_") == q.text):
		return "name"
	}
	return ""
}

// port adds a port that matches. Of a prefix only the addresses in it are told.
func (f *finder) port(p *observe.PortBinding, by string) {
	m := Match{
		Kind: KindPort, Name: cmp.Or(f.portLabel(p), p.LogicalPort), ID: p.LogicalPort, By: by, Network: f.network(p),
		Chassis: f.chassis[p.Chassis], Addresses: f.addressesOf(p, []Address{}), Terms: []string{p.LogicalPort},
	}
	if f.q.prefix.IsValid() {
		m.Addresses = slices.DeleteFunc(m.Addresses, func(a Address) bool { return !f.q.prefix.Contains(a.Addr) })
	}
	for _, a := range m.Addresses {
		m.Terms = append(m.Terms, a.Addr.String())
	}
	f.matches = append(f.matches, m)
}

// addressesOf appends the addresses of a port, and those that are translated to it.
func (f *finder) addressesOf(p *observe.PortBinding, to []Address) []Address {
	add := func(a netip.Addr, relation string) {
		if len(to) < mostAddresses && !slices.ContainsFunc(to, func(b Address) bool { return a == b.Addr }) {
			to = append(to, Address{Addr: a, Relation: relation})
		}
	}
	for _, e := range p.Addresses {
		for _, a := range e.Addrs {
			add(a.Addr(), Own)
		}
	}
	for _, a := range f.floating[p.LogicalPort] {
		add(a, Floating)
	}
	return to
}

// listedBy appends the addresses that a port lists for others: of a router, on a network.
func (f *finder) listedBy(p *observe.PortBinding, to []Address) []Address {
	for _, n := range p.NAT {
		for _, a := range n.Addrs {
			if len(to) < mostAddresses && !slices.ContainsFunc(to, func(b Address) bool { return a == b.Addr }) {
				to = append(to, Address{Addr: a, Relation: Floating})
			}
		}
	}
	return to
}

// datapath is a network or router that matches.
func (f *finder) datapath(d *observe.Datapath) (Match, bool) {
	ids := d.ExternalIDs
	id := cmp.Or(ids["logical-switch"], ids["logical-router"], d.UUID.String())
	by := ""
	switch {
	case f.q.prefix.IsValid():
		return Match{}, false
	case f.q.text == ids["name2"] || f.q.text == ids["name"]:
		by = "name"
	case f.inVNI[d.UUID]:
		by = "vni"
	case f.q.is(id) || f.q.is(d.UUID.String()) || f.q.is(strings.TrimPrefix(ids["name"], "neutron-")):
		by = "uuid"
	default:
		return Match{}, false
	}
	kind := KindNetwork
	if ids["logical-router"] != "" {
		kind = KindRouter
	}
	return Match{Kind: kind, Name: d.Name(), ID: id, By: by, Addresses: []Address{}, Terms: []string{d.Name()}}, true
}

// advertised takes routers that advertise exactly the prefix for all that is meant: the prefix itself is
// asked about, by its first address, and not what is in it.
func (f *finder) advertised(sb *observe.Southbound) {
	if !f.q.prefix.IsValid() || f.q.prefix.IsSingleIP() {
		return
	}
	var found []Match
	for _, row := range sb.Advertised {
		p, err := netip.ParsePrefix(row.Prefix)
		d := f.datapaths[row.Datapath]
		if err != nil || p.Masked() != f.q.prefix || d == nil ||
			slices.ContainsFunc(found, func(m Match) bool { return m.ID == d.UUID.String() }) {
			continue
		}
		found = append(found, Match{
			Kind: KindRouter, Name: d.Name(), ID: d.UUID.String(), By: "prefix", Terms: []string{f.q.prefix.String()},
			Addresses: []Address{{Addr: f.q.prefix.Addr(), Relation: Advertised}},
		})
	}
	if len(found) > 0 {
		f.matches = found
	}
}

// balancer adds a load balancer that has the name, or an address in the prefix.
func (f *finder) balancer(l *observe.LoadBalancer) {
	m := Match{Kind: KindBalancer, Name: cmp.Or(l.Name, l.UUID.String()), ID: l.UUID.String(), Addresses: []Address{}}
	for _, text := range slices.Sorted(maps.Keys(l.VIPs)) {
		addr, err := netip.ParseAddr(text)
		if p, portErr := netip.ParseAddrPort(text); portErr == nil {
			addr, err = p.Addr(), nil
		}
		if err != nil || f.q.prefix.IsValid() && !f.q.prefix.Contains(addr) || len(m.Addresses) == mostAddresses ||
			slices.ContainsFunc(m.Addresses, func(a Address) bool { return a.Addr == addr }) {
			continue
		}
		m.Addresses = append(m.Addresses, Address{Addr: addr, Relation: VIP})
	}
	switch {
	case f.q.prefix.IsValid():
		if m.By = "address"; len(m.Addresses) == 0 {
			return
		}
	case l.Name == f.q.text:
		m.By = "name"
	case f.q.is(l.UUID.String()):
		m.By = "uuid"
	default:
		return
	}
	m.Terms = []string{m.Name}
	for _, a := range m.Addresses {
		m.Terms = append(m.Terms, a.Addr.String())
	}
	f.matches = append(f.matches, m)
}

// services adds the services of Kubernetes with a name, or with namespace and name.
func (f *finder) services(k *observe.Kube) {
	for _, s := range k.Services {
		if s.Text() != f.q.text && s.Name != f.q.text {
			continue
		}
		m := f.named(KindService, s.Text())
		m.By = "name"
		var addrs []netip.Addr
		for _, in := range s.Ingress {
			if in.IP.IsValid() {
				addrs = append(addrs, in.IP)
			}
		}
		if addrs = append(addrs, s.ExternalIPs...); len(addrs) == 0 {
			addrs = s.ClusterIPs // no other is known outside
		}
		for _, a := range addrs[:min(len(addrs), mostAddresses)] {
			m.Addresses = append(m.Addresses, Address{Addr: a, Relation: VIP})
			m.Terms = append(m.Terms, a.String())
		}
		f.matches = append(f.matches, m)
	}
}

func (f *finder) bridges(o *observe.OpenVSwitch) {
	for _, b := range o.Bridges {
		if b.Name == f.q.text || f.q.mac != (object.MAC{}) && b.MAC == f.q.mac {
			f.matches = append(f.matches, f.named(KindBridge, b.Name))
		}
	}
}

// devices adds the devices of that name; the one of a bridge is the bridge.
func (f *finder) devices(h *observe.Host) {
	for _, l := range h.Links {
		known := slices.ContainsFunc(f.matches, func(m Match) bool { return m.Kind == KindBridge && m.Name == l.Name })
		if !known && (l.Name == f.q.text || f.q.mac != (object.MAC{}) && l.MAC == f.q.mac) {
			f.matches = append(f.matches, f.named(KindDevice, l.Name))
		}
	}
}

func (f *finder) named(kind, name string) Match {
	by := "name"
	if name != f.q.text {
		by = "mac-address"
	}
	return Match{Kind: kind, Name: name, ID: name, By: by, Addresses: []Address{}, Terms: []string{name}}
}
