package lab

import (
	"context"
	"fmt"
	"strings"
)

// PeerBridge is the name of the bridge that has the i-th cable to a top of rack, from 0: the
// one that neutron-bgp-peer-bridges lists.
func PeerBridge(i int) string { return fmt.Sprintf("br-bgp-%d", i) }

// peerBridges are what the agent of Neutron's ovn-bgp service writes for two peer bridges, as
// ovn-bridge-mappings and as dynamic-routing-port-mapping.
const peerBridges = "br-bgp-0:br-bgp-0,br-bgp-1:br-bgp-1"

// wireUnnumbered lays the cables to both tops of rack, without addresses at either end.
func (c *Chassis) wireUnnumbered(l *Lab) error {
	for i, tor := range []*Tor{l.Tor, l.Tor2} {
		u := Uplink{Tor: tor, Link: []string{FabricLink, SecondFabricLink}[i]}
		if err := connect(end{node: c.Node, name: u.Link}, end{node: tor.Node, name: c.Name}, 1500); err != nil {
			return err
		}
		if err := c.silence(u.Link); err != nil {
			return err
		}
		// The userspace datapath takes packets as they come, without a checksum of TCP or UDP.
		if err := tor.Do(func() error { return disableChecksumOffload(c.Name) }); err != nil {
			return err
		}
		// OVN 26.03.1 asks for the next hop of IPv4 packets in the wrong multicast group, and learns
		// it only when the neighbour asks for the node, as it does once its own entry is old: soon.
		if err := tor.Sysctl("ipv6.neigh."+c.Name+".base_reachable_time_ms=500",
			"ipv6.neigh."+c.Name+".delay_first_probe_time=1"); err != nil {
			return err
		}
		tor.unnumbered = append(tor.unnumbered, c.Name)
		if tor.BFDD == nil {
			tor.Watch()
		}
		c.uplinks = append(c.uplinks, u)
	}
	return nil
}

// SetPath cuts or mends the way of packets over one of the chassis' cables: nothing passes in
// either direction, and the carrier stays at both ends.
func (c *Chassis) SetPath(ctx context.Context, cable int, open bool) error {
	if open {
		_, err := c.Ofctl(ctx, "--strict", "del-flows", PeerBridge(cable), "priority=1000")
		return err
	}
	_, err := c.Ofctl(ctx, "add-flow", PeerBridge(cable), "priority=1000,actions=drop")
	return err
}

// PeerBridgeFlows writes what the ovn-bgp extension of Neutron's agent writes on the peer
// bridges, once OVN has made its patch ports there: what is for the node goes to the node, and
// all the rest into OVN, to the chassis' own router.
func (s *BGPService) PeerBridgeFlows(ctx context.Context, c *Chassis) error {
	for i, u := range c.uplinks {
		bridge := PeerBridge(i)
		nic, err := c.Ofport(ctx, u.Link)
		if err != nil {
			return err
		}
		patch, err := c.Ofport(ctx, "patch-"+localnetPort(peerSwitch(c, bridge))+"-to-"+IntegrationBridge)
		if err != nil {
			return err
		}
		mac := bgpMAC(routerPort(chassisRouter(c), peerSwitch(c, bridge)))
		flows := []string{
			"priority=100,arp actions=NORMAL",
			fmt.Sprintf("priority=80,in_port=%d,actions=mod_dl_dst:%s,output:%d", nic, mac, patch),
			fmt.Sprintf("priority=100,in_port=%d,actions=NORMAL", patch),
			"priority=0,actions=NORMAL",
			fmt.Sprintf("priority=100,ipv6,in_port=%d,ipv6_dst=fe80::/64 actions=NORMAL,mod_dl_dst:%s,output:%d",
				nic, mac, patch),
			fmt.Sprintf("priority=100,ip,in_port=%d,nw_dst=%s actions=NORMAL", nic, c.Loopback),
		}
		for icmp := 133; icmp <= 136; icmp++ {
			flows = append(flows, fmt.Sprintf(
				"priority=100,in_port=%d,icmp6,icmp_type=%d actions=NORMAL,mod_dl_dst:%s,output:%d", nic, icmp, mac, patch))
		}
		if err := c.replaceFlows(ctx, bridge, flows); err != nil {
			return err
		}
	}
	return nil
}

// InterconnectFlows writes what the extension writes on the provider bridge: it joins the
// provider network to the main router's side of it.
func (s *BGPService) InterconnectFlows(ctx context.Context, c *Chassis) error {
	provider, err := c.Ofport(ctx, s.provider.PatchPort())
	if err != nil {
		return err
	}
	bgp, err := c.Ofport(ctx, "patch-"+localnetPort(s.interconnect())+"-to-"+IntegrationBridge)
	if err != nil {
		return err
	}
	return c.replaceFlows(ctx, "br-ex", []string{
		fmt.Sprintf("priority=10,in_port=%d,actions=mod_dl_dst:%s,output:%d", provider,
			bgpMAC(routerPort(mainRouter, s.interconnect())), bgp),
		fmt.Sprintf("priority=10,in_port=%d,actions=output:%d", bgp, provider),
	})
}

// replaceFlows makes these flows all that a bridge has.
func (c *Chassis) replaceFlows(ctx context.Context, bridge string, flows []string) error {
	path := c.file(bridge + ".flows")
	if err := writeLines(path, append([]string{"delete"}, flows...)); err != nil {
		return err
	}
	if _, err := c.Ofctl(ctx, "--bundle", "add-flows", bridge, path); err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(flows, "; "))
	}
	return nil
}
