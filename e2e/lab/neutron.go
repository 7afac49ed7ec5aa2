package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
)

// Neutron writes Northbound content the way Neutron's ML2/OVN driver does:
// names, options and external_ids were taken from rows that the driver's code
// describes. All UUIDs and MACs derive from the
// names given, so names must be unique within a lab.
type Neutron struct {
	nb *Central
}

// projectID owns everything.
var projectID = uuidFor("project")

// Subnet is one prefix of a network. Its gateway is its first address.
type Subnet struct {
	ID      string
	CIDR    netip.Prefix
	Gateway netip.Addr
}

// Network is a Neutron network and its logical switch.
type Network struct {
	Name    string
	ID      string
	Physnet string // empty for a tenant network
	VLAN    int    // 0 for flat
	MTU     int
	Subnets []Subnet

	neutron *Neutron
}

// Switch is the name of the logical switch.
func (n *Network) Switch() string { return "neutron-" + n.ID }

// Localnet is the logical port towards the physical network, after which OVN
// names the patch ports.
func (n *Network) Localnet() string { return "provnet-" + uuidFor("segment "+n.Name) }

// PatchPort is the port on the provider bridge that leads to OVN. It exists
// where something of the network lives.
func (n *Network) PatchPort() string {
	return "patch-" + n.Localnet() + "-to-" + IntegrationBridge
}

// transaction collects -ctl commands for one process and one commit.
type transaction []string

func (t *transaction) add(command ...string) {
	if len(*t) > 0 {
		*t = append(*t, "--")
	}
	*t = append(*t, command...)
}

// commit runs it and waits for the Southbound rows.
func (n *Neutron) commit(ctx context.Context, t transaction) error {
	_, err := n.nb.Nbctl(ctx, append([]string{"--wait=sb"}, t...)...)
	return err
}

func (n *Neutron) initialise(ctx context.Context) error {
	return n.commit(ctx, transaction{
		"set", "NB_Global", ".",
		column("external_ids", map[string]string{"neutron:fip-distributed": "True"}),
	})
}

// ProviderNetwork makes a network on a physical one; vlan 0 makes it flat.
func (n *Neutron) ProviderNetwork(ctx context.Context, name, physnet string, vlan int,
	cidrs ...netip.Prefix,
) (*Network, error) {
	net := n.network(name, cidrs)
	net.Physnet, net.VLAN, net.MTU = physnet, vlan, 1500
	t := net.create()
	t.add("lsp-add", net.Switch(), net.Localnet())
	t.add("set", "Logical_Switch_Port", net.Localnet(), "type=localnet", "addresses=unknown",
		column("external_ids", map[string]string{"neutron:provnet-physical-network": physnet}),
		column("options", map[string]string{
			"localnet_learn_fdb": "false", "mcast_flood": "false",
			"mcast_flood_reports": "true", "network_name": physnet,
		}))
	if vlan != 0 {
		t.add("set", "Logical_Switch_Port", net.Localnet(), fmt.Sprintf("tag_request=%d", vlan), fmt.Sprintf("tag=%d", vlan))
	}
	return net, n.commit(ctx, t)
}

// TenantNetwork makes a geneve network.
func (n *Neutron) TenantNetwork(ctx context.Context, name string, cidrs ...netip.Prefix) (*Network, error) {
	net := n.network(name, cidrs)
	return net, n.commit(ctx, net.create())
}

func (n *Neutron) network(name string, cidrs []netip.Prefix) *Network {
	net := &Network{Name: name, ID: uuidFor("network " + name), MTU: 1442, neutron: n}
	for _, c := range cidrs {
		net.Subnets = append(net.Subnets, Subnet{
			ID: uuidFor("subnet " + name + " " + c.String()), CIDR: c.Masked(), Gateway: c.Masked().Addr().Next(),
		})
	}
	return net
}

// create is the switch and its metadata port.
func (n *Network) create() transaction {
	var t transaction
	t.add("ls-add", n.Switch())
	t.add("set", "Logical_Switch", n.Switch(),
		column("external_ids", n.externalIDs()), column("other_config", n.otherConfig()))
	metadata := Port{
		Name: "metadata " + n.Name, Network: n, owner: "network:distributed",
		DeviceID: "ovnmeta-" + n.ID, ID: uuidFor("port metadata " + n.Name), MAC: macFor("metadata " + n.Name),
	}
	t.add("lsp-add", n.Switch(), metadata.ID)
	t.add("set", "Logical_Switch_Port", metadata.ID, "type=localport", "enabled=true",
		strset("addresses", metadata.MAC), column("external_ids", metadata.externalIDs()))
	return t
}

func (n *Network) externalIDs() map[string]string {
	ids := map[string]string{
		"neutron:availability_zone_hints": "",
		"neutron:mtu":                     strconv.Itoa(n.MTU),
		"neutron:network_name":            n.Name,
		"neutron:provnet-network-type":    "geneve",
		"neutron:revision_number":         "2",
	}
	if n.Physnet != "" {
		ids["neutron:provnet-physical-network"] = n.Physnet
		ids["neutron:provnet-network-type"] = "flat"
	}
	if n.VLAN != 0 {
		ids["neutron:provnet-network-type"] = "vlan"
	}
	return ids
}

func (n *Network) otherConfig() map[string]string {
	config := map[string]string{"mcast_flood_unregistered": "false", "mcast_snoop": "false", "vlan-passthru": "false"}
	if n.Physnet != "" {
		config["broadcast-arps-to-all-routers"] = "true"
		config["fdb_age_threshold"] = "300"
	}
	return config
}

// Delete removes the network with all its ports; delete its routers first.
func (n *Network) Delete(ctx context.Context) error {
	return n.neutron.commit(ctx, transaction{"ls-del", n.Switch()})
}

// subnet is the one that holds an address.
func (n *Network) subnet(a netip.Addr) (Subnet, error) {
	for _, s := range n.Subnets {
		if s.CIDR.Contains(a) {
			return s, nil
		}
	}
	return Subnet{}, fmt.Errorf("network %s has no subnet for %s", n.Name, a)
}
