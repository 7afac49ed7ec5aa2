// Package file reads and writes snapshot files: the rows of a Southbound and a
// Northbound database and of the Open_vSwitch databases of one or more chassis,
// in OVSDB's JSON notation (RFC 7047 section 5.1), one row a line.
//
//	{"meta": {...},
//	 "sb":   {"Port_Binding": [{"_uuid": "...", "logical_port": "...", ...}, ...], ...},
//	 "nb":   {"Logical_Router": [...], "NAT": [...]},
//	 "ovs":  {"hv1": {"Open_vSwitch": [...], "Bridge": [...], "Port": [...], "Interface": [...]}},
//	 "host": {"hv1": {"links": [...], "tables": [...]}},
//	 "learned": {"hv1": {"paths": [...]}},
//	 "kube": {"Node": [...], "Service": [...], "EndpointSlice": [...], "EgressIP": [...]},
//	 "flows": {"hv1": {"br-ex": ["cookie=0x1, priority=110,tcp,in_port=1,... actions=output:2", ...]}},
//	 "protected": {"hv1": {"prefixes": [...]}}}
//
// Files made from a dump of the databases have every column and no host part;
// other members are skipped. Files written here have the columns that are used,
// and "nb" if a driver needs Northbound rows. The form is a contract: files are
// sent with bug reports, and older ones stay readable.
//
// It refuses to guess: what is not such a file is an error that says where.
//
// Read next: read.go, ovs.go for what is derived from an Open_vSwitch database,
// write.go.
package file

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// File is what a snapshot file holds.
type File struct {
	// Southbound are the rows of "sb".
	Southbound *observe.Southbound
	// Northbound are the rows of "nb"; nil if the file has none.
	Northbound *observe.Northbound
	// OVS are the Open_vSwitch databases, by the key under "ovs": a name that the
	// maker of the file has chosen, usually the hostname or the system-id. Nil where
	// the file has null: a chassis whose database could not be read.
	OVS map[string]*observe.OpenVSwitch
	// Host is each node's network stack, by the same keys; there is none in a dump
	// of the databases.
	Host map[string]*observe.Host
	// Learned are the routes that each node's speaker had learned, by the same
	// keys; there are none in a dump of the databases.
	Learned map[string]*observe.Learned
	// Kube is what the Kubernetes API says, the same for all nodes; nil if the file has
	// none. A chassis follows its own Node of several.
	Kube *observe.Kube
	// Flows are those of each node's external bridges, by the same keys.
	Flows map[string]*observe.Flows
	// Unnumbered are the neighbours on interfaces that each node had found, by the same keys.
	Unnumbered map[string]*observe.Unnumbered
	// Protected is what each node itself lives on, by the same keys; there is none in
	// a dump of the databases, nor in files of older releases.
	Protected map[string]*observe.Protected
}

// Names lists the chassis that Snapshot accepts: keys, with the system-id after
// those that differ from it.
func (f *File) Names() []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(f.OVS)) {
		if o := f.OVS[key]; o != nil && o.SystemID != key && o.SystemID != "" {
			key += " (" + o.SystemID + ")"
		}
		out = append(out, key)
	}
	return out
}

// Snapshot is the view of one chassis, named by its system-id or its key under
// "ovs". The name may be empty if the file has only one. An Open_vSwitch database
// that the file does not have counts as one that cannot be reached.
func (f *File) Snapshot(name string) (observe.Snapshot, error) {
	key, err := f.find(name)
	if err != nil {
		return observe.Snapshot{}, err
	}
	snap := observe.Snapshot{
		Chassis: key, SB: f.Southbound, NB: f.Northbound, OVS: f.OVS[key], Host: f.Host[key], Learned: f.Learned[key],
		Kube: f.Kube, Flows: f.Flows[key], Protected: f.Protected[key],
		Unnumbered: f.Unnumbered[key],
	}
	if snap.OVS == nil {
		snap.OVS = &observe.OpenVSwitch{
			Revision: 1, IntegrationBridge: defaultIntegration,
			Stale: "the snapshot has none of this chassis: take one on that node",
		}
	}
	if snap.OVS.SystemID != "" {
		snap.Chassis = snap.OVS.SystemID
	}
	return snap, nil
}

// find returns the key of a chassis. A key wins over a system-id, because it is
// what the file shows.
func (f *File) find(name string) (string, error) {
	if _, ok := f.OVS[name]; ok {
		return name, nil
	}
	if name == "" && len(f.OVS) == 1 {
		return slices.Collect(maps.Keys(f.OVS))[0], nil
	}
	for _, key := range slices.Sorted(maps.Keys(f.OVS)) {
		if o := f.OVS[key]; o != nil && o.SystemID == name && name != "" {
			return key, nil
		}
	}
	switch {
	case len(f.OVS) == 0:
		return "", fmt.Errorf("the snapshot has no Open_vSwitch database of any chassis (member \"ovs\")")
	case name == "":
		return "", fmt.Errorf("the snapshot has several chassis: choose one by --chassis, of %s",
			strings.Join(f.Names(), ", "))
	}
	return "", fmt.Errorf("the snapshot has no chassis %q: it has %s", name, strings.Join(f.Names(), ", "))
}
