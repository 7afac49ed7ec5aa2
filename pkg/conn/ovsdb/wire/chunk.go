package wire

import "unsafe"

// keep copies b. During a whole copy the strings of neighbouring rows share
// one allocation, which saves the rounding of millions of small ones.
func (t *interner) keep(b []byte) string {
	if !t.bulk || len(b) > chunkSize/4 {
		return string(b)
	}
	if cap(t.chunk)-len(t.chunk) < len(b) {
		t.chunk = make([]byte, 0, chunkSize)
	}
	at := len(t.chunk)
	t.chunk = append(t.chunk, b...)
	// The bytes are written once, above, and the slice is only appended to.
	return unsafe.String(&t.chunk[at], len(b))
}
