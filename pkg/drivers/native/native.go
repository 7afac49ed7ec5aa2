// Package native is the driver ovn_native_driver: it is the routing daemon that OVN's
// dynamic routing (OVN 25.03) leaves out. ovn-northd computes which prefixes a logical
// router announces; this driver announces them by BGP, and puts what neighbours announce
// into the routing tables in which ovn-controller looks for it:
//
//   - rows of Advertised_Route of routers that are active on this node become paths
//     (N-10 to N-22),
//   - learned paths become routes in the table of a router, from where ovn-controller
//     takes them into OVN (N-30 to N-44),
//   - switches with a VNI are announced as EVPN segments, and what others announce for
//     them is put into the kernel's forwarding databases (N-50 to N-58).
//
// The rules are those of docs/ovn-native-rules.md.
//
// It never writes to a database: a Learned_Route of ours would be deleted by
// ovn-controller's next run. It is a pure function of snapshot and configuration.
//
// Read next: Desired, then router.go for what an active router is, export.go and
// learn.go for the two directions; segment.go for EVPN, then station.go for what of it is
// here, and evpn.go with routes.go for what is elsewhere.
package native

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Name is the driver's name in the configuration.
const Name = "ovn_native_driver"

// The codes of states of this driver; docs/glossary.md says what to do about each.
const (
	CodeNoNextHop      = "no-next-hop"          // the port has no address to be the next hop
	CodeNotVerified    = "kernel-not-verified"  // the kernel lacks ovn-controller's own route
	CodeNoBackend      = "vip-without-backend"  // a VIP is announced that nobody answers
	CodeWaitingVRF     = "waiting-vrf"          // ovn-controller has not made the VRF yet
	CodeNotPrivate     = "table-not-private"    // others have routes in the table that OVN would learn
	CodeOffLink        = "nexthop-offlink"      // this OVN ignores a next hop outside the port's networks
	CodeTableConflict  = "table-conflict"       // the table is reserved, or of two routers
	CodeUnresolved     = "port-name-unresolved" // a port name leads to no device
	CodeAllPorts       = "learns-on-all-ports"  // learned routes are used through every port
	CodeElsewhere      = "filtered-elsewhere"   // only a port on another node has a port name
	CodeMismatch       = "learn-mismatch"       // OVN has not learned what the table has
	CodeNoVTEP         = "no-vtep"              // no local address for EVPN
	CodeVNIConflict    = "vni-conflict"         // two switches have one VNI
	CodeSharedVXLAN    = "shared-vxlan-device"  // two switches have one VXLAN device
	codeUnreadableCell = observe.SkipUnreadable // a value cannot be parsed
	blockDuplicateMAC  = "duplicate-mac"        // another VTEP announces the MAC as static
	defaultLearnedProt = 186                    // RTPROT_BGP
	defaultLearnedCost = 20                     // the distance of EBGP
	maxVNI             = 1<<24 - 1              // RFC 7348 section 5
	defaultVXLANBase   = 60000                  // ports of VXLAN devices that carry entries only
)

// NextHopMode says which address paths have as their next hop.
type NextHopMode string

// The modes (N-17).
const (
	NextHopAuto NextHopMode = "auto"
	NextHopSelf NextHopMode = "self"
	NextHopLRP  NextHopMode = "lrp"
)

// Metric says by which attribute the two metrics of OVN are announced.
type Metric string

// The attributes for metrics.
const (
	MetricMED       Metric = "med"
	MetricLocalPref Metric = "local-pref"
	MetricNone      Metric = "none"
)

// Config are the driver's options.
type Config struct {
	Expose expose.Options
	// AS is our autonomous system number, for automatic route targets.
	AS uint32
	// Routers are names of the routers to serve; none is all.
	Routers []string
	// NextHop is the mode, NextHopOf an address for one router instead.
	NextHop   NextHopMode
	NextHopOf map[string]netip.Addr
	// Export says how metrics are announced.
	Export Metric
	// Subnets lets prefixes pass that are no host prefixes.
	Subnets bool
	// RequireKernel demands ovn-controller's own route for every prefix.
	RequireKernel bool
	// LearnAccept is what of the default VRF's paths goes into routers' tables.
	LearnAccept []observe.PrefixRange
	// LearnMap names routers that sessions on a device feed where no port name does.
	LearnMap map[string]string
	// MakeVRFs makes devices that nobody else does (vrf_mode: auto).
	MakeVRFs bool
	// Protocol and Cost are rtm_protocol and metric of learned routes.
	Protocol uint8
	Cost     uint32
	// Targets are where the prefixes of single routers go instead of the default VRF.
	Targets []Target
	// RouteTargets replace the automatic route target of a VNI.
	RouteTargets map[uint32][]string
	// Peers are the neighbours, which tell the devices of sessions.
	Peers []netip.Addr
}

// Target is where the prefixes of a router are announced.
type Target struct {
	Router string
	// Unicast announces them in the default VRF, VNI as IP Prefix routes of EVPN.
	Unicast bool
	VNI     uint32
	// RD is the route distinguisher, RT the route targets and MAC the router MAC of the
	// IP Prefix routes.
	RD  string
	RT  []string
	MAC object.MAC
}

// Defaults are the options of a fresh installation.
func Defaults() Config {
	return Config{
		NextHop: NextHopAuto, Export: MetricMED, Subnets: true, MakeVRFs: true,
		LearnAccept: []observe.PrefixRange{
			{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")},
		},
		Protocol: defaultLearnedProt, Cost: defaultLearnedCost,
	}
}

// Driver implements desired.Driver.
type Driver struct{ cfg Config }

// New returns the driver.
func New(cfg Config) *Driver { return &Driver{cfg} }

// Name is ovn_native_driver.
func (d *Driver) Name() string { return Name }

// Desired adds what this node is to have.
func (d *Driver) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	return d.DesiredAgain(nil, snap, out)
}

// DesiredAgain implements [desired.Again].
func (d *Driver) DesiredAgain(m *parts.Memory, snap observe.Snapshot, out *object.Set) []observe.Skip {
	p := d.newPass(m, snap, out)
	p.schema()
	p.findRouters()
	p.export()
	p.statuses()
	p.learn()
	p.segments()
	p.parts.End()
	return p.Skips()
}

// The phases of a pass, in their order.
const (
	phaseRouters    = "routers"
	phaseConflicts  = "conflicts"
	phaseRows       = "rows"
	phaseVIPs       = "VIPs"
	phasePrefixes   = "prefixes"
	phaseStatuses   = "statuses"
	phaseLearned    = "learned"
	phaseSwitches   = "switches"
	phaseLocal      = "local datapaths"
	phaseFound      = "switches here"
	phaseSegments   = "segments"
	phaseRoutes     = "routes"
	phaseOthers     = "routes of segments"
	phaseClaims     = "claims"
	phasePorts      = "ports of segments"
	phaseBindings   = "bindings"
	phaseStations   = "stations"
	phaseFlooding   = "flooding"
	phaseEntries    = "entries"
	phaseNeighbours = "neighbours"
)

var phases = []string{
	phaseRouters, phaseConflicts, phaseRows, phaseVIPs, phasePrefixes, phaseStatuses, phaseLearned,
	phaseSwitches, phaseLocal, phaseFound, phaseSegments, phaseRoutes, phaseOthers, phaseClaims,
	phasePorts, phaseBindings, phaseStations, phaseFlooding, phaseEntries, phaseNeighbours,
}

// Watched lists the routing tables of active routers, which ovn-controller reads and writes.
func (d *Driver) Watched(m *parts.Memory, snap observe.Snapshot) []uint32 {
	p := d.newPass(m, snap, new(object.Set))
	p.findRouters()
	p.parts.End()
	var out []uint32
	for _, r := range p.routers {
		out = append(out, r.table)
	}
	return out
}

// Imports lists the route targets of each VNI that is active here.
func (d *Driver) Imports(snap observe.Snapshot) map[uint32][]string {
	p := d.newPass(nil, snap, new(object.Set))
	out := map[uint32][]string{}
	for _, s := range p.findSegments() {
		out[s.vni] = s.imports
	}
	return out
}

// pass is one run over one snapshot.
type pass struct {
	*expose.Exposer
	parts   *parts.Pass
	cfg     Config
	sb      *observe.Southbound
	ovs     *observe.OpenVSwitch
	host    *observe.Host    // nil if nothing is known of the node
	learned *observe.Learned // nil if no speaker was asked
	me      *observe.Chassis // nil if our row is missing
	release release
	routers []*router // by name
	// stopped says why nothing is learned for a router, where there is a reason.
	stopped map[*router]string
}

func (d *Driver) newPass(m *parts.Memory, snap observe.Snapshot, out *object.Set) *pass {
	begun := parts.Begin(m, snap, out, phases...)
	p := &pass{
		Exposer: expose.In(Name, d.cfg.Expose, begun), parts: begun, cfg: d.cfg, sb: snap.SB, ovs: snap.OVS,
		host: snap.Host, learned: snap.Learned,
		release: releaseOf(snap.SB.Global["northd_internal_version"]),
	}
	if c, ok := snap.SB.ChassisByName(snap.Chassis); ok && snap.Chassis != "" {
		p.me = c
	}
	return p
}

// schema says that the database has none of the tables: nothing can be done.
func (p *pass) schema() {
	if !p.sb.Reads(observe.TableAdvertisedRoute) {
		p.report("SB_Global", observe.TableAdvertisedRoute, observe.SkipDegraded,
			"the Southbound database has no table %s: %s announces nothing; it needs OVN 25.03 or later",
			observe.TableAdvertisedRoute, Name)
	}
}

// report says what is wrong with a row without holding anything.
func (p *pass) report(table, row, code, format string, args ...any) {
	p.Skip(observe.Skip{Table: table, Row: row, Code: code, Text: fmt.Sprintf(format, args...)})
}

// hold says that a row cannot be read, and keeps what it led to.
func (p *pass) hold(table string, row observe.UUID, format string, args ...any) {
	p.Skip(observe.Skip{
		Table: table, Row: row.String(), Code: codeUnreadableCell, Text: fmt.Sprintf(format, args...), Hold: true,
	})
}

// put adds a value; losing to an earlier, different one is reported against the row that
// lost.
func (p *pass) put(it object.Item) {
	if err := p.parts.Add(it); err != nil {
		p.report(it.Why[0].Table, it.Why[0].Row, observe.SkipConflict, "%v", err)
	}
}

// resident reports whether a port is bound to this node.
func (p *pass) resident(port *observe.PortBinding) bool {
	return p.me != nil && port != nil && port.Chassis == p.me.UUID
}

// redirect is the chassisredirect port of a router port: the row, which may be missing,
// and whether there is to be one.
func (p *pass) redirect(port *observe.PortBinding) (cr *observe.PortBinding, distributed bool) {
	name := port.Options["chassis-redirect-port"]
	if name == "" {
		return nil, false
	}
	cr, _ = p.parts.Port(name)
	return cr, true
}

// local reports whether ovn-controller takes a port for one of this node: it is bound
// here, its chassisredirect port is, or it is a patch port without one, which is
// everywhere. A reference that leads to no row is not local.
func (p *pass) local(u observe.UUID) bool {
	port, ok := p.parts.PortOf(u)
	if !ok || p.me == nil {
		return false
	}
	if p.resident(port) {
		return true
	}
	if cr, distributed := p.redirect(port); distributed {
		return p.resident(cr)
	}
	return port.Type == observe.PortPatch
}

// whyPort is the source by which status and explain name the rule and a Port_Binding.
func (p *pass) whyPort(rule, port string) object.Source { return p.Why(rule, "Port_Binding", port) }

// addWhy appends sources that are not there yet.
func addWhy(have []object.Source, more ...object.Source) []object.Source {
	for _, s := range more {
		if !slices.Contains(have, s) {
			have = append(have, s)
		}
	}
	return have
}
