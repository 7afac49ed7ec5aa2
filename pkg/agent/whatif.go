package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/whatif"
)

// WhatIf says what events would lead to on the nodes of snapshot files, with one configuration
// for all of them, and on those of support bundles, each with its own.
func WhatIf(ctx context.Context, s config.Settings, snapshots, bundles []string, edits []whatif.Edit, log *slog.Logger,
) (control.WhatIf, error) {
	var nodes []whatif.Node
	for _, path := range snapshots {
		f, err := file.Read(path)
		if err != nil {
			return control.WhatIf{}, err
		}
		more, err := whatIfNodes(f, s)
		if err != nil {
			return control.WhatIf{}, fmt.Errorf("snapshot %s: %w", path, err)
		}
		nodes = append(nodes, more...)
	}
	for _, path := range bundles {
		n, err := whatIfBundle(path, log)
		if err != nil {
			return control.WhatIf{}, err
		}
		nodes = append(nodes, n)
	}
	sorting.Stable(nodes, func(a, b whatif.Node) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	var list []string
	for i, n := range nodes {
		if i > 0 && n.Name == nodes[i-1].Name {
			return control.WhatIf{}, fmt.Errorf("node %s is given twice: give one snapshot or bundle of each node", n.Name)
		}
		list = append(list, n.Label())
	}
	if err := ctx.Err(); err != nil {
		return control.WhatIf{}, err
	}
	r, err := whatif.Compare(nodes, edits)
	if err != nil {
		return control.WhatIf{}, err
	}
	out := control.WhatIfOf(edits, list, r)
	for _, n := range nodes {
		book := names.Of(n.Snapshot)
		for _, row := range out.Rows {
			book.Collect(out.Names, row.Row)
		}
	}
	return out, nil
}

// whatIfNodes are the chassis of a snapshot file of which the Open_vSwitch database is known,
// or the one of the configuration.
func whatIfNodes(f *file.File, s config.Settings) ([]whatif.Node, error) {
	if s.Chassis != "" {
		snap, err := f.Snapshot(s.Chassis)
		if err != nil {
			return nil, err
		}
		return []whatif.Node{whatIfNode(snap, s)}, nil
	}
	var out []whatif.Node
	for key, o := range f.OVS {
		if o == nil {
			continue
		}
		snap, err := f.Snapshot(key)
		if err != nil {
			return nil, err
		}
		out = append(out, whatIfNode(snap, s))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it has no Open_vSwitch database of any chassis (member \"ovs\")")
	}
	return out, nil
}

// whatIfBundle is the node of a support bundle, with the configuration that it had.
func whatIfBundle(path string, log *slog.Logger) (whatif.Node, error) {
	r, err := OpenRecorded(path, log)
	if err != nil {
		return whatif.Node{}, err
	}
	s, err := r.settings()
	if err != nil {
		return whatif.Node{}, fmt.Errorf("%s: %w", path, err)
	}
	raw, err := r.bundle.Member(control.PartSnapshot)
	if err != nil {
		return whatif.Node{}, fmt.Errorf("%s: %w", path, err)
	}
	f, err := file.Decode(bytes.NewReader(raw))
	if err != nil {
		return whatif.Node{}, fmt.Errorf("%s: %s: %w", path, control.PartSnapshot, err)
	}
	snap, err := f.Snapshot("")
	if err != nil {
		return whatif.Node{}, fmt.Errorf("%s: %s: %w", path, control.PartSnapshot, err)
	}
	return whatIfNode(snap, s), nil
}

// whatIfNode is a node that announces what the drivers want of a snapshot.
func whatIfNode(snap observe.Snapshot, s config.Settings) whatif.Node {
	if snap.Protected == nil { // a dump, or a file of an older release
		snap.Protected = observe.Protect(snap, own(s))
	}
	drivers, items := s.NewDrivers(), s.PeerItems()
	n := whatif.Node{Name: snap.Chassis, Snapshot: snap}
	for _, it := range items {
		if p, ok := it.Value.(object.Peer); ok {
			n.Peers = append(n.Peers, p)
		}
	}
	everything := len(n.Peers) == 0 // without a neighbour in the configuration nobody can be missed
	n.Announces = func(snap observe.Snapshot, peers []object.Peer) []object.Key {
		var out []object.Key
		res := desired.Compute(snap, nil, drivers...)
		for _, kind := range object.KindsThat(object.Kind.IsExported) {
			for k, it := range res.Want.AllOf(kind) {
				if it.Block == nil && (everything || carries(peers, k)) {
					out = append(out, k)
				}
			}
		}
		return out
	}
	return n
}

// carries reports whether a session with one of the neighbours carries the family of a path.
func carries(peers []object.Peer, k object.Key) bool {
	family := object.L2VPNEVPN.String()
	if k.Kind == object.KindPath {
		family = object.FamilyOf(k.Prefix.Addr()).String()
	}
	return slices.ContainsFunc(peers, func(p object.Peer) bool { return slices.Contains(p.Families.List(), family) })
}
