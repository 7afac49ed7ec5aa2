package drivers

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// evpnOptions are the settings of osp_ovn_evpn_driver.
type evpnOptions struct {
	cfg       evpn.Config
	deleteVRF bool
	// method is exposing_method, which has one value here: others are chosen for each
	// network.
	method string
}

func newEVPNOptions() Options {
	return &evpnOptions{cfg: evpn.Config{Port: 4789}, deleteVRF: true, method: "underlay"}
}

// maxTableOffset leaves the number of a table in 32 bits, whatever the VNI.
const maxTableOffset = 1 << 31

// Keys are those that no other driver has.
func (o *evpnOptions) Keys() []key.Key {
	return []key.Key{
		key.Parsed(&o.method, "exposing_method", "string",
			"underlay; networks with another method are listed in evpn.networks",
			parseMethod, func(s string) string { return s }).Offering("underlay"),
		key.Parsed(&o.cfg.LocalIP, "evpn_local_ip", "string",
			"IPv4 address that VXLAN is sent from (default: the first one of evpn_nic, or the /32 address of lo)",
			parseVTEP, printAddr).Reloads(),
		key.Text(&o.cfg.NIC, "evpn_nic", "device whose first IPv4 address VXLAN is sent from", nil),
		key.Number(&o.cfg.Port, "evpn_udp_dstport",
			"UDP port of VXLAN, the same on all nodes; another than 4789 where OVN uses VXLAN too",
			key.Range[uint16]{Low: 1, High: 65535}).Reloads(),
		key.Bool(&o.deleteVRF, "delete_vrf_on_disconnect",
			"remove a VRF when nothing is in it any more; otherwise it stays, "+
				"with all of its traffic refused").Reloads(),
		key.Number(&o.cfg.TableOffset, "evpn.table_offset",
			"what is added to a VNI to get the number of its routing table",
			key.Range[uint32]{High: maxTableOffset}).Reloads(),
		key.Elements(&o.cfg.VNIs, "evpn.vnis", "vni",
			"a VNI's own route distinguisher and targets as vni=...[,rd=...][,import=a+b][,export=a+b]; "+
				"may be repeated",
			func() evpn.VNIConfig { return evpn.VNIConfig{} }, vniKeys, nil).Reloads(),
		key.Elements(&o.cfg.Networks, "evpn.networks", "network",
			"a provider network with a VNI as network=...[,vlan=...] or switch=..., method=vrf or l2vni, vni=... "+
				"and so on; may be repeated",
			func() evpn.NetworkConfig { return evpn.NetworkConfig{} }, networkKeys, nil).Reloads(),
	}
}

// Needs are the device of the VTEP, the driver's flows, a neighbour to announce VNIs
// to, and its networks.
func (o *evpnOptions) Needs() Needs {
	n := Needs{
		VTEPDevice: o.cfg.NIC, VXLANPort: o.cfg.Port, Cookie: evpn.FlowCookie, Family: object.L2VPNEVPN.String(),
	}
	for _, network := range o.cfg.Networks {
		n.Reserved = append(n.Reserved, network.NetworkRef)
	}
	return n
}

// Check compares the elements of the lists with each other.
func (o *evpnOptions) Check(running bool, report Report) {
	if !running && len(o.cfg.Networks) > 0 {
		report("evpn.networks", "they have no effect without "+evpn.Name, "add "+evpn.Name+" to drivers")
	}
	vnis := map[uint32]int{}
	for i, v := range o.cfg.VNIs {
		if first, twice := vnis[v.VNI]; twice {
			report(fmt.Sprintf("evpn.vnis[%d].vni", i),
				fmt.Sprintf("duplicate VNI %d: evpn.vnis[%d] has it already", v.VNI, first),
				"leave one of them out")
			continue
		}
		vnis[v.VNI] = i
	}
	places, users := map[expose.NetworkRef]int{}, map[uint32]int{}
	for i, n := range o.cfg.Networks {
		at := fmt.Sprintf("evpn.networks[%d]", i)
		checkNetwork(n, at, report)
		if first, twice := places[n.NetworkRef]; twice {
			report(at, fmt.Sprintf("duplicate network: evpn.networks[%d] has it already", first),
				"leave one of them out")
		} else {
			places[n.NetworkRef] = i
		}
		first, taken := users[n.VNI]
		if taken && (n.Method != evpn.MethodVRF || o.cfg.Networks[first].Method != n.Method) {
			report(at+".vni", fmt.Sprintf("duplicate VNI %d: evpn.networks[%d] has it already", n.VNI, first),
				"choose another: only networks with method vrf can share one")
		}
		if !taken {
			users[n.VNI] = i
		}
	}
}

// checkNetwork compares the keys of one network with each other.
func checkNetwork(n evpn.NetworkConfig, at string, report Report) {
	if (n.Network == "") == (n.Switch == "") {
		report(at, "the network is not given, or given twice", "name either network, with vlan if it has one, or switch")
	}
	if n.VLAN != 0 && n.Network == "" {
		report(at+".vlan", "there is a VLAN, but no network", "set network, or leave vlan out")
	}
	if len(n.Gateways) > 0 && n.Method == evpn.MethodL2VNI {
		report(at+".gateways", "a network with method l2vni has no gateways",
			"leave them out: only a network with method vrf has gateways")
	}
}

// Driver makes the driver.
func (o *evpnOptions) Driver(shared Shared) desired.Driver {
	cfg := o.cfg
	cfg.Expose, cfg.AS, cfg.KeepVRF, cfg.SubnetMethod = shared.Expose, shared.AS, !o.deleteVRF, shared.SubnetMethod
	cfg.TenantNetworks, cfg.TenantGUA, cfg.AddressScopes = shared.TenantNetworks, shared.TenantGUA, shared.AddressScopes
	return evpn.New(cfg)
}

// vniKeys are those of one element of evpn.vnis.
func vniKeys(v *evpn.VNIConfig) []key.Key {
	return []key.Key{
		vniKey(&v.VNI, "1 to 16777215"),
		rdKey(&v.RD, "route distinguisher (RFC 4364); VNIs beyond 65535 get a number of their own").Or("VTEP and VNI"),
		targetsKey(&v.Import, "import", true,
			"route targets that are taken in; a list replaces the default").Or("`*:VNI`"),
		targetsKey(&v.Export, "export", false,
			"route targets that are announced, by default with the AS that the router is annotated with").
			Or("`AS:VNI`"),
	}
}

// networkKeys are those of one element of evpn.networks.
func networkKeys(n *evpn.NetworkConfig) []key.Key {
	return []key.Key{
		key.Text(&n.Network, "network", "the provider network by its physical network", nil),
		key.Number(&n.VLAN, "vlan", "and its VLAN, 1 to 4094; 0 or nothing for none",
			key.Range[uint16]{High: 4094, Use: "use 1 to 4094, or leave it out"}).Or("none"),
		key.Text(&n.Switch, "switch", "or by the name of its logical switch, as OVN or Neutron has it", nil),
		key.Choice(&n.Method, "method",
			"`vrf`: routed, addresses are announced as prefixes. `l2vni`: bridged, MAC addresses are announced",
			key.Option[evpn.Method]{Word: string(evpn.MethodVRF), Value: evpn.MethodVRF},
			key.Option[evpn.Method]{Word: string(evpn.MethodL2VNI), Value: evpn.MethodL2VNI}).
			Needed("use vrf (routed) or l2vni (bridged)"),
		vniKey(&n.VNI, "several networks of method vrf may share one, if their VLANs differ"),
		rdKey(&n.RD, "as above").Or("as above"),
		targetsKey(&n.Import, "import", true, "as above").Or("as above"),
		targetsKey(&n.Export, "export", false, "as above; the AS of the default target is `bgp.as`").Or("as above"),
		key.ListOf(&n.Gateways, "gateways",
			"method vrf: the gateways of its subnets, which are in no table of the Southbound database",
			parseGateway, netip.Addr.String),
	}
}

func vniKey(target *uint32, help string) key.Key {
	valid := key.Range[uint32]{Low: 1, High: evpn.MaxVNI}
	return key.Number(target, "vni", help, valid).Needed(fmt.Sprintf("set it, 1 to %d", evpn.MaxVNI))
}

func rdKey(target *string, help string) key.Key {
	parse := func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		rd, err := object.ParseRD(text)
		if err != nil {
			return "", key.Wrong("use IPV4:NUMBER or AS:NUMBER, such as 192.0.2.1:1001",
				"%s is not a route distinguisher (RFC 4364)", key.Quote(text))
		}
		return rd, nil
	}
	return key.Parsed(target, "rd", "string", help, parse, func(s string) string { return s })
}

func targetsKey(target *[]string, name string, imported bool, help string) key.Key {
	use := "use AS:NUMBER or IPV4:NUMBER"
	if imported {
		use += `, or "*:NUMBER" for any AS`
	}
	return key.ListOf(target, name, help, func(text string) (string, error) {
		if evpn.ValidTarget(text, imported) != nil {
			return "", key.Wrong(use, "%s is not a route target (RFC 4360)", key.Quote(text))
		}
		return evpn.CanonicalTarget(text), nil
	}, func(s string) string { return s })
}

func parseGateway(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return a, key.Wrong("write the address of a gateway", "%s is not an IP address", key.Quote(text))
	}
	return a, nil
}

func parseVTEP(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}, key.Wrong("use an address of this node",
			"%s is not an IPv4 address of a node", key.Quote(text))
	}
	return a, nil
}

func printAddr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// parseMethod takes underlay, and says where the predecessor's other methods are.
func parseMethod(text string) (string, error) {
	switch text {
	case "underlay":
		return text, nil
	case "vrf", "l2vni":
		return "", key.Wrong(
			"name it in evpn.networks with method: "+text+" and a VNI, and leave exposing_method at underlay",
			"%s is chosen for each network", text)
	default:
		return "", key.Wrong("use underlay, and evpn.networks for networks with method vrf or l2vni",
			"%s is not supported", key.Quote(text))
	}
}
