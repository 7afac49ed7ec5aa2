// Package evpn is the driver osp_ovn_evpn_driver: it connects the tenant networks
// of an OpenStack cloud on OVN to others of the same tenant by EVPN over VXLAN,
// each in a VRF of its own, so that tenants may use the same addresses. A router
// takes part if its gateway is on this node and Neutron's BGPVPN service has put
// a VXLAN network identifier (VNI) on its ports:
//
//   - the VNI gets a VRF, a bridge and a VXLAN device, and a leg from the VRF to
//     the provider bridge, on which the router's gateway is (E1),
//   - the router's subnets with the same VNI are routed through it (E2),
//   - the ports on them are announced as IP Prefix routes (E3),
//   - what others announce for the VNI becomes routes in the VRF (K1 to K6).
//
// The rules are those of docs/evpn-rules.md.
//
// Besides, provider networks can be given a VNI in the configuration, as a VRF
// (method vrf) or as a stretched Ethernet segment (method l2vni).
//
// It is a pure function of snapshot and configuration and keeps no state. It
// refuses to learn anything from data traffic: what is forwarded where is told by
// the databases and by BGP.
//
// Read next: Desired below, then vrf.go for what a VNI consists of, gateway.go
// and tenant.go for what is in it, learned.go for what comes from others.
package evpn

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Name is the driver's name in the configuration.
const Name = "osp_ovn_evpn_driver"

// FlowCookie marks the flows that take a router's traffic into its VRF, and
// FlowPriority is above that of the flows of whole provider networks. Both are
// the predecessor's.
const (
	FlowCookie   = 0x3e6
	FlowPriority = 1000
)

// MaxVNI is the largest VXLAN network identifier (RFC 7348 section 5).
const MaxVNI = 1<<24 - 1

// Config are the driver's options.
type Config struct {
	Expose expose.Options
	// LocalIP is the address of our VTEP (evpn_local_ip). If it is not valid, the
	// first IPv4 address of the device NIC (evpn_nic) is, and without that the
	// first host address of lo.
	LocalIP netip.Addr
	NIC     string
	// Port is the UDP port of VXLAN (evpn_udp_dstport).
	Port uint16
	// KeepVRF leaves a VRF in place when nothing is in it any more
	// (delete_vrf_on_disconnect: false).
	KeepVRF bool
	// TableOffset is what is added to a VNI to get the number of its routing table.
	TableOffset uint32
	// SubnetMethod announces tenant subnets instead of the ports in them
	// (advertisement_method_tenant_networks: subnet).
	SubnetMethod bool
	// TenantNetworks, TenantGUA and AddressScopes say which tenant networks behind
	// routers on a provider network with method vrf are announced with it
	// (expose_tenant_networks and so on). Networks in a BGPVPN are not concerned.
	TenantNetworks, TenantGUA bool
	AddressScopes             []string
	// AS is our autonomous system number, for the route targets of Networks.
	AS uint32
	// Networks are provider networks with a VNI.
	Networks []NetworkConfig
	// VNIs are settings of single VNIs.
	VNIs []VNIConfig
}

// VNIConfig is what is configured for one VNI. It goes before what annotations
// say.
type VNIConfig struct {
	VNI uint32
	// RD is the route distinguisher in the form of object.ParseRD; may be empty.
	RD string
	// Import and Export are route targets. Import may have wildcards, *:NUMBER.
	// Empty ones leave the default or the annotations in force.
	Import, Export []string
}

// Driver implements desired.Driver.
type Driver struct{ cfg Config }

// New returns the driver.
func New(cfg Config) *Driver { return &Driver{cfg} }

// Name is osp_ovn_evpn_driver.
func (d *Driver) Name() string { return Name }

// Imports lists the route targets of which each VNI takes routes in: no object has
// them.
func (d *Driver) Imports(snap observe.Snapshot) map[uint32][]string {
	p := d.newPass(nil, snap, new(object.Set))
	if !p.vtep.IsValid() {
		return nil
	}
	p.collect()
	out := map[uint32][]string{}
	for _, v := range p.vrfs {
		out[v.vni] = v.imports
	}
	for _, s := range p.segments {
		out[s.vni] = s.imports
	}
	return out
}

// Tables lists the routing tables of VNIs whose VRF is not there yet.
func (d *Driver) Tables(m *parts.Memory, snap observe.Snapshot) []uint32 {
	if snap.Host == nil {
		return nil
	}
	p := d.newPass(m, snap, new(object.Set))
	if p.vtep.IsValid() {
		p.collect()
	}
	p.parts.End()
	return p.tables
}

// Desired adds what this node is to have.
func (d *Driver) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	return d.DesiredAgain(nil, snap, out)
}

// DesiredAgain implements [desired.Again].
func (d *Driver) DesiredAgain(m *parts.Memory, snap observe.Snapshot, out *object.Set) []observe.Skip {
	p := d.newPass(m, snap, out)
	p.parts.Part(phaseBridges, p.networks, func() { p.Bridges(p.networks, "E0") })
	if p.vtep.IsValid() {
		p.desired(snap.Learned)
	} else {
		p.noVTEP()
	}
	p.keptVRFs()
	p.parts.End()
	return p.Skips()
}

// The phases of a pass, in their order.
const (
	phaseNetworks         = "networks"
	phaseDevices          = "devices"
	phaseBridges          = "bridges"
	phaseProviderPorts    = "ports on provider networks"
	phaseVNIs             = "VNIs"
	phaseMade             = "made ports"
	phaseVRFs             = "VRFs"
	phaseSegments         = "segments"
	phaseProviderStations = "stations on provider networks"
	phaseProviderSubnets  = "subnets behind provider networks"
	phaseProviderTenants  = "tenant ports behind provider networks"
	phaseProviderPrefixes = "prefixes of provider networks"
	phaseSubnets          = "subnets"
	phaseTenantPorts      = "tenant ports"
	phaseRoutes           = "routes"
	phasePrefixes         = "prefixes"
	phaseClaims           = "claims"
	phaseSegmentPorts     = "ports of segments"
	phaseSegmentStations  = "stations of segments"
	phaseOthers           = "others"
	phaseKept             = "kept"
)

var phases = []string{
	phaseNetworks, phaseDevices, phaseBridges, phaseProviderPorts, phaseVNIs, phaseMade, phaseVRFs, phaseSegments,
	phaseProviderStations, phaseProviderSubnets, phaseProviderTenants, phaseProviderPrefixes, phaseSubnets,
	phaseTenantPorts, phaseRoutes, phasePrefixes, phaseClaims, phaseSegmentPorts, phaseSegmentStations, phaseOthers,
	phaseKept,
}

// desired adds everything but the bridges and the VRFs that are kept. Each VNI is derived by itself.
func (p *pass) desired(learned *observe.Learned) {
	p.collect()
	p.madePorts()
	var vrfs []*vrf
	for _, found := range p.vrfs {
		v := parts.ValueOf(p.parts, phaseVRFs, found.name, found, func() *vrf {
			v := found.fresh()
			if !p.part(&v.overlay, func() { p.vrf(v) }) {
				return nil
			}
			for _, pn := range v.providers {
				p.parts.Note(inVRF{pn.network.Localnet}, pn)
			}
			return v
		})
		if v != nil {
			vrfs = append(vrfs, v)
		}
	}
	var segments []*segment
	for _, found := range p.segments {
		s := parts.ValueOf(p.parts, phaseSegments, found.name, found, func() *segment {
			s := found.fresh()
			if !p.part(&s.overlay, func() { p.segment(s) }) {
				return nil
			}
			return s
		})
		if s != nil {
			segments = append(segments, s)
		}
	}
	p.providers(vrfs)
	p.tenants(vrfs)
	p.learnedPaths(learned, vrfs, segments)
}

// pass is one run over one snapshot.
type pass struct {
	*expose.Exposer
	parts    *parts.Pass
	cfg      Config
	sb       *observe.Southbound
	host     *observe.Host // nil if nothing is known of the node
	me       observe.UUID  // our Chassis row; zero if it is missing
	networks *expose.Networks
	// vrfDevices are the VRFs that the node has, whoever made them.
	vrfDevices []observe.Link
	// ovsBridges are those of Open vSwitch, the operator's among them.
	ovsBridges []observe.Bridge
	vtep       netip.Addr // invalid if there is none
	// redirects are the chassisredirect ports of the cloud.
	redirects []*observe.PortBinding
	vnis
	// whole are the subnets behind provider networks that are routed as a whole, by VNI.
	whole map[uint32][]*behind
	// noRoute are the VTEPs that cannot be reached.
	noRoute map[netip.Addr]bool
}

// vnis are those that this node has a part in, with what is known before anything of them is
// derived.
type vnis struct {
	vrfs     []*vrf // by VNI
	byVNI    map[uint32]*vrf
	segments []*segment // by VNI
	// tables are those of VRFs that are not there yet, even if they are refused.
	tables []uint32
}

// newPass prepares what all rules share: this node's Chassis row, its provider networks
// and its VTEP. Nothing is derived yet.
func (d *Driver) newPass(m *parts.Memory, snap observe.Snapshot, out *object.Set) *pass {
	begun := parts.Begin(m, snap, out, phases...)
	p := &pass{
		Exposer: expose.In(Name, d.cfg.Expose, begun), parts: begun, cfg: d.cfg, sb: snap.SB, host: snap.Host,
		ovsBridges: snap.OVS.Bridges,
	}
	if c, ok := snap.SB.ChassisByName(snap.Chassis); ok {
		p.me = c.UUID
	}
	p.networks = p.Networks(phaseNetworks, snap)
	p.vrfDevices = p.findVRFDevices()
	p.redirects = p.parts.Select(observe.PortChassisRedirect, func(port *observe.PortBinding) bool {
		return port.Type == observe.PortChassisRedirect
	})
	p.vtep = p.findVTEP()
	return p
}

// collect finds out which VNIs there are, and what depends on all of them.
func (p *pass) collect() {
	p.portsOfVRFs()
	given := []any{p.networks, p.me, p.vtep, p.taken(), p.bridgeNames(), p.redirects, p.named()}
	p.vnis = parts.Value(p.parts, phaseVNIs, given, func() vnis {
		p.vnis = vnis{byVNI: map[uint32]*vrf{}}
		p.findVNIs()
		return p.vnis
	})
}

// taken is what the node has that a VRF may get in the way of.
func (p *pass) taken() any {
	if p.host == nil {
		return nil
	}
	return []any{p.vrfDevices, p.host.Tables}
}

// named are the names of switches, where the configuration has some.
func (p *pass) named() []*observe.Datapath {
	if slices.ContainsFunc(p.cfg.Networks, func(c NetworkConfig) bool { return c.Switch != "" }) {
		return p.sb.Datapaths
	}
	return nil
}

// findVNIs finds the VNIs and settles what depends on all of them: route distinguishers, and of
// routers with several gateways the VPNs of each.
func (p *pass) findVNIs() {
	p.findNetworks()
	p.findGateways()
	slices.SortFunc(p.vrfs, func(a, b *vrf) int { return cmp.Compare(a.vni, b.vni) })
	slices.SortFunc(p.segments, func(a, b *segment) int { return cmp.Compare(a.vni, b.vni) })
	var all []*overlay
	for _, s := range p.segments {
		all = append(all, &s.overlay)
	}
	for _, v := range p.vrfs {
		all = append(all, &v.overlay)
	}
	p.allocateRDs(all)
	p.shareVPNs()
}

// row derives what one port leads to; see [expose.Exposer.Row].
func (p *pass) row(port *observe.PortBinding, derive func()) {
	p.Row("Port_Binding", port.LogicalPort, derive)
}

// part derives what a VNI consists of, and reports whether it returned; see
// [expose.Exposer.Part].
func (p *pass) part(o *overlay, derive func()) bool {
	return p.Part(fmt.Sprintf("VNI %d", o.vni), func() []object.Source { return p.rowsOf(o) }, derive)
}

// rowsOf are the rows that have a part in a VNI: every object of it has one of them as its source.
func (p *pass) rowsOf(o *overlay) []object.Source {
	rows := slices.Clip(o.why)
	for _, n := range o.networks {
		for _, at := range p.findStations(n) {
			rows = append(rows, at.why...)
		}
	}
	return rows
}

// live reports whether the port is bound here and up. The order matters: up
// stays true on a row whose chassis went away.
func (p *pass) live(port *observe.PortBinding) bool {
	return !p.me.IsZero() && port.Chassis == p.me && !port.Down
}

// why is the source by which status and explain name the rule and the Port_Binding row.
func (p *pass) why(rule string, port *observe.PortBinding) object.Source {
	return p.Why(rule, "Port_Binding", port.LogicalPort)
}

// whyHere is why for the row whose binding decides which chassis exposes.
func (p *pass) whyHere(rule string, port *observe.PortBinding) object.Source {
	src := p.why(rule, port)
	src.Decides = true
	return src
}

// whyOwn is whyHere for a row that lists the address, too.
func (p *pass) whyOwn(rule string, port *observe.PortBinding) object.Source {
	return listing(object.ListsOwn, p.whyHere(rule, port))
}

// listing returns src as the source that lists the address.
func listing(whose object.Listing, src object.Source) object.Source {
	src.Lists = whose
	return src
}

// reportProblems reports the values of a row that cannot be parsed. It is called only for
// rows that this node uses: otherwise every node of a cloud would report the same rows.
func (p *pass) reportProblems(port *observe.PortBinding) {
	for _, s := range expose.PortSkip(port) {
		p.Skip(s)
	}
}

// report says what is wrong with a row without holding anything.
func (p *pass) report(table, row, code, format string, args ...any) {
	p.Skip(observe.Skip{Table: table, Row: row, Code: code, Text: fmt.Sprintf(format, args...)})
}

// reportOf is report for what a VNI goes without.
func (p *pass) reportOf(vni uint32, table, row, code, format string, args ...any) {
	p.Skip(observe.Skip{Table: table, Row: row, Code: code, Text: fmt.Sprintf(format, args...), VNI: vni})
}

// put adds a value; losing to an earlier, different one is reported against the
// row that lost, and returned as false.
func (p *pass) put(v object.Value, why []object.Source, block *object.Block) bool {
	return p.putItem(object.Item{Value: v, Why: why, Block: block})
}

// putItem is put for an item with dependencies. A conflict is no reason to stop: the
// rows are visited in a fixed order, so the same one keeps the key in every round.
func (p *pass) putItem(it object.Item) bool {
	err := p.parts.Add(it)
	if err == nil {
		return true
	}
	p.report(it.Why[0].Table, it.Why[0].Row, observe.SkipConflict, "%v", err)
	return false
}

// notWired blocks what would receive no traffic yet. The block ends by itself once
// ovn-controller or ovs-vswitchd has made what is missing.
func notWired(format string, args ...any) *object.Block {
	return &object.Block{Code: object.BlockNotWired, Text: fmt.Sprintf(format, args...)}
}

// hostPrefix is the /32 or /128 of an address, the form of an IP Prefix route for a host
// (RFC 9136 section 3.1).
func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// portAddrs are the addresses of all elements of column mac.
func portAddrs(port *observe.PortBinding) []netip.Addr {
	var out []netip.Addr
	for _, el := range port.Addresses {
		for _, prefix := range el.Addrs {
			out = append(out, prefix.Addr())
		}
	}
	return out
}
