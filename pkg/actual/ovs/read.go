package ovs

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Read returns all flows that carry our cookies on the bridges in focus, and
// others' flows under the keys in focus. While the monitors report nothing it
// runs no command and returns the very set it returned before.
//
// A bridge is in focus if a flow on it is wanted or owned, or if it is a wanted
// device: that is how flows are found which an earlier life left behind on a
// bridge where none is wanted now.
//
// A bridge that was deleted has no flows. When ovs-vswitchd itself is away that
// is an error: the kernel goes on forwarding by the flows that were.
func (b *Backend) Read(ctx context.Context, focus actual.Focus) (object.Set, error) {
	keys := b.keysInFocus(focus)
	changed := b.retire(keys)
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		br := b.bridge(name)
		if err := br.refresh(ctx, keys[name], focus.Complete); err != nil {
			return object.Set{}, fmt.Errorf("read flows of bridge %s: %w", name, err)
		}
	}
	for _, br := range b.bridges {
		changed = br.resetChanged() || changed
	}
	if changed {
		b.set = b.merge()
	}
	return b.set, nil
}

// keysInFocus groups the keys of flows by bridge.
func (b *Backend) keysInFocus(focus actual.Focus) map[string][]object.Key {
	keys := make(map[string][]object.Key)
	for _, key := range focus.Keys(object.KindFlow) {
		if openflow.CheckBridge(key.Name) == nil { // there cannot be flows otherwise
			keys[key.Name] = append(keys[key.Name], key)
		}
	}
	for key := range focus.Want.AllOf(object.KindDevice) {
		if keys[key.Name] == nil && b.tool.HaveSocket(key.Name) {
			keys[key.Name] = []object.Key{}
		}
	}
	return keys
}

// retire forgets the bridges that are no longer in focus and reports whether
// there was one.
func (b *Backend) retire(keys map[string][]object.Key) bool {
	found := false
	for name, br := range b.bridges {
		if _, ok := keys[name]; !ok {
			br.stop()
			delete(b.bridges, name)
			found = true
		}
	}
	return found
}

func (b *Backend) merge() object.Set {
	var all object.Set
	for _, br := range b.bridges {
		br.addTo(&all)
	}
	return all
}
