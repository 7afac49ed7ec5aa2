package plan

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// updateNote says of an update what the two values do not: whether a changed
// neighbour keeps its session.
func updateNote(before, after object.Value) string {
	b, ok := before.(object.Peer)
	if !ok {
		return ""
	}
	a, ok := after.(object.Peer)
	if !ok {
		return ""
	}
	return b.ChangeNote(a)
}
