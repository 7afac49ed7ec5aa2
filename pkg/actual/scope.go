package actual

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// Scope is which systems an instance of bgp-ovn manages. It is the one rule of
// which kinds are ours to touch: for the loop, for what only computes, for cleanup
// and for adopt.
type Scope struct {
	// OpenVSwitch is flows.manage: flows and ports on bridges are ours to make. Off
	// where another tool programs Open vSwitch, or none runs.
	OpenVSwitch bool
	// Speaker is set when paths and sessions are this instance's. Adopt announces
	// nothing and leaves them alone; what only computes shows them on a model.
	Speaker bool
}

// Unmanaged lists the kinds that are left alone altogether: they are neither made
// nor removed, and what needs one of them does not wait for it. In the order of
// kinds; empty if everything is managed.
func (s Scope) Unmanaged() []object.Kind {
	var out []object.Kind
	for _, k := range object.Kinds() {
		if !s.manages(k) {
			out = append(out, k)
		}
	}
	return out
}

// manages finds the system that holds a kind. The kernel is always ours: without
// it there is nothing that an instance could do.
func (s Scope) manages(k object.Kind) bool {
	switch {
	case k == object.KindFlow || k == object.KindOVSPort:
		return s.OpenVSwitch
	case k.IsPath() || k == object.KindPeer:
		return s.Speaker
	default:
		return true
	}
}
