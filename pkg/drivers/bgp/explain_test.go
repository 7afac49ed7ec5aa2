package bgp_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestExplainAgrees compares the two forms of every rule: of each address that
// a database mentions, an account must get through exactly if a path for it is
// derived, alone or in a subnet. It asks this of every dump in every mode and
// method, and of every scenario.
func TestExplainAgrees(t *testing.T) {
	asked := 0
	for name, nodes := range expectations(t) {
		snap, err := file.Read(filepath.Join(fixtures, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for node, modes := range nodes {
			view, err := snap.Snapshot(node)
			if err != nil {
				t.Fatal(err)
			}
			for mode := range modes {
				for _, method := range []bgp.Method{bgp.MethodHost, bgp.MethodSubnet} {
					cfg := fixtureConfig(t, mode)
					cfg.TenantMethod, cfg.PortForwardings, cfg.GatewayRouters = method, true, true
					asked += agrees(t, name+" "+node+" "+mode+" "+string(method), view, cfg)
				}
			}
		}
	}
	for _, f := range scenarios.Files(t) {
		cfg, _ := config(t, f)
		world, err := story.Parse(f.Section("snapshot"))
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range f.Fields("node") {
			view, err := world.Snapshot(node)
			if err != nil {
				t.Fatal(err)
			}
			asked += agrees(t, f.Name+" "+node, view, cfg)
		}
	}
	if asked < 1000 {
		t.Errorf("asked of %d addresses only", asked)
	}
}

// agrees asks of every address of a snapshot and returns how many that were.
func agrees(t *testing.T, name string, view observe.Snapshot, cfg bgp.Config) int {
	t.Helper()
	d := bgp.New(cfg)
	want := desired.Compute(view, nil, d).Want
	addrs := mentioned(view.SB)
	for addr := range addrs {
		derived := announces(want, addr)
		explained, objects := false, true
		accounts := d.Explain(view, addr)
		for _, a := range accounts {
			if _, blocked := a.Blocked(); !blocked {
				explained = true
				objects = objects && (a.Object.Kind == 0 || want.Has(a.Object))
			}
			if len(a.Steps) == 0 || a.What == "" {
				t.Errorf("%s: %s has an account that says nothing: %+v", name, addr, a)
			}
		}
		if derived != explained || !objects {
			t.Errorf("%s: %s: derived %t, explained %t, by objects that are desired %t: %+v", name, addr, derived, explained,
				objects, accounts)
		}
	}
	return len(addrs)
}

// announces reports whether a path holds the address.
func announces(want object.Set, addr netip.Addr) bool {
	for _, p := range object.Of[object.Path](want) {
		if p.Prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// mentioned are all addresses in the rows, and for each subnet of a router one
// that no row has.
func mentioned(sb *observe.Southbound) map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	for p := range sb.Ports.All() {
		for _, el := range p.Addresses {
			for _, prefix := range el.Addrs {
				out[prefix.Addr()] = true
				out[prefix.Masked().Addr()] = true
			}
		}
		for _, nat := range p.NAT {
			for _, addr := range nat.Addrs {
				out[addr] = true
			}
		}
		for _, c := range p.CIDRs() {
			out[c.Addr()] = true
		}
	}
	for _, lb := range sb.Balancers {
		for _, addr := range lb.VIPAddrs() {
			out[addr] = true
		}
	}
	return out
}

// TestExplainReserved: a provider network that evpn.networks has is not called
// unmapped.
func TestExplainReserved(t *testing.T) {
	world, err := story.Parse("include segment")
	if err != nil {
		t.Fatal(err)
	}
	view, err := world.Snapshot("cmp-1")
	if err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	cfg.Expose.Reserved = []expose.NetworkRef{{Network: "public", VLAN: 100}}
	accounts := bgp.New(cfg).Explain(view, netip.MustParseAddr("172.24.8.20"))
	if len(accounts) != 1 {
		t.Fatalf("got %+v", accounts)
	}
	if s, blocked := accounts[0].Blocked(); !blocked || s.Code != reason.Reserved {
		t.Errorf("got %+v", accounts[0])
	}
}
