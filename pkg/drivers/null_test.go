package drivers_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// TestNullDatabases: a file may have null for what could not be read. Nothing is
// derived of it, and all that is there is in doubt.
func TestNullDatabases(t *testing.T) {
	for _, text := range []string{
		`{"sb": {}, "ovs": {"hv1": null}}`,
		`{"sb": {}, "nb": null, "ovs": {"hv1": null}, "host": {"hv1": null}, "learned": {"hv1": null}, ` +
			`"protected": {"hv1": null}}`,
		`{"sb": {"Port_Binding": [], "Chassis": []}, "ovs": {"hv1": {}}, "host": {"hv1": {}}, "learned": {"hv1": {}}, ` +
			`"protected": {"hv1": {}}}`,
	} {
		f, err := file.Decode(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		snap, err := f.Snapshot("")
		if err != nil {
			t.Fatal(err)
		}
		if snap.Doubt() == "" {
			t.Errorf("%s: nothing is doubted", text)
		}
		opts := expose.DefaultOptions()
		for _, d := range []explaining{
			bgp.New(bgp.Config{Expose: opts, TenantNetworks: true}), evpn.New(evpn.Config{Expose: opts}),
			fabric.New(fabric.Config{Expose: opts, Loopback: true}), native.New(native.Config{Expose: opts}),
		} {
			if res := desired.Compute(snap, nil, d); len(res.Panics) > 0 || res.Want.Len() > 0 {
				t.Errorf("%s: %s: %+v, %v", text, d.Name(), res.Panics, res.Want.Sorted())
			}
			if accounts, p := desired.Explain(d, snap, netip.MustParseAddr("192.0.2.1")); p != nil {
				t.Errorf("%s: %s: %+v, %v", text, d.Name(), p, accounts)
			}
		}
	}
}
