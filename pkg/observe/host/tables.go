package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// Refresh reads the routing tables, and at the devices if notifications of
// them were lost. On an error the previous state stays in force.
func (s *Source) Refresh(ctx context.Context) error {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	names, problems, err := tableNames(s.cfg.RtTablesPaths)
	for _, p := range problems {
		s.log.Warn("line in the names of routing tables is skipped", "problem", p)
	}
	if err != nil {
		return fmt.Errorf("read the names of routing tables: %w", err)
	}
	s.dropOwnTables()
	tables := slices.Clone(s.inspected)
	for t := s.cfg.TableRange[0]; t <= s.cfg.TableRange[1] && t != 0; t++ {
		tables = append(tables, t)
	}
	foreign, err := s.foreignAmong(ctx, tables)
	if err != nil {
		return fmt.Errorf("read the routes of other owners: %w", err)
	}
	gateways, err := s.readGateways(ctx)
	if err != nil {
		return err
	}
	if _, err := s.readWatched(ctx); err != nil {
		return err
	}
	s.names, s.foreign = names, foreign
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gateways = gateways
	s.tables = mergeTables(names, foreign)
	if s.lost {
		err = s.readLinks(ctx)
	}
	s.publish()
	return err
}

// InspectTables finds out whether tables outside the range hold routes of others, and
// reports whether it had to: once inspected, Refresh keeps it up to date until a VRF of
// ours has the table.
func (s *Source) InspectTables(ctx context.Context, tables []uint32) (bool, error) {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	ours := s.dropOwnTables()
	var fresh []uint32
	for _, t := range tables {
		inRange := t >= s.cfg.TableRange[0] && t <= s.cfg.TableRange[1]
		if !inRange && !ours[t] && !slices.Contains(s.inspected, t) && !slices.Contains(fresh, t) {
			fresh = append(fresh, t)
		}
	}
	if len(fresh) == 0 {
		return false, nil
	}
	foreign, err := s.foreignAmong(ctx, fresh)
	if err != nil {
		return false, fmt.Errorf("read the routes of other owners: %w", err)
	}
	s.inspected, s.foreign = append(s.inspected, fresh...), append(s.foreign, foreign...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables = mergeTables(s.names, s.foreign)
	s.publish()
	return true, nil
}

// dropOwnTables forgets tables that a VRF of ours has, and returns those. What others put into them from
// then on goes into our VRF, whether we know of it or not.
func (s *Source) dropOwnTables() (ours map[uint32]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ours = map[uint32]bool{}
	for _, l := range s.links {
		if l.Table != 0 && l.Ours {
			ours[l.Table] = true
		}
	}
	s.inspected = slices.DeleteFunc(s.inspected, func(t uint32) bool { return ours[t] })
	return ours
}

// mergeTables lists every table that has a name or is foreign, by number. A
// table with several names is listed once for each.
func mergeTables(names []observe.RoutingTable, foreign []uint32) []observe.RoutingTable {
	tables := slices.Clone(names)
	for _, id := range foreign {
		named := false
		for i := range tables {
			if tables[i].ID == id {
				tables[i].Foreign, named = true, true
			}
		}
		if !named {
			tables = append(tables, observe.RoutingTable{ID: id, Foreign: true})
		}
	}
	sorting.Stable(tables, func(a, b observe.RoutingTable) int { return int(int64(a.ID) - int64(b.ID)) })
	return tables
}

// foreignAmong returns the tables that hold routes of others and none of ours.
func (s *Source) foreignAmong(ctx context.Context, tables []uint32) ([]uint32, error) {
	var foreign []uint32
	for _, table := range tables {
		some, err := s.hasRoutes(ctx, table, 0) // first, because most tables are empty
		if err != nil {
			return nil, fmt.Errorf("table %d: %w", table, err)
		}
		if !some {
			continue
		}
		ours, err := s.hasRoutes(ctx, table, s.cfg.RouteProtocol)
		if err != nil {
			return nil, fmt.Errorf("table %d: %w", table, err)
		}
		if !ours {
			foreign = append(foreign, table)
		}
	}
	return foreign, nil
}

// errFound ends a dump at the first row that answers the question: a table
// may hold the routes of the whole Internet.
var errFound = errors.New("found")

// hasRoutes reports whether a table has a route of the protocol; protocol 0 is any
// but the kernel's own, which only say that a device has an address.
func (s *Source) hasRoutes(ctx context.Context, table uint32, protocol uint8) (bool, error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, err := s.probe(ctx, family, table, protocol)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func (s *Source) probe(ctx context.Context, family uint8, table uint32, protocol uint8) (found bool, err error) {
	err = s.dumpTable(ctx, family, table, protocol, func() {}, func(m rtnl.Message) error {
		h, _, err := m.Route()
		if err == nil && h.Protocol != unix.RTPROT_KERNEL {
			return errFound
		}
		return err
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// dialProber opens the connection for dumps that may be left early: that leaves its socket unusable,
// and it is replaced then.
func (s *Source) dialProber() (err error) {
	if s.prober == nil {
		s.prober, err = rtnl.Dial(s.ns)
	}
	return err
}

// dumpTable asks for the routes of a table and family, of one protocol unless that is
// 0. A row that answers the question returns errFound, which ends the dump and is
// returned.
func (s *Source) dumpTable(ctx context.Context, family uint8, table uint32, protocol uint8, reset func(),
	row func(rtnl.Message) error,
) (err error) {
	if err := s.dialProber(); err != nil {
		return err
	}
	err = s.prober.Dump(ctx, func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETROUTE, 0, rtnl.RtMsg{Family: family, Protocol: protocol})
		q.Uint32(unix.RTA_TABLE, table)
	}, reset, row)
	switch {
	// IPv4 makes a table with its first route and answers ENOENT before; IPv6
	// answers the same under strict checking (inet6_dump_fib).
	case errors.Is(err, unix.ENOENT), // the table never had a route
		family == unix.AF_INET6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)):
		return nil
	case err != nil:
		// Where the exchange stopped is not known.
		err = errors.Join(err, s.prober.Close())
		s.prober = nil
	}
	return err
}
