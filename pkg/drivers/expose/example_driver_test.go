package expose_test

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// LabelDriver exposes the ports of an orchestrator that marks them with
// external_ids:expose=true: those on provider networks where they are bound, as
// VIPs if external_ids:service=true, and the subnets of marked router ports on
// the node of the router's gateway.
type LabelDriver struct{ Options expose.Options }

// Name is what the configuration calls it.
func (d LabelDriver) Name() string { return "label_driver" }

// Desired is a pure function of the snapshot.
func (d LabelDriver) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	e := expose.New(d.Name(), d.Options, out)
	networks, skips := expose.FindNetworks(snap, d.Options)
	for _, s := range skips {
		e.Skip(s)
	}
	e.Base(networks)
	me, ok := snap.SB.ChassisByName(snap.Chassis)
	if !ok {
		return e.Skips() // the controller freezes: nothing is removed
	}
	for port := range snap.SB.Ports.All() { // sorted by name: conflicts end the same way each time
		if port.ExternalIDs["expose"] != "true" || port.Chassis != me.UUID || port.Down {
			continue
		}
		why := e.Why("label", "Port_Binding", port.LogicalPort)
		why.Decides = true                               // a row that names another chassis is reason enough to let go
		e.Row("Port_Binding", port.LogicalPort, func() { // a defect costs one row
			switch port.Type {
			case observe.PortVIF:
				d.port(e, networks, port, why)
			case observe.PortChassisRedirect:
				d.gateway(e, snap, networks, port, why)
			}
		})
	}
	return e.Skips()
}

func (d LabelDriver) port(e *expose.Exposer, networks *expose.Networks, port *observe.PortBinding, why object.Source) {
	n, ok := networks.Of(port.Datapath)
	if !ok {
		return // not a provider network that this node reaches
	}
	if port.ExternalIDs["service"] == "true" {
		e = e.As(expose.ClassVIP) // other path attributes than those of plain ports
	}
	report(e, port)
	for _, el := range port.Addresses {
		for _, prefix := range el.Addrs {
			e.ExposeIP(n, prefix.Addr(), nil, why)
		}
	}
}

func (d LabelDriver) gateway(e *expose.Exposer, snap observe.Snapshot, networks *expose.Networks,
	cr *observe.PortBinding, why object.Source,
) {
	outside, ok := snap.SB.ProviderSide(cr)
	if !ok {
		return
	}
	n, ok := networks.Of(outside.Datapath)
	if !ok {
		return
	}
	report(e, cr)
	if len(cr.Addresses) == 0 || len(cr.Addresses[0].Addrs) == 0 {
		return
	}
	via := cr.Addresses[0].Addrs[0].Addr()
	e.ExposeIP(n, via, &expose.Gateway{MAC: cr.Addresses[0].MAC}, why)
	for lrp := range snap.SB.Ports.All() {
		if lrp.Datapath != cr.Datapath || lrp.ExternalIDs["expose"] != "true" || lrp.Type != observe.PortPatch {
			continue
		}
		report(e, lrp)
		for _, el := range lrp.Addresses { // none if the MAC cannot be read
			for _, prefix := range el.Addrs {
				if prefix.Addr().Is4() == via.Is4() {
					// true: the subnet as a whole; false and ExposeRemoteIP: host by host
					e.ExposeSubnet(n, prefix.Masked(), via, true, e.Why("label", "Port_Binding", lrp.LogicalPort), why)
				}
			}
		}
	}
}

// report tells of what cannot be read of a row; what it led to before is held.
func report(e *expose.Exposer, port *observe.PortBinding) {
	for _, s := range expose.PortSkip(port) {
		e.Skip(s)
	}
}
