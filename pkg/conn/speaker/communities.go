package speaker

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// CommunityNumbers packs AS:value pairs into 32 bits each (RFC 1997).
func CommunityNumbers(w object.Words) ([]uint32, error) {
	var out []uint32
	for _, text := range w.List() {
		var as, value uint16
		if _, err := fmt.Sscanf(text, "%d:%d", &as, &value); err != nil {
			return nil, fmt.Errorf("community %q: %w", text, err)
		}
		out = append(out, uint32(as)<<16|uint32(value))
	}
	return out, nil
}

// CommunitiesOf is the inverse of CommunityNumbers.
func CommunitiesOf(values []uint32) object.Words {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprintf("%d:%d", v>>16, v&0xffff)
	}
	return object.WordsOf(out...)
}

// octetsOf are numbers on the wire, and numbersOf the numbers of whole ones.
func octetsOf(numbers []uint32) (out []byte) {
	for _, n := range numbers {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return out
}

func numbersOf(octets []byte) (out []uint32) {
	for ; len(octets) >= 4; octets = octets[4:] {
		out = append(out, binary.BigEndian.Uint32(octets))
	}
	return out
}

// readPrepend reads an AS_PATH of numbers of four octets that is one number, several times;
// of any other it is none.
func readPrepend(value []byte) (none object.Prepend) {
	if len(value) < 2 || value[0] != bgp.BGP_ASPATH_ATTR_TYPE_SEQ || len(value) != 2+4*int(value[1]) ||
		value[1] > object.MostPrepended {
		return none
	}
	list := numbersOf(value[2:])
	if len(list) == 0 || slices.ContainsFunc(list, func(as uint32) bool { return as != list[0] }) {
		return none
	}
	return object.Prepend{AS: list[0], Times: value[1]}
}
