package control

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// Found is the answer to what an address, prefix, MAC address, VNI, UUID or name stands
// for.
type Found struct {
	Version int    `json:"version"`
	Target  string `json:"target"`
	names.Result
}

// maxTarget is the longest name that is looked for: longer than any that Neutron, OVN or
// the kernel take.
const maxTarget = 255

// targets says what can be asked about.
const targets = "give an address, a prefix, a MAC address, a VNI, or the name or UUID of a port, VM, network, " +
	"router, load balancer, service, bridge or device, such as 203.0.113.7 or web-1"

// CheckTarget refuses what can be no target: something that is written like an address
// and is none, and what no name can be.
func CheckTarget(command, text string) error {
	bad := text == "" || len(text) > maxTarget || strings.TrimSpace(text) != text ||
		strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
	if !bad && looksLikeAddress(text) {
		_, noPrefix := netip.ParsePrefix(text)
		_, noMAC := object.ParseMAC(text)
		_, noAddress := netip.ParseAddr(text)
		bad = noPrefix != nil && noMAC != nil && noAddress != nil
	}
	if bad {
		return fmt.Errorf("%s %.80q: %s", command, text, targets)
	}
	return nil
}

// looksLikeAddress reports whether a text has only what addresses and prefixes are made
// of, and a separator of theirs. A slash alone makes none: fade/cafe may be a service.
func looksLikeAddress(text string) bool {
	return strings.ContainsAny(text, ".:") && strings.Trim(text, "0123456789abcdefABCDEF.:/") == ""
}

// Nothing is the error of a target that stands for nothing: what was looked at.
func (f Found) Nothing(command string) error {
	var looked []string
	for _, l := range f.Looked {
		looked = append(looked, fmt.Sprintf("%d %s", l.Count, l.What))
	}
	return fmt.Errorf("%s %.80q: nothing has this name, UUID or address; looked at %s", command, f.Target,
		strings.Join(looked, ", "))
}

// NoAddress is the error of a target that has no address to ask about.
func (f Found) NoAddress(command string) error {
	m := f.Matches[0]
	return fmt.Errorf("%s %.80q: %s %s has no address here that could be asked about", command, f.Target, m.What(), m.Name)
}
