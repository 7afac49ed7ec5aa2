package story

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The keys of Port_Binding.external_ids that have a word of their own. Neutron
// writes them.
const (
	idCIDRs  = "neutron:cidrs"
	idName   = "neutron:port_name"
	idScope4 = "neutron:subnet_pool_addr_scope4"
	idScope6 = "neutron:subnet_pool_addr_scope6"
)

// port adds a port of that type. Like a row of an old schema, it is unbound and has
// no column up, which counts as up.
func port(kind string) func(*Story, *reader) {
	return func(s *Story, r *reader) {
		s.add(observe.PortBinding{Type: kind}, false, r)
	}
}

// routerPort adds a port of a router: its side of a link to a switch, or its
// chassisredirect row.
func routerPort(kind string) func(*Story, *reader) {
	return func(s *Story, r *reader) {
		s.add(observe.PortBinding{Type: kind}, true, r)
	}
}

// switchPort adds the switch's side of a link to a router. Its column mac has the
// word that OVN writes for such ports.
func switchPort(s *Story, r *reader) {
	s.add(observe.PortBinding{Type: observe.PortPatch, RawMAC: []string{"router"}}, false, r)
}

// add reads a new port. One of the same name is replaced.
func (s *Story) add(p observe.PortBinding, router bool, r *reader) {
	p.LogicalPort = r.word()
	p.UUID = UUID("port " + p.LogicalPort)
	s.describe(&p, router, r)
	if r.err == nil {
		s.ports[p.LogicalPort] = &p
	}
}

// change changes a port as an update of its row does: columns that are not given
// keep their values.
func change(s *Story, r *reader) {
	name := r.word()
	have, ok := s.ports[name]
	if !ok {
		r.fail("there is no port %q", name)
		return
	}
	p := *have // snapshots made before share the row
	p.Options, p.ExternalIDs = clone(p.Options), clone(p.ExternalIDs)
	s.describe(&p, false, r)
	if r.err == nil {
		s.ports[name] = &p
	}
}

// drop deletes ports.
func drop(s *Story, r *reader) {
	for _, name := range r.rest() {
		if _, ok := s.ports[name]; !ok {
			r.fail("there is no port %q", name)
		}
		delete(s.ports, name)
	}
}

// describe reads the words after a port's name. The words mac and nat may come
// several times, once for each element of the column; the first one on a line
// begins a new list. The elements are sorted, as OVSDB sorts sets.
func (s *Story) describe(p *observe.PortBinding, router bool, r *reader) {
	seen := map[string]bool{} // words of this line
	for r.more() {
		w := r.word()
		switch w {
		case "on":
			s.place(p, r.word(), router)
		case "type":
			p.Type = r.word()
		case "mac":
			p.RawMAC = extend(p.RawMAC, seen[w], r.word())
		case "nat":
			p.RawNAT = extend(p.RawNAT, seen[w], r.word())
		case "chassis":
			p.Chassis = chassisRef(r.word())
		case "additional":
			p.AdditionalChassis = nil
			if u := chassisRef(r.word()); !u.IsZero() {
				p.AdditionalChassis = []observe.UUID{u}
			}
		case "up", "down":
			p.Down = w == "down"
		case "parent":
			p.VirtualParent = r.word()
		case "tag":
			p.Tag = uint16(r.number(12))
		default:
			keyed(p, w, r)
		}
		seen[w] = true
	}
	slices.Sort(p.RawMAC)
	slices.Sort(p.RawNAT)
}

// keyed reads a word for an entry of options or external_ids: one of those below,
// or "option" or "id" and KEY=VALUE for any other.
func keyed(p *observe.PortBinding, word string, r *reader) {
	if key, ok := optionWords()[word]; ok {
		put(&p.Options, key, r.word())
		return
	}
	if key, ok := idWords()[word]; ok {
		put(&p.ExternalIDs, key, r.word())
		return
	}
	switch word {
	case "option":
		key, value := r.pair()
		put(&p.Options, key, value)
	case "id":
		key, value := r.pair()
		put(&p.ExternalIDs, key, value)
	default:
		r.fail("unknown word %q", word)
	}
}

// optionWords are the keys of Port_Binding.options with a word of their own.
func optionWords() map[string]string {
	return map[string]string{
		"network": "network_name", "peer": "peer", "redirect": "chassis-redirect-port", "of": "distributed-port",
	}
}

// idWords are the keys of Port_Binding.external_ids with a word of their own.
func idWords() map[string]string {
	return map[string]string{"cidrs": idCIDRs, "name": idName, "scope4": idScope4, "scope6": idScope6}
}

// put sets an entry of a map that may be nil; an empty value removes it.
func put(m *map[string]string, key, value string) {
	if value == "" {
		delete(*m, key)
		return
	}
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}

// place puts a port on a datapath, which exists from then on. It is a router's once
// a router port is on it.
func (s *Story) place(p *observe.PortBinding, name string, router bool) {
	p.Datapath = UUID("datapath " + name)
	s.datapaths[name] = s.datapaths[name] || router
}

// extend appends to the list, or begins a new one unless the line has begun it
// already; an empty word adds nothing.
func extend(list []string, again bool, word string) []string {
	if !again {
		list = nil
	}
	if word == "" {
		return list
	}
	return append(list, word)
}

// chassisRef is the reference to a chassis; none is an empty one, an unbound port.
func chassisRef(name string) observe.UUID {
	if name == "none" {
		return observe.UUID{}
	}
	return UUID("chassis " + name)
}

func clone(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
