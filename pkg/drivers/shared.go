package drivers

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Shared are the settings that several drivers have in common.
type Shared struct {
	// Expose are the options of the common driver API. What of them the node needs
	// for other things as well (marks, tables) is filled in by package config.
	Expose expose.Options
	// AS is our autonomous system number (bgp.as).
	AS uint32
	// Peers are the neighbours, which tell the devices that sessions run on.
	Peers []netip.Addr
	// TenantNetworks and TenantGUA say that tenant networks behind routers are
	// exposed, or of them globally routable IPv6 addresses only
	// (expose_tenant_networks, expose_ipv6_gua_tenant_networks); the former wins.
	TenantNetworks, TenantGUA bool
	// SubnetMethod announces tenant subnets instead of the ports in them
	// (advertisement_method_tenant_networks: subnet).
	SubnetMethod bool
	// AddressScopes are UUIDs of Neutron address scopes to which tenant networks are
	// limited; none is no limit (address_scopes).
	AddressScopes []string
	// KubeNode is the configured name of the own Node in Kubernetes; empty takes the host
	// name of the chassis (kube.node_name). KubeKeepCordoned says that a cordon has no
	// effect (kube.on_cordon: keep).
	KubeNode         string
	KubeKeepCordoned bool
}

// DefaultShared are the shared settings of a fresh installation.
func DefaultShared() Shared { return Shared{Expose: expose.DefaultOptions()} }

// Keys declares the keys that several drivers have in common.
func (s *Shared) Keys() []key.Key {
	x := &s.Expose
	return []key.Key{
		key.Bool(&s.TenantNetworks, "expose_tenant_networks",
			"expose tenant networks behind gateways on this node").Reloads(),
		key.Bool(&s.TenantGUA, "expose_ipv6_gua_tenant_networks",
			"expose only globally routable IPv6 tenant addresses").Reloads(),
		key.Choice(&s.SubnetMethod, "advertisement_method_tenant_networks", "host or subnet",
			key.Option[bool]{Word: "host", Value: false}, key.Option[bool]{Word: "subnet", Value: true}).Reloads(),
		key.Strings(&s.AddressScopes, "address_scopes",
			"UUIDs of Neutron address scopes to which tenant networks are limited", checkUUID).Reloads(),
		key.Bool(&x.ProxyPlainPorts, "proxy_ndp_plain_ports",
			"add NDP proxies for the subnets of ordinary provider ports too").Reloads(),
		key.ListOf(&x.ProxyAddrs, "proxy_ndp_addresses",
			"IPv6 gateways to answer for, as NETWORK[:VLAN]=ADDRESS, such as physnet1:101=2001:db8::1",
			parseProxyAddr, printProxyAddr).Reloads(),
		key.Choice(&x.Origin, "bgp.origin", "ORIGIN of our paths: igp, egp or incomplete",
			key.Option[object.Origin]{Word: "igp", Value: object.OriginIGP},
			key.Option[object.Origin]{Word: "egp", Value: object.OriginEGP},
			key.Option[object.Origin]{Word: "incomplete", Value: object.OriginIncomplete}).Reloads(),
		key.Named(&x.Attributes, "bgp.attributes", "class",
			"path attributes of a class as class=...[,communities=a+b][,large_communities=a+b][,med=n][,local_pref=n]"+
				"; may be repeated, or several be separated by semicolons",
			expose.Classes(), attributeKeys).Reloads(),
		key.ListOf(&x.Export.Allow, "bgp.export.allow",
			`what may be announced, as PREFIX or "PREFIX le LENGTH" (default: host prefixes, and subnets `+
				"with method subnet); originate and advertise_loopback need no entry",
			PrefixRange, observe.PrefixRange.String).Reloads(),
		key.ListOf(&x.Export.Deny, "bgp.export.deny",
			"what is never announced, in the same form; wins over everything that allows it",
			PrefixRange, observe.PrefixRange.String).Reloads(),
		key.Number(&x.FlowPriority, "flows.priority", "priority of our flows",
			key.Range[uint16]{High: 65535}).Reloads(),
	}
}

// attributeKeys are those of one class in bgp.attributes.
func attributeKeys(a *expose.Attributes) []key.Key {
	return []key.Key{
		key.Listed(&a.Communities, "communities",
			"COMMUNITIES (RFC 1997) as AS:VALUE, or graceful-shutdown, no-llgr, blackhole, no-export, no-advertise, "+
				"no-export-subconfed, no-peer", eachOf(object.CommunitiesOf), wordsOf, object.Words.List),
		key.Listed(&a.LargeCommunities, "large_communities", "LARGE_COMMUNITY (RFC 8092) as AS:VALUE:VALUE",
			eachOf(object.LargeCommunitiesOf), wordsOf, object.Words.List),
		key.Parsed(&a.MED, "med", "int", "MULTI_EXIT_DISC, 0 to 4294967295", parseMetric, printMetric),
		key.Parsed(&a.LocalPref, "local_pref", "int",
			"LOCAL_PREF, 0 to 4294967295; sent to neighbours of our own AS only", parseMetric, printMetric),
	}
}

// eachOf reads one word by a function that makes a set of words.
func eachOf(of func(...string) (object.Words, error)) func(string) (string, error) {
	return func(text string) (string, error) {
		w, err := of(text)
		return w.String(), err
	}
}

func wordsOf(list []string) object.Words { return object.WordsOf(list...) }

func parseMetric(text string) (object.Metric, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return object.Metric{}, key.Wrong("use 0 to 4294967295", "%s is not a whole number in range", key.Quote(text))
	}
	return object.MetricOf(uint32(n)), nil
}

func printMetric(m object.Metric) string { return m.String() }

func checkUUID(text string) error {
	if _, err := observe.ParseUUID(text); err != nil {
		return key.Wrong("use the form 2237917c-7b12-489a-84de-4ef384a2bcae", "%s is not a UUID", key.Quote(text))
	}
	return nil
}

// PrefixRange reads PREFIX or "PREFIX le LENGTH".
func PrefixRange(text string) (observe.PrefixRange, error) {
	r, err := observe.ParsePrefixRange(text)
	if err != nil {
		return r, key.Wrong("use PREFIX or PREFIX le LENGTH, without host bits",
			"%s is not a range of prefixes", key.Quote(text))
	}
	return r, nil
}

// parseProxyAddr reads NETWORK[:VLAN]=ADDRESS.
func parseProxyAddr(item string) (expose.ProxyAddr, error) {
	where, text, ok := strings.Cut(item, "=")
	network, tag, tagged := strings.Cut(where, ":")
	addr, err := netip.ParseAddr(text)
	if !ok || network == "" || err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
		return expose.ProxyAddr{}, key.Wrong("use NETWORK=ADDRESS or NETWORK:VLAN=ADDRESS with an IPv6 address",
			"%s names no gateway", key.Quote(item))
	}
	p := expose.ProxyAddr{Network: network, Addr: addr}
	if tagged {
		vlan, err := strconv.ParseUint(tag, 10, 16)
		if err != nil || vlan < 1 || vlan > 4094 {
			return p, key.Wrong("use 1 to 4094", "%s: the VLAN is out of range", key.Quote(item))
		}
		p.VLAN = uint16(vlan)
	}
	return p, nil
}

func printProxyAddr(p expose.ProxyAddr) string {
	if p.VLAN == 0 {
		return p.Network + "=" + p.Addr.String()
	}
	return p.Network + ":" + strconv.Itoa(int(p.VLAN)) + "=" + p.Addr.String()
}
