package expose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// TestReservedTables: a name in rt_tables does not make one of the kernel's own tables
// a bridge's. It is reported, and the bridge has the table of its position.
func TestReservedTables(t *testing.T) {
	for table, refused := range map[uint32]bool{0: true, 253: true, 254: true, 255: true, 252: false, 256: false} {
		snap := snapshot(t, "cmp-1", fmt.Sprintf("include base\ntable %d name br-ex\n", table))
		networks, skips := expose.FindNetworks(snap, expose.DefaultOptions())
		want := table
		if refused {
			want = 201
		}
		if got := networks.Tables(); !slices.Equal(got, []uint32{want}) {
			t.Errorf("table %d: the bridge has %v", table, got)
		}
		reported := len(skips) == 1 && strings.Contains(skips[0].String(),
			fmt.Sprintf("Bridge br-ex: degraded: rt_tables gives bridge br-ex table %d", table))
		if reported != refused || object.TableReserved(table) != refused {
			t.Errorf("table %d: %v", table, skips)
		}
	}
}
