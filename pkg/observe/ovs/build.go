package ovs

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// maxOFPort is OFPP_MAX of OpenFlow 1.0, the numbers Open vSwitch assigns from;
// those above are reserved.
const maxOFPort = 0xfeff

// build makes the snapshot of rows that have a root. systemID overrides that of the database.
func build(t vswitch.Tables, systemID string) *observe.OpenVSwitch {
	ids := externalIDs{t.Root.ExternalIDs, systemID}
	if systemID == "" {
		ids.systemID = strings.TrimSpace(t.Root.ExternalIDs["system-id"])
	}
	o := &observe.OpenVSwitch{
		SystemID:          ids.systemID,
		Hostname:          ids.get("hostname"),
		Remotes:           splitList(ids.get("ovn-remote")),
		NBRemotes:         splitList(ids.get("ovn-nb-remote")),
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
	o.RoutingPorts = observe.ParsePortMapping(ids.get("dynamic-routing-port-mapping"))
	o.Problems = append(o.Problems, problems...)
	for _, row := range t.Bridges {
		b := bridge(t, row)
		if b.Name == o.IntegrationBridge {
			b.Uplinks = nil // its ports are those of workloads
		}
		o.Bridges = append(o.Bridges, b)
	}
	sorting.Sort(o.Bridges, func(a, b observe.Bridge) int { return strings.Compare(a.Name, b.Name) })
	return o
}

func bridge(t vswitch.Tables, row *vswitch.Bridge) observe.Bridge {
	b := observe.Bridge{Name: row.Name, DatapathType: row.DatapathType}
	for _, uuid := range row.Ports {
		port := t.Ports[uuid]
		if port == nil {
			continue
		}
		iface := t.InterfaceOf(port)
		if port.Name == row.Name {
			b.MAC = macInUse(iface)
		}
		logical := logicalInterfaces(t, port)
		b.Interfaces = append(b.Interfaces, logical...)
		_, ours := port.ExternalIDs[object.OVSPortMark]
		patch := port.ExternalIDs["ovn-localnet-port"] != ""
		if iface != nil && !ours && !patch && len(logical) == 0 && port.Name != row.Name && observe.LeadsOut(iface.Type) {
			b.Uplinks = append(b.Uplinks, observe.UplinkPort{Name: port.Name, OFPort: ofport(iface)})
		}
		if ours {
			b.Made = append(b.Made, observe.MadePort{Name: port.Name, OFPort: ofport(iface)})
		}
		// The name of the port is not reliable; ovn-controller finds its
		// own ports by this key, too.
		if localnet := port.ExternalIDs["ovn-localnet-port"]; localnet != "" {
			b.Patches = append(b.Patches, observe.PatchPort{Localnet: localnet, Name: port.Name, OFPort: ofport(iface)})
		}
	}
	sorting.Sort(b.Patches, func(x, y observe.PatchPort) int {
		return cmp.Or(strings.Compare(x.Localnet, y.Localnet), strings.Compare(x.Name, y.Name))
	})
	sorting.Sort(b.Uplinks, func(x, y observe.UplinkPort) int { return strings.Compare(x.Name, y.Name) })
	sorting.Sort(b.Made, func(x, y observe.MadePort) int { return strings.Compare(x.Name, y.Name) })
	observe.SortInterfaces(b.Interfaces)
	return b
}

// logicalInterfaces are the interfaces of a port that are logical ports of OVN.
func logicalInterfaces(t vswitch.Tables, port *vswitch.Port) (out []observe.LogicalInterface) {
	for _, uuid := range port.Interfaces {
		if i := t.Interfaces[uuid]; i != nil && i.ExternalIDs["iface-id"] != "" {
			out = append(out, observe.LogicalInterface{ID: i.ExternalIDs["iface-id"], Name: i.Name})
		}
	}
	return out
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
