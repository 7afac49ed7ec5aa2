package contract

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// samples returns values of the kind, each with another one for the same key.
func (s Subject) samples(t *testing.T, kind object.Kind) []sample {
	t.Helper()
	switch kind {
	case object.KindLink:
		return s.links()
	case object.KindOVSPort:
		return s.ovsPorts()
	case object.KindMaster:
		return s.masters()
	case object.KindFDB:
		return s.fdbs()
	case object.KindEVPN:
		return evpnPaths()
	case object.KindNeigh:
		// A neighbour that EVPN learned is NTF_EXT_LEARNED in the kernel, another state
		// than the static one of sample.
		n := object.Neigh{
			Dev: s.Device, Addr: netip.MustParseAddr("192.0.2.9"), MAC: object.MAC{2, 0, 0, 0, 0, 1},
			Learned: true,
		}
		moved := n
		moved.MAC[5] = 2
		return []sample{s.sample(t, kind), {value: n, other: moved, name: "learned"}}
	case object.KindRoute:
		// An unreachable route ends the lookup in a VRF's table, with a metric that lets
		// every other route win; an update turns it into one through a device.
		refuse := object.UnreachableRoute(1001, netip.MustParsePrefix("0.0.0.0/0"), 4278198272)
		refuse6 := object.UnreachableRoute(1001, netip.MustParsePrefix("::/0"), 4278198272)
		leads := refuse
		leads.Unreachable, leads.Dev = false, s.Device
		return []sample{
			s.sample(t, kind),
			{value: refuse, other: leads, name: "unreachable"},
			{value: refuse6, name: "unreachable6"},
		}
	default:
		return []sample{s.sample(t, kind)}
	}
}

// sample returns a value of the kind and another one for the same key.
func (s Subject) sample(t *testing.T, kind object.Kind) sample {
	t.Helper()
	addr := netip.MustParseAddr("172.24.4.92")
	host := netip.PrefixFrom(addr, 32)
	proxyARP := "net/ipv4/conf/" + s.Device + "/proxy_arp"
	// The flow is the one of the driver for bridges: the MAC of the bridge in place of the
	// router's, then the usual forwarding.
	flow := object.Flow{
		Bridge: s.Bridge, Priority: 900, Match: "ip,in_port=1", Actions: "mod_dl_dst:3a:f7:e9:54:e8:4d,NORMAL", Cookie: 0x3e7,
	}
	otherFlow := flow
	otherFlow.Actions = "mod_dl_dst:3a:f7:e9:54:e8:4e,NORMAL"
	// Nobody listens at this neighbour's address: the session stays down, and what is
	// read is the configuration.
	peer := object.Peer{
		Address: "127.0.0.9", Port: 1790, AS: 65000, Families: object.WordsOf("ipv4-unicast", "ipv6-unicast"),
		HoldTime: 90, RestartTime: 120,
	}
	otherPeer := peer
	otherPeer.HoldTime = 30
	path := object.NewPath(host, object.OriginIncomplete)
	otherPath := path
	otherPath.Origin = object.OriginIGP
	switch kind {
	case object.KindDevice:
		return of(object.Device{Name: s.Device, Up: true}, object.Device{Name: s.Device, Up: false})
	case object.KindSysctl:
		return of(object.Sysctl{Path: proxyARP, Val: "1"}, object.Sysctl{Path: proxyARP, Val: "0"})
	// nil: an address, a proxy neighbour and a rule are nothing but their key.
	case object.KindAddress:
		return of(object.Address{Dev: s.Device, Prefix: netip.MustParsePrefix("169.254.1.1/32")}, nil)
	case object.KindNeigh:
		return of(
			object.Neigh{Dev: s.Device, Addr: addr, MAC: object.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}},
			object.Neigh{Dev: s.Device, Addr: addr, MAC: object.MAC{0xfa, 0x16, 0x3e, 0, 0, 2}},
		)
	case object.KindProxyNeigh:
		return of(object.ProxyNeigh{Dev: s.Device, Addr: netip.MustParseAddr("2001:db8::")}, nil)
	case object.KindRoute:
		return of(
			object.NewRoute(201, host, s.Device, netip.Addr{}),
			object.NewRoute(201, host, s.Device, netip.MustParseAddr("172.24.4.1")),
		)
	case object.KindRule:
		return of(object.NewRule(32000, 201, false), nil)
	case object.KindFlow:
		return of(flow, otherFlow)
	case object.KindPath:
		return of(path, otherPath)
	case object.KindPeer:
		return of(peer, otherPeer)
	default:
		t.Fatalf("no sample of kind %s: add one here", kind)
		return sample{}
	}
}

// of is a sample that needs nothing before it, the first and often only one of its kind.
func of(value, other object.Value) sample { return sample{value: value, other: other} }
