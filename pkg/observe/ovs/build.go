package ovs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovn-org/libovsdb/cache"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs/vswitch"
)

// maxOFPort is OFPP_MAX of OpenFlow 1.0, the numbers Open vSwitch assigns from;
// those above are reserved.
const maxOFPort = 0xfeff

// tables are the rows of one moment, by UUID. They are shared with the cache
// of libovsdb, which replaces rows and never changes them.
type tables struct {
	root       *vswitch.Root
	bridges    map[string]*vswitch.Bridge
	ports      map[string]*vswitch.Port
	interfaces map[string]*vswitch.Interface
}

func readTables(c *cache.TableCache) tables {
	t := tables{
		bridges:    rowsOf[vswitch.Bridge](c, vswitch.TableBridge),
		ports:      rowsOf[vswitch.Port](c, vswitch.TablePort),
		interfaces: rowsOf[vswitch.Interface](c, vswitch.TableInterface),
	}
	for _, row := range rowsOf[vswitch.Root](c, vswitch.TableRoot) {
		t.root = row
	}
	return t
}

func rowsOf[T any](c *cache.TableCache, table string) map[string]*T {
	rows := c.Table(table).RowsShallow()
	out := make(map[string]*T, len(rows))
	for uuid, row := range rows {
		if typed, ok := any(row).(*T); ok {
			out[uuid] = typed
		}
	}
	return out
}

// dangling reports whether a row refers to one that is not there. The server
// never lets that happen, so the rest of the transaction is still to come.
func (t tables) dangling() bool {
	for _, b := range t.bridges {
		for _, uuid := range b.Ports {
			if t.ports[uuid] == nil {
				return true
			}
		}
	}
	for _, p := range t.ports {
		for _, uuid := range p.Interfaces {
			if t.interfaces[uuid] == nil {
				return true
			}
		}
	}
	return false
}

// build makes the snapshot. systemID overrides what the database says.
func (t tables) build(systemID string) *observe.OpenVSwitch {
	ids := externalIDs{t.root.ExternalIDs, systemID}
	if systemID == "" {
		ids.systemID = strings.TrimSpace(t.root.ExternalIDs["system-id"])
	}
	o := &observe.OpenVSwitch{
		SystemID:          ids.systemID,
		Hostname:          ids.get("hostname"),
		Remotes:           splitList(ids.get("ovn-remote")),
		IntegrationBridge: cmp.Or(ids.get("ovn-bridge"), "br-int"),
	}
	for _, word := range splitList(ids.get("ovn-encap-ip")) {
		ip, err := netip.ParseAddr(word)
		if err != nil {
			o.Problems = append(o.Problems, fmt.Sprintf("external_ids:ovn-encap-ip: %q is not an address", word))
			continue
		}
		o.EncapIPs = append(o.EncapIPs, ip)
	}
	mappings, problems := observe.ParseBridgeMappings(ids.get("ovn-bridge-mappings"))
	o.Mappings = mappings
	o.Problems = append(o.Problems, problems...)
	for _, row := range t.bridges {
		o.Bridges = append(o.Bridges, t.bridge(row))
	}
	slices.SortFunc(o.Bridges, func(a, b observe.Bridge) int { return strings.Compare(a.Name, b.Name) })
	return o
}

func (t tables) bridge(row *vswitch.Bridge) observe.Bridge {
	b := observe.Bridge{Name: row.Name, DatapathType: row.DatapathType}
	for _, uuid := range row.Ports {
		port := t.ports[uuid]
		if port == nil {
			continue
		}
		iface := t.interfaceOf(port)
		if port.Name == row.Name {
			b.MAC = macInUse(iface)
		}
		if _, ours := port.ExternalIDs[object.OVSPortMark]; ours {
			b.Made = append(b.Made, observe.MadePort{Name: port.Name, OFPort: ofport(iface)})
		}
		// The name of the port says nothing reliable; ovn-controller finds its
		// own ports by this key, too.
		if localnet := port.ExternalIDs["ovn-localnet-port"]; localnet != "" {
			b.Patches = append(b.Patches, observe.PatchPort{Localnet: localnet, Name: port.Name, OFPort: ofport(iface)})
		}
	}
	slices.SortFunc(b.Patches, func(x, y observe.PatchPort) int {
		return cmp.Or(strings.Compare(x.Localnet, y.Localnet), strings.Compare(x.Name, y.Name))
	})
	slices.SortFunc(b.Made, func(x, y observe.MadePort) int { return strings.Compare(x.Name, y.Name) })
	return b
}

// interfaceOf returns the interface that has the port's name, which is the
// only one unless the port is a bond; nil if its row is missing.
func (t tables) interfaceOf(port *vswitch.Port) *vswitch.Interface {
	for _, uuid := range port.Interfaces {
		if i := t.interfaces[uuid]; i != nil && i.Name == port.Name {
			return i
		}
	}
	return nil
}

func ofport(i *vswitch.Interface) uint16 {
	if i == nil || i.OFPort == nil || *i.OFPort < 1 || *i.OFPort > maxOFPort {
		return 0
	}
	return uint16(*i.OFPort)
}

func macInUse(i *vswitch.Interface) object.MAC {
	if i == nil || i.MACInUse == nil {
		return object.MAC{}
	}
	mac, err := object.ParseMAC(*i.MACInUse)
	if err != nil {
		return object.MAC{}
	}
	return mac
}

// externalIDs resolves keys of Open_vSwitch.external_ids as ovn-controller
// does: several of them may share one database, each with keys of its own that
// end in its system-id.
type externalIDs struct {
	ids      map[string]string
	systemID string
}

func (e externalIDs) get(key string) string {
	if e.systemID != "" {
		if v, ok := e.ids[key+"-"+e.systemID]; ok {
			return strings.TrimSpace(v)
		}
	}
	return strings.TrimSpace(e.ids[key])
}

// splitList reads a comma list; empty items do not count.
func splitList(s string) []string {
	var out []string
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}
