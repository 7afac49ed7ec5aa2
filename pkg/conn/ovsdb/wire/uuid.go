package wire

import (
	"bytes"
	"encoding/hex"
)

// UUID is the identity of a row (RFC 7047 section 3.1). Packages that keep rows
// have types of their own with the same octets: columns take any of them.
type UUID [16]byte

// String is the 8-4-4-4-12 form.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func compareUUID[U ~[16]byte](a, b U) int { return bytes.Compare(a[:], b[:]) }

// hexPairs is where the octets of a UUID are in its text.
var hexPairs = [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// parseUUID reads the 8-4-4-4-12 form without an allocation: a first copy of
// 100,000 rows has half a million of them.
func parseUUID(text []byte) (UUID, bool) {
	var u UUID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return u, false
	}
	for i, at := range hexPairs {
		high, ok := nibble(text[at])
		low, okay := nibble(text[at+1])
		if !ok || !okay {
			return UUID{}, false
		}
		u[i] = high<<4 | low
	}
	return u, true
}
