package model

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestProofDrift holds the model to what the real backends do when others change what
// is ours.
func TestProofDrift(t *testing.T) {
	contract.Drift(t, subject(), func(_ *testing.T, b actual.Backend, act contract.Act, v object.Value) bool {
		w := b.(*World)
		have, _ := w.items.Get(v.Key())
		switch act {
		case contract.Remove:
			w.Unset(v.Key())
		case contract.Change:
			w.Set(have.Marked, v)
		case contract.Again:
			device := object.Device{Name: v.Key().Name, Up: true}
			w.Unset(device.Key())
			if v.(object.OVSPort).Type != object.OVSInternal {
				w.Set(false, device)
			}
		default:
			w.Set(false, v)
		}
		w.Poke()
		return act != contract.Take || v.Key().Kind.HasMark()
	})
}
