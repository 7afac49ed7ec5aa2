package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"golang.org/x/sys/unix"
)

// Routes answers where this node's routes lead, by asking the kernel as it would
// ask itself for a packet of our own: rules, all tables, default routes included.
type Routes struct {
	log     *slog.Logger
	ns      *rtnl.Namespace
	watch   *rtnl.Watch
	changed chan struct{}
	done    chan struct{}

	mu   sync.Mutex // guards conn
	conn *rtnl.Conn
}

// OpenRoutes begins to listen for changes. Netns is the path of a network
// namespace; empty is that of the calling thread.
func OpenRoutes(netns string, log *slog.Logger) (*Routes, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ns, err := rtnl.OpenNamespace(netns)
	if err != nil {
		return nil, err
	}
	r := &Routes{log: log, ns: ns, changed: make(chan struct{}, 1), done: make(chan struct{})}
	if err := r.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("watch routes: %w", err), r.release())
	}
	go r.follow()
	return r, nil
}

// routesQueue need not be large: a notification that is lost wakes as well.
const routesQueue = 1 << 16

func (r *Routes) open() (err error) {
	// A device that goes down takes its IPv4 routes along without notifying of them.
	r.watch, err = rtnl.Listen(r.ns, routesQueue, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
		unix.RTNLGRP_NEXTHOP)
	if err != nil {
		return err
	}
	if r.conn, err = rtnl.Dial(r.ns); err != nil {
		return err
	}
	// Tables but the main one are ours or of another owner: that one bridge of 100,000
	// addresses has come up is no reason to ask again.
	return r.watch.Restrict(rtnl.Filter{Port: r.conn.Port(), Tables: []uint32{unix.RT_TABLE_MAIN}})
}

// RoutesChanged is signalled when NoRoute may return something else.
func (r *Routes) RoutesChanged() <-chan struct{} { return r.changed }

func (r *Routes) follow() {
	defer close(r.done)
	for {
		if err := r.watch.Wait(); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				r.log.Error("notifications of routes have ended; changes are seen by audits only from now on", "error", err)
			}
			return
		}
		if _, err := r.watch.Drain(func(rtnl.Message) error { return nil }); err != nil {
			r.log.Warn("notifications of routes were lost", "error", err)
		}
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
}

// NoRoute returns those of the addresses to which no route leads, or one that
// refuses (unreachable, blackhole, prohibit), in their order.
func (r *Routes) NoRoute(ctx context.Context, addrs []netip.Addr) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.conn.Settle(ctx); err != nil {
		return nil, err
	}
	var out []netip.Addr
	var b rtnl.Batch
	for len(addrs) > 0 {
		b.Reset()
		for n := 0; n < len(addrs) && !b.Full(); n++ {
			lookup(&b, addrs[n])
		}
		part := addrs[:b.Len()]
		addrs = addrs[b.Len():]
		reached := make([]bool, len(part))
		errs := make([]error, len(part))
		err := r.conn.Ask(ctx, &b, func(i int, m rtnl.Message) { reached[i] = reachesHost(m) }, func(i int, err *rtnl.Error) {
			if !isNoRoute(err) {
				errs[i] = fmt.Errorf("look up the route to %s: %w", part[i], err)
			}
		})
		if err = errors.Join(append(errs, err)...); err != nil {
			return nil, err
		}
		for i, addr := range part {
			if !reached[i] {
				out = append(out, addr)
			}
		}
	}
	return out, nil
}

// Without RTM_F_FIB_MATCH the kernel answers with the route for a packet, not with
// the entry of the table that matched (inet_rtm_getroute in net/ipv4/route.c).
func lookup(b *rtnl.Batch, addr netip.Addr) {
	b.Begin(unix.RTM_GETROUTE, unix.NLM_F_ACK, rtnl.RtMsg{Family: rtnl.FamilyOf(addr), DstLen: uint8(addr.BitLen())})
	b.Addr(unix.RTA_DST, addr)
}

// reachesHost separates routes to a host from others: a broadcast is no route to a VTEP.
// A local route is one to this node itself, whose VTEP may be among the addresses.
func reachesHost(m rtnl.Message) bool {
	h, _, err := m.Route()
	return err == nil && m.Type == unix.RTM_NEWROUTE && (h.Type == unix.RTN_UNICAST || h.Type == unix.RTN_LOCAL)
}

// isNoRoute separates the answer that there is no route from a failure to answer.
// The errno of a refusing route is that of its type (fib_props in
// net/ipv4/fib_semantics.c; IPv6 has the same in ip6_rt_type_to_error).
func isNoRoute(err error) bool {
	for _, no := range []unix.Errno{
		unix.ENETUNREACH, unix.EHOSTUNREACH, // none, unreachable
		unix.EINVAL, unix.EACCES, unix.EAGAIN, // blackhole, prohibit, throw
		unix.ENETDOWN, unix.EAFNOSUPPORT, unix.EOPNOTSUPP, // no such protocol here
	} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// Close ends the listening and releases the sockets.
func (r *Routes) Close() error {
	err := r.watch.Close()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch = nil
	return errors.Join(err, r.release())
}

func (r *Routes) release() error {
	var errs []error
	if r.watch != nil {
		errs = append(errs, r.watch.Close())
	}
	if r.conn != nil {
		errs = append(errs, r.conn.Close())
	}
	return errors.Join(append(errs, r.ns.Close())...)
}
