package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// mostOwnRoutes bounds how many routes of ovn-controller a table may have: far more than one
// node announces.
const mostOwnRoutes = 1 << 17

// watchedShare and longestPause bound what following costs where tables change all the time: a pause
// is so many times as long as the reading before it, but not so long that anybody waits for it.
const (
	watchedShare = 5
	longestPause = 2 * time.Second
)

// watching are the routing tables that ovn-controller watches. Refresh guards it, but for
// the last two, which mu guards.
type watching struct {
	tables []uint32
	// notifications are nil until the first table is watched; done is closed when their goroutine
	// has ended.
	notifications *rtnl.Watch
	done          chan struct{}
	// unread are the tables of which the last reading failed.
	unread []uint32
	routes []watchedRoute
}

// watchedRoute is one next hop of a route in a watched table.
type watchedRoute struct {
	table    uint32
	protocol uint8
	gateway
}

// WatchTables follows the routes of others in these tables, and no longer those of earlier ones. It
// reports whether that made a new state.
func (s *Source) WatchTables(ctx context.Context, tables []uint32) (bool, error) {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	tables = slices.Clone(tables)
	slices.Sort(tables)
	tables = slices.Compact(tables)
	if slices.Equal(tables, s.watching.tables) && len(s.watching.unread) == 0 {
		return false, nil
	}
	if err := s.listenForRoutes(tables); err != nil {
		return false, err
	}
	s.watching.tables = tables
	return s.readWatched(ctx)
}

// listenForRoutes has the kernel tell of changes in these tables. The caller holds refresh.
func (s *Source) listenForRoutes(tables []uint32) (err error) {
	w := &s.watching
	if w.notifications == nil {
		if len(tables) == 0 {
			return nil
		}
		// A device that goes takes its IPv4 routes along without notifying of them.
		w.notifications, err = rtnl.Listen(s.ns, routesQueue, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_ROUTE,
			unix.RTNLGRP_IPV6_ROUTE)
		if err != nil {
			return fmt.Errorf("watch routing tables: %w", err)
		}
		w.done = make(chan struct{})
		go s.followRoutes(w.notifications, w.done)
	}
	return w.notifications.Restrict(rtnl.Filter{Tables: tables})
}

// followRoutes reads the watched tables again whenever something has changed in them, until the
// source is closed. What comes while they are read is answered by the next reading.
func (s *Source) followRoutes(notifications *rtnl.Watch, done chan struct{}) {
	defer close(done)
	for {
		if err := notifications.Wait(); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				s.log.Error("notifications of routes have ended; changes in tables of OVN's routers are seen by audits only",
					"error", err)
			}
			return
		}
		if _, err := notifications.Drain(func(rtnl.Message) error { return nil }); err != nil {
			// Nothing is missed: the tables are read whole.
			s.log.Debug("notifications of routes were lost", "error", err)
		}
		s.refresh.Lock()
		began := time.Now()
		if _, err := s.readWatched(context.Background()); err != nil {
			s.log.Warn("routing tables of OVN's routers cannot be read; using what was read last", "err", err)
		}
		s.refresh.Unlock()
		pause := time.NewTimer(min(watchedShare*time.Since(began), longestPause))
		select {
		case <-pause.C:
		case <-s.done: // the source is closed
			pause.Stop()
		}
	}
}

// readWatched reads the watched tables. Of those that cannot be read the last known routes stay, and
// the state says so. The caller holds refresh.
func (s *Source) readWatched(ctx context.Context) (bool, error) {
	var routes []watchedRoute
	var unread []uint32
	var errs []error
	if len(s.watching.tables) > 0 {
		// A device that is said to be down may have its routes still.
		err := s.dialProber()
		if err == nil {
			err = s.prober.Settle(ctx)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, table := range s.watching.tables {
		found, err := s.routesOfOthers(ctx, table)
		if err != nil {
			errs = append(errs, fmt.Errorf("read routing table %d: %w", table, err))
			unread = append(unread, table)
			found = slices.DeleteFunc(slices.Clone(s.watching.routes), func(r watchedRoute) bool { return r.table != table })
		}
		routes = append(routes, found...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching.routes, s.watching.unread = routes, unread
	before := s.state
	s.publish()
	return s.state != before, errors.Join(errs...)
}

// routesOfOthers are the routes of a table that ovn-controller wrote or would learn.
func (s *Source) routesOfOthers(ctx context.Context, table uint32) (all []watchedRoute, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		var own, others []watchedRoute
		err := s.dumpTable(ctx, family, table, observe.ProtocolOVN, func() { own = nil }, func(m rtnl.Message) error {
			if len(own) >= mostOwnRoutes {
				return fmt.Errorf("more than %d routes of ovn-controller", mostOwnRoutes)
			}
			dst, err := destination(m)
			own = append(own, watchedRoute{table: table, protocol: observe.ProtocolOVN, gateway: gateway{dst: dst}})
			return err
		})
		if err != nil {
			return nil, err
		}
		rows := 0
		err = s.dumpTable(ctx, family, table, 0, func() { others, rows = nil, 0 }, func(m rtnl.Message) error {
			if rows++; rows > mostRoutes {
				return errFound
			}
			h, _, err := m.Route()
			if err != nil || h.Protocol == observe.ProtocolOVN {
				return err
			}
			hops, err := gatewaysFromMessage(m, s.cfg.TableProtocol)
			for _, g := range hops {
				others = append(others, watchedRoute{table: table, protocol: h.Protocol, gateway: g})
			}
			return err
		})
		if err != nil && !errors.Is(err, errFound) {
			return nil, err
		}
		all = append(append(all, own...), others...)
	}
	return all, nil
}

// destination is that of a route; one without RTA_DST is a default route.
func destination(m rtnl.Message) (netip.Prefix, error) {
	h, attrs, err := m.Route()
	if err != nil {
		return netip.Prefix{}, err
	}
	dst := netip.IPv4Unspecified()
	if h.Family == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	for attrs.Next() {
		if attrs.Type == unix.RTA_DST {
			dst = attrs.Addr()
		}
	}
	prefix, wrong := rtnl.Prefix(dst, h.DstLen)
	return prefix.Masked(), errors.Join(attrs.Err(), wrong)
}

// watchedList names the devices of the watched routes, in the order of a listing. The caller holds mu.
func (s *Source) watchedList() []observe.TableRoute {
	var out []observe.TableRoute
	for _, r := range s.watching.routes {
		one := observe.TableRoute{Table: r.table, Dst: r.dst, Protocol: r.protocol, Via: r.via}
		if l, ok := s.links[r.index]; ok {
			one.Dev = l.Name
		}
		out = append(out, one)
	}
	sorting.Sort(out, func(a, b observe.TableRoute) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), object.ComparePrefix(a.Dst, b.Dst), cmp.Compare(a.Protocol, b.Protocol),
			a.Via.Compare(b.Via), cmp.Compare(a.Dev, b.Dev))
	})
	return slices.Compact(out)
}
