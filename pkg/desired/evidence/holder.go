package evidence

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Holder is the chassis that the first row that decides names, and that row; nil if it
// names none, or the Southbound database has not been read. It proves nothing: [Judge] does.
func Holder(k object.Key, why []object.Source, snap observe.Snapshot) (*observe.Chassis, string) {
	if snap.SB == nil {
		return nil, ""
	}
	c := court{sb: snap.SB, name: snap.Chassis, key: k}
	for _, name := range c.deciders(why) {
		p, ok := snap.SB.Port(name)
		if !ok {
			continue
		}
		chassis := snap.SB.ChassisName(p.Chassis)
		if p.Type == observe.PortL3Gateway {
			chassis = p.Options["l3gateway-chassis"]
		}
		if found, ok := snap.SB.ChassisByName(chassis); ok {
			return found, tablePort + " " + name
		}
	}
	return nil, ""
}
