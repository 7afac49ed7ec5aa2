//go:build guest

package walk

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// cloud is what there is at one moment, and how the driver is configured.
type cloud struct {
	text string
	cfg  evpn.Config
}

func (c cloud) snapshot() (observe.Snapshot, error) {
	world, err := story.Parse(c.text)
	if err != nil {
		return observe.Snapshot{}, fmt.Errorf("%w in\n%s", err, c.text)
	}
	return world.Snapshot("gw-1")
}

// vnis have device names of each form.
var vnis = []int{1001, 1002, 65536, 16777215}

// empty is a cloud without tenants.
func empty() cloud {
	return cloud{
		text: "include node\nlearned nothing\npatch br-ex provnet-c1 ofport 1\npatch br-ex provnet-v1 ofport 2\n" +
			"made ovsee72aa80d49 on br-ex ofport 60\nmade veth-ovs-2001 on br-ex ofport 61\nlocalnet provnet-c1 on dp-pub " +
			"network public\nlocalnet provnet-v1 on dp-vlan network public tag 100\n",
		cfg: evpn.Config{Expose: expose.DefaultOptions(), LocalIP: netip.MustParseAddr("99.99.1.1"), Port: 4789, AS: 64999},
	}
}

// random is a cloud that shares much with the one before: the same few VNIs,
// subnets, VTEPs and router MACs in other combinations.
func random(r *rand.Rand) cloud {
	c := empty()
	var b strings.Builder
	for i, vni := range vnis {
		if r.IntN(3) > 0 {
			tenant(&b, r, i, vni)
		}
	}
	if r.IntN(4) == 0 {
		c.cfg.LocalIP = netip.MustParseAddr("99.99.1.2")
	}
	switch r.IntN(3) {
	case 0:
		c.cfg.Networks = []evpn.NetworkConfig{{
			NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100},
			Method:     evpn.MethodVRF, VNI: 2001, Gateways: []netip.Addr{netip.MustParseAddr("172.24.8.1")},
		}}
		provider(&b, r)
	case 1:
		c.cfg.Networks = []evpn.NetworkConfig{{
			NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100},
			Method:     evpn.MethodL2VNI, VNI: 2001,
		}}
		provider(&b, r)
		for k := range r.IntN(4) {
			station := fmt.Sprintf("fa:16:3e:00:09:%02x", k)
			vtep := 1 + r.IntN(3)
			fmt.Fprintf(&b, "learned type-3 99.99.2.%[1]d rd 99.99.2.%[1]d:2001 next-hop 99.99.2.%[1]d vni 2001 rt "+
				"65000:2001\n", vtep)
			fmt.Fprintf(&b, "learned type-2 %s 172.24.8.%d rd 99.99.2.%[3]d:2001 next-hop 99.99.2.%[3]d vni 2001 rt "+
				"65000:2001\n", station, 100+k, vtep)
		}
	}
	c.text += b.String()
	return c
}

// tenant is a router with its gateway here, some networks, and what others announce.
func tenant(b *strings.Builder, r *rand.Rand, i, vni int) {
	network := "dp-pub"
	if r.IntN(2) == 0 {
		network = "dp-vlan"
	}
	for _, name := range []string{
		fmt.Sprintf("veth-ovs-%d", vni), fmt.Sprintf("vo-%d", vni),
		fmt.Sprintf("vlan-%d", vni),
	} {
		if len(name) < 16 {
			fmt.Fprintf(b, "made %s on br-ex ofport %d\n", name, 50+i)
		}
	}
	note := fmt.Sprintf("id neutron_bgpvpn:vni=%d id neutron_bgpvpn:as=%d", vni, 64999)
	mac := fmt.Sprintf("fa:16:3e:00:%02x:%02x 172.24.4.%d/24", 1+r.IntN(2), i, 10+i)
	fmt.Fprintf(b, "routerport lrp-g%[1]d on r%[1]d mac %[2]q peer g%[1]d redirect cr-lrp-g%[1]d\n", i, mac)
	fmt.Fprintf(b, "switchport g%[1]d on %[2]s peer lrp-g%[1]d %[3]s\n", i, network, note)
	fmt.Fprintf(b, "gateway cr-lrp-g%[1]d on r%[1]d mac %[2]q of lrp-g%[1]d chassis gw-1 up\n", i, mac)
	for j := range r.IntN(3) {
		fmt.Fprintf(b, "routerport lrp-p%[1]d-%[2]d on r%[1]d mac \"fa:16:3e:02:%02[1]x:%02[2]x 10.0.%[2]d.1/24\" peer "+
			"p%[1]d-%[2]d\n", i, j)
		fmt.Fprintf(b, "switchport p%[1]d-%[2]d on s%[1]d-%[2]d peer lrp-p%[1]d-%[2]d %[3]s\n", i, j, note)
		fmt.Fprintf(b, "port vm%[1]d-%[2]d on s%[1]d-%[2]d mac \"fa:16:3e:03:%02[1]x:%02[2]x 10.0.%[2]d.5\" chassis cmp-1 "+
			"up\n", i, j)
	}
	for k := range r.IntN(5) {
		prefix := fmt.Sprintf("10.%d.0.0/24", 50+k%3)
		if k == 3 {
			prefix = "2001:db8:50::/64"
		}
		vtep := 1 + r.IntN(3)
		fmt.Fprintf(b, "learned type-5 %s rd 99.99.2.%[2]d:%d next-hop 99.99.2.%[2]d vni %[4]d rt 65000:%[4]d router-mac "+
			"52:54:00:aa:%02[5]x:%02[2]x\n",
			prefix, vtep, 7+i, vni, r.IntN(2))
	}
}

// provider puts a VM of this node on the network that has a VNI itself.
func provider(b *strings.Builder, r *rand.Rand) {
	for k := range r.IntN(3) {
		fmt.Fprintf(b, "port vmv%[1]d on dp-vlan mac \"fa:16:3e:aa:00:%02[1]x 172.24.8.%[2]d 2001:db8:8::%[2]d\" chassis "+
			"gw-1 up\n", k, 20+k)
	}
}
