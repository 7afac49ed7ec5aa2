package object

import (
	"fmt"
	"strconv"
	"strings"
)

// The profile of BFD that a peer does not say: a neighbour that is gone is noticed in 0.9 s.
const (
	DefaultBFDInterval   = 300
	DefaultBFDMultiplier = 3
)

// BFD is whether and how forwarding to a peer is watched (RFC 5880).
type BFD struct {
	On bool `json:"on"`
	// Interval is the pause between packets in milliseconds; 0, and never the number
	// itself, stands for DefaultBFDInterval.
	Interval uint16 `json:"interval,omitempty"`
	// Multiplier is how many packets may be missing; 0, and never the number itself,
	// stands for DefaultBFDMultiplier.
	Multiplier uint8 `json:"multiplier,omitempty"`
	// Multihop is for a neighbour that is not on the link (RFC 5883).
	Multihop bool `json:"multihop,omitempty"`
}

// Profile is the interval in milliseconds and the multiplier.
func (b BFD) Profile() (interval uint16, multiplier uint8) {
	interval, multiplier = b.Interval, b.Multiplier
	if interval == 0 {
		interval = DefaultBFDInterval
	}
	if multiplier == 0 {
		multiplier = DefaultBFDMultiplier
	}
	return interval, multiplier
}

// Canonical is the one form of equal settings; none but the zero value is off.
func (b BFD) Canonical() BFD {
	if !b.On {
		return BFD{}
	}
	if b.Interval == DefaultBFDInterval {
		b.Interval = 0
	}
	if b.Multiplier == DefaultBFDMultiplier {
		b.Multiplier = 0
	}
	return b
}

// String is the profile, such as 300x3 and 300x3-multihop.
func (b BFD) String() string {
	interval, multiplier := b.Profile()
	text := fmt.Sprintf("%dx%d", interval, multiplier)
	if b.Multihop {
		text += multihopSuffix
	}
	return text
}

const multihopSuffix = "-multihop"

// parseBFD is the inverse of String.
func parseBFD(text string) (b BFD, ok bool) {
	text, b.Multihop = strings.CutSuffix(text, multihopSuffix)
	interval, multiplier, ok := strings.Cut(text, "x")
	i, errI := strconv.ParseUint(interval, 10, 16)
	m, errM := strconv.ParseUint(multiplier, 10, 8)
	b.On, b.Interval, b.Multiplier = true, uint16(i), uint8(m)
	return b.Canonical(), ok && errI == nil && errM == nil && i > 0 && m > 0
}
