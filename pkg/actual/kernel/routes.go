package kernel

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// readRoutes reads ours from all tables and everybody's from the tables in
// focus. As a rule it finds what the mirror has, so the first pass only
// compares, which is cheaper than building a set and leaves no garbage; the
// second is for when something has vanished.
func (b *Backend) readRoutes(ctx context.Context) error {
	have := b.mirror.set.Only(object.KindRoute)
	first := newRouteReader(b, have)
	if err := first.read(ctx); err != nil {
		return err
	}
	if first.same == have.Len() && !first.conflict {
		for _, it := range first.fresh.All() {
			b.mirror.put(it)
		}
		b.mirror.others, b.mirror.multiple = first.others, first.multiple
		return nil
	}
	second := newRouteReader(b, object.Set{})
	if err := second.read(ctx); err != nil {
		return err
	}
	b.mirror.set.Exchange(object.KindRoute, second.fresh)
	b.mirror.others, b.mirror.multiple = second.others, second.multiple
	return nil
}

func (b *Backend) ourRoute(r route) bool { return r.protocol == b.marks.RouteProtocol }

// routeOf is routeFromMessage with the protocol as part of the value, where it is one
// that routes of ours have for others to read. In the main table nobody reads ours.
func (b *Backend) routeOf(m rtnl.Message) (route, bool, error) {
	r, ok, err := routeFromMessage(m, &b.links)
	if b.marks.TableProtocol != 0 && r.protocol == b.marks.TableProtocol && r.Table != object.TableMain {
		r.Protocol = r.protocol
	}
	return r, ok, err
}

// deviation is what of a route is not as we write it.
func (b *Backend) deviation(r route) string {
	if !b.ourRoute(r) && r.Protocol == 0 {
		return protocols[r.protocol].Deviates
	}
	return r.extra
}

// routeItem is a route as it is shown to callers.
func (b *Backend) routeItem(r route) object.Item {
	it := object.Item{Value: r.Route, Marked: b.ourRoute(r)}
	switch {
	case !it.Marked && r.Protocol == 0:
		it.Found = &protocols[r.protocol]
	case r.extra != "":
		it.Found = &object.Found{Deviates: r.extra}
	}
	return it
}

// protocols has what is said of objects with the protocol of another owner. There may
// be very many of them, which share these.
var protocols = func() (out [256]object.Found) {
	for p := range out {
		out[p].Deviates = "protocol " + protocolName(uint8(p))
	}
	return out
}()

// routeReader goes once through all routes and sorts them into those that are
// in have as they are and the others.
type routeReader struct {
	b    *Backend
	have object.Set
	// same counts, fresh collects; conflict is set when one of the fresh has a
	// key that is in have.
	same     int
	fresh    object.Set
	conflict bool
	others   map[object.Key]uint8
	multiple map[object.Key]struct{}
}

func newRouteReader(b *Backend, have object.Set) *routeReader {
	return &routeReader{b: b, have: have, others: make(map[object.Key]uint8), multiple: make(map[object.Key]struct{})}
}

// read asks table by table and then by protocol: the kernel filters by either.
// What the tables have shown is skipped in the end.
func (r *routeReader) read(ctx context.Context) error {
	for _, family := range families {
		for _, table := range r.b.scope.tableList() {
			if err := r.dump(ctx, family, table, 0); err != nil {
				return fmt.Errorf("read routes of table %d: %w", table, err)
			}
		}
		if err := r.dump(ctx, family, 0, r.b.marks.RouteProtocol); err != nil {
			return fmt.Errorf("read our routes: %w", err)
		}
		if r.b.marks.TableProtocol == 0 {
			continue
		}
		if err := r.dump(ctx, family, 0, r.b.marks.TableProtocol); err != nil {
			return fmt.Errorf("read routes of protocol %d: %w", r.b.marks.TableProtocol, err)
		}
	}
	return nil
}

// dump reads the routes of one family, those of a table or (table 0) those of
// a protocol. An interrupted dump goes back to where it began.
func (r *routeReader) dump(ctx context.Context, family uint8, table uint32, protocol uint8) error {
	request := func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETROUTE, 0, rtnl.RtMsg{Family: family, Protocol: protocol})
		if table != 0 {
			q.Uint32(unix.RTA_TABLE, table)
		}
	}
	var rows []route
	same := 0
	err := r.b.dump(ctx, family, request, func() { rows, same = rows[:0], 0 }, func(m rtnl.Message) error {
		if table == 0 && r.shown(m) {
			return nil
		}
		row, ok, err := r.b.routeOf(m)
		switch {
		case err != nil:
			return err
		case !ok || table == 0 && has(r.b.scope.tables, row.Table):
		case table == 0 && !r.b.ourRoute(row) && row.Protocol == 0: // of the main table
		case r.unchanged(row):
			same++
		default:
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.same += same
	for _, row := range rows {
		r.add(row)
	}
	return nil
}

// shown reports from the header alone whether the route is in a table that has
// been read. Tables beyond 255 are named by an attribute and have number
// RT_TABLE_COMPAT here, which is also a table.
func (r *routeReader) shown(m rtnl.Message) bool {
	h, _, err := m.Route()
	if err != nil {
		return false
	}
	// Another routing daemon may have the whole Internet in the main table.
	others := h.Protocol != r.b.marks.RouteProtocol && h.Table == unix.RT_TABLE_MAIN
	return others || h.Table != unix.RT_TABLE_COMPAT && has(r.b.scope.tables, uint32(h.Table))
}

// unchanged reports whether the mirror has this very row.
func (r *routeReader) unchanged(row route) bool {
	have, ok := r.have.Get(row.Key())
	// Compared before an item is made of it, which would cost memory.
	if !ok || have.Marked != r.b.ourRoute(row) || have.Value != object.Value(row.Route) ||
		have.Deviates() != r.b.deviation(row) || have.Overridden() != "" {
		return false
	}
	if !have.Marked {
		r.others[row.Key()] = row.protocol
	}
	return true
}

// add adds a row that the mirror does not have. Of several under one key
// ours is the one to show, and of those the first, which is in force.
func (r *routeReader) add(row route) {
	if row.unresolved {
		// The device came after the links were read.
		r.b.invalidate(partLinks|partRoutes, false)
	}
	k, ours := row.Key(), r.b.ourRoute(row)
	if !ours {
		r.others[k] = row.protocol
	}
	r.conflict = r.conflict || r.have.Has(k)
	have, twice := r.fresh.Get(k)
	if twice {
		r.multiple[k] = struct{}{}
	}
	switch {
	case !twice:
		r.fresh.Put(r.b.routeItem(row))
	case ours && !have.Marked:
		// The kernel lists what is in force first.
		it := r.b.routeItem(row)
		it.Found = &object.Found{
			Deviates: it.Deviates(), Overridden: object.Text(have.Value) + " (" + have.Deviates() + ", comes first)",
		}
		r.fresh.Put(it)
	}
	r.b.mirror.onDevices(row.Route)
}

// routeChanged applies a notification. The FIB may hold several entries under
// one of our keys (appended ones, IPv6 entries that differ in the next hop);
// where a notification does not say which of them is in force now, the routes
// are read again.
// RTM_DELROUTE of an IPv4 entry is not followed by RTM_NEWROUTE for the next one under
// the key, which is in force from then on.
func (b *Backend) routeChanged(m rtnl.Message) error {
	row, ok, err := b.routeOf(m)
	ours := ok && b.ourRoute(row)
	if !ok || err != nil || !ours && !has(b.scope.tables, row.Table) {
		return err
	}
	k := row.Key()
	have, there := b.mirror.set.Get(k)
	report := ours || have.Marked || b.scope.wants(k) || b.scope.wantsBeside(row.Route)
	it := b.routeItem(row)
	same := there && have.SameFound(it)
	if report && !same == (m.Type == unix.RTM_NEWROUTE) {
		b.culprits.blame(k)
	}
	switch {
	case b.flight.has(k) && ours && b.flight.leadsTo(row.Route, m.Type == unix.RTM_NEWROUTE):
	case b.flight.has(k), row.unresolved, has(b.mirror.multiple, k):
		b.invalidate(partLinks|partRoutes, report)
	case m.Type == unix.RTM_DELROUTE && same:
		b.mirror.remove(k)
		delete(b.mirror.others, k)
		b.unreported = b.unreported || report
	case same, m.Type == unix.RTM_DELROUTE && !there:
		// We know already.
	case m.Type == unix.RTM_NEWROUTE && (!there || m.Flags&unix.NLM_F_REPLACE != 0):
		b.mirror.put(it)
		if !ours {
			b.mirror.others[k] = row.protocol
		} else {
			delete(b.mirror.others, k)
		}
		b.unreported = b.unreported || report
	default:
		// A second one under the key, or the end of one that was never seen.
		b.invalidate(partRoutes, report)
	}
	return nil
}
