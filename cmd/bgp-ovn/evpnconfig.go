package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// EVPNConfig is the key evpn.
type EVPNConfig struct {
	TableOffset uint32              `yaml:"table_offset"`
	VNIs        []EVPNVNIConfig     `yaml:"vnis"`
	Networks    []EVPNNetworkConfig `yaml:"networks"`
}

// EVPNVNIConfig is an element of evpn.vnis.
type EVPNVNIConfig struct {
	VNI    uint32   `yaml:"vni"`
	RD     string   `yaml:"rd"`
	Import []string `yaml:"import"`
	Export []string `yaml:"export"`
}

// EVPNNetworkConfig is an element of evpn.networks.
type EVPNNetworkConfig struct {
	Network  string   `yaml:"network"`
	VLAN     uint16   `yaml:"vlan"`
	Switch   string   `yaml:"switch"`
	Method   string   `yaml:"method"`
	VNI      uint32   `yaml:"vni"`
	RD       string   `yaml:"rd"`
	Import   []string `yaml:"import"`
	Export   []string `yaml:"export"`
	Gateways []string `yaml:"gateways"`
}

func (c *Config) evpnFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.ExposingMethod, "exposing-method", c.ExposingMethod, "underlay; networks with another method stand in evpn.networks")
	fs.StringVar(&c.EVPNLocalIP, "evpn-local-ip", c.EVPNLocalIP, "IPv4 address that VXLAN is sent from (default: the first one of evpn_nic, or the /32 address of lo)")
	fs.StringVar(&c.EVPNNIC, "evpn-nic", c.EVPNNIC, "device whose first IPv4 address VXLAN is sent from")
	fs.IntVar(&c.EVPNPort, "evpn-udp-dstport", c.EVPNPort, "UDP port of VXLAN, the same on all nodes; another than 4789 where OVN uses VXLAN too")
	fs.BoolVar(&c.DeleteVRF, "delete-vrf-on-disconnect", c.DeleteVRF, "remove a VRF when nothing is in it any more; otherwise it stays, with all of its traffic refused")
	fs.Uint32Var(&c.EVPN.TableOffset, "evpn-table-offset", c.EVPN.TableOffset, "what is added to a VNI to get the number of its routing table")
	fs.Var(&listFlag[EVPNVNIConfig]{&c.EVPN.VNIs, "vni"}, "evpn-vnis", "a VNI's own route distinguisher and targets as vni=...[,rd=...][,import=a+b][,export=a+b]; may be repeated")
	fs.Var(&listFlag[EVPNNetworkConfig]{&c.EVPN.Networks, "network"}, "evpn-networks", "a provider network with a VNI as network=...[,vlan=...] or switch=..., method=vrf or l2vni, vni=... and so on; may be repeated")
}

// evpnRuns reports whether the EVPN driver is configured.
func (c *Config) evpnRuns() bool {
	return slices.ContainsFunc(c.Drivers, func(name string) bool { return drivers.Canonical(name) == evpn.Name })
}

func (c *Config) validateEVPN(p *problems) {
	switch c.ExposingMethod {
	case "underlay":
	case "vrf", "l2vni":
		p.check(false, "exposing_method: %s is chosen for each network: name it in evpn.networks with method: %s and a VNI, and leave exposing_method at underlay", c.ExposingMethod, c.ExposingMethod)
	default:
		p.check(false, "exposing_method: %q is not supported: use underlay, and evpn.networks for networks with method vrf or l2vni", c.ExposingMethod)
	}
	ip, err := netip.ParseAddr(c.EVPNLocalIP)
	p.check(c.EVPNLocalIP == "" || err == nil && ip.Is4(), "evpn_local_ip: %q is not an IPv4 address", c.EVPNLocalIP)
	p.check(c.EVPNPort > 0 && c.EVPNPort <= 65535, "evpn_udp_dstport: %d: use 1 to 65535", c.EVPNPort)
	p.check(c.EVPN.TableOffset <= 1<<31, "evpn.table_offset: %d: use 0 to %d", c.EVPN.TableOffset, uint32(1<<31))
	vnis := map[uint32]bool{}
	for i, v := range c.EVPN.VNIs {
		at := fmt.Sprintf("evpn.vnis[%d]", i)
		v.validate(p, at)
		p.check(!vnis[v.VNI], "%s: VNI %d stands twice", at, v.VNI)
		vnis[v.VNI] = true
	}
	c.validateNetworks(p)
	if c.evpnRuns() {
		p.check(c.Flows.Cookie != evpn.FlowCookie, "flows.cookie: %#x is that of the flows of %s; choose another", c.Flows.Cookie, evpn.Name)
		family := object.L2VPNEVPN.String()
		carried := slices.ContainsFunc(c.BGP.Peers, func(peer PeerConfig) bool { return slices.Contains(peer.Families, family) })
		p.check(carried || len(c.BGP.Peers) == 0, "bgp.peers: %s needs a neighbour with %s among its families", evpn.Name, family)
	}
}

func (v EVPNVNIConfig) validate(p *problems, at string) {
	p.check(v.VNI > 0 && v.VNI <= evpn.MaxVNI, "%s.vni: %d: use 1 to %d", at, v.VNI, evpn.MaxVNI)
	if v.RD != "" {
		_, err := object.ParseRD(v.RD)
		p.check(err == nil, "%s.rd: %v", at, err)
	}
	for _, t := range v.Import {
		p.check(evpn.ValidTarget(t, true) == nil, "%s.import: %q: use AS:NUMBER, IPV4:NUMBER or \"*:NUMBER\" for any AS", at, t)
	}
	for _, t := range v.Export {
		err := evpn.ValidTarget(t, false)
		p.check(err == nil, "%s.export: %v", at, err)
	}
}

func (c *Config) validateNetworks(p *problems) {
	p.check(c.evpnRuns() || len(c.EVPN.Networks) == 0, "evpn.networks: add %s to drivers", evpn.Name)
	methods := map[uint32]string{}
	places := map[expose.NetworkRef]bool{}
	for i, n := range c.EVPN.Networks {
		at := fmt.Sprintf("evpn.networks[%d]", i)
		EVPNVNIConfig{n.VNI, n.RD, n.Import, n.Export}.validate(p, at)
		p.check((n.Network == "") != (n.Switch == ""), "%s: name either network, with vlan if it has one, or switch", at)
		p.check(n.VLAN <= 4094 && (n.VLAN == 0 || n.Network != ""), "%s.vlan: %d: use 1 to 4094 together with network, or leave it out", at, n.VLAN)
		p.check(!places[n.ref()], "%s: the network stands twice", at)
		places[n.ref()] = true
		p.check(n.Method == string(evpn.MethodVRF) || n.Method == string(evpn.MethodL2VNI), "%s.method: %q: use vrf (routed) or l2vni (bridged)", at, n.Method)
		p.check(len(n.Gateways) == 0 || n.Method == string(evpn.MethodVRF), "%s.gateways: only a network with method vrf has them here", at)
		for _, g := range n.Gateways {
			a, err := netip.ParseAddr(g)
			p.check(err == nil && a.Zone() == "" && !a.Is4In6(), "%s.gateways: %q is not an IP address", at, g)
		}
		was, taken := methods[n.VNI]
		p.check(!taken || was == n.Method && n.Method == string(evpn.MethodVRF), "%s.vni: %d stands twice: only networks with method vrf can share one", at, n.VNI)
		methods[n.VNI] = n.Method
	}
}

func (n EVPNNetworkConfig) ref() expose.NetworkRef {
	return expose.NetworkRef{Network: n.Network, VLAN: n.VLAN, Switch: n.Switch}
}

// evpnConfig translates the configuration for the driver.
func (c *Config) evpnConfig(opts expose.Options) evpn.Config {
	e := evpn.Config{
		Expose: opts, NIC: c.EVPNNIC, Port: uint16(c.EVPNPort), KeepVRF: !c.DeleteVRF, TableOffset: c.EVPN.TableOffset,
		SubnetMethod: c.AdvertisementMethodTenant == "subnet", AS: c.BGP.AS,
		TenantNetworks: c.ExposeTenantNetworks, TenantGUA: c.ExposeIPv6GUATenantNetworks, AddressScopes: c.AddressScopes,
	}
	e.LocalIP, _ = netip.ParseAddr(c.EVPNLocalIP) // validated
	for _, v := range c.EVPN.VNIs {
		e.VNIs = append(e.VNIs, v.driver())
	}
	for _, n := range c.EVPN.Networks {
		v := EVPNVNIConfig{n.VNI, n.RD, n.Import, n.Export}.driver()
		out := evpn.NetworkConfig{
			NetworkRef: n.ref(), Method: evpn.Method(n.Method), VNI: v.VNI, RD: v.RD, Import: v.Import, Export: v.Export,
		}
		for _, g := range n.Gateways {
			a, _ := netip.ParseAddr(g) // validated
			out.Gateways = append(out.Gateways, a)
		}
		e.Networks = append(e.Networks, out)
	}
	return e
}

// driver puts distinguisher and targets into their one form.
func (v EVPNVNIConfig) driver() evpn.VNIConfig {
	out := evpn.VNIConfig{VNI: v.VNI}
	out.RD, _ = object.ParseRD(v.RD) // validated, or empty
	for _, t := range v.Import {
		out.Import = append(out.Import, evpn.CanonicalTarget(t))
	}
	for _, t := range v.Export {
		out.Export = append(out.Export, evpn.CanonicalTarget(t))
	}
	return out
}

// reservedNetworks are those that the EVPN driver has and others leave alone.
func (c *Config) reservedNetworks() []expose.NetworkRef {
	var out []expose.NetworkRef
	for _, n := range c.EVPN.Networks {
		if c.evpnRuns() {
			out = append(out, n.ref())
		}
	}
	return out
}

// listFlag reads elements of a list from the command line, one a flag, as the
// keys of the file separated by commas; elements of a list in it have a plus
// between them.
type listFlag[T any] struct {
	list *[]T
	name string
}

// String prints nothing: the default is empty.
func (l *listFlag[T]) String() string { return "" }

// Type is what the help shows.
func (l *listFlag[T]) Type() string { return l.name }

// Set adds an element.
func (l *listFlag[T]) Set(s string) error {
	var b strings.Builder
	for _, item := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return fmt.Errorf("%s %q: use KEY=VALUE, separated by commas", l.name, s)
		}
		key = strings.TrimSpace(key)
		switch key {
		case "import", "export", "gateways":
			var words []string
			for _, w := range strings.Split(value, "+") {
				words = append(words, fmt.Sprintf("%q", w))
			}
			value = "[" + strings.Join(words, ", ") + "]"
		case "vni", "vlan":
		default:
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&b, "%s: %s\n", key, value)
	}
	return l.decode(b.String())
}

func (l *listFlag[T]) decode(text string) error {
	var element T
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&element); err != nil {
		return fmt.Errorf("%s: %s", l.name, yamlError(err))
	}
	*l.list = append(*l.list, element)
	return nil
}

// Append, Replace and GetSlice make it a pflag.SliceValue. They carry elements as
// YAML text.
func (l *listFlag[T]) Append(s string) error { return l.Set(s) }

// Replace sets all elements.
func (l *listFlag[T]) Replace(list []string) error {
	*l.list = nil
	for _, s := range list {
		if err := l.decode(s); err != nil {
			return err
		}
	}
	return nil
}

// GetSlice is the inverse of Replace.
func (l *listFlag[T]) GetSlice() []string {
	out := make([]string, len(*l.list))
	for i, element := range *l.list {
		raw, err := yaml.Marshal(element)
		if err != nil {
			continue // a struct of strings and numbers always encodes
		}
		out[i] = string(raw)
	}
	return out
}
