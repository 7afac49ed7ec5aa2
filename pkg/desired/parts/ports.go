package parts

import (
	"iter"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// selection is a list of ports that is kept up.
type selection struct {
	pass  uint64
	ports []*observe.PortBinding
}

// Select returns the ports that are of a kind, in the order of the snapshot: the same list as in
// the last pass if none of them has changed. name names the question, which must always be the same.
func (p *Pass) Select(name string, is func(*observe.PortBinding) bool) []*observe.PortBinding {
	if p.m == nil {
		return selected(p.ports.All(), is)
	}
	sel := p.m.selections[name]
	switch {
	case sel != nil && sel.pass == p.m.passes:
	case sel == nil || sel.pass != p.m.passes-1:
		sel = &selection{ports: selected(p.ports.All(), is)}
		p.m.selections[name] = sel
	default:
		sel.ports = replaced(sel.ports, selected(slices.Values(p.gone), is), selected(slices.Values(p.came), is))
	}
	sel.pass = p.m.passes
	return sel.ports
}

func selected(ports iter.Seq[*observe.PortBinding], is func(*observe.PortBinding) bool) []*observe.PortBinding {
	var out []*observe.PortBinding
	for row := range ports {
		if is(row) {
			out = append(out, row)
		}
	}
	return out
}

// replaced returns a sorted list without some rows and with others; the list itself, which is
// not changed, if there are none. The list is long and the others are few, so that what is
// between them is copied as it is.
func replaced(list, gone, came []*observe.PortBinding) []*observe.PortBinding {
	if len(gone)+len(came) == 0 {
		return list
	}
	out := make([]*observe.PortBinding, 0, max(0, len(list)-len(gone))+len(came))
	for len(gone)+len(came) > 0 {
		goes := len(came) == 0 || len(gone) > 0 && gone[0].LogicalPort <= came[0].LogicalPort
		next := came
		if goes {
			next = gone
		}
		at, there := slices.BinarySearchFunc(list, next[0].LogicalPort, byLogicalPort)
		out, list = append(out, list[:at]...), list[at:]
		if !goes {
			out, came = append(out, next[0]), came[1:]
			continue
		}
		if there {
			list = list[1:]
		}
		gone = gone[1:]
	}
	return append(out, list...)
}

func byLogicalPort(row *observe.PortBinding, name string) int {
	return strings.Compare(row.LogicalPort, name)
}

// groups are the ports of each datapath.
type groups struct {
	pass uint64
	on   map[observe.UUID][]*observe.PortBinding
}

// On returns the ports of a datapath, in the order of the snapshot: the same list as in the last
// pass if none of them has changed.
func (p *Pass) On(datapath observe.UUID) []*observe.PortBinding {
	if p.m == nil {
		if p.grouped == nil {
			p.grouped = grouped(p.ports.All())
		}
		return p.grouped[datapath]
	}
	if u := p.running; u != nil && asks(p.m.groupReaders, datapath, u) {
		u.say().datapaths = append(u.datapaths, datapath)
	}
	g := p.m.groups
	switch {
	case g != nil && g.pass == p.m.passes:
	case g == nil || g.pass != p.m.passes-1:
		g = &groups{on: grouped(p.ports.All())}
		p.m.groups = g
	default:
		gone, came := grouped(slices.Values(p.gone)), grouped(slices.Values(p.came))
		for datapath, rows := range gone {
			g.on[datapath] = replaced(g.on[datapath], rows, came[datapath])
		}
		for datapath, rows := range came {
			if _, done := gone[datapath]; !done {
				g.on[datapath] = replaced(g.on[datapath], nil, rows)
			}
		}
	}
	g.pass = p.m.passes
	return g.on[datapath]
}

// PortOf returns the port of that UUID.
func (p *Pass) PortOf(id observe.UUID) (*observe.PortBinding, bool) {
	if p.m == nil {
		if p.byUUID == nil {
			p.byUUID = byUUID(p.ports)
		}
		row, ok := p.byUUID[id]
		return row, ok
	}
	if u := p.running; u != nil && asks(p.m.uuidReaders, id, u) {
		u.say().uuids = append(u.uuids, id)
	}
	if p.m.byUUID == nil {
		p.m.byUUID = byUUID(p.ports)
	}
	row, ok := p.m.byUUID[id]
	return row, ok
}

func byUUID(ports rowlist.List[*observe.PortBinding]) map[observe.UUID]*observe.PortBinding {
	out := make(map[observe.UUID]*observe.PortBinding, ports.Len())
	for row := range ports.All() {
		out[row.UUID] = row
	}
	return out
}

func grouped(ports iter.Seq[*observe.PortBinding]) map[observe.UUID][]*observe.PortBinding {
	out := map[observe.UUID][]*observe.PortBinding{}
	for row := range ports {
		out[row.Datapath] = append(out[row.Datapath], row)
	}
	return out
}

// tally is a count that is kept up.
type tally[K comparable] struct {
	pass  uint64
	given any
	count map[K]int
}

// Tally counts what the ports list. given is what the question depends on beside the row: with
// another one everything is counted anew. The result must not be changed.
func Tally[K comparable](p *Pass, name string, given any, of func(*observe.PortBinding) []K) map[K]int {
	if p.m == nil {
		t := tally[K]{count: map[K]int{}}
		t.add(p.ports.All(), 1, of)
		return t.count
	}
	t, _ := p.m.tallies[name].(*tally[K])
	switch {
	case t != nil && t.pass == p.m.passes:
		return t.count
	case t == nil || t.pass != p.m.passes-1 || t.given != given:
		t = &tally[K]{given: given, count: map[K]int{}}
		p.m.tallies[name] = t
		t.add(p.ports.All(), 1, of)
	default:
		t.add(slices.Values(p.gone), -1, of)
		t.add(slices.Values(p.came), 1, of)
	}
	t.pass = p.m.passes
	return t.count
}

func (t *tally[K]) add(ports iter.Seq[*observe.PortBinding], n int, of func(*observe.PortBinding) []K) {
	for row := range ports {
		for _, k := range of(row) {
			if t.count[k] += n; t.count[k] == 0 {
				delete(t.count, k)
			}
		}
	}
}

// ByName is the name of a port for [Rows].
func ByName(row *observe.PortBinding) string { return row.LogicalPort }
