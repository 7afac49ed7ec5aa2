package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// made is a made-up driver: it announces one prefix for each of its sites.
type made struct {
	sites  []site
	tenant bool
	cookie uint64
}

type site struct {
	Name   string
	Prefix netip.Prefix
}

func (d made) Name() string { return "made_up_driver" }

func (d made) Desired(_ observe.Snapshot, out *object.Set) []observe.Skip {
	for _, s := range d.sites {
		_ = out.Add(object.Item{Value: object.NewPath(s.Prefix, object.OriginIGP)})
	}
	return nil
}

// madeOptions are its settings.
type madeOptions struct {
	sites []site
	color string
}

func (o *madeOptions) Keys() []key.Key {
	return []key.Key{
		key.Text(&o.color, "made.color", "color of the sites", nil).Reloads(),
		key.Elements(&o.sites, "made.sites", "site", "a site", func() site { return site{} }, func(s *site) []key.Key {
			return []key.Key{
				key.Text(&s.Name, "name", "what it is called", nil).Needed("name it"),
				key.Parsed(&s.Prefix, "prefix", "string", "what is announced", parsePrefix, printPrefix).
					Needed("say what is announced"),
			}
		}, nil),
	}
}

func (o *madeOptions) Needs() drivers.Needs {
	return drivers.Needs{Cookie: 0x111, Northbound: o.color == "north", Family: object.IPv6Unicast.String()}
}

func (o *madeOptions) Check(running bool, report drivers.Report) {
	if !running && len(o.sites) > 0 {
		report("made.sites[0].name", "nobody runs it", "add made_up_driver to drivers")
	}
}

func (o *madeOptions) Driver(shared drivers.Shared) desired.Driver {
	return made{sites: o.sites, tenant: shared.TenantNetworks, cookie: shared.Expose.Cookie}
}

// withMade is the list with one line more.
func withMade() drivers.List {
	return append(drivers.All(), drivers.Spec{
		Name: "made_up_driver", Aliases: []string{"invented"},
		Options: func() drivers.Options { return &madeOptions{color: "grey"} },
	})
}

// A driver of others is a line in the list and its own type of settings: its keys
// are read from file, flags and variables, with what it shares with the others.
func TestMadeUpDriver(t *testing.T) {
	const file = "drivers: [invented, ovn_bgp_driver]\n" +
		"made: {sites: [{name: a, prefix: 192.0.2.0/24}, {name: b, prefix: 2001:db8::/32}], color: north}\n" +
		"expose_tenant_networks: true\n"
	env := map[string]string{"BGP_OVN_MADE_COLOR": "north"}
	args := []string{
		"--drivers=made_up_driver,osp_ovn_bgp_driver", "--made-sites=name=a,prefix=192.0.2.0/24",
		"--made-sites=name=b,prefix=2001:db8::/32",
		"--expose-tenant-networks",
	}
	fromFile, problems := load(withMade(), source(t, withMade(), file, nil))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	fromRest, problems := load(withMade(), source(t, withMade(), "", env, args...))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if changed, _ := Changes(fromFile, fromRest); len(changed) > 0 {
		t.Errorf("file and flags differ in %v", changed)
	}
	d, ok := fromFile.NewDrivers()[0].(made)
	if !ok || len(d.sites) != 2 || d.sites[1].Prefix.String() != "2001:db8::/32" || !d.tenant || d.cookie != 0x3e7 {
		t.Errorf("the first driver is %+v", fromFile.NewDrivers()[0])
	}
	if name := fromFile.NewDrivers()[1].Name(); name != bgp.Name {
		t.Errorf("the second driver is %s", name)
	}
	if !fromFile.UseNorthbound || !slices.Equal(fromFile.Cookies(), []uint64{0x3e7, 0x111}) {
		t.Errorf("northbound %v, cookies %#x", fromFile.UseNorthbound, fromFile.Cookies())
	}
	other, _ := load(
		withMade(),
		source(t, withMade(), file, map[string]string{"BGP_OVN_MADE_COLOR": "red"}, "--made-sites="),
	)
	changed, restart := Changes(fromFile, other)
	if !slices.Equal(changed, []string{"made.color", "made.sites"}) || !slices.Equal(restart, []string{"made.sites"}) {
		t.Errorf("changed %v, restart %v", changed, restart)
	}
}

// What is wrong with its keys is said like that of all others.
func TestMadeUpDriverProblems(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{
			"made:\n  sites:\n    - {name: a, prefix: 192.0.2.0/24}\n",
			"3: made.sites[0].name: nobody runs it: add made_up_driver to drivers",
		},
		{
			"drivers: [invented]\nmade:\n  sites:\n    - {nam: a, prefix: 192.0.2.1/24, name: b}\n",
			"4: made.sites[0].nam: unknown key: did you mean name?",
		},
		{"drivers: [invented]\nmade: {colour: red}\n", "2: made.colour: unknown key: did you mean color?"},
		{
			"drivers: [inventted]\n",
			`1: drivers[0]: unknown driver "inventted": ` +
				`use one of osp_ovn_bgp_driver, osp_ovn_evpn_driver, ovn_native_driver, k8s_ovn_bgp_driver, made_up_driver`,
		},
		{
			"drivers: [invented]\nflows: {cookie: 0x111}\n",
			"2: flows.cookie: 0x111 is that of the flows of made_up_driver: choose another",
		},
		{
			"drivers: [invented]\nbgp: {peers: [{address: 192.0.2.1, as: 1, families: [ipv4-unicast]}]}\n",
			"2: bgp.peers: made_up_driver needs a neighbour with ipv6-unicast among its families: " +
				"add it to the families of one",
		},
	} {
		src := source(t, withMade(), tt.file, nil)
		_, problems := load(withMade(), src)
		if len(problems) == 0 || problems[0].Error() != src.Path+":"+tt.want {
			t.Errorf("%s: got\n%v\nwant %s", tt.file, problems.Err(), tt.want)
		}
	}
}

// Keys of two drivers must not be the same, nor their flags: the table has each
// once.
func TestKeysAreUnique(t *testing.T) {
	s := defaults(withMade())
	seen := map[string]string{}
	for _, k := range table(&s) {
		for _, name := range []string{k.Name, "--" + k.Flag(), "$" + k.Variable()} {
			if other, twice := seen[name]; twice {
				t.Errorf("%s is that of %s and of %s", name, other, k.Name)
			}
			seen[name] = k.Name
		}
		if strings.ToLower(k.Name) != k.Name || strings.Contains(k.Name, "-") {
			t.Errorf("%s: write lower case and underscores", k.Name)
		}
		for _, f := range k.Fields {
			if f.Help == "" || strings.Contains(f.Name, ".") {
				t.Errorf("%s of %s has no meaning, or a dot", f.Name, k.Name)
			}
		}
	}
}
