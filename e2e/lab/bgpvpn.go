package lab

import (
	"context"
	"slices"
	"strconv"
)

// VPN is what networking-bgpvpn writes on the ports of an associated router.
type VPN struct {
	VNI int // virtual network identifier of the VRF
	AS  int // administrator of the route targets that are derived from it
}

// externalIDs are the keys that the service plugin adds to a port.
func (v VPN) externalIDs() map[string]string {
	return map[string]string{"neutron_bgpvpn:vni": strconv.Itoa(v.VNI), "neutron_bgpvpn:as": strconv.Itoa(v.AS)}
}

// AssociateVPN annotates the router's gateway and its ports on networks, as the
// association of a BGP VPN with these networks does; none stands for all.
func (r *Router) AssociateVPN(ctx context.Context, v VPN, networks ...*Network) error {
	var t transaction
	for _, p := range r.ports {
		if p == r.Gateway || len(networks) == 0 || slices.Contains(networks, p.Network) {
			t.add("set", "Logical_Switch_Port", p.ID, column("external_ids", v.externalIDs()))
		}
	}
	return r.neutron.commit(ctx, t)
}

// DissociateVPN takes the annotation off all ports of the router.
func (r *Router) DissociateVPN(ctx context.Context) error {
	var t transaction
	for _, p := range r.ports {
		for _, key := range []string{"neutron_bgpvpn\\:vni", "neutron_bgpvpn\\:as"} {
			t.add("remove", "Logical_Switch_Port", p.ID, "external_ids", key)
		}
	}
	return r.neutron.commit(ctx, t)
}
