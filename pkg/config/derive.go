package config

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// NewDrivers makes the configured drivers in their order, and behind them that of
// the node's own routes and prefixes if anything is asked of it: of two that want
// one address, the cloud's reason goes first.
func (s Settings) NewDrivers() []desired.Driver {
	var out []desired.Driver
	for _, name := range s.Drivers {
		if o, ok := s.optionsOf(name); ok {
			out = append(out, o.Driver(s.sharedFor(name)))
		}
	}
	own := s.Fabric
	own.Accept, own.Peers = s.Learn.Accept, s.BGP.PeerAddrs()
	if d, asked := drivers.NewFabric(own, s.shared()); asked {
		out = append(out, d)
	}
	return out
}

func (s Settings) optionsOf(name string) (drivers.Options, bool) {
	i := slices.IndexFunc(s.list, func(spec drivers.Spec) bool { return spec.Name == name })
	if i < 0 {
		return nil, false
	}
	return s.options[i], true
}

// shared are the settings that drivers have in common, with those that the node
// needs too.
func (s Settings) shared() drivers.Shared {
	out := s.Shared
	out.AS, out.Peers = s.BGP.AS, s.BGP.PeerAddrs()
	out.Expose.LastResort = s.LastResort()
	if len(s.BGP.Peers) == 0 { // nobody can return a path
		out.Expose.LastResort.LocalPref = true
	}
	out.Expose.TableMin, out.Expose.TableMax = s.Routing.TableLow, s.Routing.TableHigh
	out.Expose.RulePriority = s.Routing.RulePriority
	out.Expose.Cookie = s.Flows.Cookie
	out.Expose.HostSysctls = s.ManageSysctls
	out.KubeNode, out.KubeKeepCordoned = s.Kube.NodeName, s.Kube.KeepCordoned
	return out
}

// sharedFor adds the networks that a driver has to leave to the others.
func (s Settings) sharedFor(name string) drivers.Shared {
	out := s.shared()
	for i, spec := range s.list {
		if spec.Name != name && slices.Contains(s.Drivers, spec.Name) {
			out.Expose.Reserved = append(out.Expose.Reserved, s.options[i].Needs().Reserved...)
		}
	}
	return out
}

// PeerItems are the neighbours as objects that this node must have.
func (s Settings) PeerItems() []object.Item {
	var out []object.Item
	for i, p := range s.BGP.Peers {
		p.RestartTime = uint16(s.BGP.RestartTime / time.Second) // at most 4095
		why := object.Source{Driver: "configuration", Rule: "peer", Table: "bgp.peers", Row: strconv.Itoa(i)}
		out = append(out, object.Item{Value: p, Why: []object.Source{why}})
	}
	return out
}

// LastResort is what paths get while the node is drained, beside the community: prepended
// numbers where all neighbours are of another AS, LOCAL_PREF where all are of ours. What does
// for the one does harm to the other.
func (s Settings) LastResort() (by object.LastResort) {
	internal := 0
	for _, p := range s.BGP.Peers {
		if p.AS == s.BGP.AS {
			internal++
		}
	}
	switch {
	case internal > 0:
		by.LocalPref = internal == len(s.BGP.Peers)
	case s.Drain.Prepend > 0:
		by.Prepend = object.Prepend{AS: s.BGP.AS, Times: s.Drain.Prepend}
	}
	return by
}

// PeerAddrs are the addresses of the neighbours, in the order of the file; those of
// link-local neighbours have a zone.
func (b BGP) PeerAddrs() []netip.Addr {
	var out []netip.Addr
	for _, p := range b.Peers {
		if a, err := netip.ParseAddr(p.Address); err == nil { // not so only where there are problems
			out = append(out, a)
		}
	}
	return out
}

// Interfaces are the names and patterns of the interfaces on which neighbours are configured
// without an address.
func (b BGP) Interfaces() []string {
	var out []string
	for _, p := range b.Peers {
		if name, ok := p.Interfaces(); ok {
			out = append(out, name)
		}
	}
	return out
}

// Forbidden is what of the export filter holds even for paths that are kept
// although nothing is known of their rows: bgp.export.deny. It is nil if nothing is
// denied.
func (s Settings) Forbidden() func(object.Key) *object.Block {
	filter := expose.Filter{Deny: s.Shared.Expose.Export.Deny}
	if len(filter.Deny) == 0 {
		return nil
	}
	return func(k object.Key) *object.Block { return filter.Denied(k.Prefix) }
}

// RunsEVPN reports whether the EVPN driver is configured.
func (s Settings) RunsEVPN() bool { return slices.Contains(s.Drivers, evpn.Name) }

// FollowsEVPN reports whether a neighbour is asked for EVPN paths.
func (s Settings) FollowsEVPN() bool {
	return slices.ContainsFunc(s.BGP.Peers, func(p object.Peer) bool { return hasFamily(p, object.L2VPNEVPN.String()) })
}

// Cookies are those of all flows that are ours with these settings.
func (s Settings) Cookies() []uint64 {
	out := []uint64{s.Flows.Cookie}
	for _, name := range s.Drivers {
		if o, ok := s.optionsOf(name); ok && o.Needs().Cookie != 0 {
			out = append(out, o.Needs().Cookie)
		}
	}
	return out
}

// TableProtocol is the protocol of routes that are in routing tables for another program
// to read; 0 if no driver that is configured has any.
func (s Settings) TableProtocol() uint8 {
	for _, name := range s.Drivers {
		if o, ok := s.optionsOf(name); ok && o.Needs().TableProtocol != 0 {
			return o.Needs().TableProtocol
		}
	}
	return 0
}

// Idle is the same node wanting nothing: no drivers, no neighbours, nothing learned
// or announced, and no fuse that would hold taking it all down.
func (s Settings) Idle() Settings {
	s.Drivers, s.BGP.Peers, s.Fuse.Share, s.UnboundHold = nil, nil, 0, 0
	s.Learn.Accept, s.Fabric.Originate, s.Fabric.Loopback = nil, nil, false
	return s
}

// WithDriver is the same node with one driver only. The problems are those of the
// settings as they are then.
func (s Settings) WithDriver(name string) (Settings, Problems) {
	r := key.Resume(s.places)
	spec, err := s.list.Find(name)
	if err != nil {
		text, remedy := key.Describe(err)
		r.At(key.Place{}, "drivers", text, remedy)
		return s, r.Problems()
	}
	s.Drivers = []string{spec.Name}
	check(&s, r)
	return s, r.Problems()
}

// ResolveRouterID is the BGP identifier: the configured one, or else the first IPv4
// address among those from which OVN sends its tunnels.
func (s Settings) ResolveRouterID(encap []netip.Addr) (netip.Addr, error) {
	if s.BGP.RouterID.IsValid() {
		return s.BGP.RouterID, nil
	}
	for _, ip := range encap {
		if ip.Is4() {
			return ip, nil
		}
	}
	return netip.Addr{}, errors.New("no BGP identifier: set bgp.router_id to an IPv4 address of this node " +
		"(Open_vSwitch has no IPv4 external_ids:ovn-encap-ip to take it from)")
}

// Patterns are the files that name routing tables, each with its drop-in directory.
func (r Routing) Patterns() []string {
	var out []string
	for _, f := range r.TableFiles {
		out = append(out, f, f+".d/*.conf")
	}
	return out
}

// Exposed tells of passwords that others on this node can read, and what to do. The
// settings are valid all the same.
func (s Settings) Exposed() Problems { return slices.Clone(s.exposed) }

// Notes say what valid settings leave to the Open_vSwitch database, and what in
// them has no effect or is dangerous.
func (s Settings) Notes() []string {
	out := slices.Clone(s.remarks)
	for _, p := range s.exposed {
		out = append(out, p.Error())
	}
	if s.UseNorthbound && len(s.Northbound.Remotes) == 0 {
		out = append(out, "require_snat_disabled_for_tenant_networks needs the Northbound database "+
			"and ovn_nb_connection is not set: "+
			"the controller starts only if external_ids:ovn-nb-remote of Open_vSwitch is")
	}
	if s.UseNorthbound && !s.Shared.TenantNetworks && !s.Shared.TenantGUA {
		out = append(out, "require_snat_disabled_for_tenant_networks has no effect: no tenant network "+
			"is exposed (expose_tenant_networks)")
	}
	if !s.UseNorthbound && len(s.Northbound.Remotes) > 0 {
		out = append(out, "ovn_nb_connection has no effect: "+
			"only require_snat_disabled_for_tenant_networks reads the Northbound database")
	}
	return out
}
