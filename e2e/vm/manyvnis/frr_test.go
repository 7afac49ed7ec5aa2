//go:build guest

package manyvnis

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// frrConfig is bgpd.conf of a node on which FRR is to announce tenants.
func frrConfig(c *lab.Chassis) string {
	peer := c.TorAddr4.String()
	return strings.Join([]string{
		fmt.Sprintf("router bgp %d", vpnAS), " bgp router-id " + c.Loopback.String(), " no bgp ebgp-requires-policy",
		fmt.Sprintf(" neighbor %s remote-as %d", peer, lab.TorAS), fmt.Sprintf(" neighbor %s timers connect 1", peer),
		" address-family l2vpn evpn", "  neighbor " + peer + " activate", "  advertise-all-vni", " exit-address-family", "",
	}, "\n")
}

// devices are lines for ip -batch that make what FRR needs of each tenant: VRF,
// bridge and VXLAN device, and an address in the VRF to announce.
func devices(c *lab.Chassis, n int, verb string) string {
	var b strings.Builder
	for i := range n {
		v := vni(i)
		if verb == "del" {
			fmt.Fprintf(&b, "link del lo-%[1]d\nlink del vxlan-%[1]d\nlink del br-%[1]d\nlink del vrf-%[1]d\n", v)
			continue
		}
		fmt.Fprintf(&b, "link add vrf-%[1]d type vrf table %[1]d\nlink set vrf-%[1]d up\n", v)
		fmt.Fprintf(&b, "link add br-%[1]d type bridge\nlink set br-%[1]d master vrf-%[1]d addrgenmode none\n", v)
		fmt.Fprintf(&b, "link add vxlan-%[1]d type vxlan local %[2]s dstport 4789 id %[1]d nolearning\n", v, c.Loopback)
		fmt.Fprintf(&b, "link set vxlan-%[1]d master br-%[1]d addrgenmode none\nlink set vxlan-%[1]d up\nlink set "+
			"br-%[1]d up\n", v)
		fmt.Fprintf(&b, "link add lo-%[1]d type dummy\nlink set lo-%[1]d master vrf-%[1]d\nlink set lo-%[1]d up\naddr add "+
			"10.0.0.5/32 dev lo-%[1]d\n", v)
	}
	return b.String()
}

// vtyshFiles writes what is to be configured, a file a tenant or all of them in one.
func vtyshFiles(c *lab.Chassis, n int, oneFile bool) ([]string, error) {
	var files, all []string
	for i := range n {
		text := strings.Join([]string{
			fmt.Sprintf("vrf vrf-%d", vni(i)), fmt.Sprintf(" vni %d", vni(i)), "exit-vrf",
			fmt.Sprintf("router bgp %d vrf vrf-%d", vpnAS, vni(i)), " bgp router-id " + c.Loopback.String(),
			" address-family ipv4 unicast", "  redistribute connected", " exit-address-family",
			" address-family l2vpn evpn", "  advertise ipv4 unicast",
			fmt.Sprintf("  route-target import %d:%d", vpnAS, vni(i)), fmt.Sprintf("  route-target export %d:%d", vpnAS, vni(i)),
			" exit-address-family", "exit", "",
		}, "\n")
		all = append(all, text)
		if !oneFile {
			files = append(files, filepath.Join(c.Dir, fmt.Sprintf("vni-%d.conf", vni(i))))
			if err := os.WriteFile(files[i], []byte(text), 0o644); err != nil {
				return nil, err
			}
		}
	}
	if oneFile {
		files = []string{filepath.Join(c.Dir, "vnis.conf")}
		return files, os.WriteFile(files[0], []byte(strings.Join(all, "")), 0o644)
	}
	return files, nil
}
