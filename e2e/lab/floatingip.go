package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// FloatingIP is an address of a provider network that a router translates to
// the one of a tenant port.
type FloatingIP struct {
	Addr   netip.Addr
	ID     string
	Router *Router
	Port   *Port
	MAC    string // used while it is distributed

	Distributed bool
}

// FloatingIP gives a port an address on the router's external network.
// Distributed means translated on the port's own chassis, which Neutron does
// only for a port that is up; otherwise the gateway's chassis does it.
func (n *Neutron) FloatingIP(ctx context.Context, r *Router, p *Port, addr netip.Addr, distributed bool) (*FloatingIP,
	error,
) {
	inside, err := p.address(addr.Is4())
	if err != nil {
		return nil, err
	}
	f := &FloatingIP{
		Addr: addr, ID: uuidFor("fip " + addr.String()), Router: r, Port: p,
		MAC: macFor("fip " + addr.String()), Distributed: distributed,
	}
	p.fip = addr.String()
	args := []string{
		"--id=@nat", "create", "NAT", "type=dnat_and_snat",
		fmt.Sprintf("external_ip=%q", addr), fmt.Sprintf("logical_ip=%q", inside),
		"logical_port=" + strconv.Quote(p.ID), "options:stateless=false",
		column("external_ids", f.externalIDs()),
	}
	if distributed {
		args = append(args, "external_mac="+strconv.Quote(f.MAC))
	}
	var t transaction
	t.add(args...)
	t.add("add", "Logical_Router", r.LogicalName(), "nat", "@nat")
	t.add("set", "Logical_Switch_Port", p.ID, column("external_ids", p.externalIDs()))
	return f, n.commit(ctx, t)
}

func (f *FloatingIP) externalIDs() map[string]string {
	return map[string]string{
		"neutron:fip_external_mac": f.MAC,
		"neutron:fip_id":           f.ID,
		"neutron:fip_network_id":   f.Router.Gateway.Network.ID,
		"neutron:fip_port_id":      f.Port.ID,
		"neutron:revision_number":  "2",
		"neutron:router_name":      f.Router.LogicalName(),
	}
}

// SetDistributed moves the translation between the port's chassis and the
// gateway's, as Neutron does when a port goes up or down.
func (f *FloatingIP) SetDistributed(ctx context.Context, distributed bool) error {
	row, err := f.row(ctx)
	if err != nil {
		return err
	}
	change := transaction{"clear", "NAT", row, "external_mac"}
	if distributed {
		change = transaction{"set", "NAT", row, "external_mac=" + strconv.Quote(f.MAC)}
	}
	f.Distributed = distributed
	return f.Router.neutron.commit(ctx, change)
}

// Delete takes the address away from the port.
func (f *FloatingIP) Delete(ctx context.Context) error {
	f.Port.fip = ""
	var t transaction
	t.add("lr-nat-del", f.Router.LogicalName(), "dnat_and_snat", f.Addr.String())
	t.add("set", "Logical_Switch_Port", f.Port.ID, column("external_ids", f.Port.externalIDs()))
	return f.Router.neutron.commit(ctx, t)
}

func (f *FloatingIP) row(ctx context.Context) (string, error) {
	out, err := f.Router.neutron.nb.Nbctl(ctx, "--bare", "--columns=_uuid", "find", "NAT",
		"type=dnat_and_snat", fmt.Sprintf("external_ip=%q", f.Addr))
	if err != nil {
		return "", err
	}
	row := strings.TrimSpace(out)
	if row == "" || strings.ContainsAny(row, " \n") {
		return "", fmt.Errorf("floating IP %s has not one NAT row: %q", f.Addr, row)
	}
	return row, nil
}

// address is the port's first one of a family.
func (p *Port) address(four bool) (netip.Addr, error) {
	for _, a := range p.Addrs {
		if a.Is4() == four {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("port %s has no address of the floating IP's family", p.Name)
}
