package sb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// parsed is what the columns mac and nat_addresses.
func parsed(p *observe.PortBinding) string {
	var out []string
	for _, a := range p.Addresses {
		out = append(out, fmt.Sprintf("%v%v", a.MAC, a.Addrs))
	}
	for _, n := range p.NAT {
		out = append(out, fmt.Sprintf("nat %v%v%s", n.MAC, n.Addrs, n.Resident))
	}
	if p.Unknown {
		out = append(out, "unknown")
	}
	for _, problem := range p.Problems {
		out = append(out, "problem "+problem)
	}
	return strings.Join(out, "; ")
}

func TestMAC(t *testing.T) {
	for element, want := range map[string]string{
		"":                              "",
		"unknown":                       "unknown",
		"router":                        "",
		"dynamic":                       "",
		"fa:16:3e:00:00:01 172.24.4.11": "fa:16:3e:00:00:01[172.24.4.11/32]",
		"  FA:16:3E:00:00:01\t 172.24.4.11   2001:db8::1 2001:db8::2 ": "fa:16:3e:00:00:01[172.24.4.11/32 2001:db8::1/128 " +
			"2001:db8::2/128]",
		"fa:16:3e:00:00:01 172.24.4.1/24 2001:db8::1/64": "fa:16:3e:00:00:01[172.24.4.1/24 2001:db8::1/64]",
		"fa:16:3e:00:00:01":         "fa:16:3e:00:00:01[]",
		"fa:16:3e:00:00:01 dynamic": "fa:16:3e:00:00:01[]",
		"fa:16:3e:00:00:01 unknown": "fa:16:3e:00:00:01[]; unknown",
		"garbage 300.1.1.1":         `problem mac "garbage 300.1.1.1": "garbage" is not an Ethernet address`,
		"fa:16:3e:00:00:01 300.1.1.1 10.0.0.1": `fa:16:3e:00:00:01[10.0.0.1/32]; problem mac "fa:16:3e:00:00:01 300.1.1.1 10.0.0.1": ` +
			`"300.1.1.1" is not an address`,
		"fa:16:3e:00:00:01 10.0.0.1/33":  `fa:16:3e:00:00:01[]; problem mac "fa:16:3e:00:00:01 10.0.0.1/33": "10.0.0.1/33" is not a prefix`,
		"fa:16:3e:00:00:01 fe80::1%eth0": `fa:16:3e:00:00:01[]; problem mac "fa:16:3e:00:00:01 fe80::1%eth0": "fe80::1%eth0" is not an address`,
		"10.0.0.1":                       `problem mac "10.0.0.1": "10.0.0.1" is not an Ethernet address`,
	} {
		p := &observe.PortBinding{RawMAC: []string{element}}
		parseAddresses(p)
		if got := parsed(p); got != want {
			t.Errorf("%q: got %s, want %s", element, got, want)
		}
	}
}

func TestNAT(t *testing.T) {
	for element, want := range map[string]string{
		`fa:16:3e:77:7f:9c 172.24.100.229 172.24.100.112 is_chassis_resident("cr-lrp-x")`: "nat fa:16:3e:77:7f:9c[172.24.100.229 172.24.100.112]cr-lrp-x",
		`fa:16:3e:77:7f:9c 172.24.100.229`:                                                "nat fa:16:3e:77:7f:9c[172.24.100.229]",
		`fa:16:3e:77:7f:9c 2001:db8::1 is_chassis_resident("a b")`:                        "nat fa:16:3e:77:7f:9c[2001:db8::1]a b",
		`router`:            "",
		`fa:16:3e:77:7f:9c`: "nat fa:16:3e:77:7f:9c[]",
		`fa:16:3e:77:7f:9c 1.2.3.4 is_chassis_resident(x)`: `problem nat_addresses "fa:16:3e:77:7f:9c 1.2.3.4 is_chassis_resident(x)": ` +
			`is_chassis_resident(x) is not a guard`,
		`fa:16:3e:77:7f:9c 1.2.3.4 is_chassis_resident("")`: `problem nat_addresses "fa:16:3e:77:7f:9c 1.2.3.4 is_chassis_resident(\"\")": ` +
			`is_chassis_resident("") is not a guard`,
		`fa:16:3e:77:7f:9c 1.2.3 4.5.6.7`: `nat fa:16:3e:77:7f:9c[4.5.6.7]; problem nat_addresses "fa:16:3e:77:7f:9c 1.2.3 4.5.6.7": ` +
			`"1.2.3" is not an address`,
	} {
		p := &observe.PortBinding{RawNAT: []string{element}}
		parseAddresses(p)
		if got := parsed(p); got != want {
			t.Errorf("%q: got %s, want %s", element, got, want)
		}
	}
}
