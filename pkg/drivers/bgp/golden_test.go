package bgp_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

var update = flag.Bool("update", false, "rewrite the expected sections of the scenarios")

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
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { scenario(t, file) })
	}
}

func scenario(t *testing.T, file string) {
	have, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := &txtar.Archive{Comment: have.Comment}
	for _, f := range have.Files {
		if !strings.HasPrefix(f.Name, "want ") && !strings.HasPrefix(f.Name, "skipped ") {
			got.Files = append(got.Files, f)
		}
	}
	cfg, show := config(t, section(have, "config"))
	world, err := story.Parse(section(have, "snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range strings.Fields(section(have, "node")) {
		snap, err := world.Snapshot(node)
		if err != nil {
			t.Fatal(err)
		}
		res := desired.Compute(snap, nil, object.Set{}, bgp.New(cfg))
		soundNeeds(t, res.Want)
		got.Files = append(got.Files, txtar.File{Name: "want " + node, Data: []byte(printSet(res.Want, show))})
		if text := printSkips(res.Skipped); text != "" {
			got.Files = append(got.Files, txtar.File{Name: "skipped " + node, Data: []byte(text)})
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(have)), string(txtar.Format(got))); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// config reads options under their names in the configuration file.
func config(t *testing.T, text string) (cfg bgp.Config, show string) {
	t.Helper()
	cfg = bgp.Config{Expose: expose.DefaultOptions(), TenantMethod: bgp.MethodHost}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
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
			if _, err := fmt.Sscanf(value, "%d-%d", &cfg.Expose.TableMin, &cfg.Expose.TableMax); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
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
			t.Fatalf("unknown option %q", line)
		}
	}
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
	return expose.Class(class), expose.Attributes{Communities: p.Communities, LargeCommunities: p.LargeCommunities, MED: p.MED, LocalPref: p.LocalPref}
}

func prefixRange(t *testing.T, text string) observe.PrefixRange {
	t.Helper()
	r, err := observe.ParsePrefixRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// printSet prints one line an object: "!" and a code if it is blocked, and
// behind "#" which rules led to it and from which rows.
func printSet(s object.Set, show string) string {
	var b strings.Builder
	for _, it := range s.Sorted() {
		if isBase(it) && show != "base" && (show != "flows" || it.Value.Key().Kind != object.KindFlow) {
			continue
		}
		line := object.Text(it.Value)
		if it.Block != nil {
			line = "! " + line + "  (" + it.Block.Code + ")"
		}
		var why []string
		for _, src := range it.Why {
			why = append(why, src.Rule+" "+src.Row)
		}
		fmt.Fprintf(&b, "%s  # %s\n", line, strings.Join(why, ", "))
	}
	return b.String()
}

// isBase reports whether the item is there with nothing exposed.
func isBase(it object.Item) bool {
	return !slices.ContainsFunc(it.Why, func(s object.Source) bool { return s.Rule != "R0" })
}

func printSkips(skips []observe.Skip) string {
	var b strings.Builder
	for _, s := range skips {
		hold := ""
		if s.Hold {
			hold = "  (hold)"
		}
		fmt.Fprintf(&b, "%s%s\n", s, hold)
	}
	return b.String()
}

// soundNeeds checks what every desired set must satisfy: all needs are wanted
// too, and a path that may be announced stands on a route that covers it, in a
// table that a rule leads to, and on a flow.
func soundNeeds(t *testing.T, s object.Set) {
	t.Helper()
	for k, it := range s.All() {
		for _, need := range it.Needs() {
			if !s.Has(need) && !s.Has(object.Key{Kind: object.KindLink, Name: need.Name}) {
				t.Errorf("%s needs %s, which is not wanted", k.Text(), need.Text())
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
		t.Errorf("%s stands on %v: want a route that covers it, the rule of its table, and a flow", it.Value.Key().Text(), it.Needs())
	}
}
