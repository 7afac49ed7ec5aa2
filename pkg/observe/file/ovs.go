package file

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// defaultIntegration is the integration bridge unless the database names one
// (ovn-controller(8)).
const defaultIntegration = "br-int"

// database holds the rows of an Open_vSwitch database, of the tables and columns
// that are read (ovs-vswitchd.conf.db(5)). Rows refer to each other by UUID and
// may come in any order, so they are joined when all have been read.
type database struct {
	// externalIDs is Open_vSwitch.external_ids, where ovn-controller finds its
	// settings.
	externalIDs map[string]string
	bridges     []bridgeRow
	ports       map[observe.UUID]portRow
	interfaces  map[observe.UUID]interfaceRow
	// revision, stale and problems are no columns of the database: only files
	// written here have them.
	revision int
	stale    string
	problems []string
	// problemsRead says that the file has problems. What is found wrong here is then
	// among them, and must not count twice.
	problemsRead bool
}

// bridgeRow is a row of table Bridge.
type bridgeRow struct {
	name, datapathType string
	ports              []observe.UUID // rows of Port
}

// portRow is a row of table Port.
type portRow struct {
	name string
	// localnet is external_ids:ovn-localnet-port, by which ovn-controller marks the
	// patch port of a localnet port.
	localnet string
	// made says that external_ids has object.OVSPortMark: the port is ours.
	made       bool
	interfaces []observe.UUID // rows of Interface; several in a bond
}

// interfaceRow is a row of table Interface.
type interfaceRow struct {
	name, kind string
	// mac is column mac_in_use, a set of at most one.
	mac string
	// ofport is the column of that name, a set of at most one.
	ofport []int
	// logical is external_ids:iface-id, the logical port that it is.
	logical string
}

// view derives what drivers use from the rows. A value that cannot be read
// becomes a problem and is left out: the other values do not depend on it.
func (db *database) view() *observe.OpenVSwitch {
	ids := db.externalIDs
	o := &observe.OpenVSwitch{
		Revision: uint64(max(db.revision, 1)),
		SystemID: ids["system-id"],
		Stale:    db.stale,
	}
	// ovn-controller prefers "<key>-<system-id>" over "<key>", so that several of
	// them can share a database (ovn-controller(8)).
	get := func(key string) string {
		if v, ok := ids[key+"-"+o.SystemID]; ok {
			return v
		}
		return ids[key]
	}
	o.Hostname = get("hostname")
	o.Remotes = list(get("ovn-remote"))
	o.NBRemotes = list(get("ovn-nb-remote"))
	o.IntegrationBridge = cmp.Or(get("ovn-bridge"), defaultIntegration)
	o.EncapIPs = db.encapIPs(get("ovn-encap-ip"))
	o.RoutingPorts = observe.ParsePortMapping(get("dynamic-routing-port-mapping"))
	var problems []string
	o.Mappings, problems = observe.ParseBridgeMappings(get("ovn-bridge-mappings"))
	db.problem(problems...)
	for _, b := range db.bridges {
		view := db.bridge(b)
		if view.Name == o.IntegrationBridge {
			view.Uplinks = nil // its ports are those of workloads
		}
		o.Bridges = append(o.Bridges, view)
	}
	sorting.Sort(o.Bridges, func(a, b observe.Bridge) int { return strings.Compare(a.Name, b.Name) })
	if len(db.problems) > 0 {
		o.Problems = db.problems
	}
	return o
}

// problem adds problems, unless the file has them all.
func (db *database) problem(problems ...string) {
	if !db.problemsRead {
		db.problems = append(db.problems, problems...)
	}
}

// list reads a comma list. Blanks around items and empty items do not matter.
func list(s string) []string {
	var out []string
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// encapIPs reads external_ids:ovn-encap-ip, a list: a node may have several
// tunnel addresses.
func (db *database) encapIPs(s string) []netip.Addr {
	var out []netip.Addr
	for _, item := range list(s) {
		a, err := netip.ParseAddr(item)
		if err != nil {
			db.problem(fmt.Sprintf("ovn-encap-ip: %q is not an address", item))
			continue
		}
		out = append(out, a)
	}
	return out
}

// bridge joins a Bridge with its ports and their interfaces. Its MAC is that of
// its internal port, which has the bridge's name. A reference to a row that the
// file lacks leads to an empty one and so to nothing: dumps may leave rows out.
func (db *database) bridge(row bridgeRow) observe.Bridge {
	b := observe.Bridge{Name: row.name, DatapathType: row.datapathType}
	for _, id := range row.ports {
		port := db.ports[id]
		for _, id := range port.interfaces {
			i := db.interfaces[id]
			if i.name == row.name {
				b.MAC = db.mac(i)
				continue
			}
			if i.logical != "" { // a workload's, wherever it is plugged in
				b.Interfaces = append(b.Interfaces, observe.LogicalInterface{ID: i.logical, Name: i.name})
				continue
			}
			if observe.LeadsOut(i.kind) && !port.made && port.localnet == "" && i.name != "" {
				b.Uplinks = append(b.Uplinks, observe.UplinkPort{Name: port.name, OFPort: db.ofport(port)})
				break // a bond is one port
			}
		}
		if port.made {
			b.Made = append(b.Made, observe.MadePort{Name: port.name, OFPort: db.ofport(port)})
		}
		if port.localnet != "" {
			b.Patches = append(b.Patches, observe.PatchPort{
				Localnet: port.localnet, Name: port.name, OFPort: db.ofport(port),
			})
		}
	}
	sorting.Sort(b.Patches, func(a, b observe.PatchPort) int {
		return cmp.Or(strings.Compare(a.Localnet, b.Localnet), strings.Compare(a.Name, b.Name))
	})
	sorting.Sort(b.Uplinks, func(a, b observe.UplinkPort) int { return strings.Compare(a.Name, b.Name) })
	sorting.Sort(b.Made, func(a, b observe.MadePort) int { return strings.Compare(a.Name, b.Name) })
	observe.SortInterfaces(b.Interfaces)
	return b
}

// mac is zero for an interface that ovs-vswitchd has not set up yet.
func (db *database) mac(i interfaceRow) object.MAC {
	if i.mac == "" {
		return object.MAC{}
	}
	mac, err := object.ParseMAC(i.mac)
	if err != nil {
		db.problem(fmt.Sprintf("Interface %s: mac_in_use: %v", i.name, err))
	}
	return mac
}

// ofport is 0 while OVS has not assigned a number, which it shows as an empty set
// or, after an error, as -1. Open
// vSwitch uses 16 bits for it, whatever the version of OpenFlow.
func (db *database) ofport(p portRow) uint16 {
	for _, id := range p.interfaces {
		for _, n := range db.interfaces[id].ofport {
			if n > 0 && n <= 0xffff {
				return uint16(n)
			}
		}
	}
	return 0
}
