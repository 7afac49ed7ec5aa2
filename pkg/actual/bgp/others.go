package bgp

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// Others are what others have put into a speaker of ours: paths that originate there, which
// go to our neighbours like our own, and peers.
type Others struct {
	Paths, Peers int
	// First is the first of the paths, or of the peers without any, by key; nil if there
	// is none.
	First object.Value
}

// Others tells of what is in the speaker without our mark, as it was when the speaker was
// read last: within seconds, and with more than 2,000 objects of ours at the last audit.
func (b *Backend) Others() Others {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mirror.foreign
}

// othersOf counts what others hold.
func othersOf(others object.Set) Others {
	var out Others
	first := map[bool]object.Value{} // by whether it is a path
	for k, it := range others.All() {
		isPath := k.Kind.IsPath()
		if isPath {
			out.Paths++
		} else {
			out.Peers++
		}
		if have := first[isPath]; have == nil || k.Compare(have.Key()) < 0 {
			first[isPath] = it.Value
		}
	}
	if out.First = first[true]; out.First == nil {
		out.First = first[false]
	}
	return out
}
