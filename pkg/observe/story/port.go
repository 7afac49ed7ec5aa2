package story

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The keys of external_ids that ports have words for.
const (
	idCIDRs  = "neutron:cidrs"
	idName   = "neutron:port_name"
	idScope4 = "neutron:subnet_pool_addr_scope4"
	idScope6 = "neutron:subnet_pool_addr_scope6"
)

// port tells of a new port of that type. Like a row of an old database, it is
// unbound and says nothing about up.
func port(kind string) func(*Story, *reader) {
	return func(s *Story, r *reader) {
		s.add(observe.PortBinding{Type: kind}, false, r)
	}
}

// routerPort tells of the router's half of a link, or of its chassisredirect
// row.
func routerPort(kind string) func(*Story, *reader) {
	return func(s *Story, r *reader) {
		s.add(observe.PortBinding{Type: kind}, true, r)
	}
}

// switchPort tells of the switch's half of a link to a router.
func switchPort(s *Story, r *reader) {
	s.add(observe.PortBinding{Type: observe.PortPatch, RawMAC: []string{"router"}}, false, r)
}

func (s *Story) add(p observe.PortBinding, router bool, r *reader) {
	p.LogicalPort = r.word()
	p.UUID = UUID("port " + p.LogicalPort)
	s.describe(&p, router, r)
	if r.err == nil {
		s.ports[p.LogicalPort] = &p
	}
}

// change tells what is different with a port now.
func change(s *Story, r *reader) {
	name := r.word()
	have, ok := s.ports[name]
	if !ok {
		r.fail("there is no port %q", name)
		return
	}
	p := *have // rows are shared with the snapshots told before
	p.Options, p.ExternalIDs = clone(p.Options), clone(p.ExternalIDs)
	s.describe(&p, false, r)
	if r.err == nil {
		s.ports[name] = &p
	}
}

func drop(s *Story, r *reader) {
	for _, name := range r.rest() {
		if _, ok := s.ports[name]; !ok {
			r.fail("there is no port %q", name)
		}
		delete(s.ports, name)
	}
}

// describe reads the words after a port's name.
func (s *Story) describe(p *observe.PortBinding, router bool, r *reader) {
	seen := map[string]bool{} // a word may come again; the first one on a line starts afresh
	for r.more() {
		w := r.word()
		switch w {
		case "on":
			s.place(p, r.word(), router)
		case "type":
			p.Type = r.word()
		case "mac":
			p.RawMAC = anew(p.RawMAC, seen[w], r.word())
		case "nat":
			p.RawNAT = anew(p.RawNAT, seen[w], r.word())
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

// keyed reads the words that stand for an entry of options or external_ids.
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
		r.fail("nothing known of %q", word)
	}
}

func optionWords() map[string]string {
	return map[string]string{
		"network": "network_name", "peer": "peer", "redirect": "chassis-redirect-port", "of": "distributed-port",
	}
}

func idWords() map[string]string {
	return map[string]string{"cidrs": idCIDRs, "name": idName, "scope4": idScope4, "scope6": idScope6}
}

// put sets an entry; an empty value removes it.
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

func (s *Story) place(p *observe.PortBinding, name string, router bool) {
	p.Datapath = UUID("datapath " + name)
	s.datapaths[name] = s.datapaths[name] || router
}

// anew appends to the list, or begins a new one with the first word of a line;
// an empty word stands for an empty list.
func anew(list []string, again bool, word string) []string {
	if !again {
		list = nil
	}
	if word == "" {
		return list
	}
	return append(list, word)
}

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
