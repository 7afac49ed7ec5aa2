package expose

import (
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// NetworkRef says in a configuration which provider network to use: a physical
// network (options:network_name of the localnet) with its VLAN, 0 for none, or,
// if Switch is set, a logical switch by the name that OVN or Neutron gives it.
type NetworkRef struct {
	Network string
	VLAN    uint16
	Switch  string
}

// Is reports whether the network of a localnet row is that one.
func (r NetworkRef) Is(sb *observe.Southbound, localnet *observe.PortBinding) bool {
	if r.Switch == "" {
		return localnet.Options["network_name"] == r.Network && localnet.Tag == r.VLAN
	}
	for _, d := range sb.Datapaths {
		if d.UUID == localnet.Datapath {
			return d.Name() == r.Switch || bare(d.ExternalIDs["name"]) == bare(r.Switch)
		}
	}
	return false
}

// bare is a switch's name without what Neutron puts before the network's UUID.
func bare(name string) string { return strings.TrimPrefix(name, "neutron-") }
