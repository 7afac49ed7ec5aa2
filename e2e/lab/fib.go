package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// NextHop is one way out of the tor. The link is what tells chassis apart: to
// an IPv6 prefix the kernel goes by a link-local address.
type NextHop struct {
	Link string // named like the chassis at its other end
	Addr netip.Addr
}

// RouteEvent is one change of the tor's kernel routes by BGP.
type RouteEvent struct {
	At        time.Time // when this process heard of it
	Withdrawn bool
	Prefix    netip.Prefix
	NextHops  []NextHop // after an announcement, sorted by link
}

// String is the event in one line, like a step of a plan.
func (e RouteEvent) String() string {
	if e.Withdrawn {
		return "- " + e.Prefix.String()
	}
	return "+ " + e.Prefix.String() + " to " + strings.Join(linksOf(e.NextHops), " ")
}

// FIB is what zebra installed in the kernel from BGP.
func (f *FRR) FIB() (map[netip.Prefix][]NextHop, error) {
	fib := make(map[netip.Prefix][]NextHop)
	err := f.links(func(h *netlink.Handle) error {
		names, err := linkNames(h)
		if err != nil {
			return err
		}
		filter := &netlink.Route{Protocol: unix.RTPROT_BGP, Table: unix.RT_TABLE_MAIN}
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			routes, err := h.RouteListFiltered(family, filter, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
			if err != nil {
				return fmt.Errorf("list routes: %w", err)
			}
			for _, r := range routes {
				fib[prefixOf(r)] = nextHops(r, names)
			}
		}
		return nil
	})
	return fib, err
}

// WatchRoutes tells every change from now on, within microseconds of the
// kernel's own message. The channel closes when ctx ends; it must be read.
func (f *FRR) WatchRoutes(ctx context.Context) (<-chan RouteEvent, error) {
	var names map[int]string
	err := f.links(func(h *netlink.Handle) (err error) {
		names, err = linkNames(h)
		return err
	})
	if err != nil {
		return nil, err
	}
	updates := make(chan netlink.RouteUpdate, 1024)
	// Large: an event that does not fit is lost without a word.
	options := netlink.RouteSubscribeOptions{Namespace: &f.ns, ReceiveBufferSize: 8 << 20, ReceiveBufferForceSize: true}
	if err := netlink.RouteSubscribeWithOptions(updates, ctx.Done(), options); err != nil {
		return nil, fmt.Errorf("watch routes of %s: %w", f.Name, err)
	}
	events := make(chan RouteEvent, 1024)
	go func() {
		defer close(events)
		for u := range updates {
			e := RouteEvent{At: time.Now(), Withdrawn: u.Type == unix.RTM_DELROUTE, Prefix: prefixOf(u.Route)}
			if u.Protocol != unix.RTPROT_BGP {
				continue
			}
			if !e.Withdrawn {
				e.NextHops = nextHops(u.Route, names)
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
	}()
	return events, nil
}

// WaitRoute waits until the kernel of the tor sends a prefix to exactly these
// chassis, and returns when it learnt that. No chassis: until the route is gone.
func (t *Tor) WaitRoute(ctx context.Context, prefix netip.Prefix, to ...*Chassis) (time.Time, error) {
	ctx, cancel := harness.WithPatience(ctx)
	defer cancel()
	// Watch first, then look: the other way round a change between is missed.
	events, err := t.WatchRoutes(ctx)
	if err != nil {
		return time.Time{}, err
	}
	want := make([]string, 0, len(to))
	for _, c := range to {
		want = append(want, c.Name)
	}
	slices.Sort(want)
	for at := time.Now(); ; {
		fib, err := t.FIB()
		if err != nil {
			return time.Time{}, err
		}
		have := linksOf(fib[prefix])
		if slices.Equal(have, want) {
			return at, nil
		}
		e, ok := <-events
		if !ok {
			return time.Time{}, fmt.Errorf("wait for %s to %v at %s: %w; it goes to %v", prefix, want, t.Name, ctx.Err(), have)
		}
		at = e.At
	}
}

// linksOf are the names of the links, sorted as the next hops are.
func linksOf(hops []NextHop) []string {
	links := make([]string, 0, len(hops))
	for _, h := range hops {
		links = append(links, h.Link)
	}
	return links
}

func linkNames(h *netlink.Handle) (map[int]string, error) {
	links, err := h.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	return names, nil
}

func prefixOf(r netlink.Route) netip.Prefix {
	if r.Dst == nil {
		return anywhere(addrOf(r.Gw))
	}
	bits, _ := r.Dst.Mask.Size()
	return netip.PrefixFrom(addrOf(r.Dst.IP), bits)
}

// nextHops are those of a route, also of the other family (RFC 5549).
func nextHops(r netlink.Route, names map[int]string) []NextHop {
	var hops []NextHop
	one := func(link int, gw net.IP, via netlink.Destination) {
		if v, ok := via.(*netlink.Via); ok && gw == nil {
			gw = v.Addr
		}
		hops = append(hops, NextHop{names[link], addrOf(gw)})
	}
	if len(r.MultiPath) == 0 {
		one(r.LinkIndex, r.Gw, r.Via)
	}
	for _, h := range r.MultiPath {
		one(h.LinkIndex, h.Gw, h.Via)
	}
	slices.SortFunc(hops, func(a, b NextHop) int { return strings.Compare(a.Link, b.Link) })
	return hops
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
