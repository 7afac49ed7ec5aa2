package drivers_test

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// everything are the drivers with all that can be turned on.
func everything() []explaining {
	opts := expose.DefaultOptions()
	all := []observe.PrefixRange{
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Longest: 32}, {Prefix: netip.MustParsePrefix("::/0"), Longest: 128},
	}
	routing := native.Defaults()
	routing.Expose, routing.AS, routing.LearnAccept = opts, 64999, all
	return []explaining{
		bgp.New(bgp.Config{
			Expose: opts, TenantNetworks: true, TenantMethod: bgp.MethodHost, UnknownMACFromCIDRs: true,
			PortForwardings: true, GatewayRouters: true,
		}),
		evpn.New(evpn.Config{
			Expose: opts, Port: 4789, AS: 64999, TenantNetworks: true, LocalIP: netip.MustParseAddr("99.99.1.1"),
			Networks: []evpn.NetworkConfig{{
				NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100}, Method: evpn.MethodL2VNI, VNI: 3000,
			}},
		}),
		fabric.New(fabric.Config{Accept: all, Max: 100, Loopback: true, Metric: 4098, Expose: opts}),
		native.New(routing),
	}
}

// FuzzDrivers derives and explains whatever can be read of a text: no driver panics,
// and nothing that is wanted takes away what the node lives on.
func FuzzDrivers(f *testing.F) {
	f.Add([]byte(`{"sb": {}, "ovs": {"hv1": null}}`))
	for _, scene := range []string{"include base\n", "include evpn\n"} {
		s, err := story.Parse(scene)
		if err != nil {
			f.Fatal(err)
		}
		snap, err := s.Snapshot("gw-1")
		if err != nil {
			f.Fatal(err)
		}
		var text bytes.Buffer
		if err := file.Write(&text, snap); err != nil {
			f.Fatal(err)
		}
		f.Add(text.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		have, err := file.Decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		for key := range have.OVS {
			snap, err := have.Snapshot(key)
			if err != nil {
				t.Fatal(err)
			}
			derive(t, snap)
		}
	})
}

// derive computes and explains a snapshot with each driver: none panics, twice the same
// comes out of it, and nothing that is wanted takes away what the node lives on.
func derive(t *testing.T, snap observe.Snapshot) {
	t.Helper()
	for _, d := range everything() {
		want := desired.Compute(snap, nil, d)
		if len(want.Panics) > 0 {
			t.Fatalf("%s\n%s", want.Panics[0].Text, want.Panics[0].Stack)
		}
		again := desired.Compute(snap, nil, d)
		if !reflect.DeepEqual(want.Want.Sorted(), again.Want.Sorted()) || !slices.Equal(want.Skipped, again.Skipped) {
			t.Errorf("driver %s wants something else the second time", d.Name())
		}
		guard := desired.NewGuard(snap, want.Want)
		for _, it := range want.Want.Sorted() {
			if it.Block == nil && guard.Block(it.Value) != nil {
				t.Errorf("%s is let pass", object.Text(it.Value))
			}
		}
		checkAddresses(t, want.Want)
		for _, addr := range mentioned(snap) {
			if _, p := desired.Explain(d, snap, addr); p != nil {
				t.Fatalf("%s\n%s", p.Text, p.Stack)
			}
		}
	}
}

// checkAddresses: what a driver puts on a device becomes local to the node, so that an
// address of outside data there would take away whoever has it. All are from ranges that
// no cloud has (B2).
func checkAddresses(t interface{ Errorf(string, ...any) }, want object.Set) {
	for _, it := range want.SortedOf(object.KindAddress) {
		if a, ok := it.Value.(object.Address); ok && !observe.Martian(a.Prefix.Addr()) {
			t.Errorf("%s is put on a device", object.Text(a))
		}
	}
}
