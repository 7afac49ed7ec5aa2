package plan

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// Split parts a plan into the steps that may be taken now and those that wait, each in their
// order. A step waits if may says so, if it needs a step that waits, if one with its key waits,
// or if it builds while something waits that must make room first.
func Split(ops []Op, may func(Op) bool) (now, later []Op) {
	waits := map[object.Key]bool{}
	noRoom := false
	for _, op := range ops {
		wait := !may(op) || waits[op.Key()] || noRoom && op.Phase == Build
		for _, need := range op.Needs {
			wait = wait || waits[need]
		}
		if !wait {
			now = append(now, op)
			continue
		}
		waits[op.Key()] = true
		noRoom = noRoom || op.Phase == Clear
		later = append(later, op)
	}
	return now, later
}
