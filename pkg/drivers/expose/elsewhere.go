package expose

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// mostAsked bounds how many chassis are asked for one address: each costs as much as
// the explanation itself, and an address that every tenant uses may be on any.
const mostAsked = 16

// Announcers settles which chassis announce an address. Accounts come with the
// system-ids of those that a row points to; of these the ones stay whose own
// explanation gets through, which explain gives for their view of the database. They
// are taken to be configured as this node is and to have what their bridges need,
// because nothing tells otherwise. Names become those that people know.
func Announcers(snap observe.Snapshot, accounts []reason.Account,
	explain func(observe.Snapshot) []reason.Account,
) []reason.Account {
	asked := map[string]bool{} // whether the chassis gets through
	passes := func(chassis string, view observe.Snapshot) bool {
		if _, ok := asked[chassis]; !ok {
			asked[chassis] = slices.ContainsFunc(explain(view), func(a reason.Account) bool {
				_, blocked := a.Blocked()
				return !blocked && !a.Inbound()
			})
		}
		return asked[chassis]
	}
	for i := range accounts {
		a := &accounts[i]
		_, blocked := a.Blocked()
		candidates := a.Chassis
		a.Chassis, a.Probable = nil, nil
		for _, name := range candidates {
			row, ok := snap.SB.ChassisByName(name)
			if !ok {
				continue
			}
			if name == snap.Chassis {
				if !blocked {
					a.Chassis = append(a.Chassis, row.Text())
				}
				continue
			}
			view, known := elsewhere(snap, row)
			_, cached := asked[name]
			switch {
			case !cached && len(asked) == mostAsked:
				a.Probable = append(a.Probable, row.Text())
			case !passes(name, view):
			case known:
				a.Chassis = append(a.Chassis, row.Text())
			default:
				a.Probable = append(a.Probable, row.Text())
			}
		}
	}
	return WithoutEchoes(accounts)
}

// WithoutEchoes leaves out what is told aside and adds nothing to the other accounts:
// neither a path nor a chassis.
func WithoutEchoes(accounts []reason.Account) []reason.Account {
	objects, names := map[object.Key]bool{}, map[string]bool{}
	return slices.DeleteFunc(accounts, func(a reason.Account) bool {
		_, blocked := a.Blocked()
		all := slices.Concat(a.Chassis, a.Probable)
		adds := !blocked && !objects[a.Object] || slices.ContainsFunc(all, func(name string) bool { return !names[name] })
		if a.Aside && !adds {
			return true
		}
		objects[a.Object] = objects[a.Object] || !blocked
		for _, name := range all {
			names[name] = true
		}
		return false
	})
}

// keyMappings is where ovn-controller writes the bridge mappings of its chassis: in
// Chassis.other_config, before OVN 22.09 in Chassis.external_ids.
const keyMappings = "ovn-bridge-mappings"

// elsewhere is the snapshot as another chassis sees it, as far as the database
// tells. If its row does not have its bridge mappings it is taken to reach every
// physical network, and known is false.
func elsewhere(snap observe.Snapshot, chassis *observe.Chassis) (view observe.Snapshot, known bool) {
	text, known := mappingsOf(chassis)
	mappings, _ := observe.ParseBridgeMappings(text)
	var localnets []*observe.PortBinding
	for p := range snap.SB.Ports.All() {
		if p.Type == observe.PortLocalnet {
			localnets = append(localnets, p)
		}
	}
	if !known {
		mappings = nil
		for _, p := range localnets {
			name := p.Options["network_name"]
			if !slices.ContainsFunc(mappings, func(m observe.BridgeMapping) bool { return m.Network == name }) {
				mappings = append(mappings, observe.BridgeMapping{Position: len(mappings) + 1, Network: name, Bridge: "br-" + name})
			}
		}
	}
	ovs := &observe.OpenVSwitch{SystemID: chassis.Name, Hostname: chassis.Hostname, Mappings: mappings}
	for _, m := range mappings {
		if _, ok := ovs.Bridge(m.Bridge); ok {
			continue
		}
		b := observe.Bridge{Name: m.Bridge, MAC: object.MAC{2}}
		for _, p := range localnets {
			b.Patches = append(b.Patches, observe.PatchPort{Localnet: p.LogicalPort, Name: p.LogicalPort, OFPort: 1})
		}
		ovs.Bridges = append(ovs.Bridges, b)
	}
	return observe.Snapshot{Chassis: chassis.Name, SB: snap.SB, NB: snap.NB, OVS: ovs}, known
}

// Reach returns a function that says whether a logical switch is a provider network that a
// chassis reaches, as far as the database tells. A chassis whose row does not have its
// bridge mappings is taken to reach every physical network.
func Reach(sb *observe.Southbound, reserved []NetworkRef) func(network, chassis observe.UUID) bool {
	physical := map[observe.UUID][]string{}
	for p := range sb.Ports.All() {
		if p.Type != observe.PortLocalnet ||
			slices.ContainsFunc(reserved, func(r NetworkRef) bool { return r.Is(sb, p) }) {
			continue
		}
		physical[p.Datapath] = append(physical[p.Datapath], p.Options["network_name"])
	}
	mapped := map[observe.UUID][]observe.BridgeMapping{}
	all := map[observe.UUID]bool{}
	for _, c := range sb.Chassis {
		text, known := mappingsOf(c)
		mapped[c.UUID], _ = observe.ParseBridgeMappings(text)
		all[c.UUID] = !known
	}
	return func(network, chassis observe.UUID) bool {
		return slices.ContainsFunc(physical[network], func(name string) bool {
			return all[chassis] || slices.ContainsFunc(mapped[chassis],
				func(m observe.BridgeMapping) bool { return m.Network == name })
		})
	}
}

// mappingsOf are the bridge mappings in the row of a chassis; false if it has none.
func mappingsOf(c *observe.Chassis) (string, bool) {
	if text, ok := c.OtherConfig[keyMappings]; ok {
		return text, true
	}
	text, ok := c.ExternalIDs[keyMappings]
	return text, ok
}
