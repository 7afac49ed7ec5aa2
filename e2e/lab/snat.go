package lab

import "context"

// SetSNAT makes the router translate the source addresses of its attached IPv4
// subnets, or not, as Neutron does when enable_snat of the gateway is changed: a
// NAT row a subnet comes or goes.
func (r *Router) SetSNAT(ctx context.Context, on bool) error {
	var t transaction
	for _, p := range r.ports {
		if p == r.Gateway {
			continue
		}
		for _, a := range p.Addrs {
			s, err := p.Network.subnet(a)
			if err != nil {
				return err
			}
			if !a.Is4() {
				continue
			}
			t.add("--if-exists", "lr-nat-del", r.LogicalName(), "snat", s.CIDR.String())
			if on {
				r.addSNAT(&t, s)
			}
		}
	}
	r.Spec.SNAT = on
	return r.neutron.commit(ctx, t)
}
