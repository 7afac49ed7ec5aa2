package observe

import (
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// UnmappedNetwork is a physical network that no bridge mapping of this node names, although
// ports on this node are on it.
type UnmappedNetwork struct {
	// Network is network_name of the localnet rows, and Localnet the first of these.
	Network, Localnet string
	// Ports are logical ports, sorted: VIFs that are bound here and switch ports of gateways
	// that are.
	Ports []string
}

// UnmappedNetworks are the physical networks that a mapping should name, sorted. OVN wires
// none of their ports to the outside.
func (s Snapshot) UnmappedNetworks() []UnmappedNetwork {
	if s.SB == nil || s.OVS == nil {
		return nil
	}
	mapped := map[string]bool{}
	for _, m := range s.OVS.Mappings {
		mapped[m.Network] = true
	}
	unmapped := map[UUID]*PortBinding{} // localnet rows, by datapath
	reachable := map[UUID]bool{}
	for p := range s.SB.Ports.All() {
		if p.Type != PortLocalnet {
			continue
		}
		if name := p.Options["network_name"]; mapped[name] {
			reachable[p.Datapath] = true
		} else if unmapped[p.Datapath] == nil && name != "" {
			unmapped[p.Datapath] = p
		}
	}
	found := map[string]*UnmappedNetwork{}
	for p := range s.SB.Ports.All() {
		datapath, ok := s.wiredBy(p)
		localnet := unmapped[datapath]
		if !ok || localnet == nil || reachable[datapath] {
			continue
		}
		name := localnet.Options["network_name"]
		if found[name] == nil {
			found[name] = &UnmappedNetwork{Network: name, Localnet: localnet.LogicalPort}
		}
		found[name].Ports = append(found[name].Ports, p.LogicalPort)
	}
	var out []UnmappedNetwork
	for _, n := range found {
		out = append(out, *n)
	}
	sorting.Sort(out, func(a, b UnmappedNetwork) int { return strings.Compare(a.Network, b.Network) })
	return out
}

// wiredBy returns the switch on which a port of this node needs the outside.
func (s Snapshot) wiredBy(p *PortBinding) (UUID, bool) {
	if s.SB.ChassisName(p.Chassis) != s.Chassis || s.Chassis == "" {
		return UUID{}, false
	}
	switch p.Type {
	case PortVIF:
		return p.Datapath, true
	case PortChassisRedirect:
		if side, ok := s.SB.ProviderSide(p); ok {
			return side.Datapath, true
		}
	}
	return UUID{}, false
}

// MissingBridges are the mappings whose bridges are not in Open vSwitch.
func (s Snapshot) MissingBridges() []BridgeMapping {
	if s.OVS == nil {
		return nil
	}
	var out []BridgeMapping
	for _, m := range s.OVS.Mappings {
		if _, ok := s.OVS.Bridge(m.Bridge); !ok {
			out = append(out, m)
		}
	}
	return out
}
