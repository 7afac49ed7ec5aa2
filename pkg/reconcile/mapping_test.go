package reconcile

import (
	"fmt"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestWrongMapping: a mapping to a bridge that does not exist, one of a network that no row
// knows, and one that is gone take nothing back before the fuse lets them, and corrected in
// time they have cost no write.
func TestWrongMapping(t *testing.T) {
	const vms = 5
	for _, mapping := range []string{"public:br-x", "pubic:br-ex", ""} {
		t.Run(mapping, func(t *testing.T) {
			text := "include base\n"
			for i := range vms {
				text += vmPort(100+i, "cmp-1") + "\n"
			}
			s, err := story.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			n := newNode(t, "cmp-1", s, defaults(), func(c *Config) {
				c.Fuse = FuseConfig{Share: 0.5, Least: 3, Hold: 30 * time.Second}
			})
			n.settle()
			announced := func() int {
				count := 0
				for i := range vms {
					if contains(n.world.String(), fmt.Sprintf("path ipv4-unicast 172.24.4.%d/32", 100+i)) {
						count++
					}
				}
				return count
			}
			writes := n.world.Writes()
			happen(t, s, []*node{n}, "mapping "+mapping)
			for range 5 {
				n.round()
				n.clock.advance(5 * time.Second)
			}
			if got := announced(); got != vms {
				t.Fatalf("%d of %d paths are left 25 s after the mapping was changed", got, vms)
			}
			happen(t, s, []*node{n}, "mapping public:br-ex")
			n.settle()
			if got := n.world.Writes() - writes; announced() != vms || got != 0 {
				t.Errorf("the corrected mapping has cost %d writes:\n%s", got, n.world)
			}
			happen(t, s, []*node{n}, "mapping "+mapping)
			n.round()
			n.clock.advance(31 * time.Second)
			n.round()
			if got := announced(); got != 0 {
				t.Errorf("%d paths are left although the mapping stays wrong", got)
			}
		})
	}
}
