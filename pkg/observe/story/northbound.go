package story

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/nb"
)

// north is the Northbound database of a story.
type north struct {
	asked   bool     // it is read: snapshots have it
	without []string // routers that have no row
	nats    []nat
	stale   string
	rows    *observe.Northbound // of this revision, once a snapshot has needed them
}

// nat is a row of table NAT.
type nat struct{ router, kind, logical, external string }

// name is what the row is called in a story, and what its UUID is made of.
func (n nat) name() string { return n.router + " " + n.kind + " " + n.logical }

// northbound says that Northbound rows are read, and of which routers they are
// missing: databases may disagree for a moment.
func northbound(s *Story, r *reader) {
	s.north.asked, s.north.without = !r.gone(), nil
	if r.more() {
		r.literal("without")
		s.north.without = r.rest()
	}
}

// natRow adds a NAT row to a router, or removes all of its rows.
func natRow(s *Story, r *reader) {
	n := nat{router: r.word()}
	kept := slices.DeleteFunc(slices.Clone(s.north.nats), func(have nat) bool { return have.router == n.router })
	if r.gone() {
		s.north.nats = kept
		return
	}
	n.kind, n.logical, n.external = r.word(), r.word(), r.word()
	s.north.nats = append(slices.Clone(s.north.nats), n)
}

// northRows makes the rows of this revision; nil if they are not read. A router
// keeps its reference to a NAT row that is unreadable.
func (s *Story) northRows() (*observe.Northbound, error) {
	if !s.north.asked || s.north.rows != nil {
		return s.north.rows, nil
	}
	raw := &observe.Northbound{}
	for name, router := range s.datapaths {
		if router && !slices.Contains(s.north.without, name) {
			raw.Routers = append(raw.Routers, s.routerRow(name))
		}
	}
	for _, n := range s.north.nats {
		raw.NATs = append(raw.NATs, &observe.NAT{
			UUID: UUID("nat " + n.name()), Type: n.kind, LogicalIP: n.logical, ExternalIP: n.external,
		})
	}
	nb, err := reread(nb.Database, raw, "Logical_Router", "NAT")
	if err != nil {
		return nil, err
	}
	nb.Revision, nb.Stale = s.revision, s.north.stale
	for k, text := range s.bad {
		if k[0] == "NAT" {
			nb.BadRows = append(nb.BadRows, &observe.RowError{Table: k[0], Row: k[1], Err: errors.New(text)})
			nb.NATs = slices.DeleteFunc(nb.NATs, func(n *observe.NAT) bool { return n.UUID == UUID("nat "+k[1]) })
		}
	}
	slices.SortFunc(nb.BadRows, func(a, b *observe.RowError) int { return cmp.Compare(a.Row, b.Row) })
	s.north.rows = nb
	return nb, nil
}

// routerRow is a Logical_Router with the UUID that external_ids of the datapath
// names.
func (s *Story) routerRow(name string) *observe.LogicalRouter {
	row := &observe.LogicalRouter{UUID: UUID("northbound " + name), Name: "neutron-" + name}
	for _, n := range s.north.nats {
		if n.router == name {
			row.NAT = append(row.NAT, UUID("nat "+n.name()))
		}
	}
	return row
}

// say prints the lines of the Northbound database.
func (n north) say(say func(words ...string)) {
	switch {
	case n.asked && len(n.without) > 0:
		say("northbound without", strings.Join(n.without, " "))
	case n.asked:
		say("northbound")
	}
	for _, row := range n.nats {
		say("nat", row.router, row.kind, row.logical, row.external)
	}
	if n.stale != "" {
		say("stale nb", quote(n.stale))
	}
}
