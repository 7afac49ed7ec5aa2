// Package drivers lists the drivers and the settings of each. A new one is a
// package beside this file, a type of its settings here, and a line in [All]; see
// docs/writing-a-driver.md.
//
// It reads no files: [Options] declare keys, and package config fills them.
package drivers

import (
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
)

// Spec is one driver that can be configured.
type Spec struct {
	// Name is what the key drivers calls it; Aliases are accepted too, and stand for
	// it.
	Name    string
	Aliases []string
	// Options makes its settings, with their defaults.
	Options func() Options
}

// List are drivers in the order in which messages list them.
type List []Spec

// All returns the drivers of this program.
func All() List {
	return List{
		{Name: bgp.Name, Aliases: []string{"ovn_bgp_driver"}, Options: newBGPOptions},
		{Name: evpn.Name, Aliases: []string{"ovn_evpn_driver"}, Options: newEVPNOptions},
		{Name: native.Name, Options: newNativeOptions},
		{Name: kube.Name, Options: newKubeOptions},
	}
}

// Options are the settings of one driver.
type Options interface {
	// Keys declares the driver's own keys, bound to the receiver.
	Keys() []key.Key
	// Needs says what the driver asks of the node. It is called once the keys have
	// been read.
	Needs() Needs
	// Check reports what is wrong with the keys together. Running says whether the
	// driver is among those configured: the keys of one that is not may well be set.
	Check(running bool, report Report)
	// Driver makes the driver.
	Driver(shared Shared) desired.Driver
}

// Report takes a problem: the key with its position, such as evpn.vnis[1].vni, what
// is wrong, and what to do.
type Report func(path, text, remedy string)

// Needs are what a driver asks of the node around it.
type Needs struct {
	// Northbound asks for the rows of the Northbound database in snapshots.
	Northbound bool
	// Kubernetes asks for the objects of the Kubernetes API and for the flows of external
	// bridges in snapshots, EgressIPs for egress IPs among them.
	Kubernetes, EgressIPs bool
	// AllPorts names the setting for which every port of the cloud has to be read; empty
	// where those that concern this node are enough (ovn_sb_scope).
	AllPorts string
	// VTEPDevice is the device whose first IPv4 address snapshots tell; may be empty.
	VTEPDevice string
	// VXLANPort is the UDP port of VXLAN devices; 0 without any.
	VXLANPort uint16
	// Cookie marks flows of the driver's own, beside those of flows.cookie; 0 if it
	// has none.
	Cookie uint64
	// TableProtocol is rtm_protocol of routes that another program is to read by it (see
	// object.Route.Protocol); 0 without any.
	TableProtocol uint8
	// Family is an address family that some neighbour must have if there are
	// neighbours at all; may be empty.
	Family string
	// Reserved are provider networks that no other driver wires.
	Reserved []expose.NetworkRef
}

// Names returns the names of the drivers.
func (l List) Names() []string {
	names := make([]string, len(l))
	for i, s := range l {
		names[i] = s.Name
	}
	return names
}

// Find returns the driver of that name or alias.
func (l List) Find(name string) (Spec, error) {
	i := slices.IndexFunc(l, func(s Spec) bool { return s.Name == name || slices.Contains(s.Aliases, name) })
	if i < 0 {
		return Spec{}, key.Wrong("use one of "+strings.Join(l.Names(), ", "), "unknown driver %s", key.Quote(name))
	}
	return l[i], nil
}

// NewFabric returns the driver of the node's own routes and prefixes, which runs
// beside whichever others are configured; false if nothing is asked of it.
func NewFabric(own fabric.Config, shared Shared) (desired.Driver, bool) {
	own.Expose = shared.Expose
	return fabric.New(own), !own.Empty()
}
