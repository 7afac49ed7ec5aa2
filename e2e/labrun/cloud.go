package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// cloud is a lab with bgp-ovn and tenants.
type cloud struct {
	*lab.Lab
	out    io.Writer
	agents []*product.Agent
	vms    []*lab.VM
	claims []claim
}

// claim is that an address is announced by one chassis only.
type claim struct {
	addr netip.Addr
	what string
	at   *lab.Chassis
}

func build(ctx context.Context, out io.Writer, l *lab.Lab, bin string) (*cloud, error) {
	c := &cloud{Lab: l, out: out}
	if err := c.runAgents(ctx, bin); err != nil {
		return nil, err
	}
	public, err := l.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0,
		netip.MustParsePrefix("172.24.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64"))
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(out, "\nnetwork public: flat on physnet1 (br-ex), 172.24.4.0/24 and 2001:db8:4::/64")
	hv3 := l.Chassis[2]
	if _, err := c.vm(ctx, "web", public, hv3, "172.24.4.31", "2001:db8:4::31"); err != nil {
		return nil, err
	}
	c.claim("VM web on the provider network", hv3, "172.24.4.31", "2001:db8:4::31")
	return c, c.tenant(ctx, public)
}

// runAgents starts bgp-ovn on every chassis and waits for the sessions.
func (c *cloud) runAgents(ctx context.Context, bin string) error {
	for _, hv := range c.Chassis {
		a, err := product.New(hv, bin)
		if err != nil {
			return err
		}
		if err := a.Start(ctx); err != nil {
			return err
		}
		c.agents = append(c.agents, a)
	}
	for i, hv := range c.Chassis {
		for _, addr := range []netip.Addr{hv.Addr4, hv.Addr6} {
			if err := c.Tor.AwaitPeer(ctx, addr); err != nil {
				return fmt.Errorf("%w\n%s", err, c.agents[i].Tail(20))
			}
		}
	}
	fmt.Fprintln(c.out, "bgp-ovn runs on every chassis; FRR has an IPv4 and an IPv6 session with each")
	return nil
}

// tenant builds a tenant network behind a router, with a floating IP of either
// sort.
func (c *cloud) tenant(ctx context.Context, public *lab.Network) error {
	hv1, hv2, hv3 := c.Chassis[0], c.Chassis[1], c.Chassis[2]
	blue, err := c.Neutron.TenantNetwork(ctx, "blue", netip.MustParsePrefix("10.0.0.0/26"))
	if err != nil {
		return err
	}
	router, err := c.Neutron.Router(ctx, lab.RouterSpec{
		Name: "blue", External: public, Gateways: []*lab.Chassis{hv1, hv2}, SNAT: true,
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.40"), netip.MustParseAddr("2001:db8:4::40")},
	})
	if err != nil {
		return err
	}
	if err := router.Attach(ctx, blue); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "network blue: geneve, 10.0.0.0/26, behind router blue with a gateway on hv1, else hv2")
	c.claim("gateway of router blue", hv1, "172.24.4.40", "2001:db8:4::40")
	for _, f := range []struct {
		vm, fixed, floating string
		on, at              *lab.Chassis
		distributed         bool
	}{
		{"blue-a", "10.0.0.5", "172.24.4.41", hv3, hv3, true},
		{"blue-b", "10.0.0.6", "172.24.4.42", hv2, hv1, false},
	} {
		vm, err := c.vm(ctx, f.vm, blue, f.on, f.fixed)
		if err != nil {
			return err
		}
		if _, err := c.Neutron.FloatingIP(ctx, router, vm.Port, netip.MustParseAddr(f.floating), f.distributed); err != nil {
			return err
		}
		what := "floating IP of " + f.vm + ", distributed"
		if !f.distributed {
			what = "floating IP of " + f.vm + ", through the gateway"
		}
		c.claim(what, f.at, f.floating)
	}
	return nil
}

// vm makes a port and plugs a VM into it.
func (c *cloud) vm(ctx context.Context, name string, n *lab.Network, on *lab.Chassis, addrs ...string) (*lab.VM,
	error,
) {
	spec := lab.PortSpec{Name: name, Network: n, Chassis: on}
	for _, a := range addrs {
		spec.Addrs = append(spec.Addrs, netip.MustParseAddr(a))
	}
	p, err := c.Neutron.Port(ctx, spec)
	if err != nil {
		return nil, err
	}
	vm, err := on.PlugVM(ctx, p)
	if err != nil {
		return nil, err
	}
	c.vms = append(c.vms, vm)
	fmt.Fprintf(c.out, "VM %s: on %s, %v\n", name, on.Name, addrs)
	return vm, nil
}

func (c *cloud) claim(what string, at *lab.Chassis, addrs ...string) {
	for _, a := range addrs {
		c.claims = append(c.claims, claim{netip.MustParseAddr(a), what, at})
	}
}

// prove demands that the kernel of the top of rack sends every address to its
// chassis, and that the host behind it reaches it without loss.
func (c *cloud) prove(ctx context.Context) error {
	fmt.Fprintf(c.out, "\n%-16s %-42s %-13s %s\n", "address", "what", "announced by", "ping from the host")
	for _, cl := range c.claims {
		if _, err := c.Tor.WaitRoute(ctx, netip.PrefixFrom(cl.addr, cl.addr.BitLen()), cl.at); err != nil {
			return fmt.Errorf("%s, %s: %w\n%s", cl.addr, cl.what, err, c.why(ctx, cl))
		}
		pings, err := c.pings(ctx, cl.addr)
		if err != nil {
			return fmt.Errorf("%s, %s: %w\n%s", cl.addr, cl.what, err, c.why(ctx, cl))
		}
		fmt.Fprintf(c.out, "%-16s %-42s %-13s %s\n", cl.addr, cl.what, cl.at.Name, pings)
	}
	return nil
}

// pings demands a series without loss. The first packets to a new floating IP
// may be lost to OVN, which learns its neighbours then.
func (c *cloud) pings(ctx context.Context, to netip.Addr) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := c.Host.AwaitPing(ctx, to); err != nil {
		return "", err
	}
	for {
		r, err := c.Host.Ping(ctx, to, 5, 20*time.Millisecond)
		if err != nil {
			return "", err
		}
		if r.Lossless() {
			return fmt.Sprintf("%d of %d answered", r.Received, r.Sent), nil
		}
	}
}

// why is what bgp-ovn itself says of an address.
func (c *cloud) why(ctx context.Context, cl claim) string {
	a := c.agents[cl.at.Index-1]
	res, err := a.CLI(ctx, "explain", cl.addr.String())
	if err != nil {
		return err.Error()
	}
	return res.Out + res.Err + a.Tail(15)
}
