package bgp_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

const fixtures = "../../observe/file/testdata"

// deviation is an address that we announce and the reference agent does not
// ("+"), or the other way round ("-"), and why that is intended.
type deviation struct{ snapshot, node, mode, address, why string }

// deviations are all differences to what the reference agent announces.
func deviations() []deviation {
	var out []deviation
	for _, mode := range []string{"off", "on", "gua"} {
		out = append(out, deviation{
			"ovn-lb-provider-vipowner", "hv1", mode, "+172.24.4.140",
			"the reference finds a VIP by its port's empty mac, which newer Octavia providers fill; the VIP is as " +
				"reachable as the other one",
		})
	}
	return out
}

// TestFixtures compares the announced host addresses with those that the
// reference agent announces, for dumps of a real OVN.
func TestFixtures(t *testing.T) {
	for name, nodes := range expectations(t) {
		snap, err := file.Read(filepath.Join(fixtures, name+".json"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for node, modes := range nodes {
			for mode, want := range modes {
				t.Run(name+"/"+node+"/"+mode, func(t *testing.T) {
					view, err := snap.Snapshot(node)
					if err != nil {
						t.Fatal(err)
					}
					res := desired.Compute(view, nil, bgp.New(fixtureConfig(t, mode)))
					soundNeeds(t, res.Want)
					got := announced(res.Want)
					if diff := cmp.Diff(sorted(deviate(want, name, node, mode)), got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					for _, s := range res.Skipped {
						t.Errorf("skipped: %s", s)
					}
				})
			}
		}
	}
}

// TestFixturesAreComplete makes sure that every dump, chassis and mode has an
// expectation: a dump without one would be tested by nobody.
func TestFixturesAreComplete(t *testing.T) {
	all := expectations(t)
	paths, err := filepath.Glob(filepath.Join(fixtures, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		if name := strings.TrimSuffix(filepath.Base(path), ".json"); !strings.HasPrefix(name, "expected") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(all))); diff != "" {
		t.Fatalf("dumps and expectations differ (-dumps +expectations):\n%s", diff)
	}
	for _, name := range names {
		snap, err := file.Read(filepath.Join(fixtures, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(snap.OVS)), slices.Sorted(maps.Keys(all[name]))); diff != "" {
			t.Errorf("%s: chassis (-dump +expectations):\n%s", name, diff)
		}
		for node, modes := range all[name] {
			if diff := cmp.Diff(modesOf(snap), slices.Sorted(maps.Keys(modes))); diff != "" {
				t.Errorf("%s, %s: modes (-dump +expectations):\n%s", name, node, diff)
			}
		}
	}
}

// modesOf are the modes that a dump is to be tested in: one for each address
// scope in it, beside those for all.
func modesOf(f *file.File) []string {
	modes := map[string]bool{"off": true, "on": true, "gua": true}
	for p := range f.Southbound.Ports.All() {
		for _, family := range []string{"4", "6"} {
			if scope := p.ExternalIDs["neutron:subnet_pool_addr_scope"+family]; scope != "" {
				modes["on:"+scope] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(modes))
}

// TestDeviationsAreUsed keeps the list from going stale.
func TestDeviationsAreUsed(t *testing.T) {
	all := expectations(t)
	for _, d := range deviations() {
		want, ok := all[d.snapshot][d.node][d.mode]
		if !ok {
			t.Errorf("%+v: there is no such case", d)
		}
		if d.why == "" {
			t.Errorf("%+v: no reason is given", d)
		}
		if slices.Contains(want, d.address[1:]) != (d.address[0] == '-') {
			t.Errorf("%+v: the reference does not differ", d)
		}
	}
}

func expectations(t *testing.T) map[string]map[string]map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(fixtures, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]map[string]map[string][]string
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func deviate(want []string, name, node, mode string) []string {
	set := map[string]bool{}
	for _, a := range want {
		set[a] = true
	}
	for _, d := range deviations() {
		if d.snapshot == name && d.node == node && d.mode == mode {
			set[d.address[1:]] = d.address[0] == '+'
		}
	}
	maps.DeleteFunc(set, func(_ string, in bool) bool { return !in })
	return slices.Collect(maps.Keys(set))
}

// fixtureConfig are the options of a mode of expected.json.
func fixtureConfig(t *testing.T, mode string) bgp.Config {
	t.Helper()
	cfg := bgp.Config{Expose: expose.DefaultOptions(), TenantMethod: bgp.MethodHost}
	word, scope, scoped := strings.Cut(mode, ":")
	switch word {
	case "off":
	case "on":
		cfg.TenantNetworks = true
	case "gua":
		cfg.TenantGUA = true
	default:
		t.Fatalf("unknown mode %q", mode)
	}
	if scoped {
		cfg.AddressScopes = []string{scope}
	}
	return cfg
}

// announced lists the host addresses of the paths that are not blocked.
func announced(s object.Set) []string {
	out := []string{}
	for _, p := range object.Of[object.Path](s) {
		if it, _ := s.Get(p.Key()); it.Block == nil && p.Prefix.IsSingleIP() {
			out = append(out, p.Prefix.Addr().String())
		}
	}
	return sorted(out)
}

func sorted(addrs []string) []string {
	out := slices.Clone(addrs)
	slices.SortFunc(out, func(a, b string) int { return netip.MustParseAddr(a).Compare(netip.MustParseAddr(b)) })
	if out == nil {
		out = []string{}
	}
	return out
}
