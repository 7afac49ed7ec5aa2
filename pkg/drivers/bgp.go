package drivers

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
)

// bgpOptions are the settings of osp_ovn_bgp_driver.
type bgpOptions struct{ cfg bgp.Config }

func newBGPOptions() Options { return &bgpOptions{} }

// Keys are those that no other driver has.
func (o *bgpOptions) Keys() []key.Key {
	return []key.Key{
		key.Bool(&o.cfg.RequireSNATDisabled, "require_snat_disabled_for_tenant_networks",
			"leave out tenant subnets whose source addresses their router translates; reads the Northbound database"),
		key.Bool(&o.cfg.PortForwardings, "expose_port_forwardings",
			"expose VIPs of load balancers on a router whose gateway is here: "+
				"port forwardings of floating IPs").Reloads(),
		key.Bool(&o.cfg.GatewayRouters, "expose_gateway_routers",
			"expose gateway routers bound to this chassis (type l3gateway)").Reloads(),
		key.Bool(&o.cfg.UnknownMACFromCIDRs, "provider_unknown_mac_from_cidrs",
			"take addresses of provider ports with unknown MAC from neutron:cidrs").Reloads(),
	}
}

// Needs is the Northbound database, whose NAT rules tell which subnets are hidden.
func (o *bgpOptions) Needs() Needs {
	n := Needs{Northbound: o.cfg.RequireSNATDisabled}
	if o.cfg.PortForwardings { // no other port of the provider network may have the address
		n.AllPorts = "expose_port_forwardings"
	}
	return n
}

// Check finds nothing: any combination is valid.
func (o *bgpOptions) Check(bool, Report) {}

// Driver makes the driver.
func (o *bgpOptions) Driver(shared Shared) desired.Driver {
	cfg := o.cfg
	cfg.Expose = shared.Expose
	cfg.TenantNetworks, cfg.TenantGUA, cfg.AddressScopes = shared.TenantNetworks, shared.TenantGUA, shared.AddressScopes
	cfg.TenantMethod = bgp.MethodHost
	if shared.SubnetMethod {
		cfg.TenantMethod = bgp.MethodSubnet
	}
	return bgp.New(cfg)
}
