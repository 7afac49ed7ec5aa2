package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// foreignPrefix is what somebody else puts into the controller's table.
var foreignPrefix = netip.MustParsePrefix("198.18.0.1/32")

func (w *world) repairs(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	n := w.web.node
	traffic, err := newStream(w.web.addr, time.Millisecond)
	if err != nil {
		return err
	}
	if err := traffic.flow(ctx, 50); err != nil {
		return err
	}
	took, table, err := n.spoil(ctx, w.web.addr)
	if err != nil {
		return err
	}
	if err := traffic.flow(ctx, 50); err != nil {
		return err
	}
	w.say("on cmp-1 somebody adds route %s to table %d and deletes one of bgp-ovn's from it:", foreignPrefix, table)
	w.say("ip route del %s dev %s table %d -> it is back after %s", w.web.addr, bridge, table, short(took))
	sent, lost := traffic.stop(ctx)
	w.say("of %d datagrams to web, one a millisecond before, during and after, %d got lost", sent, lost)
	return n.spared()
}

// spared demands that the foreign route is there.
func (n *node) spared() error {
	return n.ns.Do(func() error {
		_, err := routeOn(uplink, foreignPrefix.Addr())
		return err
	})
}

// spoil deletes the controller's route to an address and adds a foreign one to
// its table. It returns how long the kernel was without the route.
func (n *node) spoil(ctx context.Context, addr netip.Addr) (took time.Duration, table int, err error) {
	updates, done := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	defer close(done)
	var gone time.Time
	err = n.ns.Do(func() error {
		r, err := routeOn(bridge, addr)
		if err != nil {
			return err
		}
		table = r.Table
		if err := intrude(table); err != nil {
			return err
		}
		if err := netlink.RouteSubscribe(updates, done); err != nil {
			return err
		}
		gone = time.Now()
		return netlink.RouteDel(&r)
	})
	if err != nil {
		return 0, table, err
	}
	for {
		select {
		case <-ctx.Done():
			return 0, table, fmt.Errorf("the route to %s does not come back: %w", addr, context.Cause(ctx))
		case u, open := <-updates:
			if !open {
				return 0, table, errors.New("lost track of the kernel's routes")
			}
			if u.Type == unix.RTM_NEWROUTE && u.Table == table && u.Dst.IP.Equal(addr.AsSlice()) {
				return time.Since(gone), table, nil
			}
		}
	}
}

// intrude adds a foreign route to the controller's table.
func intrude(table int) error {
	l, err := netlink.LinkByName(uplink)
	if err != nil {
		return err
	}
	r := netlink.Route{
		LinkIndex: l.Attrs().Index, Table: table, Dst: ipNet(foreignPrefix), Scope: netlink.SCOPE_LINK,
		Protocol: unix.RTPROT_STATIC,
	}
	if err := netlink.RouteAdd(&r); err != nil {
		return fmt.Errorf("add a foreign route: %w", err)
	}
	return nil
}

// forget removes the foreign route, which must be there.
func (n *node) forget() error {
	return n.ns.Do(func() error {
		r, err := routeOn(uplink, foreignPrefix.Addr())
		if err != nil {
			return err
		}
		return netlink.RouteDel(&r)
	})
}
