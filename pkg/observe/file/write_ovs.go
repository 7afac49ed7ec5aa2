package file

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// wireMap is a map in OVSDB's notation, <map> of RFC 7047 section 5.1.
func wireMap(pairs ...[2]string) any {
	return []any{"map", append([][2]string{}, pairs...)}
}

// wireSet is <set>: one element is written as itself.
func wireSet(values ...any) any {
	if len(values) == 1 {
		return values[0]
	}
	return []any{"set", append([]any{}, values...)}
}

// madeUUID makes the UUID of a row out of its name: those of the Open_vSwitch
// database are not part of a snapshot. A hash makes equal snapshots equal files.
func madeUUID(words ...string) observe.UUID {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return observe.UUID(sum[:16])
}

// wireRef is <uuid>, a reference to a row.
func wireRef(u observe.UUID) any { return [2]string{"uuid", u.String()} }

// row is a row by column; encoding/json sorts the columns.
type row = map[string]any

// localPort is OFPP_LOCAL, the number of a bridge's internal port (OpenFlow 1.0
// section 5.2.1). Nothing reads it back: the rows are to look like the real ones.
const localPort = 65534

// openVSwitch writes rows from which the reader derives o again. They are the
// inverse of database.view, so that a file from here and a dump are read by the
// same code.
func (w *writer) openVSwitch(o *observe.OpenVSwitch) {
	if o == nil {
		w.text("null")
		return
	}
	var bridges, ports, interfaces []row
	for _, b := range o.Bridges {
		var refs []any
		add := func(name string, ids any, mac object.MAC, ofport uint16) row {
			p, i := portRows(b.Name, name, ids, mac, ofport)
			ports, interfaces = append(ports, p), append(interfaces, i)
			refs = append(refs, wireRef(madeUUID("Port", b.Name, name)))
			return i
		}
		add(b.Name, wireMap(), b.MAC, localPort)
		for _, p := range b.Patches {
			add(p.Name, wireMap([2]string{"ovn-localnet-port", p.Localnet}), object.MAC{}, p.OFPort)
		}
		for _, p := range b.Made {
			add(p.Name, wireMap([2]string{object.OVSPortMark, object.OVSPortMarkValue}), object.MAC{}, p.OFPort)
		}
		for _, p := range b.Uplinks {
			add(p.Name, wireMap(), object.MAC{}, p.OFPort)
		}
		for _, logical := range b.Interfaces {
			ids := wireMap([2]string{"iface-id", logical.ID})
			if at := slices.IndexFunc(interfaces, func(i row) bool { return i["name"] == logical.Name }); at >= 0 {
				interfaces[at]["external_ids"] = ids // a port with a mark of its own
				continue
			}
			add(logical.Name, wireMap(), object.MAC{}, 0)["external_ids"] = ids
		}
		bridges = append(bridges, row{
			"_uuid": madeUUID("Bridge", b.Name), "name": b.Name, "datapath_type": b.DatapathType, "ports": wireSet(refs...),
		})
	}
	w.text("{\n  \"revision\": ")
	w.json(o.Revision)
	w.text(",\n  \"stale\": ")
	w.json(o.Stale)
	w.text(",\n  \"problems\": ")
	w.json(append([]string{}, o.Problems...))
	w.rows("Open_vSwitch", row{"_uuid": madeUUID("Open_vSwitch"), "external_ids": globalIDs(o)})
	w.rows("Bridge", bridges...)
	w.rows("Port", ports...)
	w.rows("Interface", interfaces...)
	w.text("\n }")
}

// rows writes a table, a row a line.
func (w *writer) rows(table string, rows ...row) {
	w.text(",\n  \"" + table + "\": [")
	for i, r := range rows {
		if i > 0 {
			w.text(",")
		}
		w.text("\n    ")
		w.json(r)
	}
	w.text("\n  ]")
}

// portRows are the Port and the Interface of a port. A zero MAC or number is an
// empty set, as before ovs-vswitchd has assigned one.
func portRows(bridge, name string, ids any, mac object.MAC, ofport uint16) (port, iface row) {
	id := madeUUID("Interface", bridge, name)
	port = row{
		"_uuid": madeUUID("Port", bridge, name), "name": name, "interfaces": wireRef(id), "external_ids": ids,
	}
	iface = row{"_uuid": id, "name": name, "mac_in_use": wireSet(), "ofport": wireSet()}
	if !mac.IsZero() {
		iface["mac_in_use"] = mac.String()
	}
	if ofport != 0 {
		iface["ofport"] = ofport
	}
	return port, iface
}

// globalIDs are the external_ids from which o was derived. Values that could not be
// read are missing; they are in the problems.
func globalIDs(o *observe.OpenVSwitch) any {
	var encap []string
	for _, a := range o.EncapIPs {
		encap = append(encap, a.String())
	}
	var out [][2]string
	add := func(key, value string) {
		if value != "" {
			out = append(out, [2]string{key, value})
		}
	}
	add("dynamic-routing-port-mapping", routingPorts(o.RoutingPorts))
	add("hostname", o.Hostname)
	add("ovn-bridge", o.IntegrationBridge)
	add("ovn-bridge-mappings", mappings(o.Mappings))
	add("ovn-encap-ip", strings.Join(encap, ","))
	add("ovn-nb-remote", strings.Join(o.NBRemotes, ","))
	add("ovn-remote", strings.Join(o.Remotes, ","))
	add("system-id", o.SystemID)
	return wireMap(out...)
}

// routingPorts is dynamic-routing-port-mapping. In parentheses a value may have blanks
// and commas.
func routingPorts(list []observe.PortMapping) string {
	var items []string
	for _, m := range list {
		items = append(items, m.Name+"("+m.Device+")")
	}
	return strings.Join(items, ",")
}

// mappings is ovn-bridge-mappings. It leaves an item empty for each that was
// malformed, so that the others keep their positions. The reader finds those items
// malformed, too, but takes the problems from the file.
func mappings(list []observe.BridgeMapping) string {
	var items []string
	for _, m := range list {
		for len(items) < m.Position-1 {
			items = append(items, "")
		}
		items = append(items, fmt.Sprintf("%s:%s", m.Network, m.Bridge))
	}
	return strings.Join(items, ",")
}
