package drivers

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// nativeOptions are the settings of ovn_native_driver.
type nativeOptions struct {
	cfg native.Config
	// nextHop are mode and addresses as written: the mode has the empty name.
	nextHop map[string]string
	// targets are route targets of VNIs as written.
	targets map[string]string
}

func newNativeOptions() Options {
	return &nativeOptions{cfg: native.Defaults(), nextHop: map[string]string{"": string(native.NextHopAuto)}}
}

// Keys are those that no other driver has.
func (o *nativeOptions) Keys() []key.Key {
	c := &o.cfg
	same := func(s string) string { return s }
	return []key.Key{
		key.Strings(&c.Routers, "native.routers",
			"names of the logical routers to serve (Datapath_Binding.external_ids:name)", nil).Or("all").Reloads(),
		key.Pairs(&o.nextHop, "native.nexthop",
			"next hop of what routers advertise: auto, self or lrp (the address of the router's port on this node), and "+
				"ROUTER=ADDRESS for one router", true, parseNextHop, same).Reloads(),
		key.Choice(&c.Export, "native.export_metric",
			"how the metrics 100 (here) and 1000 (elsewhere) of OVN are announced: med, local-pref (200 and 100) or none",
			key.Option[native.Metric]{Word: string(native.MetricMED), Value: native.MetricMED},
			key.Option[native.Metric]{Word: string(native.MetricLocalPref), Value: native.MetricLocalPref},
			key.Option[native.Metric]{Word: string(native.MetricNone), Value: native.MetricNone}).Reloads(),
		key.Bool(&c.Subnets, "native.subnets",
			"announce prefixes that are no host prefixes; default routes need an entry in bgp.export.allow").Reloads(),
		key.Bool(&c.RequireKernel, "native.require_kernel",
			"announce only what ovn-controller has written into the router's routing table too").Reloads(),
		key.ListOf(&c.LearnAccept, "native.learn_accept",
			`what neighbours announce that goes into routers' tables, as PREFIX or "PREFIX le LENGTH"`,
			PrefixRange, observe.PrefixRange.String).Reloads(),
		key.Pairs(&c.LearnMap, "native.learn_map",
			"routers that are fed by the sessions on a device, as DEVICE=ROUTER, where no dynamic-routing-port-name says it",
			false, func(s string) (string, error) { return s, nil }, same).Reloads(),
		key.Choice(&c.MakeVRFs, "native.vrf_mode",
			"auto makes the VRF of a router, and devices of a VNI, that nobody else makes; never makes none",
			key.Option[bool]{Word: "auto", Value: true}, key.Option[bool]{Word: "never", Value: false}).Reloads(),
		key.Parsed(&c.Protocol, "native.learned_protocol", "int",
			"protocol number of routes for ovn-controller, 5 to 255 but for 84 and 85", parseLearnedProtocol,
			func(n uint8) string { return strconv.Itoa(int(n)) }),
		key.Number(&c.Cost, "native.learned_metric", "metric of these routes",
			key.Range[uint32]{Low: 1, High: 1<<32 - 1}).Reloads(),
		key.Elements(&c.Targets, "native.targets", "router",
			"where the prefixes of one router go instead of the default VRF, as router=...[,vni=...][,rd=...][,rt=a+b]"+
				"[,router_mac=...][,unicast=true]; may be repeated",
			func() native.Target { return native.Target{} }, targetKeys, nil).Reloads(),
		key.Pairs(&o.targets, "native.evpn_rt",
			"route targets of VNIs of switches, as VNI=AS:NUMBER or VNI=a+b", false, parseEVPNTargets, same).
			Or("`AS:VNI`, and any AS for what is taken in").Reloads(),
	}
}

// targetKeys are those of one element of native.targets.
func targetKeys(t *native.Target) []key.Key {
	return []key.Key{
		key.Text(&t.Router, "router", "name of the logical router", nil).Needed("name a router"),
		key.Bool(&t.Unicast, "unicast", "announce the prefixes in the default VRF too"),
		key.Number(&t.VNI, "vni", "VNI of the VRF (L3VNI): the prefixes are announced as IP Prefix routes of EVPN",
			key.Range[uint32]{High: evpn.MaxVNI}).Or("none"),
		rdKey(&t.RD, "route distinguisher (RFC 4364)").Or("VTEP and VNI"),
		targetsKey(&t.RT, "rt", false, "route targets").Or("`AS:VNI`"),
		key.Parsed(&t.MAC, "router_mac", "string", "Router's MAC (RFC 9135) of the VRF's device", parseRouterMAC, printMAC),
	}
}

func parseRouterMAC(text string) (object.MAC, error) {
	if text == "" {
		return object.MAC{}, nil
	}
	mac, err := object.ParseMAC(text)
	if err != nil || mac[0]&1 != 0 {
		return mac, key.Wrong("write a unicast MAC address", "%s is not one", key.Quote(text))
	}
	return mac, nil
}

func printMAC(m object.MAC) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}

// parseNextHop reads a mode or an address.
func parseNextHop(text string) (string, error) {
	switch native.NextHopMode(text) {
	case native.NextHopAuto, native.NextHopSelf, native.NextHopLRP:
		return text, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
		return "", key.Wrong("use auto, self, lrp or an address", "%s is no next hop", key.Quote(text))
	}
	return a.String(), nil
}

// parseLearnedProtocol leaves out what the kernel has for itself and what OVN has for
// routes of its own.
func parseLearnedProtocol(text string) (uint8, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 8)
	if err != nil || n < 5 || n == 84 || n == 85 {
		return 0, key.Wrong("use 5 to 255, but neither 84 nor 85", "%s is not a protocol that ovn-controller learns from",
			key.Quote(text))
	}
	return uint8(n), nil
}

// parseEVPNTargets reads a+b.
func parseEVPNTargets(text string) (string, error) {
	for _, t := range strings.Split(text, "+") {
		if evpn.ValidTarget(strings.TrimSpace(t), false) != nil {
			return "", key.Wrong("use AS:NUMBER or IPV4:NUMBER, several with a plus sign between them",
				"%s is not a route target (RFC 4360)", key.Quote(t))
		}
	}
	return text, nil
}

// Needs is the protocol of learned routes, and nothing else: rows of ports that are not
// read count as ports of other nodes, which is what they are.
func (o *nativeOptions) Needs() Needs {
	return Needs{TableProtocol: o.cfg.Protocol}
}

// Check compares the keys with each other.
func (o *nativeOptions) Check(_ bool, report Report) {
	for name, value := range o.nextHop {
		mode := slices.Contains([]string{"auto", "self", "lrp"}, value)
		if (name == "") != mode {
			report("native.nexthop", fmt.Sprintf("%s=%s: a router has an address, and a mode is for all routers", name, value),
				"write auto, self or lrp alone, and ROUTER=ADDRESS")
		}
	}
	for name := range o.targets {
		if n, err := strconv.ParseUint(name, 10, 32); err != nil || n < 1 || n > evpn.MaxVNI {
			report("native.evpn_rt", key.Quote(name)+" is not a VNI", fmt.Sprintf("use 1 to %d", evpn.MaxVNI))
		}
	}
	routers := map[string]int{}
	for i, t := range o.cfg.Targets {
		at := fmt.Sprintf("native.targets[%d]", i)
		if first, twice := routers[t.Router]; twice {
			report(at+".router", fmt.Sprintf("duplicate router: native.targets[%d] has it already", first),
				"leave one of them out")
			continue
		}
		routers[t.Router] = i
		if t.VNI != 0 && t.MAC.IsZero() {
			report(at+".router_mac", "an IP Prefix route needs a router MAC",
				"set it to the MAC address of the VRF's device for the VNI")
		}
	}
}

// Driver makes the driver.
func (o *nativeOptions) Driver(shared Shared) desired.Driver {
	cfg := o.cfg
	cfg.Expose, cfg.AS, cfg.Peers = shared.Expose, shared.AS, shared.Peers
	cfg.NextHopOf, cfg.RouteTargets = map[string]netip.Addr{}, map[uint32][]string{}
	for name, value := range o.nextHop {
		if name == "" {
			cfg.NextHop = native.NextHopMode(value)
		} else if a, err := netip.ParseAddr(value); err == nil {
			cfg.NextHopOf[name] = a
		}
	}
	for name, value := range o.targets {
		vni, _ := strconv.ParseUint(name, 10, 32)
		for _, t := range strings.Split(value, "+") {
			cfg.RouteTargets[uint32(vni)] = append(cfg.RouteTargets[uint32(vni)], evpn.CanonicalTarget(strings.TrimSpace(t)))
		}
	}
	return native.New(cfg)
}
