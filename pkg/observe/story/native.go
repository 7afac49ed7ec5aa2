package story

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// native is what OVN's dynamic routing consists of. Its lines:
//
//	northd 26.03.1-21.8.0-82.14
//	schema without Advertised_MAC_Binding
//	datapath lr0 key 7 id dynamic-routing-vrf-id=1007
//	other hv1 ovn-evpn-local-ip=192.0.2.1
//	portmapping uplink-a=eth2
//	interface vm1 dev tap1
//	advertised a1 on lr0 port lrp-ext prefix 172.24.4.100 tracked vm1
//	learnedrow l1 on lr0 port lrp-ext prefix 0.0.0.0/0 via 172.24.4.1
//	macrow m1 on ls0 port vm1 ip 10.0.0.5 mac fa:16:3e:00:00:01
//	path 0.0.0.0/0 via 172.24.4.1 peer 172.24.4.1
//	watched 10.9.0.0/16 table 7 proto 98 via 172.24.4.1
//	enslave veth-bgp ovnvrf7
type native struct {
	northd    string
	without   []string
	datapaths map[string]describedDatapath
	other     map[string]map[string]string
	mapping   string
	plugged   map[string]string // devices, by logical port
	routes    map[string]*observe.AdvertisedRoute
	learned   map[string]*observe.LearnedRoute
	macs      map[string]*observe.AdvertisedMAC
	paths     map[[2]string]observe.LearnedPath // by prefix and peer
	watched   []observe.TableRoute
	masters   map[string]string
}

// describedDatapath is a datapath that a line of its own describes.
type describedDatapath struct {
	key int
	ids map[string]string
}

func newNative() native {
	return native{
		datapaths: map[string]describedDatapath{}, other: map[string]map[string]string{}, plugged: map[string]string{},
		routes: map[string]*observe.AdvertisedRoute{}, learned: map[string]*observe.LearnedRoute{},
		macs: map[string]*observe.AdvertisedMAC{}, paths: map[[2]string]observe.LearnedPath{}, masters: map[string]string{},
	}
}

// nativeHeads are the words at the start of these lines.
func nativeHeads() map[string]func(*Story, *reader) {
	return map[string]func(*Story, *reader){
		"northd":      func(s *Story, r *reader) { s.native.northd = r.word() },
		"schema":      func(s *Story, r *reader) { r.literal("without"); s.native.without = r.rest() },
		"datapath":    describeDatapath,
		"other":       otherConfig,
		"portmapping": func(s *Story, r *reader) { s.native.mapping = strings.Join(r.rest(), " ") },
		"interface":   plugged,
		"advertised":  advertisedRow,
		"learnedrow":  learnedRow,
		"macrow":      macRow,
		"path":        learnedPath,
		"watched":     watchedRoute,
		"enslave":     func(s *Story, r *reader) { name := r.word(); s.native.masters[name] = r.word() },
	}
}

func (n *native) lacks(table string) bool { return slices.Contains(n.without, table) }

// describeDatapath names a datapath as plain OVN does, without Neutron's prefix.
func describeDatapath(s *Story, r *reader) {
	name := r.word()
	d := describedDatapath{ids: map[string]string{"name": name}}
	for r.more() {
		switch w := r.word(); w {
		case "key":
			d.key = int(r.number(24))
		case "id":
			key, value := r.pair()
			put(&d.ids, key, value)
		default:
			r.fail("unknown word %q", w)
		}
	}
	if _, there := s.datapaths[name]; !there {
		s.datapaths[name] = false
	}
	s.native.datapaths[name] = d
}

// datapath adds what a line says to the row.
func (n *native) datapath(name string, row *observe.Datapath) *observe.Datapath {
	d, ok := n.datapaths[name]
	if !ok {
		return row
	}
	row.TunnelKey = d.key
	delete(row.ExternalIDs, "name2")
	maps.Copy(row.ExternalIDs, d.ids)
	return row
}

func otherConfig(s *Story, r *reader) {
	name := r.word()
	all := maps.Clone(s.native.other[name])
	for r.more() {
		key, value := r.pair()
		put(&all, key, value)
	}
	s.native.other[name] = all
}

func plugged(s *Story, r *reader) {
	id := r.word()
	if r.gone() {
		delete(s.native.plugged, id)
		return
	}
	r.literal("dev")
	s.native.plugged[id] = r.word()
}

func (n *native) interfaceList() (out []observe.LogicalInterface) {
	for _, id := range slices.Sorted(maps.Keys(n.plugged)) {
		out = append(out, observe.LogicalInterface{ID: id, Name: n.plugged[id]})
	}
	return out
}

// place reads "on DATAPATH port PORT".
func (r *reader) place() (datapath, port observe.UUID) {
	r.literal("on")
	datapath = UUID("datapath " + r.word())
	r.literal("port")
	return datapath, UUID("port " + r.word())
}

func advertisedRow(s *Story, r *reader) {
	name := r.word()
	if r.gone() {
		delete(s.native.routes, name)
		return
	}
	row := &observe.AdvertisedRoute{UUID: UUID("advertised " + name)}
	row.Datapath, row.LogicalPort = r.place()
	r.literal("prefix")
	row.Prefix = r.word()
	if r.more() {
		r.literal("tracked")
		row.Tracked = UUID("port " + r.word())
	}
	s.native.routes[name] = row
}

func learnedRow(s *Story, r *reader) {
	name := r.word()
	if r.gone() {
		delete(s.native.learned, name)
		return
	}
	row := &observe.LearnedRoute{UUID: UUID("learnedrow " + name)}
	row.Datapath, row.LogicalPort = r.place()
	r.literal("prefix")
	row.Prefix = r.word()
	r.literal("via")
	row.NextHop = r.word()
	s.native.learned[name] = row
}

func macRow(s *Story, r *reader) {
	name := r.word()
	if r.gone() {
		delete(s.native.macs, name)
		return
	}
	row := &observe.AdvertisedMAC{UUID: UUID("macrow " + name)}
	row.Datapath, row.LogicalPort = r.place()
	r.literal("ip")
	row.IP = r.word()
	r.literal("mac")
	row.MAC = r.word()
	s.native.macs[name] = row
}

// learnedPath adds or withdraws a unicast path: PREFIX via HOP[,LINKLOCAL] peer PEER.
func learnedPath(s *Story, r *reader) {
	s.routes()
	p := observe.LearnedPath{Prefix: r.prefix()}
	r.literal("via")
	hop, local, two := strings.Cut(r.word(), ",")
	var err error
	p.NextHop, err = netip.ParseAddr(hop)
	r.check(err)
	if two {
		p.LinkLocal, err = netip.ParseAddr(local)
		r.check(err)
	}
	r.literal("peer")
	p.Peer = r.word()
	at := [2]string{p.Prefix.String(), p.Peer}
	if r.gone() {
		delete(s.native.paths, at)
		return
	}
	s.native.paths[at] = p
}

func (r *reader) prefix() netip.Prefix {
	p, err := netip.ParsePrefix(r.word())
	r.check(err)
	return p
}

// pathList are the unicast paths in their order.
func (n *native) pathList() (out []observe.LearnedPath) {
	out = slices.Collect(maps.Values(n.paths))
	sorting.Sort(out, func(a, b observe.LearnedPath) int {
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
			return c
		}
		if a.Prefix.Bits() != b.Prefix.Bits() {
			return a.Prefix.Bits() - b.Prefix.Bits()
		}
		return strings.Compare(a.Peer, b.Peer)
	})
	return out
}

func watchedRoute(s *Story, r *reader) {
	w := observe.TableRoute{Dst: r.prefix()}
	r.literal("table")
	w.Table = uint32(r.number(32))
	r.literal("proto")
	w.Protocol = uint8(r.number(8))
	if r.more() && r.words[0] == "via" {
		r.word()
		var err error
		w.Via, err = netip.ParseAddr(r.word())
		r.check(err)
	}
	same := func(o observe.TableRoute) bool { return o == w }
	list := slices.DeleteFunc(slices.Clone(s.native.watched), same)
	if !r.gone() {
		list = append(list, w)
	}
	s.native.watched = list
}

// rows adds the rows of the Southbound database.
func (n *native) rows(raw *observe.Southbound) {
	if n.northd != "" {
		raw.Global = map[string]string{"northd_internal_version": n.northd}
	}
	for _, c := range raw.Chassis {
		maps.Copy(c.OtherConfig, n.other[c.Name])
	}
	raw.Advertised = slices.Collect(maps.Values(n.routes))
	raw.Learned = slices.Collect(maps.Values(n.learned))
	raw.MACs = slices.Collect(maps.Values(n.macs))
}

// devices adds what the node's network stack has.
func (n *native) devices(h *observe.Host) {
	h.Watched = slices.Clone(n.watched)
	for i := range h.Links {
		if master, ok := h.Link(n.masters[h.Links[i].Name]); ok {
			h.Links[i].Master = master.Index
		}
	}
}
