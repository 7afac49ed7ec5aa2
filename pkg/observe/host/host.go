// Package host is the source of [observe.Host]: the devices of this node and
// the routing tables that others use.
//
// It refuses to change anything and to know which of it matters (drivers do).
// Devices are followed by notification; routing tables are read on
// request, because nothing depends on them from one second to the next. When
// either cannot be read, the last known state stays in force and the error is reported:
// a failing dump is no reason to take an address away.
//
// Read next: links.go, then tables.go.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// Config is what to observe, and where.
type Config struct {
	// Netns is the path of a network namespace; empty is that of the calling
	// thread.
	Netns string
	// RtTablesPaths are files, or patterns of files, that name routing tables;
	// [RtTables] by default.
	RtTablesPaths []string
	// RouteProtocol is the rtm_protocol and Alias the IFLA_IFALIAS of what is ours;
	// without an alias no device is.
	RouteProtocol uint8
	Alias         string
	// TableProtocol is rtm_protocol of our routes in tables that [Source.WatchTables] is asked
	// for; 0 without any.
	TableProtocol uint8
	// TableRange is the first and the last table that may become ours. Only these,
	// and those that InspectTables was asked for, are searched for the routes of others.
	TableRange [2]uint32
	// VTEP is the device that VXLAN is sent from, if it is configured: its
	// addresses count even if nothing is connected through them.
	VTEP string
	// Queue is the size in bytes of the queue for notifications; 1 MiB by
	// default.
	Queue int
	// Logger receives what failed between two calls.
	Logger *slog.Logger
}

// RtTables are where iproute2 keeps the names of routing tables: the first two
// for the administrator, the others for the distribution.
func RtTables() []string {
	return []string{
		"/etc/iproute2/rt_tables",
		"/etc/iproute2/rt_tables.d/*.conf",
		"/usr/share/iproute2/rt_tables",
		"/usr/share/iproute2/rt_tables.d/*.conf",
		"/usr/lib/iproute2/rt_tables",
	}
}

// Source follows one network namespace.
type Source struct {
	cfg     Config
	log     *slog.Logger
	ns      *rtnl.Namespace
	watch   *rtnl.Watch
	changed chan struct{}
	done    chan struct{} // closed when the watching goroutine has ended

	// refresh serialises Refresh and InspectTables, which may take a while, and guards what
	// they need: names and foreign tables as they were found, and the tables that
	// InspectTables was asked for.
	refresh   sync.Mutex
	prober    *rtnl.Conn
	names     []observe.RoutingTable
	foreign   []uint32
	inspected []uint32
	watching  watching

	// mu guards the rest.
	mu    sync.Mutex
	conn  *rtnl.Conn
	links map[int]observe.Link
	// addrs have their place in the kernel's order; places is the next one.
	addrs        map[address]int
	nextPosition int
	tables       []observe.RoutingTable
	gateways     []gateway
	state        *observe.Host
	lost         bool // a notification was lost and the links have not been read again
	closed       bool
}

var _ observe.Source[*observe.Host] = (*Source)(nil)

// Open reads everything once and follows the devices from then on.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	if len(cfg.RtTablesPaths) == 0 {
		cfg.RtTablesPaths = RtTables()
	}
	if cfg.Queue == 0 {
		cfg.Queue = 1 << 20
	}
	ns, err := rtnl.OpenNamespace(cfg.Netns)
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg, log: cfg.Logger, ns: ns, changed: make(chan struct{}, 1), done: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("observe host: %w", err), s.release())
	}
	go s.follow()
	return s, nil
}

func (s *Source) open(ctx context.Context) (err error) {
	// Listening comes first: what changes while the links are read is notified.
	if s.watch, err = rtnl.Listen(s.ns, s.cfg.Queue, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR,
		unix.RTNLGRP_IPV6_IFADDR); err != nil {
		return err
	}
	if s.conn, err = rtnl.Dial(s.ns); err != nil {
		return err
	}
	if err := s.readLinks(ctx); err != nil {
		return err
	}
	return s.Refresh(ctx)
}

// Changed is signalled when Read may return something new.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Read returns the last state, without waiting.
func (s *Source) Read(context.Context) (*observe.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, nil
}

// publish makes a new state of links and tables, if it is one. The caller
// holds mu.
func (s *Source) publish() {
	links := make([]observe.Link, 0, len(s.links))
	for _, l := range s.links {
		links = append(links, l)
	}
	sorting.Sort(links, func(a, b observe.Link) int { return strings.Compare(a.Name, b.Name) })
	next := &observe.Host{
		Revision: 1, Links: links, Addresses: s.addresses(), Gateways: s.gatewayList(), Tables: s.tables,
		Watched: s.watchedList(), Unread: s.watching.unread,
	}
	if s.state != nil {
		if slices.Equal(s.state.Links, links) && slices.Equal(s.state.Addresses, next.Addresses) &&
			slices.Equal(s.state.Gateways, next.Gateways) && slices.Equal(s.state.Tables, s.tables) &&
			slices.Equal(s.state.Watched, next.Watched) && slices.Equal(s.state.Unread, next.Unread) {
			return
		}
		next.Revision = s.state.Revision + 1
	}
	s.state = next
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// follow applies notifications until the source is closed.
func (s *Source) follow() {
	defer close(s.done)
	for {
		if err := s.watch.Wait(); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				s.log.Error("notifications of devices have ended; devices are read by audits only from now on", "error", err)
			}
			return
		}
		s.mu.Lock()
		s.drain()
		s.mu.Unlock()
	}
}

// Close ends the watching and releases the sockets.
func (s *Source) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	err := s.watch.Close()
	<-s.done
	s.refresh.Lock() // one that is in progress runs to its end
	routes := s.watching
	s.watching.notifications = nil
	s.refresh.Unlock()
	if routes.notifications != nil {
		err = errors.Join(err, routes.notifications.Close())
		<-routes.done
	}
	s.refresh.Lock()
	defer s.refresh.Unlock()
	s.watch = nil
	return errors.Join(err, s.release())
}

func (s *Source) release() error {
	var errs []error
	if s.watch != nil {
		errs = append(errs, s.watch.Close())
	}
	for _, conn := range []*rtnl.Conn{s.conn, s.prober} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(append(errs, s.ns.Close())...)
}
