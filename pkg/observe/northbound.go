package observe

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Northbound holds the rows of one revision of the OVN Northbound database, of
// the few tables that say what the Southbound one does not. Every slice is
// sorted by UUID; rows are shared between revisions and never changed.
type Northbound struct {
	// Revision grows with every transaction applied; it is ours, not OVN's.
	Revision uint64
	// Stale says why these rows may be out of date; empty while connected.
	Stale string
	// Tables lists the tables that are read and that the schema has.
	Tables []string

	Routers []*LogicalRouter
	NATs    []*NAT
	BadRows []*RowError // rows that could not be read at all
}

// LogicalRouter is a row of table Logical_Router.
type LogicalRouter struct {
	UUID UUID
	Name string // not unique; Neutron's is neutron-<router UUID>
	NAT  []UUID
}

// NAT is a row of table NAT.
type NAT struct {
	UUID UUID
	// Type is snat, dnat or dnat_and_snat.
	Type string
	// LogicalIP is an address or a network, as written in the row.
	LogicalIP string
	// ExternalIP is what LogicalIP is translated to, as written in the row.
	ExternalIP string
}

// TableLogicalRouter names the table in the sources of objects.
const TableLogicalRouter = "Logical_Router"

// natSNAT is the value of NAT.type for the translation of source addresses alone.
const natSNAT = "snat"

// Router returns the Northbound row of a router's datapath: the one that its
// external_ids:logical-router names by UUID, else the only one with the name in
// external_ids:name.
func (nb *Northbound) Router(d *Datapath) (*LogicalRouter, bool) {
	if u, err := ParseUUID(d.ExternalIDs["logical-router"]); err == nil {
		i, ok := slices.BinarySearchFunc(nb.Routers, u, func(r *LogicalRouter, want UUID) int {
			return bytes.Compare(r.UUID[:], want[:])
		})
		if ok {
			return nb.Routers[i], true
		}
	}
	name := d.ExternalIDs["name"]
	if name == "" {
		return nil, false
	}
	var found *LogicalRouter
	for _, r := range nb.Routers {
		switch {
		case r.Name != name:
		case found != nil:
			return nil, false
		default:
			found = r
		}
	}
	return found, found != nil
}

// SourceNAT returns the row by which a router translates the source of packets
// from addr: of type snat, with addr in its logical_ip. Without one the router
// does not translate, and the row is nil. An error says which rows could decide
// it and cannot be read.
func (nb *Northbound) SourceNAT(r *LogicalRouter, addr netip.Addr) (*NAT, error) {
	var doubt []error
	for _, u := range r.NAT {
		i, ok := slices.BinarySearchFunc(nb.NATs, u, func(n *NAT, want UUID) int {
			return bytes.Compare(n.UUID[:], want[:])
		})
		if !ok {
			doubt = append(doubt, fmt.Errorf("its NAT row %s is missing or cannot be read", u))
			continue
		}
		n := nb.NATs[i]
		if n.Type != natSNAT {
			continue
		}
		inside, err := n.logicalNetwork()
		if err != nil {
			doubt = append(doubt, fmt.Errorf("its NAT row %s: %w", u, err))
			continue
		}
		if inside.Contains(addr) {
			return n, nil
		}
	}
	return nil, errors.Join(doubt...)
}

// logicalNetwork reads logical_ip, which is a network or an address.
func (n *NAT) logicalNetwork() (netip.Prefix, error) {
	if !strings.Contains(n.LogicalIP, "/") {
		if a, err := netip.ParseAddr(n.LogicalIP); err == nil && a.Zone() == "" {
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
	} else if p, err := netip.ParsePrefix(n.LogicalIP); err == nil {
		return p.Masked(), nil
	}
	return netip.Prefix{}, fmt.Errorf("logical_ip %q is neither an address nor a network", n.LogicalIP)
}
