package drivers_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// explaining is a driver that accounts for addresses.
type explaining interface {
	desired.Driver
	reason.Explainer
}

// driver is one that is checked: on this node, and as others are taken to have it.
type driver struct {
	here, there explaining
}

// randomDrivers draws a configuration of each driver.
func randomDrivers(t *rapid.T, w world) []driver {
	opts := expose.DefaultOptions()
	opts.Export.Subnets = rapid.Bool().Draw(t, "export subnets")
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	b := bgp.Config{
		Expose: opts, TenantNetworks: flag("tenants"), TenantGUA: flag("gua"), TenantMethod: bgp.MethodHost,
		UnknownMACFromCIDRs: flag("unknown mac"), PortForwardings: flag("port forwardings"),
		GatewayRouters:      flag("gateway routers"),
		RequireSNATDisabled: w.nb != nil && flag("snat disabled"),
	}
	if flag("method subnet") {
		b.TenantMethod = bgp.MethodSubnet
	}
	if scopes := scopesOf(w.sb); len(scopes) > 0 && flag("address scopes") {
		b.AddressScopes = scopes[:1]
	}
	e := evpn.Config{
		Expose: opts, Port: 4789, AS: 64999, SubnetMethod: b.TenantMethod == bgp.MethodSubnet, KeepVRF: flag("keep VRFs"),
		TenantNetworks: b.TenantNetworks, TenantGUA: b.TenantGUA, AddressScopes: b.AddressScopes,
	}
	for i, p := range w.sb.Ports.Slice() {
		ref := expose.NetworkRef{Network: p.Options["network_name"], VLAN: p.Tag}
		// No configuration has a network twice, as several switches may.
		twice := slices.ContainsFunc(e.Networks, func(n evpn.NetworkConfig) bool { return n.NetworkRef == ref })
		if p.Type != observe.PortLocalnet || twice || !flag("has a VNI") {
			continue
		}
		c := evpn.NetworkConfig{NetworkRef: ref, Method: evpn.MethodVRF, VNI: uint32(3000 + i)}
		if flag("l2vni") {
			c.Method = evpn.MethodL2VNI
		} else if n := len(e.Networks); n > 0 && e.Networks[n-1].Method == evpn.MethodVRF && flag("in the VRF of another") {
			c.VNI = e.Networks[n-1].VNI
		}
		e.Networks = append(e.Networks, c)
		b.Expose.Reserved = append(b.Expose.Reserved, ref)
	}
	elsewhere := e
	elsewhere.LocalIP = netip.MustParseAddr("99.99.1.2")
	if flag("VTEP") {
		e.LocalIP = netip.MustParseAddr("99.99.1.1")
	}
	f := fabric.New(fabric.Config{
		Accept:   []observe.PrefixRange{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Longest: 32}},
		Max:      rapid.IntRange(0, 3).Draw(t, "max"),
		Loopback: flag("loopback"), Originate: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/30")}, Expose: opts,
	})
	return []driver{{bgp.New(b), bgp.New(b)}, {evpn.New(e), evpn.New(elsewhere)}, {f, f}, randomNative(t, w, opts)}
}

func scopesOf(sb *observe.Southbound) []string {
	scopes := map[string]bool{}
	for p := range sb.Ports.All() {
		for _, key := range []string{"neutron:subnet_pool_addr_scope4", "neutron:subnet_pool_addr_scope6"} {
			if s := p.ExternalIDs[key]; s != "" {
				scopes[s] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(scopes))
}

// mentioned are all addresses in the rows and on the node, and for each prefix the
// first one, which often no row has.
func mentioned(view observe.Snapshot) []netip.Addr {
	out := map[netip.Addr]bool{}
	for p := range view.SB.Ports.All() {
		for _, el := range p.Addresses {
			for _, prefix := range el.Addrs {
				out[prefix.Addr()], out[prefix.Masked().Addr()] = true, true
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
	for _, lb := range view.SB.Balancers {
		for _, addr := range lb.VIPAddrs() {
			out[addr] = true
		}
	}
	for _, row := range view.SB.Advertised {
		if p, err := netip.ParsePrefix(row.Prefix); err == nil {
			out[p.Addr().Unmap()] = true
		} else if a, err := netip.ParseAddr(row.Prefix); err == nil {
			out[a.WithZone("").Unmap()] = true
		}
	}
	for _, row := range view.SB.MACs {
		if a, err := netip.ParseAddr(row.IP); err == nil {
			out[a.WithZone("").Unmap()] = true
		}
	}
	if view.Host != nil {
		for _, a := range view.Host.Addresses {
			out[a.Addr] = true
		}
	}
	if view.Learned != nil {
		for _, p := range view.Learned.Paths {
			out[p.Prefix.Addr()] = true
		}
	}
	return slices.SortedFunc(maps.Keys(out), netip.Addr.Compare)
}

// paths are the keys of what is wanted that announces an address, blocked or not.
func paths(want object.Set, addr netip.Addr) map[object.Key]object.Item {
	out := map[object.Key]object.Item{}
	for _, kind := range []object.Kind{object.KindPath, object.KindEVPN} {
		for k, it := range want.AllOf(kind) {
			if e, ok := it.Value.(object.EVPNPath); ok && e.Type == object.EVPNMulticast {
				continue // it is the VTEP's
			}
			if k.Prefix.IsValid() && k.Prefix.Contains(addr) {
				out[k] = it
			}
		}
	}
	return out
}

// verdict is what the accounts of an address come to.
type verdict struct {
	// objects are those of the accounts that get through.
	objects map[object.Key]bool
	// announcers are the names of chassis, probable those that are not sure.
	announcers, probable map[string]bool
}

func verdictOf(accounts []reason.Account, addr netip.Addr) verdict {
	v := verdict{map[object.Key]bool{}, map[string]bool{}, map[string]bool{}}
	for _, a := range accounts {
		if a.Inbound() {
			continue // routes are compared by themselves
		}
		if _, blocked := a.Blocked(); !blocked {
			key := a.Object
			if key.Kind == 0 {
				key = object.NewPath(netip.PrefixFrom(addr, addr.BitLen()), object.OriginIncomplete).Key()
			}
			v.objects[key] = true
		}
		for _, name := range a.Chassis {
			v.announcers[name] = true
		}
		for _, name := range a.Probable {
			v.probable[name] = true
		}
	}
	return v
}

// disagreement compares what a driver says of an address with what it derives, here
// and as each chassis of the world; empty if it is the same. has tells for each
// chassis whether it derives a path for the address, and is nil for drivers that do
// not speak of others.
func disagreement(view observe.Snapshot, accounts []reason.Account, want object.Set, has func(chassis string) bool,
	addr netip.Addr,
) string {
	v := verdictOf(accounts, addr)
	derived := paths(want, addr)
	advertised, free := false, false
	for key := range v.objects {
		it, ok := derived[key]
		if !ok {
			return fmt.Sprintf("%s gets through, and is not derived", key.Text())
		}
		advertised = advertised || it.Block == nil
	}
	for key, it := range derived {
		free = free || it.Block == nil
		// An address in a subnet may have a nearer path; one of a station has one in each
		// VNI of its switch, of which one is enough.
		station, _ := it.Value.(object.EVPNPath)
		if key.Prefix.IsSingleIP() && station.Type != object.EVPNMacIP && !v.objects[key] {
			return fmt.Sprintf("%s is derived, and no account leads to it", key.Text())
		}
	}
	if advertised != free {
		return fmt.Sprintf("advertised: explained %t, derived %t", advertised, free)
	}
	if has == nil {
		return ""
	}
	for _, c := range view.SB.Chassis {
		name := c.Text()
		if got, want := v.announcers[name], has(c.Name); got != want && !(v.probable[name] && !got) {
			return fmt.Sprintf("announced by %s: explained %t, derived %t", name, got, want)
		}
	}
	return ""
}

// compared counts what was compared, so that a test of nothing is seen.
type compared struct {
	views, verdicts, announced, blocked, elsewhere int
	// routed and learned are what OVN advertises by itself and what it learns.
	routed, learned int
}

// TestExplainAgreesWithDesired: for every address that a random world mentions, what
// each driver says in an explanation is what it derives. Nothing of a driver panics.
func TestExplainAgreesWithDesired(t *testing.T) {
	all := worlds(t)
	var routed []world // that have what one of the drivers is for
	for _, w := range all {
		if slices.ContainsFunc(w.sb.Ports.Slice(), func(p *observe.PortBinding) bool {
			return p.Options["dynamic-routing"] != ""
		}) {
			routed = append(routed, w)
		}
	}
	var n compared
	rapid.Check(t, func(t *rapid.T) {
		for _, list := range [][]world{all, all, routed, routed} {
			w := list[rapid.IntRange(0, len(list)-1).Draw(t, "world")].mutate(t)
			n.agree(t, w)
		}
	})
	t.Logf("%+v", n)
	if n.verdicts < 1000 || n.announced < 100 || n.blocked < 10 || n.elsewhere < 100 || n.routed < 10 || n.learned < 3 {
		t.Errorf("too few were compared to mean anything")
	}
}

// TestExplainAgreesOnFixtures: the same of each dump of a real OVN as it is, on each of its nodes, with
// the drivers as they are installed.
func TestExplainAgreesOnFixtures(t *testing.T) {
	opts := expose.DefaultOptions()
	b := bgp.New(bgp.Config{Expose: opts, TenantMethod: bgp.MethodHost, TenantNetworks: true})
	e := evpn.Config{Expose: opts, Port: 4789, AS: 64999, TenantNetworks: true, LocalIP: netip.MustParseAddr("99.99.1.1")}
	elsewhere := e
	elsewhere.LocalIP = netip.MustParseAddr("99.99.1.2")
	f := fabric.New(fabric.Config{
		Accept: []observe.PrefixRange{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Longest: 32}}, Max: 100, Loopback: true,
		Expose: opts,
	})
	c := native.Defaults()
	c.Expose, c.AS = opts, 64999
	nat := native.New(c)
	k := kube.New(kube.Config{Expose: opts})
	drivers := []driver{{b, b}, {evpn.New(e), evpn.New(elsewhere)}, {f, f}, {nat, nat}, {k, k}}
	var n compared
	for _, w := range worlds(t) {
		if !strings.HasSuffix(w.name, ".json") {
			continue
		}
		for _, here := range slices.Sorted(maps.Keys(w.views)) {
			n.agreeOn(t, w, here, w.views[here], drivers)
		}
	}
	t.Logf("%+v", n)
	if n.views < 40 || n.verdicts < 1000 || n.announced < 100 || n.routed < 10 {
		t.Error("too few were compared to mean anything")
	}
}

// agree compares what all drivers say of a world as one of its nodes sees it.
func (n *compared) agree(t *rapid.T, w world) {
	drivers := randomDrivers(t, w)
	here := rapid.SampledFrom(slices.Sorted(maps.Keys(w.views))).Draw(t, "node")
	n.agreeOn(t, w, here, mutateView(t, w.views[here]), drivers)
}

// agreeOn compares what drivers say of a world as one of its nodes sees it.
func (n *compared) agreeOn(t rapid.TB, w world, here string, view observe.Snapshot, drivers []driver) {
	chassis := slices.Sorted(maps.Keys(w.views))
	n.views++
	for _, d := range drivers {
		want := compute(t, view, d.here)
		sets := map[string]object.Set{here: want}
		for _, name := range chassis {
			if name != here {
				other := w.views[name]
				other.Host, other.Learned = nil, nil // nobody elsewhere can know them
				other.OVS = mappedOnly(other.OVS)
				sets[name] = compute(t, other, d.there)
			}
		}
		for _, addr := range mentioned(view) {
			accounts := d.here.Explain(view, addr)
			has := func(name string) bool { return len(paths(sets[name], addr)) > 0 }
			if d.here.Name() == fabric.Name {
				has = nil // it speaks of this node only
			}
			problem := disagreement(view, accounts, want, has, addr)
			if d.here.Name() == native.Name && problem == "" {
				problem = unlearned(accounts, want, addr)
			}
			if problem != "" {
				for name, set := range sets {
					for k, it := range paths(set, addr) {
						t.Logf("%s derives %s from %v", name, k.Text(), it.Why)
					}
				}
				t.Fatalf("%s on %s, driver %s, %s: %s\n%s", w.name, here, d.here.Name(), addr, problem, printed(accounts))
			}
			n.count(d.here, accounts, want, addr)
		}
	}
}

// count adds what the accounts of one address come to.
func (n *compared) count(d explaining, accounts []reason.Account, want object.Set, addr netip.Addr) {
	v := verdictOf(accounts, addr)
	n.verdicts++
	n.elsewhere += len(v.announcers)
	for key := range v.objects {
		if it, _ := want.Get(key); it.Block != nil {
			n.blocked++
		} else {
			n.announced++
		}
	}
	if d.Name() == native.Name {
		n.routed += len(v.objects)
		n.learned += passing(accounts)
	}
}

// mappedOnly leaves out bridges of which the Southbound database does not tell.
func mappedOnly(o *observe.OpenVSwitch) *observe.OpenVSwitch {
	out := *o
	out.Bridges = slices.DeleteFunc(slices.Clone(o.Bridges), func(b observe.Bridge) bool {
		return !slices.ContainsFunc(o.Mappings, func(m observe.BridgeMapping) bool { return m.Bridge == b.Name })
	})
	return &out
}

// compute is what one driver wants, and fails where it panics, isolated or not.
func compute(t rapid.TB, view observe.Snapshot, d desired.Driver) object.Set {
	res := desired.Compute(view, nil, d)
	for _, p := range res.Panics {
		t.Fatalf("%s\n%s", p.Text, p.Stack)
	}
	return res.Want
}

func printed(accounts []reason.Account) string {
	var b strings.Builder
	for _, a := range accounts {
		fmt.Fprintf(&b, "%s (%s)\n", a.What, strings.Join(a.Chassis, ", "))
		for _, s := range a.Steps {
			fmt.Fprintf(&b, "  %s %t %s %s\n", s.Stage, s.OK, s.Code, s.Text)
		}
	}
	return b.String()
}

// TestDisagreementIsFound: an explainer that is wrong in any of the ways that count
// does not pass for a right one.
func TestDisagreementIsFound(t *testing.T) {
	s, err := story.Parse(`include base
port vm on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis cmp-1 up
port filtered on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.93" chassis cmp-1 up
port other on dp-pub mac "fa:16:3e:15:9e:f2 172.24.4.94" chassis cmp-2 up
`)
	if err != nil {
		t.Fatal(err)
	}
	w := told(t, "base", s)
	opts := expose.DefaultOptions()
	deny, err := observe.ParsePrefixRange("172.24.4.93/32")
	if err != nil {
		t.Fatal(err)
	}
	opts.Export.Deny = []observe.PrefixRange{deny}
	d := bgp.New(bgp.Config{Expose: opts, TenantMethod: bgp.MethodHost})
	view := w.views["cmp-1"]
	want := desired.Compute(view, nil, d).Want
	blocked := func(a *reason.Account) {
		a.Steps = append(a.Steps, reason.Step{Stage: "policy", Code: reason.NotOwner})
	}
	free := func(a *reason.Account) { a.Steps = nil }
	for name, tt := range map[string]struct {
		addr  string
		wrong func(*reason.Account)
		want  string
	}{
		"right":                   {"172.24.4.92", func(*reason.Account) {}, ""},
		"right of a filtered one": {"172.24.4.93", func(*reason.Account) {}, ""},
		"right of another's":      {"172.24.4.94", func(*reason.Account) {}, ""},
		"not announced":           {"172.24.4.92", blocked, "no account leads to it"},
		"other reason":            {"172.24.4.93", blocked, "no account leads to it"},
		"announced":               {"172.24.4.94", free, "is not derived"},
		"by nobody":               {"172.24.4.94", func(a *reason.Account) { a.Chassis = nil }, "announced by cmp-2"},
		"by another": {"172.24.4.92", func(a *reason.Account) {
			a.Chassis = append(a.Chassis,
				"gw-1 (gw-1.example)")
		}, "announced by gw-1"},
	} {
		addr := netip.MustParseAddr(tt.addr)
		has := func(chassis string) bool {
			return len(paths(desired.Compute(w.views[chassis], nil, d).Want, addr)) > 0
		}
		accounts := d.Explain(view, addr)
		tt.wrong(&accounts[0])
		got := disagreement(view, accounts, want, has, addr)
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
