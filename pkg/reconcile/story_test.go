package reconcile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

var stories = golden.Suite{
	Given: []string{"snapshot", "config", "node", "before", "step"},
	Want:  []string{"world", "plan"},
}

// TestStories runs every story in testdata on the model of the world. A file
// has the sections
//
//	snapshot   the world at first (package story), to which each node converges
//	config     options, one "key: value" a line
//	node       the nodes to follow
//	before     what the world has before the first round: lines of node.line
//	step ...   what happens next: lines of a story, or of node.line
//
// and behind each step, for each node, the plan of the round that follows, and
// the world after it if anything was planned. The round after that must be
// empty, else its plan is printed too. Of printed worlds devices, settings,
// addresses and flows are left out unless the configuration says "show: base".
func TestStories(t *testing.T) {
	stories.Run(t, func(t *testing.T, c *golden.Case) {
		s, nodes, base := begin(t, c.File)
		happen(t, s, nodes, c.Section("before"))
		c.Each(func(name, text string) {
			if name == "node" {
				for _, n := range nodes {
					n.settle()
					c.Want("world "+n.name, printWorld(n, base))
				}
			}
			if name == "step" || strings.HasPrefix(name, "step ") {
				happen(t, s, nodes, text)
				for _, n := range nodes {
					follow(c, n, base)
				}
			}
		})
	})
}

// follow runs the round after a step, and one more if it did anything.
func follow(c *golden.Case, n *node, base bool) {
	r := n.round()
	c.Want("plan "+n.name, printRound(r))
	if r.Plan.Empty() {
		return
	}
	c.Want("world "+n.name, printWorld(n, base))
	if again := n.round(); !again.Plan.Empty() {
		c.Want("plan again "+n.name, printRound(again))
	}
}

// begin returns the story and its nodes before the first round.
func begin(t testing.TB, f *golden.File) (s *story.Story, nodes []*node, base bool) {
	t.Helper()
	cfg, tune := defaults(), func(*Config) {}
	f.Options(t, "config", func(key, value string) error {
		switch key {
		case "show":
			base = value == "base"
		case "expose_tenant_networks":
			cfg.TenantNetworks = value == "true"
		case "require_snat_disabled_for_tenant_networks":
			cfg.RequireSNATDisabled = value == "true"
		case "advertisement_method_tenant_networks":
			cfg.TenantMethod = bgp.Method(value)
		case "expose_ipv6_gua_tenant_networks":
			cfg.TenantGUA = value == "true"
		case "address_scopes":
			cfg.AddressScopes = strings.Fields(value)
		case "expose_port_forwardings":
			cfg.PortForwardings = value == "true"
		case "expose_gateway_routers":
			cfg.GatewayRouters = value == "true"
		case "fuse":
			tune = func(c *Config) { c.Fuse = FuseConfig{Share: 0.5, Least: 2, Hold: time.Minute} }
		case "holds": // as a fresh installation has them
			tune = func(c *Config) {
				c.Fuse, c.UnboundHold = FuseConfig{Share: 0.5, Least: 3, Hold: 30 * time.Second}, 10*time.Second
			}
		case "vtep": // an address, and the method of VLAN 100 if it is not l2vni
			ip, method, _ := strings.Cut(value, " ")
			evpnCfg := evpnConfig(t, ip)
			if method != "" {
				evpnCfg.Networks[0].Method = evpn.Method(method)
			}
			tune = func(c *Config) { c.Drivers = []desired.Driver{evpn.New(evpnCfg)} }
		default:
			return errors.New("unknown option")
		}
		return nil
	})
	s, err := story.Parse(f.Section("snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range f.Fields("node") {
		nodes = append(nodes, newNode(t, name, s, cfg, tune))
	}
	return s, nodes, base
}

// evpnConfig is that of a node whose VTEP is the address, with VLAN 100 of the
// physical network public stretched by VNI 2001.
func evpnConfig(t testing.TB, vtep string) evpn.Config {
	t.Helper()
	ip, err := netip.ParseAddr(vtep)
	if err != nil {
		t.Fatal(err)
	}
	return evpn.Config{
		Expose: defaults().Expose, LocalIP: ip, Port: 4789, AS: 64999,
		Networks: []evpn.NetworkConfig{{
			NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100}, Method: evpn.MethodL2VNI, VNI: 2001,
		}},
	}
}

func happen(t testing.TB, s *story.Story, nodes []*node, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		only, rest, at := strings.Cut(line, "@")
		mine := false
		for _, n := range nodes {
			if at && n.name != only {
				continue
			}
			if !at {
				rest = line
			}
			did, err := n.line(rest)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			mine = mine || did
		}
		if mine {
			continue
		}
		if err := s.Tell(line); err != nil {
			t.Fatal(err)
		}
	}
}

// printRound prints the plan as the dry run does, and what failed.
func printRound(r Round) string {
	var b strings.Builder
	if r.Frozen != "" {
		fmt.Fprintf(&b, "frozen: %s\n", r.Frozen)
	}
	b.WriteString(r.Plan.String())
	for _, err := range r.Failed() {
		fmt.Fprintf(&b, "failed: %v\n", err)
	}
	return b.String()
}

func printWorld(n *node, base bool) string {
	var b strings.Builder
	for line := range strings.Lines(n.world.String()) {
		kind, _, _ := strings.Cut(line, " ")
		if base || !slices.Contains([]string{"device", "link", "sysctl", "address", "flow"}, kind) {
			b.WriteString(line)
		}
	}
	return b.String()
}
