package sb

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// macColumn holds the text of the elements; parseAddresses makes the rest of it.
// Rows that were made by hand may lack the text.
func macColumn() wire.Column[*observe.PortBinding] {
	at := func(p *observe.PortBinding) *[]string { return &p.RawMAC }
	return wire.Texts("mac", at).WrittenAs(func(p *observe.PortBinding) []string {
		if p.RawMAC == nil {
			return macTexts(p)
		}
		return p.RawMAC
	})
}

// natColumn is the same for nat_addresses.
func natColumn() wire.Column[*observe.PortBinding] {
	at := func(p *observe.PortBinding) *[]string { return &p.RawNAT }
	return wire.Texts("nat_addresses", at).WrittenAs(func(p *observe.PortBinding) []string {
		if p.RawNAT == nil {
			return natTexts(p)
		}
		return p.RawNAT
	})
}

// macTexts is the reverse of parseMAC.
func macTexts(p *observe.PortBinding) []string {
	var out []string
	for _, a := range p.Addresses {
		words := []string{a.MAC.String()}
		for _, prefix := range a.Addrs {
			if prefix.IsSingleIP() {
				words = append(words, prefix.Addr().String())
				continue
			}
			words = append(words, prefix.String())
		}
		out = append(out, strings.Join(words, " "))
	}
	if p.Unknown {
		out = append(out, "unknown")
	}
	return out
}

// natTexts is the reverse of parseNAT.
func natTexts(p *observe.PortBinding) []string {
	var out []string
	for _, n := range p.NAT {
		words := []string{n.MAC.String()}
		for _, a := range n.Addrs {
			words = append(words, a.String())
		}
		if n.Resident != "" {
			words = append(words, fmt.Sprintf("is_chassis_resident(%q)", n.Resident))
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

// parseAddresses fills in what follows from the columns mac and nat_addresses.
// What cannot be read is left out and named in Problems: one bad element must
// not cost the row.
func parseAddresses(p *observe.PortBinding) {
	p.Addresses, p.NAT, p.Unknown, p.Problems = nil, nil, false, nil
	for _, element := range p.RawMAC {
		parseMAC(p, element)
	}
	for _, element := range p.RawNAT {
		parseNAT(p, element)
	}
}

// parseMAC reads an element of Port_Binding.mac: "MAC IP...", where addresses
// of router ports have a prefix length, or one of the words that isWord knows.
func parseMAC(p *observe.PortBinding, element string) {
	mac, words, ok := splitMAC(p, "mac", element)
	if !ok {
		return
	}
	a := observe.PortAddress{MAC: mac}
	for _, w := range words {
		prefix, err := parsePrefix(w)
		if err != nil {
			problem(p, "mac", element, err)
			continue
		}
		a.Addrs = append(a.Addrs, prefix)
	}
	p.Addresses = append(p.Addresses, a)
}

// parseNAT reads an element of Port_Binding.nat_addresses:
// MAC IP... [is_chassis_resident("PORT")].
func parseNAT(p *observe.PortBinding, element string) {
	plain, resident, err := cutResident(element)
	if err != nil {
		// Without its guard the entry would hold on every chassis.
		problem(p, "nat_addresses", element, err)
		return
	}
	mac, words, ok := splitMAC(p, "nat_addresses", plain)
	if !ok {
		return
	}
	n := observe.NATAddress{MAC: mac, Resident: resident}
	for _, w := range words {
		prefix, err := parsePrefix(w)
		if err != nil {
			problem(p, "nat_addresses", element, err)
			continue
		}
		n.Addrs = append(n.Addrs, prefix.Addr())
	}
	p.NAT = append(p.NAT, n)
}

// cutResident takes the guard off the end of an element: is_chassis_resident("PORT"), by
// which the entry holds only on the chassis where that port is.
func cutResident(element string) (plain, resident string, err error) {
	const guard = "is_chassis_resident"
	plain, tail, ok := strings.Cut(element, guard)
	if !ok {
		return element, "", nil
	}
	tail = strings.TrimSpace(tail)
	resident, ok = strings.CutPrefix(tail, `("`)
	if ok {
		resident, ok = strings.CutSuffix(resident, `")`)
	}
	if !ok || resident == "" || strings.Contains(resident, `"`) {
		return "", "", fmt.Errorf("%s%s is not a guard", guard, tail)
	}
	return plain, resident, nil
}

// splitMAC takes the words of OVN's own out of an element and reads the MAC
// that the rest must begin with; false if there is nothing, or nothing usable.
func splitMAC(p *observe.PortBinding, column, element string) (object.MAC, []string, bool) {
	var words []string
	for _, w := range strings.Fields(element) {
		switch w {
		case "unknown":
			p.Unknown = p.Unknown || column == "mac"
		case "router", "dynamic":
		default:
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return object.MAC{}, nil, false
	}
	mac, err := object.ParseMAC(words[0])
	if err != nil {
		problem(p, column, element, err)
		return object.MAC{}, nil, false
	}
	return mac, words[1:], true
}

// parsePrefix reads an address with or without a prefix length.
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is not a prefix", s)
		}
		return prefix, nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is not an address", s)
	}
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// mostProblems bounds how many parts of a row are reported, and longestText how many
// bytes of each are quoted: a value of n unreadable words must not cost n times its
// own length.
const (
	mostProblems = 8
	longestText  = 128
)

// problem records an element that was left out, for status and the log: column, text
// and cause.
func problem(p *observe.PortBinding, column, element string, err error) {
	switch n := len(p.Problems); {
	case n < mostProblems:
		p.Problems = append(p.Problems, fmt.Sprintf("%s %q: %s", column, excerpt(element), excerpt(err.Error())))
	case n == mostProblems:
		p.Problems = append(p.Problems, "and more that cannot be read")
	}
}

// excerpt is the beginning of a text.
func excerpt(text string) string {
	if len(text) <= longestText {
		return text
	}
	return strings.ToValidUTF8(text[:longestText], "") + "..."
}
