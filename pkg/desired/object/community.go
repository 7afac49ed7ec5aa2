package object

import (
	"fmt"
	"strconv"
	"strings"
)

// Metric is a number that may be absent, without a pointer, so that what holds
// it is comparable.
type Metric struct {
	Set   bool
	Value uint32
}

// MetricOf is a metric that is there.
func MetricOf(v uint32) Metric { return Metric{true, v} }

// String prints the number, or nothing.
func (m Metric) String() string {
	if !m.Set {
		return ""
	}
	return strconv.FormatUint(uint64(m.Value), 10)
}

// MarshalJSON is the number; an absent one is null.
func (m Metric) MarshalJSON() ([]byte, error) {
	if !m.Set {
		return []byte("null"), nil
	}
	return []byte(m.String()), nil
}

// wellKnown names the communities that every router knows (RFC 1997, RFC 3765,
// RFC 7999, RFC 8326, RFC 9494).
func wellKnown(name string) (string, bool) {
	number, ok := map[string]string{
		"graceful-shutdown": "65535:0", "no-llgr": "65535:7", "blackhole": "65535:666", "no-export": "65535:65281",
		"no-advertise": "65535:65282", "no-export-subconfed": "65535:65283", "no-peer": "65535:65284",
	}[name]
	return number, ok
}

// CommunitiesOf is a set of communities (RFC 1997), each written as two numbers
// of 16 bits, 65000:100, or by the name of a well-known one. It is held as
// numbers, which is what a speaker gives back.
func CommunitiesOf(list ...string) (Words, error) {
	out := make([]string, len(list))
	for i, text := range list {
		if number, ok := wellKnown(text); ok {
			text = number
		}
		canon, err := numbers(text, 2, 16)
		if err != nil {
			return Words{}, fmt.Errorf("community %q: use AS:VALUE, 0 to 65535 each, or a well-known name such as no-export "+
				"(RFC 1997)", text)
		}
		out[i] = canon
	}
	return WordsOf(out...), nil
}

// LargeCommunitiesOf is a set of large communities (RFC 8092), each written as
// three numbers of 32 bits, 4200000000:1:2.
func LargeCommunitiesOf(list ...string) (Words, error) {
	out := make([]string, len(list))
	for i, text := range list {
		canon, err := numbers(text, 3, 32)
		if err != nil {
			return Words{}, fmt.Errorf("large community %q: use AS:VALUE:VALUE, 0 to 4294967295 each (RFC 8092)", text)
		}
		out[i] = canon
	}
	return WordsOf(out...), nil
}

// numbers checks n numbers of some bits between colons and writes them without
// leading zeros.
func numbers(text string, n, bits int) (string, error) {
	parts := strings.Split(text, ":")
	if len(parts) != n {
		return "", fmt.Errorf("%d numbers, want %d", len(parts), n)
	}
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, bits)
		if err != nil {
			return "", err
		}
		parts[i] = strconv.FormatUint(v, 10)
	}
	return strings.Join(parts, ":"), nil
}
