package lab

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// uuidFor derives a UUID from a name, so that every run has the same ones. It
// has the form of version 5 with a name space of our own.
func uuidFor(name string) string {
	h := sha1.Sum([]byte("bgp-ovn lab " + name))
	h[6] = h[6]&0x0f | 0x50
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// macFor derives a MAC with Neutron's default prefix from a name.
func macFor(name string) string {
	h := sha1.Sum([]byte("bgp-ovn lab mac " + name))
	return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", h[0], h[1], h[2])
}

// column writes a map column for the -ctl programs. Everything is quoted:
// Neutron's keys have colons in them and some values are empty.
func column(name string, values map[string]string) string {
	pairs := make([]string, 0, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, fmt.Sprintf("%q=%q", k, values[k]))
	}
	return name + "={" + strings.Join(pairs, ",") + "}"
}

// strset writes a column that is a set of strings.
func strset(name string, values ...string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return name + "=[" + strings.Join(quoted, ",") + "]"
}
