package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// Survey is what an examination of the node wants to know of its network and no
// driver needs.
type Survey struct {
	// Devices are those of the namespace, by name.
	Devices []Device
	// Routes say by which device packets of our own leave, one for each address
	// asked for.
	Routes []RouteTo
	// L3mdev are the priorities of the rules that look up a VRF's table, of IPv4
	// and of IPv6. Nil means that there is none.
	L3mdev [2][]uint32
}

// Device is a network device as an examination needs it.
type Device struct {
	Name string
	// Type is IFLA_INFO_KIND; empty for hardware.
	Type string
	MTU  int
	// Ours says that it carries our alias.
	Ours bool
	// Table is that of a VRF.
	Table uint32
	// VNI and Port are those of a VXLAN device; IPv6 says that it is between
	// IPv6 addresses alone.
	VNI  uint32
	Port uint16
	IPv6 bool
	// Modes are settings of a VXLAN device that ours do not have. Devices share a
	// UDP port only if these are equal.
	Modes []string
}

// RouteTo is the route to an address, as the kernel resolves it for a packet of our
// own.
type RouteTo struct {
	Addr netip.Addr
	// Dev is the device, of one of the next hops if there are several; empty if no
	// route leads there.
	Dev string
	// MTU is that of the route in bytes; 0 if it is the device's.
	MTU int
}

// SurveyNetwork reads the devices, rules and routes of the network namespace of the
// calling thread once. Alias is that of our devices, to are the addresses whose
// routes are asked for.
func SurveyNetwork(ctx context.Context, alias string, to []netip.Addr) (s Survey, err error) {
	ns, err := rtnl.OpenNamespace("")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	conn, err := rtnl.Dial(ns)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	names, err := s.devices(ctx, conn, alias)
	if err != nil {
		return s, err
	}
	for i, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if s.L3mdev[i], err = l3mdevRules(ctx, conn, family); err != nil {
			return s, err
		}
	}
	return s, s.routesTo(ctx, conn, names, to)
}

func (s *Survey) devices(ctx context.Context, conn *rtnl.Conn, alias string) (names map[uint32]string, err error) {
	err = conn.Dump(ctx, linksRequest, func() { names, s.Devices = map[uint32]string{}, nil }, func(m rtnl.Message) error {
		h, attrs, err := m.Link()
		if err != nil || h.Family == unix.AF_BRIDGE {
			return err
		}
		d := deviceFromAttributes(&attrs, alias)
		names[h.Index] = d.Name
		s.Devices = append(s.Devices, d)
		return attrs.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	sorting.Sort(s.Devices, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	return names, nil
}

func deviceFromAttributes(attrs *rtnl.Attrs, alias string) (d Device) {
	for attrs.Next() {
		switch attrs.Type {
		case unix.IFLA_IFNAME:
			d.Name = attrs.Text()
		case unix.IFLA_MTU:
			d.MTU = int(attrs.Uint32())
		case unix.IFLA_IFALIAS:
			d.Ours = alias != "" && attrs.Text() == alias
		case unix.IFLA_LINKINFO:
			d.Table = vrfTable(attrs)
			attrs.Each(d.info)
		}
	}
	return d
}

// info reads IFLA_LINKINFO, in which the type comes before what it explains.
func (d *Device) info(a *rtnl.Attrs) {
	switch {
	case a.Type == unix.IFLA_INFO_KIND:
		d.Type = a.Text()
	case a.Type == unix.IFLA_INFO_DATA && d.Type == object.LinkVXLAN:
		a.Each(d.vxlan)
	}
}

func (d *Device) vxlan(a *rtnl.Attrs) {
	mode := func(name string, on bool) {
		if on {
			d.Modes = append(d.Modes, name)
		}
	}
	switch a.Type {
	case unix.IFLA_VXLAN_ID:
		d.VNI = a.Uint32()
	case unix.IFLA_VXLAN_PORT:
		d.Port = a.Uint16BE()
	// An address of either kind decides the family of the socket.
	case unix.IFLA_VXLAN_LOCAL6, unix.IFLA_VXLAN_GROUP6:
		d.IPv6 = true
	case unix.IFLA_VXLAN_COLLECT_METADATA:
		mode("external", a.Uint8() != 0)
	case unix.IFLA_VXLAN_UDP_ZERO_CSUM6_RX:
		mode("udp6zerocsumrx", a.Uint8() != 0)
	case unix.IFLA_VXLAN_REMCSUM_RX:
		mode("remcsumrx", a.Uint8() != 0)
	// Flags that must be equal on all devices of one UDP port: the kernel
	// shares the socket only then (VXLAN_F_RCV_FLAGS in include/net/vxlan.h).
	case unix.IFLA_VXLAN_GBP: // these two are there or not
		mode("gbp", true)
	case unix.IFLA_VXLAN_GPE:
		mode("gpe", true)
	}
}

func l3mdevRules(ctx context.Context, conn *rtnl.Conn, family uint8) (found []uint32, err error) {
	err = conn.Dump(ctx, func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETRULE, 0, rtnl.FibRuleHdr{Family: family})
	}, func() { found = nil }, func(m rtnl.Message) error {
		_, attrs, err := m.Rule()
		var priority uint32
		l3mdev := false
		for err == nil && attrs.Next() {
			switch attrs.Type {
			case unix.FRA_PRIORITY:
				priority = attrs.Uint32()
			// The rule has no table: the kernel takes that of the VRF which
			// the packet is in (l3mdev_fib_rule_match in net/l3mdev/l3mdev.c).
			case unix.FRA_L3MDEV:
				l3mdev = attrs.Uint8() != 0
			}
		}
		if l3mdev {
			found = append(found, priority)
		}
		return errors.Join(err, attrs.Err())
	})
	switch {
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP):
		// A kernel without the family (IPv6 switched off), or without policy rules.
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read rules: %w", err)
	}
	slices.Sort(found)
	return found, nil
}

func (s *Survey) routesTo(ctx context.Context, conn *rtnl.Conn, names map[uint32]string, to []netip.Addr) error {
	for _, addr := range to {
		route := RouteTo{Addr: addr}
		if addr.Zone() != "" { // it names the device itself
			route.Dev = addr.Zone()
			s.Routes = append(s.Routes, route)
			continue
		}
		var b rtnl.Batch
		lookup(&b, addr)
		var failed error
		err := conn.Ask(ctx, &b, func(_ int, m rtnl.Message) {
			if reachesHost(m) {
				failed = route.read(m, names)
			}
		}, func(_ int, err *rtnl.Error) {
			if !isNoRoute(err) {
				failed = err
			}
		})
		if err = errors.Join(err, failed); err != nil {
			return fmt.Errorf("look up the route to %s: %w", addr, err)
		}
		s.Routes = append(s.Routes, route)
	}
	return nil
}

// read takes the route by which the kernel would send.
func (r *RouteTo) read(m rtnl.Message, names map[uint32]string) error {
	_, attrs, err := m.Route()
	if err != nil {
		return err
	}
	for attrs.Next() {
		switch attrs.Type {
		case unix.RTA_OIF:
			r.Dev = names[attrs.Uint32()]
		// The MTU of the path as the kernel has learned it by ICMP, or that
		// of the route if it has one.
		case unix.RTA_METRICS:
			attrs.Each(func(a *rtnl.Attrs) {
				if a.Type == unix.RTAX_MTU {
					r.MTU = int(a.Uint32())
				}
			})
		}
	}
	return attrs.Err()
}
