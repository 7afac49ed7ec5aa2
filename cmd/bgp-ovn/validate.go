package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Validate returns every problem at once, each naming its key and the remedy.
// It is pure.
func (c *Config) Validate() []error {
	var p problems
	p.check(len(c.Drivers) > 0, "drivers: name at least one of %s", strings.Join(drivers.Names(), ", "))
	for _, d := range c.Drivers {
		p.check(slices.Contains(drivers.Names(), drivers.Canonical(d)), "drivers: unknown driver %q: use one of %s", d, strings.Join(drivers.Names(), ", "))
	}
	p.check(slices.Contains([]string{"host", "subnet"}, c.AdvertisementMethodTenant), "advertisement_method_tenant_networks: %q: use host or subnet", c.AdvertisementMethodTenant)
	for _, scope := range c.AddressScopes {
		_, err := observe.ParseUUID(scope)
		p.check(err == nil, "address_scopes: %q is not a UUID", scope)
	}
	_, err := c.proxyAddrs()
	p.check(err == nil, "proxy_ndp_addresses: %v", err)
	p.check(c.ReconcileInterval >= 0, "reconcile_interval: %d: use 0 or more seconds", c.ReconcileInterval)
	_, err = c.logLevel()
	p.check(err == nil, "log.level: %q: use debug, info, warn or error", c.Log.Level)
	p.check(slices.Contains([]string{"text", "json"}, c.Log.Format), "log.format: %q: use text or json", c.Log.Format)
	for _, remote := range slices.Concat([]string{c.OVSDBConnection}, splitList(c.SBConnection), splitList(c.NBConnection)) {
		p.check(validRemote(remote), "database address %q: use unix:/absolute/path, tcp:IP:PORT or ssl:IP:PORT", remote)
	}
	_, _, err = c.Routing.tableRange()
	p.check(err == nil, "routing.table_range: %v", err)
	p.check(c.Routing.RulePriority > 0 && c.Routing.RulePriority < 32766, "routing.rule_priority: %d: use 1 to 32765, before the rule of the main table", c.Routing.RulePriority)
	p.check(c.Routing.RouteProtocol > 4 && c.Routing.RouteProtocol != 186, "routing.route_protocol: %d is used by the kernel, by operators or by bgp; choose another above 4", c.Routing.RouteProtocol)
	p.check(c.Fuse.Share >= 0 && c.Fuse.Share <= 1, "fuse.share: %v: use 0 to 1", c.Fuse.Share)
	if c.Metrics.Listen != "" {
		_, _, err := net.SplitHostPort(c.Metrics.Listen)
		p.check(err == nil, "metrics.listen: %q: use ADDRESS:PORT", c.Metrics.Listen)
	}
	c.BGP.validate(&p)
	c.Learn.validate(&p)
	c.validateEVPN(&p)
	_, err = c.originate()
	p.check(err == nil, "originate: %v", err)
	return p.list
}

// notes say what a valid configuration leaves to the Open_vSwitch database, and
// what in it has no effect.
func (c *Config) notes() []string {
	var out []string
	if c.RequireSNATDisabled && c.NBConnection == "" {
		out = append(out, "require_snat_disabled_for_tenant_networks needs the Northbound database and ovn_nb_connection is not set: "+
			"the controller starts only if external_ids:ovn-nb-remote of Open_vSwitch is")
	}
	if c.RequireSNATDisabled && !c.ExposeTenantNetworks && !c.ExposeIPv6GUATenantNetworks {
		out = append(out, "require_snat_disabled_for_tenant_networks has no effect: no tenant network is exposed (expose_tenant_networks)")
	}
	if !c.RequireSNATDisabled && c.NBConnection != "" {
		out = append(out, "ovn_nb_connection has no effect: only require_snat_disabled_for_tenant_networks reads the Northbound database")
	}
	return out
}

func (b *BGPConfig) validate(p *problems) {
	p.check(b.AS != 0, "bgp.as: 0 is reserved (RFC 7607)")
	if b.RouterID != "" {
		id, err := netip.ParseAddr(b.RouterID)
		p.check(err == nil && id.Is4(), "bgp.router_id: %q is not an IPv4 address", b.RouterID)
	}
	p.check(b.Speaker == "" || strings.HasPrefix(b.Speaker, "unix:/"), "bgp.speaker: %q: use unix:/absolute/path, or leave it out", b.Speaker)
	if b.Listen.Address != "" {
		_, err := netip.ParseAddr(b.Listen.Address)
		p.check(err == nil, "bgp.listen.address: %q is not an IP address", b.Listen.Address)
	}
	p.check(b.Listen.Port >= -1 && b.Listen.Port <= 65535 && b.Listen.Port != 0, "bgp.listen.port: %d: use 1 to 65535, or -1 not to listen", b.Listen.Port)
	_, ok := origins[b.Origin]
	p.check(ok, "bgp.origin: %q: use igp, egp or incomplete", b.Origin)
	b.validatePolicy(p)
	gr := b.GracefulRestart
	p.check(gr.RestartTime >= 0 && gr.RestartTime <= 4095, "bgp.graceful_restart.restart_time: %d: use 0 to 4095 seconds (RFC 4724)", gr.RestartTime)
	seen := map[string]bool{}
	for i := range b.Peers {
		at := fmt.Sprintf("bgp.peers[%d]", i)
		b.Peers[i].validate(p, at)
		p.check(b.Peers[i].LLGRTime == 0 || gr.RestartTime > 0, "%s.llgr_time: needs bgp.graceful_restart.restart_time (RFC 9494)", at)
		p.check(!seen[b.Peers[i].Address], "%s: address %s stands twice", at, b.Peers[i].Address)
		seen[b.Peers[i].Address] = true
	}
}

func (peer PeerConfig) validate(p *problems, at string) {
	_, err := netip.ParseAddr(peer.Address)
	p.check(err == nil, "%s.address: %q is not an IP address", at, peer.Address)
	p.check(peer.AS != 0, "%s.as: set the neighbour's autonomous system number", at)
	p.check(peer.Port >= 0 && peer.Port <= 65535, "%s.port: %d: use 1 to 65535", at, peer.Port)
	for _, f := range peer.Families {
		_, err := object.ParseFamily(f)
		p.check(err == nil, "%s.families: %v", at, err)
	}
	p.check(peer.HoldTime == 0 || peer.HoldTime >= 3 && peer.HoldTime <= 65535, "%s.hold_time: %d: use 3 to 65535 seconds (RFC 4271)", at, peer.HoldTime)
	p.check(peer.Multihop >= 0 && peer.Multihop <= 255, "%s.multihop: %d: use 1 to 255", at, peer.Multihop)
	p.check(!peer.TTLSecurity || peer.Multihop == 0, "%s: ttl_security and multihop exclude each other (RFC 5082)", at)
	if peer.LocalAddress != "" {
		local, errLocal := netip.ParseAddr(peer.LocalAddress)
		remote, _ := netip.ParseAddr(peer.Address)
		p.check(errLocal == nil && local.Is4() == remote.Is4() && local.Zone() == "" && remote.Zone() == "", "%s.local_address: %q is not an address of this node that reaches %s", at, peer.LocalAddress, peer.Address)
	}
	p.check(peer.AllowOwnAS >= 0 && peer.AllowOwnAS <= 255, "%s.allow_own_as: %d: use 0 to 255", at, peer.AllowOwnAS)
	p.check(peer.LLGRTime >= 0 && peer.LLGRTime < 1<<24, "%s.llgr_time: %d: use 0 to 16777215 seconds (RFC 9494)", at, peer.LLGRTime)
	p.check(peer.PrefixLimit >= 0 && peer.PrefixLimit < 1<<32, "%s.prefix_limit: %d: use 1 to 4294967295, or 0 for none", at, peer.PrefixLimit)
	p.check(peer.ConnectRetry == 0 || peer.ConnectRetry >= 2 && peer.ConnectRetry <= 65535, "%s.connect_retry: %d: use 2 to 65535 seconds", at, peer.ConnectRetry)
	p.check(len(peer.Password) <= 80, "%s.password: longer than 80 bytes (RFC 2385)", at)
}

// problems collects messages.
type problems struct{ list []error }

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok {
		p.list = append(p.list, fmt.Errorf(format, args...))
	}
}

var origins = map[string]object.Origin{"igp": object.OriginIGP, "egp": object.OriginEGP, "incomplete": object.OriginIncomplete}

func (c *Config) logLevel() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(c.Log.Level))
	return l, err
}

func (r RoutingConfig) tableRange() (low, high uint32, err error) {
	a, b, ok := strings.Cut(r.TableRange, "-")
	lo, errLo := strconv.ParseUint(strings.TrimSpace(a), 10, 32)
	hi, errHi := strconv.ParseUint(strings.TrimSpace(b), 10, 32)
	if !ok || errLo != nil || errHi != nil || lo == 0 || lo > hi {
		return 0, 0, fmt.Errorf("%q: use LOW-HIGH, such as 200-252", r.TableRange)
	}
	return uint32(lo), uint32(hi), nil
}

// proxyAddrs reads NETWORK[:VLAN]=ADDRESS items.
func (c *Config) proxyAddrs() ([]expose.ProxyAddr, error) {
	var out []expose.ProxyAddr
	for _, item := range c.ProxyNDPAddresses {
		where, text, ok := strings.Cut(item, "=")
		network, tag, tagged := strings.Cut(where, ":")
		addr, err := netip.ParseAddr(text)
		if !ok || network == "" || err != nil || !addr.Is6() {
			return nil, fmt.Errorf("%q: use NETWORK=ADDRESS or NETWORK:VLAN=ADDRESS with an IPv6 address", item)
		}
		p := expose.ProxyAddr{Network: network, Addr: addr}
		if tagged {
			vlan, err := strconv.ParseUint(tag, 10, 16)
			if err != nil || vlan < 1 || vlan > 4094 {
				return nil, fmt.Errorf("%q: the VLAN must be 1 to 4094", item)
			}
			p.VLAN = uint16(vlan)
		}
		out = append(out, p)
	}
	return out, nil
}

// validRemote accepts what OVSDB clients accept, but relative paths: the
// library silently replaces those.
func validRemote(s string) bool {
	kind, rest, _ := strings.Cut(s, ":")
	switch kind {
	case "unix":
		return strings.HasPrefix(rest, "/")
	case "tcp", "ssl":
		_, port, err := net.SplitHostPort(rest)
		return err == nil && port != ""
	default:
		return false
	}
}

func splitList(s string) []string {
	var out []string
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// driverConfig translates the configuration for the drivers.
func (c *Config) driverConfig() drivers.Config {
	opts := expose.DefaultOptions()
	opts.TableMin, opts.TableMax, _ = c.Routing.tableRange() // validated
	opts.RulePriority = c.Routing.RulePriority
	opts.Cookie, opts.FlowPriority = c.Flows.Cookie, c.Flows.Priority
	c.BGP.policy(&opts)
	opts.HostSysctls = c.Sysctls.Manage
	opts.ProxyPlainPorts = c.ProxyNDPPlainPorts
	opts.ProxyAddrs, _ = c.proxyAddrs() // validated
	shared := opts
	shared.Reserved = c.reservedNetworks()
	return drivers.Config{Fabric: c.fabricConfig(opts), EVPN: c.evpnConfig(opts), BGP: bgp.Config{
		Expose:         shared,
		TenantNetworks: c.ExposeTenantNetworks, TenantGUA: c.ExposeIPv6GUATenantNetworks,
		TenantMethod: bgp.Method(c.AdvertisementMethodTenant), AddressScopes: c.AddressScopes,
		RequireSNATDisabled: c.RequireSNATDisabled,
		UnknownMACFromCIDRs: c.ProviderUnknownMAC,
		PortForwardings:     c.ExposePortForwardings,
		GatewayRouters:      c.ExposeGatewayRouters,
	}}
}

// marks translates the numbers that identify us for the backends.
func (c *Config) marks() actual.Marks {
	m := actual.DefaultMarks()
	m.RouteProtocol, m.RuleProtocol = c.Routing.RouteProtocol, c.Routing.RuleProtocol
	m.Cookies = []uint64{c.Flows.Cookie}
	if c.evpnRuns() {
		m.Cookies = append(m.Cookies, evpn.FlowCookie)
	}
	return m
}

// peers translates the neighbours into wishes.
func (c *Config) peers() []object.Item {
	var out []object.Item
	for i, p := range c.BGP.Peers {
		v := object.Peer{
			Address: p.Address, Port: uint16(p.Port), AS: p.AS, Families: object.WordsOf(p.Families...),
			Password: p.Password, TTLSecurity: p.TTLSecurity, Multihop: uint8(p.Multihop),
			HoldTime: uint16(p.HoldTime), Passive: p.Passive, RestartTime: uint16(c.BGP.GracefulRestart.RestartTime),
			LLGRTime: uint32(p.LLGRTime), AllowOwnAS: uint8(p.AllowOwnAS), AddPathReceive: p.AddPathReceive,
			PrefixLimit: uint32(p.PrefixLimit), ConnectRetry: uint16(p.ConnectRetry),
		}
		v.LocalAddress, _ = netip.ParseAddr(p.LocalAddress) // validated
		if v.ConnectRetry == object.DefaultConnectRetry {
			v.ConnectRetry = 0
		}
		if v.Port == 0 {
			v.Port = 179
		}
		if len(p.Families) == 0 {
			v.Families = object.WordsOf(object.IPv4Unicast.String(), object.IPv6Unicast.String())
		}
		if v.HoldTime == 0 {
			v.HoldTime = 90
		}
		why := object.Source{Driver: "configuration", Rule: "peer", Table: "bgp.peers", Row: strconv.Itoa(i)}
		out = append(out, object.Item{Value: v, Why: []object.Source{why}})
	}
	return out
}
