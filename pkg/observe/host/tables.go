package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// Refresh looks at the routing tables, and at the devices if notifications of
// them were lost. On an error what was known before stands.
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
	foreign, err := s.foreignTables(ctx)
	if err != nil {
		return fmt.Errorf("look for the routes of others: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables = mergeTables(names, foreign)
	if s.lost {
		err = s.readLinks(ctx)
	}
	s.publish()
	return err
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
	slices.SortStableFunc(tables, func(a, b observe.RoutingTable) int { return int(int64(a.ID) - int64(b.ID)) })
	return tables
}

// foreignTables returns the tables of the range that hold routes of others and
// none of ours.
func (s *Source) foreignTables(ctx context.Context) ([]uint32, error) {
	var foreign []uint32
	for table := s.cfg.TableRange[0]; table <= s.cfg.TableRange[1] && table != 0; table++ {
		ours, err := s.holds(ctx, table, s.cfg.Marks.RouteProtocol)
		if err != nil {
			return nil, fmt.Errorf("table %d: %w", table, err)
		}
		if ours {
			continue
		}
		others, err := s.holds(ctx, table, 0)
		if err != nil {
			return nil, fmt.Errorf("table %d: %w", table, err)
		}
		if others {
			foreign = append(foreign, table)
		}
	}
	return foreign, nil
}

// errFound ends a dump at the first row that answers the question: a table
// may hold the routes of the whole Internet.
var errFound = errors.New("found")

// holds reports whether a table has a route of the protocol; protocol 0 is any
// but the kernel's own, which only say that a device has an address.
func (s *Source) holds(ctx context.Context, table uint32, protocol uint8) (bool, error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, err := s.probe(ctx, family, table, protocol)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func (s *Source) probe(ctx context.Context, family uint8, table uint32, protocol uint8) (found bool, err error) {
	// A dump that is left early leaves its socket unusable, so the connection
	// is one for probing and is replaced when that happens.
	if s.prober == nil {
		if s.prober, err = rtnl.Dial(s.ns); err != nil {
			return false, err
		}
	}
	err = s.prober.Dump(ctx, func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETROUTE, 0, family, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0)
		q.Uint32(unix.RTA_TABLE, table)
	}, func() {}, func(m rtnl.Message) error {
		if h, _, ok := m.Header(unix.SizeofRtMsg); ok && h[5] != unix.RTPROT_KERNEL {
			return errFound
		}
		return nil
	})
	switch {
	case errors.Is(err, errFound):
		found, err = true, s.prober.Close()
		s.prober = nil
		return found, err
	case errors.Is(err, unix.ENOENT), // nobody has used the table yet
		family == unix.AF_INET6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)):
		return false, nil
	case err != nil:
		// Where the exchange stopped is not known.
		err = errors.Join(err, s.prober.Close())
		s.prober = nil
		return false, err
	}
	return false, nil
}
