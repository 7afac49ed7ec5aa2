package expose

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Network is a provider network as this node reaches it: a logical switch with
// a localnet port whose physical network is mapped to a bridge here.
type Network struct {
	// Datapath is the logical switch.
	Datapath observe.UUID
	// Localnet is the logical_port of the localnet row that counts, Physnet the
	// physical network that it names.
	Localnet, Physnet string
	// Bridge is the provider bridge and Table its routing table.
	Bridge *Bridge
	Table  uint32
	// Dev is the device that leads into the network: the bridge's internal port
	// or a VLAN device on it.
	Dev string
	// VLAN is the localnet's tag; 0 is none.
	VLAN uint16

	// all are the networks that it is one of.
	all *Networks
	// block is set while nothing of the network can be wired.
	block *object.Block
	// flows are the two flows of the patch port, IPv4 and IPv6.
	flows [2]object.Flow
	// needsOf are shared by all paths of the network: computed once, because
	// there may be 100,000 of them.
	needsOf [2][]object.Key
	// keepsOf are what every route into the network keeps, by family.
	keepsOf [2][]object.Key
}

// Bridge is a provider bridge.
type Bridge struct {
	Name string
	// Position is that of the bridge's first mapping, 1-based; its addresses
	// and routing table are numbered by it.
	Position int
	Table    uint32
	// MAC is that of the kernel device; zero while it is not known.
	MAC object.MAC

	networks []string // physical networks that are mapped to it
	ovs      observe.Bridge
	block    *object.Block
}

// Networks are the provider networks of one snapshot.
type Networks struct {
	bridges    []*Bridge
	byDatapath map[observe.UUID]*Network
	localnets  []*Network // one for each mapped localnet row, by logical_port
	datapaths  map[observe.UUID]bool
	reserved   map[observe.UUID]bool
	devices    map[string]*Bridge // which bridge a device leads into
	sb         *observe.Southbound
	known      *[]providerRange // what ranges has found
}

// FindNetworks works out which provider networks this node reaches, and how.
func FindNetworks(snap observe.Snapshot, opts Options) (*Networks, []observe.Skip) {
	return findNetworks(snap, parts.Begin(nil, snap, new(object.Set)).Select("localnet", isLocalnet), opts)
}

func isLocalnet(p *observe.PortBinding) bool { return p.Type == observe.PortLocalnet }

// Networks is FindNetworks in a phase of the pass: while nothing of them has changed they are the
// very ones of the last pass.
func (e *Exposer) Networks(phase string, snap observe.Snapshot) *Networks {
	given := struct {
		localnets []*observe.PortBinding
		ovs       *observe.OpenVSwitch
		host      *observe.Host
		named     []*observe.Datapath
	}{localnets: e.out.Select("localnet", isLocalnet), ovs: snap.OVS, host: snap.Host}
	if len(e.opts.Reserved) > 0 {
		given.named = snap.SB.Datapaths
	}
	ns := parts.Value(e.out, phase, given, func() *Networks {
		ns, skips := findNetworks(snap, given.localnets, e.opts)
		for _, s := range skips {
			e.Skip(s)
		}
		return ns
	})
	ns.sb, ns.known = snap.SB, nil
	return ns
}

// EqualTo reports whether two are the same but for the snapshot that they were found in.
func (ns *Networks) EqualTo(other any) bool {
	o, ok := other.(*Networks)
	if !ok {
		return false
	}
	flat := func(ns *Networks) []Network {
		var out []Network
		for _, n := range ns.localnets {
			c := *n
			c.all = nil
			out = append(out, c)
		}
		return out
	}
	of := func(ns *Networks) map[observe.UUID]string {
		out := map[observe.UUID]string{}
		for dp, n := range ns.byDatapath {
			out[dp] = n.Localnet
		}
		return out
	}
	return reflect.DeepEqual(ns.bridges, o.bridges) && reflect.DeepEqual(flat(ns), flat(o)) &&
		maps.Equal(of(ns), of(o)) && maps.Equal(ns.datapaths, o.datapaths) && maps.Equal(ns.reserved, o.reserved) &&
		reflect.DeepEqual(ns.devices, o.devices)
}

func findNetworks(snap observe.Snapshot, ports []*observe.PortBinding, opts Options) (*Networks, []observe.Skip) {
	ns := &Networks{
		byDatapath: map[observe.UUID]*Network{}, datapaths: map[observe.UUID]bool{},
		reserved: map[observe.UUID]bool{}, devices: map[string]*Bridge{}, sb: snap.SB,
	}
	skips := ns.findBridges(snap, opts)
	byPhysnet := map[string]*Bridge{}
	for _, b := range ns.bridges {
		for _, physnet := range b.networks {
			byPhysnet[physnet] = b
		}
	}
	for _, p := range ports { // by logical_port: the lowest wins
		ns.datapaths[p.Datapath] = true
		if slices.ContainsFunc(opts.Reserved, func(r NetworkRef) bool { return r.Is(snap.SB, p) }) {
			ns.reserved[p.Datapath] = true
			continue
		}
		b, ok := byPhysnet[p.Options["network_name"]]
		if !ok {
			continue
		}
		n := newNetwork(b, p)
		n.all = ns
		if s, lost := ns.claimDevice(n); lost {
			skips = append(skips, s)
		}
		n.wire(opts)
		ns.localnets = append(ns.localnets, n)
		if _, taken := ns.byDatapath[p.Datapath]; !taken {
			ns.byDatapath[p.Datapath] = n
		}
	}
	return ns, skips
}

// Of returns the provider network that a logical switch is, if this node
// reaches it.
func (ns *Networks) Of(datapath observe.UUID) (*Network, bool) {
	n, ok := ns.byDatapath[datapath]
	return n, ok
}

// IsProvider reports whether a logical switch is a provider network, reachable
// from here or not.
func (ns *Networks) IsProvider(datapath observe.UUID) bool { return ns.datapaths[datapath] }

// IsReserved reports whether a logical switch is a provider network that another
// driver has (Options.Reserved).
func (ns *Networks) IsReserved(datapath observe.UUID) bool { return ns.reserved[datapath] }

// All returns one network for each localnet row whose physical network is mapped
// here, by logical_port.
func (ns *Networks) All() []*Network { return ns.localnets }

// Tables returns the routing tables of the bridges.
func (ns *Networks) Tables() []uint32 {
	var out []uint32
	for _, b := range ns.bridges {
		out = append(out, b.Table)
	}
	return out
}

// findBridges collects the mapped bridges by position.
func (ns *Networks) findBridges(snap observe.Snapshot, opts Options) []observe.Skip {
	var skips []observe.Skip
	for _, text := range snap.OVS.Problems {
		skips = append(skips, observe.Skip{
			Table: "Open_vSwitch", Row: "external_ids", Code: observe.SkipUnreadable,
			Text: text,
		})
	}
	byName := map[string]*Bridge{}
	for _, m := range snap.OVS.Mappings {
		b, ok := byName[m.Bridge]
		if !ok {
			b = newBridge(snap, m)
			byName[m.Bridge] = b
			ns.bridges = append(ns.bridges, b)
		}
		b.networks = append(b.networks, m.Network)
	}
	skips = append(skips, allocateTables(ns.bridges, snap.Host, opts)...)
	for _, b := range ns.bridges {
		if b.block != nil {
			skips = append(skips, observe.Skip{Table: "Bridge", Row: b.Name, Code: observe.SkipDegraded, Text: b.block.Text})
		}
	}
	return skips
}

// newBridge finds out what the node has of a mapped bridge. The kernel's MAC
// counts before OVS's own idea of it, because it is the kernel that accepts or
// drops the frames.
func newBridge(snap observe.Snapshot, m observe.BridgeMapping) *Bridge {
	b := &Bridge{Name: m.Bridge, Position: m.Position}
	ovs, ok := snap.OVS.Bridge(m.Bridge)
	ovs.Made = nil // they come and go with what is derived: a network is the same with them and without
	b.ovs, b.MAC = ovs, ovs.MAC
	if !ok {
		b.block = notWired("bridge %s is mapped but not in the Open_vSwitch database; create it with ovs-vsctl add-br %s",
			m.Bridge, m.Bridge)
		b.block.Unsure = true // a mistyped mapping, and the bridge of before is there
	}
	if snap.Host == nil {
		return b
	}
	if link, ok := snap.Host.Link(m.Bridge); ok {
		b.MAC = link.MAC
	} else if b.block == nil {
		b.block = notWired("bridge %s has no device in this network namespace; is ovs-vswitchd running?", m.Bridge)
	}
	return b
}

func notWired(format string, args ...any) *object.Block {
	return &object.Block{Code: object.BlockNotWired, Text: fmt.Sprintf(format, args...)}
}

func newNetwork(b *Bridge, p *observe.PortBinding) *Network {
	n := &Network{
		Datapath: p.Datapath, Localnet: p.LogicalPort, Physnet: p.Options["network_name"], Bridge: b, Table: b.Table,
		Dev: b.Name, VLAN: p.Tag, block: b.block,
	}
	if n.VLAN != 0 {
		n.Dev = VLANName(b.Name, n.VLAN)
	}
	return n
}

// claimDevice makes sure that a VLAN device belongs to one bridge: names that
// are cut may be equal, and traffic of this network must not be sent into that
// one.
func (ns *Networks) claimDevice(n *Network) (observe.Skip, bool) {
	owner, taken := ns.devices[n.Dev]
	if !taken {
		ns.devices[n.Dev] = n.Bridge
	}
	if !taken || owner == n.Bridge {
		return observe.Skip{}, false
	}
	n.block = notWired("device %s belongs to bridge %s: the names of both bridges begin alike", n.Dev, owner.Name)
	return observe.Skip{Table: "Port_Binding", Row: n.Localnet, Code: observe.SkipConflict, Text: n.block.Text}, true
}

// VLANName is the name of the VLAN device: the bridge's name is cut to ten
// characters so that ".4094" fits into the kernel's fifteen.
func VLANName(bridge string, vlan uint16) string {
	return fmt.Sprintf("%.10s.%d", bridge, vlan)
}

// wire prepares the flows and needs that all addresses of the network share.
// While the patch port has no number or the bridge no MAC, routes may stand but
// nothing is announced.
func (n *Network) wire(opts Options) {
	patch, _ := n.Bridge.ovs.Patch(n.Localnet)
	wired := n.wiredBlock() == nil
	for i, proto := range []string{"ip", "ipv6"} {
		n.flows[i] = object.Flow{
			Bridge: n.Bridge.Name, Priority: opts.FlowPriority, Cookie: opts.Cookie,
			Match:   fmt.Sprintf("%s,in_port=%d", proto, patch.OFPort),
			Actions: "mod_dl_dst:" + n.Bridge.MAC.String() + ",NORMAL",
		}
		rule := object.NewRule(opts.RulePriority, n.Table, i == 1)
		n.needsOf[i] = []object.Key{object.DeviceNeed(n.Dev), rule.Key()}
		n.keepsOf[i] = []object.Key{rule.Key()}
		if wired {
			n.needsOf[i] = append(n.needsOf[i], n.flows[i].Key())
		}
		if opts.HostSysctls {
			n.needsOf[i] = append(n.needsOf[i], forwarding[i].Key())
		}
	}
}

// wiredBlock says why traffic of the network cannot reach the kernel yet.
func (n *Network) wiredBlock() *object.Block {
	if n.block != nil {
		return n.block
	}
	patch, ok := n.Bridge.ovs.Patch(n.Localnet)
	switch {
	case !ok:
		return notWired("bridge %s has no patch port for localnet %s yet; ovn-controller makes it when the network gets "+
			"its first local port", n.Bridge.Name, n.Localnet)
	case patch.OFPort == 0:
		return notWired("patch port %s on %s has no OpenFlow number yet", patch.Name, n.Bridge.Name)
	case n.Bridge.MAC.IsZero():
		return notWired("the MAC of bridge %s is not known yet", n.Bridge.Name)
	}
	return nil
}

// Patch returns the patch port by which OVN is connected to the network's bridge.
// While traffic of the network cannot pass it, the block says why.
func (n *Network) Patch() (observe.PatchPort, *object.Block) {
	patch, _ := n.Bridge.ovs.Patch(n.Localnet)
	return patch, n.wiredBlock()
}

// Block says why nothing can be connected to the bridge; nil if it is there.
func (b *Bridge) Block() *object.Block { return b.block }

func (n *Network) needs(ipv6 bool) []object.Key { return n.needsOf[familyIndex(ipv6)] }

// announceBlock is what keeps the paths of the network back. The two families
// share the patch port and so the answer.
func (n *Network) announceBlock(bool) *object.Block { return n.wiredBlock() }

// ruleWhy gives the one rule of a bridge the bridge as its reason, rather than
// every address that uses it.
func (n *Network) ruleWhy(why []object.Source) []object.Source {
	if len(why) == 0 {
		return nil
	}
	return []object.Source{{Driver: why[0].Driver, Rule: "B4", Table: "Bridge", Row: n.Bridge.Name}}
}

// familyIndex is the place of a family in pairs: IPv4 first.
func familyIndex(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// Forwarding is the node's setting without which no packet of the family leaves
// through another device than it came in by.
func Forwarding(ipv6 bool) object.Sysctl { return forwarding[familyIndex(ipv6)] }

// forwarding are the settings without which no packet leaves through another
// device than it came in by.
var forwarding = [2]object.Sysctl{
	{Path: "net/ipv4/ip_forward", Val: "1"},
	{Path: "net/ipv6/conf/all/forwarding", Val: "1"},
}

// Addresses are the pair of addresses that a device of ours has which leads into a
// provider network: 169.254.I.N and fd53:d91e:400:7f17::I:N.
func Addresses(i, n int) [2]netip.Prefix { return addrs4and6(i, n) }

// addrs4and6 are the addresses of a device of the i-th bridge (family B2):
// the kernel needs some source address for ARP and neighbour discovery.
func addrs4and6(position, number int) [2]netip.Prefix {
	v4 := netip.AddrFrom4([4]byte{169, 254, byte(position), byte(number)})
	v6 := [16]byte{0xfd, 0x53, 0xd9, 0x1e, 0x04, 0x00, 0x7f, 0x17}
	v6[12], v6[13] = byte(position>>8), byte(position)
	v6[14], v6[15] = byte(number>>8), byte(number)
	return [2]netip.Prefix{netip.PrefixFrom(v4, 32), netip.PrefixFrom(netip.AddrFrom16(v6), 128)}
}
