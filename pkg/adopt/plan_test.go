package adopt

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// setOf reads lines in the form of a plan.
func setOf(t *testing.T, lines string) object.Set {
	t.Helper()
	var s object.Set
	for line := range strings.Lines(lines) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		v, err := object.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		s.Put(object.Item{Value: v})
	}
	return s
}

func oldRoute(t *testing.T, line string, protocol uint8) legacy.Route {
	t.Helper()
	v, err := object.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return legacy.Route{Route: v.(object.Route), Protocol: protocol}
}

func oldRule(to string, table uint32) legacy.Rule {
	return legacy.Rule{To: netip.MustParsePrefix(to), Table: table, Priority: legacy.RulePriority}
}

func steps(p plan.Plan) string {
	var lines []string
	for line := range strings.Lines(p.String()) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

const (
	wantOne = `
		device br-ex  up
		address 169.254.1.1/32 dev br-ex
		neigh 172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:70
		route 172.24.4.70/32 table 77 metric 0  dev br-ex
		rule inet priority 32000 lookup 77 suppress_prefixlength 0`
	haveOne = `
		device br-ex  up
		address 169.254.1.1/32 dev br-ex`
)

// Protocols of routes.
const boot, zebra, oursProtocol = 3, 11, 98

// adoptions are nodes of the predecessor, and what is planned on each.
var adoptions = []struct {
	name       string
	want, have string
	old        func(t *testing.T) legacy.State
	named      uint32 // rt_tables names it br-ex
	removeFRR  bool
	held       bool
	plan       string
}{
	{
		name: "everything, in the order that loses nothing", want: wantOne,
		have: haveOne + `
			address 169.254.3.3/32 dev br-ex
			address 169.254.169.254/32 dev br-ex
			address 198.18.0.1/32 dev br-ex
			neigh 172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:70
			neigh 172.24.4.99 dev br-ex  lladdr fa:16:3e:00:00:99
			neigh 172.24.4.95 dev br-ex  lladdr fa:16:3e:00:00:95`,
		old: func(t *testing.T) legacy.State {
			return legacy.State{
				Rules: []legacy.Rule{oldRule("172.24.4.70/32", 77), oldRule("172.24.4.99/32", 77), oldRule("172.24.4.96/32", 56)},
				Routes: []legacy.Route{
					oldRoute(t, "route 0.0.0.0/0 table 77 metric 0  dev br-ex", boot),
					oldRoute(t, "route 172.24.4.70/32 table 77 metric 0  dev br-ex", boot),
					oldRoute(t, "route 172.24.4.99/32 table 77 metric 0  dev br-ex", boot),
					oldRoute(t, "route 198.18.0.0/16 table 77 metric 0  dev br-ex", 186),
					oldRoute(t, "route 0.0.0.0/0 table 56 metric 0  dev eth0", boot),
				},
			}
		},
		plan: `
			~ address 169.254.1.1/32 dev br-ex  (taken over as it is)
			~ neigh   172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:70  (taken over as it is)
			~ route   172.24.4.70/32 table 77 metric 0  dev br-ex proto boot -> dev br-ex
			- route   0.0.0.0/0 table 77 metric 0  (before the rule that has every packet looked up here)
			- route   172.24.4.99/32 table 77 metric 0  (before the rule that has every packet looked up here)
			+ rule    inet priority 32000 lookup 77 suppress_prefixlength 0
			- neigh   172.24.4.99 dev br-ex
			- address 169.254.3.3/32 dev br-ex
			- rule    inet to 172.24.4.70/32 priority 32000 lookup 77
			- rule    inet to 172.24.4.99/32 priority 32000 lookup 77
			! rule    inet to 172.24.4.96/32 priority 32000 lookup 56  left-alone: table 56 is not one of a provider bridge
			1 to create, 3 to update, 6 to delete, 1 blocked or held`,
	},
	{
		name: "a table that is not named stays until ours is complete", want: wantOne, have: haveOne,
		old: func(t *testing.T) legacy.State {
			return legacy.State{
				Rules: []legacy.Rule{oldRule("172.24.4.70/32", 12)},
				Routes: []legacy.Route{
					oldRoute(t, "route 0.0.0.0/0 table 12 metric 0  dev br-ex", boot),
					oldRoute(t, "route 172.24.4.70/32 table 12 metric 0  dev br-ex", boot),
				},
			}
		},
		plan: `
			~ address 169.254.1.1/32 dev br-ex  (taken over as it is)
			+ neigh   172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:70
			+ route   172.24.4.70/32 table 77 metric 0  dev br-ex
			+ rule    inet priority 32000 lookup 77 suppress_prefixlength 0
			- rule    inet to 172.24.4.70/32 priority 32000 lookup 12
			- route   0.0.0.0/0 table 12 metric 0
			- route   172.24.4.70/32 table 12 metric 0
			3 to create, 1 to update, 3 to delete`,
	},
	{
		name: "nothing is wanted, but the table has the bridge's name", want: haveOne, have: haveOne, named: 77,
		old: func(t *testing.T) legacy.State {
			return legacy.State{Routes: []legacy.Route{
				oldRoute(t, "route 0.0.0.0/0 table 77 metric 0  dev br-ex", boot),
				oldRoute(t, "route 198.18.0.0/16 table 77 metric 0  dev eth0", boot),
			}}
		},
		plan: `
			~ address 169.254.1.1/32 dev br-ex  (taken over as it is)
			- route   0.0.0.0/0 table 77 metric 0  (before the rule that has every packet looked up here)
			0 to create, 1 to update, 1 to delete`,
	},
	{
		name: "another gateway and another MAC", have: haveOne + "\nneigh 172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:01",
		want: wantOne + "\nroute 10.0.0.0/26 table 77 metric 0  dev br-ex via 172.24.4.70",
		old: func(t *testing.T) legacy.State {
			return legacy.State{Routes: []legacy.Route{
				oldRoute(t, "route 10.0.0.0/26 table 77 metric 0  dev br-ex via 172.24.4.1", boot),
				oldRoute(t, "route 172.24.4.70/32 table 77 metric 0  dev br-ex", zebra),
			}}
		},
		plan: `
			~ address 169.254.1.1/32 dev br-ex  (taken over as it is)
			~ neigh   172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:01 -> lladdr fa:16:3e:00:00:70
			+ route   172.24.4.70/32 table 77 metric 0  dev br-ex
			~ route   10.0.0.0/26 table 77 metric 0  dev br-ex via 172.24.4.1 proto boot -> dev br-ex via 172.24.4.70
			+ rule    inet priority 32000 lookup 77 suppress_prefixlength 0
			2 to create, 3 to update, 0 to delete`,
	},
	{
		name: "VLAN devices and FRR's", removeFRR: true, have: haveOne,
		want: haveOne + "\nlink br-ex.100  type vlan parent br-ex id 100 up",
		old: func(*testing.T) legacy.State {
			vlan := func(id uint16, name string, addrs ...netip.Prefix) legacy.VLAN {
				return legacy.VLAN{Link: object.Link{Name: name, Type: "vlan", Parent: "br-ex", VLAN: id, Up: true}, Addrs: addrs}
			}
			return legacy.State{
				VLANs: []legacy.VLAN{
					vlan(100, "br-ex.100", netip.MustParsePrefix("169.254.1.100/32")),
					vlan(200, "br-ex.200", netip.MustParsePrefix("169.254.1.200/32")),
					vlan(50, "br-ex.50", netip.MustParsePrefix("198.18.0.1/24")),
				},
				Devices: []legacy.Device{{Name: "bgp-nic", Type: "dummy", Addrs: 3}, {Name: "bgp-vrf", Type: "vrf"}},
			}
		},
		plan: `
			~ link    br-ex.100  type vlan parent br-ex id 100 up  (taken over as it is)
			~ address 169.254.1.1/32 dev br-ex  (taken over as it is)
			- link    br-ex.200
			- link    bgp-nic
			- link    bgp-vrf
			! link    br-ex.50  left-alone: nothing shows that ovn-bgp-agent made it; if it did: ip link del br-ex.50
			0 to create, 2 to update, 3 to delete, 1 blocked or held`,
	},
	{
		name: "a row cannot be read", want: wantOne, have: haveOne, held: true,
		old: func(t *testing.T) legacy.State {
			return legacy.State{
				Rules: []legacy.Rule{oldRule("172.24.4.99/32", 77)},
				Routes: []legacy.Route{
					oldRoute(t, "route 0.0.0.0/0 table 77 metric 0  dev br-ex", boot),
					oldRoute(t, "route 172.24.4.70/32 table 77 metric 0  dev br-ex", oursProtocol),
					oldRoute(t, "route 172.24.4.99/32 table 77 metric 0  dev br-ex", boot),
				},
			}
		},
		plan: `
			~ address 169.254.1.1/32 dev br-ex  (taken over as it is)
			+ neigh   172.24.4.70 dev br-ex  lladdr fa:16:3e:00:00:70
			+ route   172.24.4.70/32 table 77 metric 0  dev br-ex
			- route   0.0.0.0/0 table 77 metric 0  (before the rule that has every packet looked up here)
			+ rule    inet priority 32000 lookup 77 suppress_prefixlength 0
			- rule    inet to 172.24.4.99/32 priority 32000 lookup 77
			! route   172.24.4.99/32 table 77 metric 0  held: may come from a row that cannot be read: Port_Binding vm: bad: odd
			3 to create, 1 to update, 2 to delete, 1 blocked or held`,
	},
}

func TestPlan(t *testing.T) {
	for _, tt := range adoptions {
		t.Run(tt.name, func(t *testing.T) {
			a := adoption{
				want: setOf(t, tt.want), have: setOf(t, tt.have), old: tt.old(t), ledger: plan.NoLedger{},
				mapped: []string{"br-ex"}, removeFRR: tt.removeFRR,
			}
			if tt.named != 0 {
				a.host = &observe.Host{Tables: []observe.RoutingTable{{ID: tt.named, Name: "br-ex", Foreign: true}}}
			}
			if tt.held {
				a.keep = keepHeld([]observe.Skip{
					{Table: "Learned", Hold: true},
					{Table: "Port_Binding", Row: "vm", Code: "bad", Text: "odd", Hold: true},
				})
			}
			p := a.plan()
			want := strings.ReplaceAll(strings.TrimSpace(tt.plan), "\t", "")
			if got := steps(p); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestAddressesOfRelease4: what ovn-bgp-agent 4.0.0 gives to the bridge of the first
// and of the third mapping goes; an address of its range on another position, without
// the IPv6 address that it makes beside it, is not provably its own.
func TestAddressesOfRelease4(t *testing.T) {
	a := adoption{
		want: setOf(t, haveOne+"\naddress fd53:d91e:400:7f17::1:1/128 dev br-ex"), have: setOf(t, `
			device br-ex  up
			address 169.254.0.1/32 dev br-ex
			address fd53:d91e:400:7f17::1/128 dev br-ex
			address 169.254.0.3/32 dev br-ex
			address 169.254.0.4/32 dev br-ex
			address 169.254.2.44/32 dev br-ex
			address fd53:d91e:400:7f17::22c/128 dev br-ex
			address 169.254.0.1/32 dev eth0
			address 169.254.0.1/16 dev br-ex`), ledger: plan.NoLedger{},
		mapped: []string{"br-ex", "br-b", "br-ex"}, positions: map[string][]int{"br-ex": {1, 3}, "br-b": {2}},
	}
	const want = `+ address 169.254.1.1/32 dev br-ex
+ address fd53:d91e:400:7f17::1:1/128 dev br-ex
- address 169.254.0.1/32 dev br-ex
- address 169.254.0.3/32 dev br-ex
- address 169.254.2.44/32 dev br-ex
- address fd53:d91e:400:7f17::1/128 dev br-ex
- address fd53:d91e:400:7f17::22c/128 dev br-ex
2 to create, 0 to update, 5 to delete`
	if got := steps(a.plan()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestVLANsOfRelease4: a VLAN device without an address is the predecessor's if it has
// the settings that it makes, and is nothing to anybody else.
func TestVLANsOfRelease4(t *testing.T) {
	made := legacy.VLAN{
		Link: object.Link{Name: "br-ex.200", Type: "vlan", Parent: "br-ex", VLAN: 200, Up: true}, Proxies: true,
	}
	address := []netip.Prefix{netip.MustParsePrefix("198.18.0.1/24")}
	for name, tt := range map[string]struct {
		change func(*legacy.VLAN)
		goes   bool
	}{
		"as it is made":            {func(*legacy.VLAN) {}, true},
		"another name":             {func(v *legacy.VLAN) { v.Name = "vlan200" }, false},
		"an alias":                 {func(v *legacy.VLAN) { v.Alias = "storage" }, false},
		"an address":               {func(v *legacy.VLAN) { v.Addrs = address }, false},
		"the settings are not its": {func(v *legacy.VLAN) { v.Proxies = false }, false},
		"used by others":           {func(v *legacy.VLAN) { v.Used = true }, false},
	} {
		v := made
		tt.change(&v)
		a := adoption{
			want: setOf(t, haveOne), have: setOf(t, haveOne), ledger: plan.NoLedger{}, mapped: []string{"br-ex"},
			old: legacy.State{VLANs: []legacy.VLAN{v}},
		}
		if got := a.plan().String(); strings.Contains(got, "- link    "+v.Name) != tt.goes {
			t.Errorf("%s: got\n%s", name, got)
		}
	}
}

// TestForeignDefault: a default route of another owner in the table stays: our rule
// suppresses it.
func TestForeignDefault(t *testing.T) {
	for line, protocol := range map[string]uint8{
		"route 0.0.0.0/0 table 77 metric 0  dev br-ex": 186,
		"route 0.0.0.0/0 table 77 metric 0  dev eth0":  3,
		"route ::/0 table 77 metric 1024  dev eth0":    4,
	} {
		a := adoption{
			want: setOf(t, wantOne), have: setOf(t, haveOne), ledger: plan.NoLedger{}, mapped: []string{"br-ex"},
			old: legacy.State{Routes: []legacy.Route{oldRoute(t, line, protocol)}},
		}
		got := a.plan().String()
		if strings.Contains(got, "/0 table 77") ||
			!strings.Contains(got, "+ rule    inet priority 32000 lookup 77 suppress_prefixlength 0") {
			t.Errorf("%s: got\n%s", line, got)
		}
	}
}

// TestTwice: what has been taken over is in the ledger, and is not taken over again.
func TestTwice(t *testing.T) {
	a := adoption{want: setOf(t, haveOne), have: setOf(t, haveOne), ledger: owned{}, mapped: []string{"br-ex"}}
	if p := a.plan(); !p.Empty() {
		t.Errorf("got %v", p)
	}
}

// owned is a ledger that has everything.
type owned struct{ plan.NoLedger }

func (owned) Owned(object.Key) bool { return true }
