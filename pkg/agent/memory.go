package agent

import (
	"runtime/debug"
	"runtime/metrics"
)

// trimmer gives memory back to the system while the node is quiet. Go lets the heap grow to twice
// of what was in use, collects garbage when it gets there, and gives back slowly what is above:
// after a first round of 100,000 addresses nothing would collect what that round has left.
type trimmer struct {
	samples [4]metrics.Sample
	// allocated is what had been allocated when it was last looked at, in octets.
	allocated uint64
	free      func()
}

// heap is what is known of the memory of Go, in octets.
type heap struct {
	allocated uint64 // ever since the program began
	live      uint64 // what the last collection left in use
	objects   uint64 // what is in use, and what has become garbage since
	free      uint64 // what is free and not given back
}

const (
	// worthIt is how much there must be to give back, in octets, and worthShare which part of what
	// is in use, for a collection.
	worthIt, worthShare = 16 << 20, 4
	// quietAtMost is what a quiet node allocates at most between two looks, in octets, or quietShare which
	// part of the heap if that is more: it looks at itself meanwhile.
	quietAtMost, quietShare = 4 << 20, 20
)

func newTrimmer() *trimmer {
	t := &trimmer{free: debug.FreeOSMemory}
	for i, name := range [...]string{
		"/gc/heap/allocs:bytes", "/gc/heap/live:bytes",
		"/memory/classes/heap/objects:bytes", "/memory/classes/heap/free:bytes",
	} {
		t.samples[i].Name = name
	}
	return t
}

// look is called from time to time. It gives memory back once nothing much has been allocated since
// the last look, if a good part of what is in use is free, or may have become garbage.
func (t *trimmer) look() {
	metrics.Read(t.samples[:])
	of := func(i int) uint64 { return t.samples[i].Value.Uint64() }
	t.judge(heap{of(0), of(1), of(2), of(3)})
}

// judge is look with what it finds.
func (t *trimmer) judge(h heap) {
	quiet := h.allocated-t.allocated <= max(h.live/quietShare, quietAtMost)
	t.allocated = h.allocated
	if quiet && h.objects-min(h.live, h.objects)+h.free >= max(h.live/worthShare, worthIt) {
		t.free()
	}
}
