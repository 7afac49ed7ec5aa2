package agent

import (
	"runtime/debug"
	"runtime/metrics"
)

// trimmer gives memory back to the system while the node is quiet. Go lets the heap grow to twice
// of what was in use, collects garbage when it gets there, and gives back slowly what is above:
// after a first round of 100,000 addresses nothing would collect what that round has left.
type trimmer struct {
	samples [3]metrics.Sample
	// allocated is what had been allocated when it was last looked at, trimmed when memory was
	// last given back, both in octets.
	allocated, trimmed uint64
	free               func()
}

const (
	// worthIt is how much garbage, in octets, is worth a collection.
	worthIt = 32 << 20
	// quietShare is the part of the heap that a quiet node allocates at most between two looks.
	quietShare = 100
)

func newTrimmer() *trimmer {
	t := &trimmer{free: debug.FreeOSMemory}
	for i, name := range [...]string{"/gc/heap/allocs:bytes", "/gc/heap/live:bytes", "/memory/classes/heap/free:bytes"} {
		t.samples[i].Name = name
	}
	return t
}

// look is called from time to time. It gives memory back once nothing much has been allocated since
// the last look, if as much as half of what is in use may have become garbage since it last did, or
// is free and not given back.
func (t *trimmer) look() {
	metrics.Read(t.samples[:])
	t.judge(t.samples[0].Value.Uint64(), t.samples[1].Value.Uint64(), t.samples[2].Value.Uint64())
}

// judge is look with what it finds: what has ever been allocated, what the last collection left in
// use, and what is free and not given back, in octets.
func (t *trimmer) judge(allocated, live, free uint64) {
	quiet := allocated-t.allocated <= max(live/quietShare, 1<<20)
	t.allocated = allocated
	if quiet && max(allocated-t.trimmed, free) >= max(live/2, worthIt) {
		t.free()
		t.trimmed = allocated
	}
}
