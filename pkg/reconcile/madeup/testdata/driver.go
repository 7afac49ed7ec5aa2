// Package beacon is a made-up driver: each mapped bridge gets a beacon, and an
// address that is announced while the beacon is lit.
package beacon

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Driver implements desired.Driver and reason.Explainer.
type Driver struct{ Color string }

// Name is beacon_driver.
func (d Driver) Name() string { return "beacon_driver" }

var prefix = netip.MustParsePrefix("192.0.2.9/32")

// Desired adds a beacon and the path that needs it.
func (d Driver) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	for _, m := range snap.OVS.Mappings {
		why := []object.Source{{Driver: d.Name(), Rule: "X1", Table: "Bridge", Row: m.Bridge}}
		light := object.Beacon{Name: "b-" + m.Bridge, Dev: m.Bridge, Color: d.Color}
		path := object.NewPath(prefix, object.OriginIGP)
		for _, it := range []object.Item{
			{Value: object.Device{Name: m.Bridge, Up: true}, Why: why, Keeps: []object.Key{light.Key()}},
			{Value: light, Why: why},
			{Value: path, Why: why, After: []object.Key{light.Key()}},
		} {
			if err := out.Add(it); err != nil {
				return []observe.Skip{{Table: "Bridge", Row: m.Bridge, Code: observe.SkipConflict, Text: err.Error()}}
			}
		}
	}
	return nil
}

// Explain accounts for the one address.
func (d Driver) Explain(_ observe.Snapshot, addr netip.Addr) []reason.Account {
	if addr != prefix.Addr() {
		return nil
	}
	return []reason.Account{{What: "the address of a beacon", Steps: []reason.Step{{Stage: "bridge", Text: "it is mapped",
		OK: true}}}}
}
