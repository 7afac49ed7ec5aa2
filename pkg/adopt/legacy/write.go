package legacy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Handles reports whether the change is about an object of this package, and not
// one for a backend.
func Handles(c object.Change) bool {
	for _, v := range []object.Value{c.Before, c.After} {
		switch v.(type) {
		case Rule, Route, Device, Released, Learned:
			return true
		}
	}
	return false
}

// Apply performs one change. Deleting what is gone succeeds, and making what exists. A
// route becomes ours, or the predecessor's again, in one message that replaces it in
// place: at no moment is it missing.
func (k *Kernel) Apply(c object.Change, protocol uint8) error {
	switch after := c.After.(type) {
	case Rule:
		if err := k.nl.RuleAdd(after.netlink()); !errors.Is(err, unix.EEXIST) {
			return err
		}
		return nil
	case Route:
		return k.handBack(c.Before, after)
	case Released:
		l, err := k.nl.LinkByName(after.Name)
		if err == nil {
			err = k.nl.LinkSetAlias(l, "")
		}
		return gone(err)
	}
	switch before := c.Before.(type) {
	case Learned:
		if c.After != nil {
			return fmt.Errorf("FRR's own route is not changed: %s", c.Key().Text())
		}
		return gone(k.nl.RouteDel(&netlink.Route{ // by whatever next hops it has now
			Family: familyOf(before.Dst.Addr()), Table: int(before.Table), Dst: ipNet(before.Dst), Priority: int(before.Metric),
			Protocol: unix.RTPROT_BGP, Scope: netlink.SCOPE_NOWHERE,
		}))
	case Rule:
		return gone(k.nl.RuleDel(before.netlink()))
	case Device:
		l, err := k.nl.LinkByName(before.Name)
		if err == nil && l.Type() == before.Type {
			err = k.nl.LinkDel(l)
		}
		return gone(err)
	case Route:
		if c.After == nil {
			r, err := k.route(before.Route, before.Protocol)
			if err == nil {
				// RT_SCOPE_NOWHERE matches any: whoever made the route chose.
				r.Scope, r.Flags = netlink.SCOPE_NOWHERE, 0
				err = k.nl.RouteDel(r)
			}
			return gone(err)
		}
		return k.takeOver(before, c.After, protocol)
	default:
		return fmt.Errorf("%s is not the predecessor's", c.Key().Text())
	}
}

// takeOver writes the wanted route over the predecessor's. Between reading and
// writing lie milliseconds in which a third party could have put its own there;
// reading again each time would cost a dump of the table for every route of it.
func (k *Kernel) takeOver(before Route, want object.Value, protocol uint8) error {
	ours, ok := want.(object.Route)
	if !ok || ours.Key() != before.Key() {
		return fmt.Errorf("an update cannot change a key: %s", want.Key().Text())
	}
	r, err := k.route(ours, protocol)
	if err != nil {
		return err
	}
	return k.nl.RouteReplace(r)
}

// handBack gives a route of ours the protocol with which the predecessor makes its own.
func (k *Kernel) handBack(before object.Value, after Route) error {
	ours, ok := before.(object.Route)
	if !ok || ours != after.Route {
		return fmt.Errorf("only what is as it was can be handed back: %s", after.Key().Text())
	}
	r, err := k.route(after.Route, after.Protocol)
	if err != nil {
		return err
	}
	return k.nl.RouteReplace(r)
}

func (r Rule) netlink() *netlink.Rule {
	n := netlink.NewRule()
	n.Family, n.Priority, n.Table, n.Protocol = familyOf(r.To.Addr()), int(r.Priority), int(r.Table), r.protocol
	n.Dst = ipNet(r.To)
	return n
}

// route writes r as the kernel backend does: see routeToRequest there.
func (k *Kernel) route(r object.Route, protocol uint8) (*netlink.Route, error) {
	l, err := k.nl.LinkByName(r.Dev)
	if err != nil {
		return nil, fmt.Errorf("find device: %w", err)
	}
	n := &netlink.Route{
		Family: familyOf(r.Dst.Addr()), Table: int(r.Table), Dst: ipNet(r.Dst), Priority: int(r.Metric),
		LinkIndex: l.Attrs().Index, Protocol: netlink.RouteProtocol(protocol), Scope: netlink.SCOPE_UNIVERSE,
	}
	switch {
	case r.Via.IsValid():
		n.Gw = r.Via.AsSlice()
		if object.OnLink(r.Via) {
			n.Flags = int(netlink.FLAG_ONLINK)
		}
	case r.Dst.Addr().Is4():
		n.Scope = netlink.SCOPE_LINK
	}
	if r.Src.IsValid() {
		n.Src = r.Src.AsSlice()
	}
	return n, nil
}

func familyOf(a netip.Addr) int {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// gone turns the answers with which the kernel says that there is nothing to delete
// into success: a rule is ENOENT, a route ESRCH, a device ENODEV.
func gone(err error) error {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.ESRCH, unix.ENODEV} {
		if errors.Is(err, errno) {
			return nil
		}
	}
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil
	}
	return err
}
