package bgp_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/internal/golden/derived"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

var scenarios = golden.Suite{Given: []string{"snapshot", "config", "node"}, Want: []string{"want", "skipped"}}

// TestScenarios runs every story in testdata. A file has the sections
//
//	snapshot  what the world looks like (package story)
//	config    options, one "key: value" a line; absent: the defaults
//	node      the nodes to look at
//
// and for each node "want NODE", the desired set, and "skipped NODE" if there
// is something to report. Of the base objects of bridges (family B) only rules
// and flows are listed, unless the configuration says "show: base".
func TestScenarios(t *testing.T) {
	scenarios.Run(t, func(t *testing.T, c *golden.Case) {
		cfg, show := config(t, c.File)
		world, err := story.Parse(c.Section("snapshot"))
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range c.Fields("node") {
			snap, err := world.Snapshot(node)
			if err != nil {
				t.Fatal(err)
			}
			res := desired.Compute(snap, nil, bgp.New(cfg))
			soundNeeds(t, res.Want)
			shown := func(it object.Item) bool {
				return !isBase(it) || show == "base" || show == "flows" && it.Value.Key().Kind == object.KindFlow
			}
			c.Want("want "+node, derived.Objects(t, res.Want, shown, derived.RuleAndRow))
			c.WantSome("skipped "+node, derived.Skips(res.Skipped))
		}
	})
}

// defaults is the configuration of a scenario that has no section config.
func defaults() bgp.Config {
	return bgp.Config{Expose: expose.DefaultOptions(), TenantMethod: bgp.MethodHost}
}

// config reads options under their names in the configuration file.
func config(t *testing.T, f *golden.File) (cfg bgp.Config, show string) {
	t.Helper()
	cfg = defaults()
	f.Options(t, "config", func(key, value string) error {
		switch key {
		case "show":
			show = value
		case "expose_tenant_networks":
			cfg.TenantNetworks = value == "true"
		case "expose_ipv6_gua_tenant_networks":
			cfg.TenantGUA = value == "true"
		case "advertisement_method_tenant_networks":
			cfg.TenantMethod = bgp.Method(value)
		case "address_scopes":
			cfg.AddressScopes = strings.Fields(value)
		case "require_snat_disabled_for_tenant_networks":
			cfg.RequireSNATDisabled = value == "true"
		case "provider_unknown_mac_from_cidrs":
			cfg.UnknownMACFromCIDRs = value == "true"
		case "expose_port_forwardings":
			cfg.PortForwardings = value == "true"
		case "expose_gateway_routers":
			cfg.GatewayRouters = value == "true"
		case "proxy_plain_ports":
			cfg.Expose.ProxyPlainPorts = value == "true"
		case "table_range":
			_, err := fmt.Sscanf(value, "%d-%d", &cfg.Expose.TableMin, &cfg.Expose.TableMax)
			return err
		case "host_sysctls":
			cfg.Expose.HostSysctls = value == "true"
		case "attributes":
			class, a := attributes(t, value)
			if cfg.Expose.Attributes == nil {
				cfg.Expose.Attributes = map[expose.Class]expose.Attributes{}
			}
			cfg.Expose.Attributes[class] = a
		case "export_allow":
			cfg.Expose.Export.Allow = append(cfg.Expose.Export.Allow, prefixRange(t, value))
		case "export_deny":
			cfg.Expose.Export.Deny = append(cfg.Expose.Export.Deny, prefixRange(t, value))
		default:
			return errors.New("unknown option")
		}
		return nil
	})
	return cfg, show
}

// attributes reads "CLASS ATTRIBUTES", the latter as in the text of a path.
func attributes(t *testing.T, text string) (expose.Class, expose.Attributes) {
	t.Helper()
	class, rest, _ := strings.Cut(text, " ")
	v, err := object.Parse("path ipv4-unicast 192.0.2.1/32 next-hop self origin incomplete " + rest)
	if err != nil {
		t.Fatal(err)
	}
	p := v.(object.Path)
	return expose.Class(class), expose.Attributes{
		Communities: p.Communities, LargeCommunities: p.LargeCommunities,
		MED: p.MED, LocalPref: p.LocalPref,
	}
}

func prefixRange(t *testing.T, text string) observe.PrefixRange {
	t.Helper()
	r, err := observe.ParsePrefixRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// isBase reports whether the item is there with nothing exposed.
func isBase(it object.Item) bool {
	return !slices.ContainsFunc(it.Why, func(s object.Source) bool { return s.Rule != "R0" })
}

// soundNeeds checks what every desired set must satisfy: all needs are desired
// too, and a path that may be announced needs a route that covers it, in a
// table that a rule leads to, and on a flow.
func soundNeeds(t *testing.T, s object.Set) {
	t.Helper()
	for k, it := range s.All() {
		for _, need := range it.Needs() {
			if !s.Has(need) && !s.Has(object.Key{Kind: object.KindLink, Name: need.Name}) {
				t.Errorf("%s needs %s, which is not desired", k.Text(), need.Text())
			}
		}
		if k.Kind == object.KindPath && it.Block == nil {
			soundPath(t, it)
		}
	}
}

func soundPath(t *testing.T, it object.Item) {
	t.Helper()
	dst := it.Value.Key().Prefix
	tables := map[uint32]bool{}
	flow := false
	for _, need := range it.Needs() {
		switch {
		case need.Kind == object.KindRoute && need.Prefix.Bits() <= dst.Bits() && need.Prefix.Contains(dst.Addr()):
			tables[need.Num] = true
		case need.Kind == object.KindFlow:
			flow = true
		}
	}
	rule := slices.ContainsFunc(it.Needs(), func(k object.Key) bool { return k.Kind == object.KindRule && tables[k.Num] })
	if len(tables) == 0 || !rule || !flow {
		t.Errorf("%s needs %v: want a route that covers it, the rule of its table, and a flow", it.Value.Key().Text(),
			it.Needs())
	}
}
