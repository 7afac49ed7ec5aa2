package file

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// database holds the rows of an Open_vSwitch database that we look at
// (ovs-vswitchd.conf.db(5)).
type database struct {
	externalIDs map[string]string // of Open_vSwitch
	bridges     []bridgeRow
	ports       map[observe.UUID]portRow
	interfaces  map[observe.UUID]interfaceRow
	// revision, stale and problems are in files written here.
	revision int
	stale    string
	problems []string
	settled  bool // problems has all there are
}

type bridgeRow struct {
	name, datapathType string
	ports              []observe.UUID
}

type portRow struct {
	name, localnet string
	made           bool // it carries object.OVSPortMark
	interfaces     []observe.UUID
}

type interfaceRow struct {
	name   string
	mac    string
	ofport []int
}

// view is what drivers see of the database.
func (db *database) view() *observe.OpenVSwitch {
	ids := db.externalIDs
	o := &observe.OpenVSwitch{
		Revision: uint64(max(db.revision, 1)),
		SystemID: ids["system-id"],
		Stale:    db.stale,
	}
	// OVN looks for "<key>-<system-id>" first, so that several ovn-controllers
	// can share a database.
	get := func(key string) string {
		if v, ok := ids[key+"-"+o.SystemID]; ok {
			return v
		}
		return ids[key]
	}
	o.Hostname = get("hostname")
	o.Remotes = list(get("ovn-remote"))
	o.NBRemotes = list(get("ovn-nb-remote"))
	o.IntegrationBridge = cmp.Or(get("ovn-bridge"), "br-int")
	o.EncapIPs = db.encapIPs(get("ovn-encap-ip"))
	var problems []string
	o.Mappings, problems = observe.ParseBridgeMappings(get("ovn-bridge-mappings"))
	db.problem(problems...)
	for _, b := range db.bridges {
		o.Bridges = append(o.Bridges, db.bridge(b))
	}
	slices.SortFunc(o.Bridges, func(a, b observe.Bridge) int { return strings.Compare(a.Name, b.Name) })
	if len(db.problems) > 0 {
		o.Problems = db.problems
	}
	return o
}

func (db *database) problem(problems ...string) {
	if !db.settled {
		db.problems = append(db.problems, problems...)
	}
}

func list(s string) []string {
	var out []string
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

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

// bridge joins a Bridge with its ports and their interfaces.
func (db *database) bridge(row bridgeRow) observe.Bridge {
	b := observe.Bridge{Name: row.name, DatapathType: row.datapathType}
	for _, id := range row.ports {
		port := db.ports[id]
		for _, id := range port.interfaces {
			i := db.interfaces[id]
			if i.name == row.name {
				b.MAC = db.mac(i)
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
	slices.SortFunc(b.Patches, func(a, b observe.PatchPort) int {
		return cmp.Or(strings.Compare(a.Localnet, b.Localnet), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(b.Made, func(a, b observe.MadePort) int { return strings.Compare(a.Name, b.Name) })
	return b
}

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

// ofport is 0 while OVS has not assigned a port, which it shows as an empty
// set or, after an error, as -1.
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
