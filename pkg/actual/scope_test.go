package actual_test

import (
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestScope: a system is managed or left alone with all its kinds, and the kernel is
// always managed.
func TestScope(t *testing.T) {
	switching := []object.Kind{object.KindOVSPort, object.KindFlow}
	speaking := []object.Kind{object.KindPath, object.KindEVPN, object.KindPeer}
	for name, tc := range map[string]struct {
		scope actual.Scope
		want  []object.Kind
	}{
		"a controller":                       {actual.Scope{OpenVSwitch: true, Speaker: true}, nil},
		"another tool programs Open vSwitch": {actual.Scope{Speaker: true}, switching},
		"adopt":                              {actual.Scope{OpenVSwitch: true}, speaking},
		"adopt where another programs the switch": {actual.Scope{}, slices.Concat(switching, speaking)},
	} {
		if got := tc.scope.Unmanaged(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}
