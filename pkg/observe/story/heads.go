package story

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// heads are the first words of lines:
//
//	include base                      the lines of scenes/base.story
//	chassis cmp-1 cmp-2               rows of table Chassis; "gone" before names removes them
//	mapping public:br-ex              the whole of ovn-bridge-mappings
//	bridge br-ex mac 3a:..            a bridge with its device; "gone" removes both
//	patch br-ex provnet-c1 ofport 1   a patch port; "ofport none", or "gone"
//	made veth-ovs-1001 on br-ex ofport 7
//	                                  a port of ours on a bridge; "ofport none",
//	                                  or "made veth-ovs-1001 gone"
//	vrf vrf-7 table 7 ours            a VRF device, ours or not; "gone"
//	address 192.0.2.1/32 dev lo       an address of a device; "gone" at the end
//	learned type-5 10.9.0.0/24 rd 192.0.2.2:7 next-hop 192.0.2.2 vni 7 rt 65000:7 router-mac 52:54:..
//	                                  a route of EVPN; "gone" after the NLRI withdraws it,
//	                                  "learned nothing" withdraws all
//	noroute 192.0.2.2                 next hops that cannot be reached; "gone" before
//	                                  them: they can
//	unsettled "why"                   learned routes may be missing; an empty why: none is
//	device eth0 mac 3a:..             a device that is no bridge, or a bridge's with another MAC; "gone"
//	table 201 name br-ex              an entry of rt_tables; "table 201 foreign"
//	localnet provnet-c1 on dp-pub network public tag 100
//	port vm on dp-pub mac "MAC IP" chassis cmp-1 up cidrs "IP/len"
//	virtual vip on dp-pub ...         the same of type virtual
//	switchport gw1 on dp-pub peer lrp-gw1 nat 'MAC IP is_chassis_resident("vm")'
//	routerport lrp-gw1 on dp-r1 mac "MAC IP/len" peer gw1 redirect cr-lrp-gw1
//	gateway cr-lrp-gw1 on dp-r1 mac "MAC IP/len" of lrp-gw1 chassis gw-1 up
//	balancer L1 vip 172.24.4.60:80 ls dp-priv lr dp-r1
//	                                  a key with its members as they are written: "backends
//	                                  172.24.4.60:80 10.0.0.5:80"; "protocol udp"
//	northbound                        Northbound rows are read, a Logical_Router for each
//	                                  router; "without dp-r1"; "gone"
//	nat dp-r1 snat 10.0.0.0/26 172.24.4.146
//	                                  a NAT row of a router: type, logical and external IP;
//	                                  "nat dp-r1 gone" removes all
//	set vm chassis cmp-2              changes of an earlier port
//	drop vm                           ports that are deleted
//	unreadable Port_Binding vm "why"  a row that cannot be read, NAT rows as
//	                                  'NAT "dp-r1 snat 10.0.0.0/26"'; "readable Port_Binding vm"
//	stale sb "why"                    a source that is disconnected; "stale nb", "stale ovs";
//	                                  an empty why: it is connected
func heads() map[string]func(*Story, *reader) {
	return map[string]func(*Story, *reader){
		"include":    func(s *Story, r *reader) { r.check(s.include(r.word())) },
		"chassis":    chassis,
		"mapping":    func(s *Story, r *reader) { s.mapping = strings.Join(r.rest(), " ") },
		"bridge":     bridge,
		"patch":      patch,
		"made":       made,
		"device":     device,
		"vrf":        vrf,
		"address":    address,
		"learned":    learned,
		"noroute":    noRoute,
		"unsettled":  func(s *Story, r *reader) { s.routes().unsettled = r.word() },
		"table":      table,
		"localnet":   port(observe.PortLocalnet),
		"port":       port(observe.PortVIF),
		"virtual":    port(observe.PortVirtual),
		"switchport": switchPort,
		"routerport": routerPort(observe.PortPatch),
		"gateway":    routerPort(observe.PortChassisRedirect),
		"balancer":   loadBalancer,
		"northbound": northbound,
		"nat":        natRow,
		"set":        change,
		"drop":       drop,
		"unreadable": unreadable,
		"readable":   readable,
		"stale":      stale,
	}
}

// check keeps an error of something that was read from the line.
func (r *reader) check(err error) {
	if err != nil {
		r.fail("%w", err)
	}
}

// gone takes the word "gone" if it is next.
func (r *reader) gone() bool {
	if r.more() && r.words[0] == "gone" {
		r.words = r.words[1:]
		return true
	}
	return false
}

// chassis adds or removes Chassis rows.
func chassis(s *Story, r *reader) {
	gone := r.gone()
	for _, name := range r.rest() {
		if gone {
			delete(s.chassis, name)
			continue
		}
		s.chassis[name] = true
	}
}

// bridge adds a bridge and its internal port, which is a device of the same name
// and MAC. A bridge that exists keeps its ports: only its MAC changes.
func bridge(s *Story, r *reader) {
	name := r.word()
	if r.gone() {
		delete(s.bridges, name)
		delete(s.devices, name)
		return
	}
	r.literal("mac")
	b := observe.Bridge{Name: name, DatapathType: "system", MAC: r.mac()}
	if have, ok := s.bridges[name]; ok {
		b.Patches, b.Made, b.Uplinks = have.Patches, have.Made, have.Uplinks
	}
	s.bridges[name] = &b
	s.devices[name] = observe.Link{Name: name, MAC: b.MAC, Up: true, MTU: 1500}
}

// device adds, replaces or removes a network device.
func device(s *Story, r *reader) {
	name := r.word()
	if r.gone() {
		delete(s.devices, name)
		return
	}
	r.literal("mac")
	s.devices[name] = observe.Link{Name: name, MAC: r.mac(), Up: true, MTU: 1500}
}

// patch adds the patch port of a localnet, under the name that ovn-controller gives
// it, in place of an earlier one.
func patch(s *Story, r *reader) {
	name, localnet := r.word(), r.word()
	have, ok := s.bridges[name]
	if !ok {
		r.fail("there is no bridge %q", name)
		return
	}
	b := *have
	b.Patches = nil
	for _, p := range have.Patches {
		if p.Localnet != localnet {
			b.Patches = append(b.Patches, p)
		}
	}
	s.bridges[name] = &b
	if r.gone() {
		return
	}
	p := observe.PatchPort{Localnet: localnet, Name: "patch-" + localnet + "-to-br-int", OFPort: r.ofport()}
	b.Patches = append(b.Patches, p)
}

// ofport reads the number of a port, or "none" for one without a number.
func (r *reader) ofport() uint16 {
	r.literal("ofport")
	if r.more() && r.words[0] == "none" {
		r.word()
		return 0
	}
	return uint16(r.number(16))
}

// made adds, moves or removes a port of ours. Its name is unique among all bridges.
func made(s *Story, r *reader) {
	p := observe.MadePort{Name: r.word()}
	for name, have := range s.bridges {
		b := *have // snapshots made before share it
		b.Made = slices.DeleteFunc(slices.Clone(have.Made), func(m observe.MadePort) bool { return m.Name == p.Name })
		s.bridges[name] = &b
	}
	if r.gone() {
		return
	}
	r.literal("on")
	name := r.word()
	p.OFPort = r.ofport()
	b, ok := s.bridges[name]
	if !ok {
		r.fail("there is no bridge %q", name)
		return
	}
	b.Made = append(b.Made, p)
	sorting.Sort(b.Made, func(x, y observe.MadePort) int { return strings.Compare(x.Name, y.Name) })
}

// vrf adds, replaces or removes a VRF device.
func vrf(s *Story, r *reader) {
	name := r.word()
	if r.gone() {
		delete(s.devices, name)
		return
	}
	l := observe.Link{Name: name, Up: true, MTU: 65575}
	r.literal("table")
	l.Table = uint32(r.number(32))
	if r.more() {
		r.literal("ours")
		l.Ours = true
	}
	s.devices[name] = l
}

// address adds or removes an address of a device. The prefix length says what is
// connected.
func address(s *Story, r *reader) {
	prefix, err := netip.ParsePrefix(r.word())
	r.check(err)
	r.literal("dev")
	a := observe.DeviceAddress{Dev: r.word(), Addr: prefix.Addr(), Net: prefix.Masked()}
	s.addresses[a] = !r.gone()
}

// table adds or replaces what is recorded of a routing table.
func table(s *Story, r *reader) {
	t := observe.RoutingTable{ID: uint32(r.number(32))}
	switch w := r.word(); w {
	case "name":
		t.Name = r.word()
	case "foreign":
		t.Foreign = true
	default:
		r.fail("unknown word %q", w)
	}
	s.tables[t.ID] = t
}

// loadBalancer adds, replaces or removes a load balancer. Where its members do not
// matter, each VIP has the same one.
func loadBalancer(s *Story, r *reader) {
	name := r.word()
	if r.gone() {
		delete(s.balancers, name)
		return
	}
	b := &balancer{vips: map[string]string{}}
	for r.more() {
		switch w := r.word(); w {
		case "vip":
			b.vips[r.word()] = "10.0.0.5:80"
		case "emptyvip":
			b.vips[r.word()] = ""
		case "backends":
			b.backends(r)
		case "protocol":
			b.protocol = r.word()
		case "ls":
			b.switches = append(b.switches, r.word())
		case "lr":
			b.routers = append(b.routers, r.word())
		default:
			r.fail("unknown word %q", w)
		}
	}
	s.balancers[name] = b
}

// unreadable makes a row one that cannot be read, for the reason given; the port
// that earlier lines have described comes back with readable.
func unreadable(s *Story, r *reader) {
	key := [2]string{r.word(), r.word()}
	s.bad[key] = r.word()
}

func readable(s *Story, r *reader) { delete(s.bad, [2]string{r.word(), r.word()}) }

// stale says why a database is disconnected, or that it is not.
func stale(s *Story, r *reader) {
	switch w := r.word(); w {
	case "sb":
		s.staleSB = r.word()
	case "nb":
		s.north.stale = r.word()
	case "ovs":
		s.staleOVS = r.word()
	default:
		r.fail("unknown word %q", w)
	}
}

// literal reads a word that must come next.
func (r *reader) literal(want string) {
	if got := r.word(); r.err == nil && got != want {
		r.fail("got %q, want %q", got, want)
	}
}
