package wire

import "hash/maphash"

// The tables take 200 kB: that is little beside a copy, and enough that the strings of
// neighbouring rows, which repeat most, are found again. Longer strings repeat seldom.
const (
	internSlots = 1 << 13
	shareSlots  = 1 << 11
	internMax   = 64
	chunkSize   = 1 << 10
)

// interner keeps strings and small maps that rows repeat once. Its tables have
// a fixed size: what was not seen lately is forgotten, never searched for.
type interner struct {
	seed  maphash.Seed
	slots []string
	maps  []map[string]string
	// chunk is where the strings of a whole copy are put side by side. A chunk
	// lives as long as any string in it, which is why only a copy does this:
	// together the chunks are never larger than what was copied.
	chunk []byte
	bulk  bool
}

// begin is called before a whole copy is read, end behind it.
func (t *interner) begin() { t.bulk = true }

func (t *interner) end() {
	t.bulk, t.chunk = false, nil
	clear(t.slots)
	clear(t.maps)
}

// get returns the string, the one that was seen before if it is remembered.
func (t *interner) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > internMax {
		return t.keep(b)
	}
	if t.slots == nil {
		t.seed = maphash.MakeSeed()
		t.slots = make([]string, internSlots)
		t.maps = make([]map[string]string, shareSlots)
	}
	slot := &t.slots[maphash.Bytes(t.seed, b)%internSlots]
	if *slot != string(b) {
		*slot = t.keep(b)
	}
	return *slot
}

// share makes a map of the pairs. Rows never change, so that many may hold the
// same map; that pays for options, where most rows have one of few values.
func (t *interner) share(pairs []pair) map[string]string {
	switch {
	case len(pairs) == 0:
		return nil
	case len(pairs) > 2 || t.maps == nil:
		return mapOf(pairs)
	}
	sum := uint64(len(pairs))
	for _, p := range pairs {
		sum = sum*31 + maphash.String(t.seed, p.key)
		sum = sum*31 + maphash.String(t.seed, p.value)
	}
	slot := &t.maps[sum%shareSlots]
	if !holds(*slot, pairs) {
		*slot = mapOf(pairs)
	}
	return *slot
}

// mapOf makes the map; of a key that comes twice the last value counts.
func mapOf(pairs []pair) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.key] = p.value
	}
	return m
}

// holds reports whether the map has exactly these pairs.
func holds(m map[string]string, pairs []pair) bool {
	if len(m) != len(pairs) {
		return false
	}
	for _, p := range pairs {
		if v, ok := m[p.key]; !ok || v != p.value {
			return false
		}
	}
	return true
}
