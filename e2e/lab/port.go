package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// PortSpec describes the port of a guest.
type PortSpec struct {
	Name    string
	Network *Network
	Addrs   []netip.Addr
	Chassis *Chassis // where it may be plugged; nil for a port of no instance
	// Parents makes it a virtual port, as Octavia's amphorae have: a VIP (its
	// one address) that any of these guests claims by [VM.Announce].
	Parents []*Port
	// Scope4 and Scope6 are address scopes, normally empty.
	Scope4, Scope6 string
	// Unknown writes the addresses "unknown" instead of MAC and IP, as Neutron
	// does without port security on a network without DHCP.
	Unknown bool
}

// Port is a Neutron port and its logical switch port, whose name is ID.
type Port struct {
	Name     string
	ID       string
	Network  *Network
	MAC      string
	Addrs    []netip.Addr
	Chassis  *Chassis
	DeviceID string

	owner          string
	label          string // the name that Neutron's user gave it
	scope4, scope6 string
	fip            string       // of the port, written as neutron:port_fip
	allowed        []netip.Addr // further addresses it may use: allowed address pairs
}

// Port makes the port of a guest.
func (n *Neutron) Port(ctx context.Context, s PortSpec) (*Port, error) {
	p := &Port{
		Name: s.Name, ID: uuidFor("port " + s.Name), Network: s.Network, MAC: macFor(s.Name), Addrs: s.Addrs,
		Chassis: s.Chassis, DeviceID: uuidFor("instance " + s.Name), owner: "compute:nova",
		scope4: s.Scope4, scope6: s.Scope6,
	}
	for _, a := range s.Addrs {
		if _, err := s.Network.subnet(a); err != nil {
			return nil, err
		}
	}
	var t transaction
	if s.Parents != nil {
		p.makeVirtual(&t, s.Parents)
	}
	t.add("lsp-add", s.Network.Switch(), p.ID)
	t.add(append([]string{"set", "Logical_Switch_Port", p.ID, "enabled=true"}, p.columns(s)...)...)
	return p, n.commit(ctx, t)
}

// makeVirtual lets the parents use the address: port security would drop the
// very ARP by which they claim it.
func (p *Port) makeVirtual(t *transaction, parents []*Port) {
	balancer := "lb-" + uuidFor("load balancer "+p.Name)
	p.owner, p.DeviceID, p.label = "Octavia", balancer, "octavia-"+balancer
	for _, parent := range parents {
		parent.allowed = append(parent.allowed, p.Addrs...)
		t.add("set", "Logical_Switch_Port", parent.ID, strset("port_security", parent.addresses(parent.allowed...)))
	}
}

func (p *Port) columns(s PortSpec) []string {
	out := []string{column("external_ids", p.externalIDs()), column("options", p.options(s))}
	address := p.addresses()
	if s.Unknown {
		return append(out, "addresses=unknown")
	}
	out = append(out, strset("addresses", address), strset("port_security", address))
	if s.Parents != nil {
		out = append(out, "type=virtual")
	}
	return out
}

func (p *Port) options(s PortSpec) map[string]string {
	options := make(map[string]string)
	if p.Chassis != nil {
		options["requested-chassis"] = p.Chassis.Hostname
	}
	if s.Parents != nil {
		parents := make([]string, len(s.Parents))
		for i, parent := range s.Parents {
			parents[i] = parent.ID
		}
		options["virtual-ip"] = p.Addrs[0].String()
		options["virtual-parents"] = strings.Join(parents, ",")
	}
	return options
}

// addresses is "MAC IP IP", the element of the addresses column.
func (p *Port) addresses(more ...netip.Addr) string {
	words := []string{p.MAC}
	for _, a := range slices.Concat(p.Addrs, more) {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

// prefixes are the addresses with the lengths of their subnets.
func (p *Port) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, a := range p.Addrs {
		if s, err := p.Network.subnet(a); err == nil {
			out = append(out, netip.PrefixFrom(a, s.CIDR.Bits()))
		}
	}
	return out
}

// gateways are those of the subnets it has addresses in, one per family.
func (p *Port) gateways() []netip.Addr {
	var out []netip.Addr
	seen := make(map[bool]bool)
	for _, a := range p.Addrs {
		s, err := p.Network.subnet(a)
		if err == nil && !seen[a.Is4()] {
			seen[a.Is4()] = true
			out = append(out, s.Gateway)
		}
	}
	return out
}

// externalIDs are the same keys on every port of Neutron.
func (p *Port) externalIDs() map[string]string {
	cidrs := make([]string, 0, len(p.Addrs))
	for _, c := range p.prefixes() {
		cidrs = append(cidrs, c.String())
	}
	ids := map[string]string{
		"neutron:cidrs":                   strings.Join(cidrs, " "),
		"neutron:device_id":               p.DeviceID,
		"neutron:device_owner":            p.owner,
		"neutron:mtu":                     "",
		"neutron:network_name":            p.Network.Switch(),
		"neutron:port_capabilities":       "",
		"neutron:port_name":               p.label,
		"neutron:project_id":              projectID,
		"neutron:revision_number":         "3",
		"neutron:security_group_ids":      "",
		"neutron:subnet_pool_addr_scope4": p.scope4,
		"neutron:subnet_pool_addr_scope6": p.scope6,
		"neutron:vnic_type":               "normal",
	}
	if p.Chassis != nil {
		ids["neutron:host_id"] = p.Chassis.Hostname
	}
	if p.fip != "" {
		ids["neutron:port_fip"] = p.fip
	}
	return ids
}

// Move binds the port to another chassis, where the guest is then plugged.
func (p *Port) Move(ctx context.Context, to *Chassis) error {
	p.Chassis = to
	return p.Network.neutron.commit(ctx, transaction{
		"set", "Logical_Switch_Port", p.ID,
		column("options", map[string]string{"requested-chassis": to.Hostname}),
		column("external_ids", p.externalIDs()),
	})
}

// Delete removes the port. A guest that is still plugged loses its network.
func (p *Port) Delete(ctx context.Context) error {
	return p.Network.neutron.commit(ctx, transaction{"lsp-del", p.ID})
}

// AwaitUp waits until OVN has the port's flows in place on its chassis.
func (p *Port) AwaitUp(ctx context.Context) error {
	_, err := p.Network.neutron.nb.Nbctl(ctx, "wait-until", "Logical_Switch_Port", p.ID, "up=true")
	if err != nil {
		return fmt.Errorf("wait for port %s to be up: %w", p.Name, err)
	}
	return nil
}

// AwaitBound waits until a chassis holds the port, up or not.
func (p *Port) AwaitBound(ctx context.Context, on *Chassis) error {
	return p.Network.neutron.nb.awaitBound(ctx, p.ID, on)
}
