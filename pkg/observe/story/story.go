// Package story describes a snapshot in lines that a reviewer can check, for
// tests and examples:
//
//	chassis cmp-1 cmp-2
//	mapping public:br-ex
//	bridge br-ex mac 3a:f7:e9:54:e8:4d
//	patch br-ex provnet-c1 ofport 1
//	localnet provnet-c1 on dp-pub network public
//	port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis cmp-1 up
//
// Lines are applied one after the other: a later one changes what an earlier one
// described. Rows of the OVN databases go through the reader of package wire, the
// same that reads a database, so that a story cannot have a value that a database
// cannot have.
//
// It refuses to be used outside tests: nothing in the product imports it.
//
// Read next: heads.go for the lines, port.go for what can be said of a port.
package story

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// scenes are stories that others include: "include base".
//
//go:embed scenes
var scenes embed.FS

// Story is the state that the lines so far have described. Rows are shared with
// the snapshots made before, so lines replace and never change them.
type Story struct {
	// The Southbound database. Names are unique within a story, and a row's UUID is
	// made of its name, so that lines need no UUIDs.
	chassis   map[string]bool
	datapaths map[string]bool // a router, or a switch, by name
	ports     map[string]*observe.PortBinding
	balancers map[string]*balancer
	bad       map[[2]string]string // what is wrong, by table and row
	staleSB   string
	// The Open_vSwitch database: ovn-bridge-mappings as written, and bridges.
	mapping  string
	bridges  map[string]*observe.Bridge
	staleOVS string
	// The network stack of the node.
	devices   map[string]observe.Link
	tables    map[uint32]observe.RoutingTable
	addresses map[observe.DeviceAddress]bool
	// learned is nil before the first line about routes: a node without a speaker.
	learned *routes
	north   north
	native  native
	cluster cluster
	// revision grows with each Tell; rows are those of this revision, once a snapshot
	// has needed them.
	revision uint64
	rows     *observe.Southbound
}

// balancer is a load balancer and the datapaths that it is attached to.
type balancer struct {
	vips              map[string]string
	switches, routers []string
	protocol          string // tcp, if empty
}

// New returns a story without a line: empty databases and no devices.
func New() *Story {
	return &Story{
		chassis: map[string]bool{}, ports: map[string]*observe.PortBinding{},
		balancers: map[string]*balancer{}, bad: map[[2]string]string{},
		bridges: map[string]*observe.Bridge{}, devices: map[string]observe.Link{},
		tables: map[uint32]observe.RoutingTable{}, datapaths: map[string]bool{},
		addresses: map[observe.DeviceAddress]bool{}, native: newNative(), cluster: newCluster(),
	}
}

// Parse returns the story of a text.
func Parse(text string) (*Story, error) {
	s := New()
	return s, s.Tell(text)
}

// Tell applies further lines, as one transaction: the revision grows by one. Empty
// lines and those that begin with # are ignored. An error names the line.
func (s *Story) Tell(text string) error {
	s.revision++
	s.rows, s.north.rows = nil, nil
	for i, line := range strings.Split(text, "\n") {
		if err := s.line(line); err != nil {
			return fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	return nil
}

// line applies one line.
func (s *Story) line(line string) error {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	words, err := split(line)
	if err != nil {
		return err
	}
	r := &reader{words: words}
	head := r.word()
	apply, ok := heads()[head]
	if !ok {
		apply, ok = nativeHeads()[head]
	}
	if !ok {
		apply, ok = kubeHeads()[head]
	}
	if !ok {
		return fmt.Errorf("unknown word %q at the start of the line: see heads.go", head)
	}
	apply(s, r)
	if r.err == nil && len(r.words) > 0 {
		return fmt.Errorf("unexpected %q", r.words[0])
	}
	return r.err
}

// include applies the lines of a scene.
func (s *Story) include(name string) error {
	text, err := scenes.ReadFile("scenes/" + name + ".story")
	if err != nil {
		return fmt.Errorf("include: %w", err)
	}
	return s.Tell(string(text))
}

// Snapshot is the snapshot that the node with that system-id would take. All nodes
// of a story have the same Open_vSwitch database and devices but for the
// system-id.
func (s *Story) Snapshot(chassis string) (observe.Snapshot, error) {
	sb, err := s.southbound()
	if err != nil {
		return observe.Snapshot{}, err
	}
	nb, err := s.northRows()
	if err != nil {
		return observe.Snapshot{}, err
	}
	return observe.Snapshot{
		Chassis: chassis, SB: sb, NB: nb, OVS: s.openVSwitch(chassis), Host: s.host(), Learned: s.learnedPaths(),
		Kube: s.kube(chassis), Flows: s.bridgeFlows(),
	}, nil
}

// UUID is the row identity that a story gives to a name.
func UUID(name string) observe.UUID {
	sum := sha256.Sum256([]byte(name))
	return observe.UUID(sum[:16])
}

// southbound makes the rows of this revision. A row that is unreadable is among
// the bad ones and, as with a database, not among the others.
func (s *Story) southbound() (*observe.Southbound, error) {
	if s.rows != nil {
		return s.rows, nil
	}
	raw := &observe.Southbound{}
	for name := range s.chassis {
		raw.Chassis = append(raw.Chassis, &observe.Chassis{
			UUID: UUID("chassis " + name), Name: name, Hostname: name + ".example",
			OtherConfig: map[string]string{"ovn-bridge-mappings": s.mapping}, // as ovn-controller writes it
		})
	}
	for name, router := range s.datapaths {
		raw.Datapaths = append(raw.Datapaths, s.native.datapath(name, datapath(name, router)))
	}
	raw.Ports = rowlist.Of(slices.Collect(maps.Values(s.ports))...) // in any order: they are read again
	for name, b := range s.balancers {
		b.rows(name, raw)
	}
	s.native.rows(raw)
	s.cluster.rows(raw)
	sb, err := reread(sb.Database, raw, "SB_Global", "Chassis", "Datapath_Binding", "Port_Binding", "Load_Balancer",
		"Logical_DP_Group", "Chassis_Template_Var", "Service_Monitor", observe.TableAdvertisedRoute,
		observe.TableLearnedRoute, observe.TableAdvertisedMAC)
	if err != nil {
		return nil, err
	}
	sb.Revision, sb.Stale = s.revision, s.staleSB
	sb.Lacks = s.native.lacksColumns()
	sb.Tables = slices.DeleteFunc(slices.Clone(sb.Tables), s.native.lacks)
	for k, text := range s.bad {
		if k[0] == "NAT" {
			continue // of the Northbound database
		}
		sb.BadRows = append(sb.BadRows, &observe.RowError{Table: k[0], Row: k[1], Err: errors.New(text)})
		if k[0] == "Port_Binding" {
			sb.Ports = rowlist.Of(slices.DeleteFunc(sb.Ports.Slice(), func(p *observe.PortBinding) bool {
				return p.LogicalPort == k[1]
			})...)
		}
	}
	slices.SortFunc(sb.BadRows, func(a, b *observe.RowError) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), strings.Compare(a.Row, b.Row))
	})
	s.rows = sb
	return sb, nil
}

// datapath is a row of Datapath_Binding as ovn-northd writes it for Neutron: name
// is Neutron's UUID with a prefix, name2 what people call it.
func datapath(name string, router bool) *observe.Datapath {
	kind := "logical-switch"
	if router {
		kind = "logical-router"
	}
	return &observe.Datapath{
		UUID: UUID("datapath " + name),
		ExternalIDs: map[string]string{
			kind: UUID("northbound " + name).String(), "name": "neutron-" + name, "name2": name,
		},
	}
}

// rows adds the balancer in the newest form of the schema: with a Logical_DP_Group
// for its switches and one for its routers.
func (b *balancer) rows(name string, sb *observe.Southbound) {
	lb := &observe.LoadBalancer{UUID: UUID("balancer " + name), Name: name, VIPs: b.vips}
	lb.Protocol = cmp.Or(b.protocol, "tcp")
	for _, g := range []struct {
		at    *observe.UUID
		label string
		names []string
	}{{&lb.LSGroup, "switches ", b.switches}, {&lb.LRGroup, "routers ", b.routers}} {
		if len(g.names) == 0 {
			continue
		}
		*g.at = UUID(g.label + name)
		group := &observe.DatapathGroup{UUID: *g.at}
		for _, dp := range g.names {
			group.Datapaths = append(group.Datapaths, UUID("datapath "+dp))
		}
		sb.DPGroups = append(sb.DPGroups, group)
	}
	sb.Balancers = append(sb.Balancers, lb)
}

// reread writes the rows as a snapshot file has them and reads them back, so
// that every column is understood by the product's own reader.
func reread[DB any](db *wire.Database[DB], raw *DB, tables ...string) (*DB, error) {
	store, err := db.NewStore(nil)
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		text, err := db.AppendRows(nil, raw, table)
		if err != nil {
			return nil, fmt.Errorf("write table %s: %w", table, err)
		}
		if err := store.ReadList(wire.NewDecoder(bytes.NewReader(text)), table); err != nil {
			return nil, fmt.Errorf("read table %s: %w", table, err)
		}
	}
	return store.Publish(), nil
}

// openVSwitch is the Open_vSwitch database. Bridges are copied, because later lines
// change their ports.
func (s *Story) openVSwitch(chassis string) *observe.OpenVSwitch {
	o := &observe.OpenVSwitch{
		Revision: s.revision, SystemID: chassis, IntegrationBridge: "br-int", Stale: s.staleOVS,
	}
	o.Mappings, o.Problems = observe.ParseBridgeMappings(s.mapping)
	o.RoutingPorts = observe.ParsePortMapping(s.native.mapping)
	for _, name := range slices.Sorted(maps.Keys(s.bridges)) {
		b := *s.bridges[name]
		b.Patches, b.Made = slices.Clone(b.Patches), slices.Clone(b.Made)
		o.Bridges = append(o.Bridges, b)
	}
	if list := s.native.interfaceList(); len(list) > 0 {
		o.Bridges = append(o.Bridges, observe.Bridge{Name: o.IntegrationBridge, Interfaces: list})
		sorting.Sort(o.Bridges, func(a, b observe.Bridge) int { return strings.Compare(a.Name, b.Name) })
	}
	return o
}

// host is the network stack. Devices are numbered by name from 2; 1 is lo.
func (s *Story) host() *observe.Host {
	h := &observe.Host{Revision: s.revision}
	for i, name := range slices.Sorted(maps.Keys(s.devices)) {
		link := s.devices[name]
		link.Index = i + 2
		h.Links = append(h.Links, link)
	}
	for _, id := range slices.Sorted(maps.Keys(s.tables)) {
		h.Tables = append(h.Tables, s.tables[id])
	}
	s.native.devices(h)
	for a, there := range s.addresses {
		if there {
			h.Addresses = append(h.Addresses, a)
		}
	}
	sorting.Sort(h.Addresses, func(a, b observe.DeviceAddress) int {
		return cmp.Or(strings.Compare(a.Dev, b.Dev), a.Addr.Compare(b.Addr))
	})
	return h
}

// Devices are the network devices of the story as objects, for a model of the
// kernel.
func (s *Story) Devices() []object.Value {
	var out []object.Value
	for _, name := range slices.Sorted(maps.Keys(s.devices)) {
		out = append(out, object.Device{Name: name, Up: s.devices[name].Up})
	}
	return out
}

// ReplacePort replaces a row of Port_Binding, which other holders of the rows do not see. It adds one where old is nil,
// and removes one where row is.
func ReplacePort(sb *observe.Southbound, old, row *observe.PortBinding) {
	var edits []rowlist.Edit[*observe.PortBinding]
	if old != nil {
		edits = append(edits, rowlist.Edit[*observe.PortBinding]{Row: old, Remove: true})
	}
	if row != nil {
		edits = append(edits, rowlist.Edit[*observe.PortBinding]{Row: row})
	}
	slices.SortStableFunc(edits, func(a, b rowlist.Edit[*observe.PortBinding]) int {
		return observe.ComparePorts(a.Row, b.Row)
	})
	sb.Ports = sb.Ports.With(edits, observe.ComparePorts)
}
