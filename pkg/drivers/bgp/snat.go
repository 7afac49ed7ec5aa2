package bgp

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// sourceNAT returns the Northbound row by which a router, named by its datapath,
// translates the source of packets from addr; nil if it does not. An error says
// why that is not known. Rows of a database that is disconnected count as known:
// they are the last that it said.
func (p *pass) sourceNAT(router observe.UUID, addr netip.Addr) (*observe.NAT, error) {
	if p.nb == nil {
		return nil, errors.New("the Northbound database was not read")
	}
	row, ok := p.northboundRouter(router)
	if !ok {
		return nil, errors.New("the Northbound database has no Logical_Router row for it")
	}
	return p.nb.SourceNAT(row, addr)
}

// northboundRouter finds the Logical_Router row of a router's Datapath_Binding; see
// [observe.Northbound.Router].
func (p *pass) northboundRouter(router observe.UUID) (*observe.LogicalRouter, bool) {
	d, ok := p.datapath(router)
	if !ok {
		return nil, false
	}
	return p.nb.Router(d)
}

// datapath finds a Datapath_Binding row.
func (p *pass) datapath(u observe.UUID) (*observe.Datapath, bool) {
	if p.datapaths == nil {
		p.datapaths = make(map[observe.UUID]*observe.Datapath, len(p.sb.Datapaths))
		for _, d := range p.sb.Datapaths {
			p.datapaths[d.UUID] = d
		}
	}
	d, ok := p.datapaths[u]
	return d, ok
}

// untranslated applies require_snat_disabled_for_tenant_networks to a subnet of a
// router's port: the router must be known not to translate it. While that is not known
// nothing new is exposed, and what the port led to before is held.
func (p *pass) untranslated(lrp *observe.PortBinding, prefix netip.Prefix) bool {
	if !p.cfg.RequireSNATDisabled {
		return true
	}
	nat, err := p.sourceNAT(lrp.Datapath, prefix.Addr())
	if err != nil {
		p.Skip(observe.Skip{
			Table: "Port_Binding", Row: lrp.LogicalPort, Code: observe.SkipUnknown,
			Text: p.unknownSNAT(lrp.Datapath, prefix, err), Hold: true,
		})
		return false
	}
	return nat == nil
}

// unknownSNAT is the text of the skip and of the step, so that both can be searched for.
func (p *pass) unknownSNAT(router observe.UUID, prefix netip.Prefix, err error) string {
	return fmt.Sprintf("cannot tell whether router %s translates source addresses of %s: %v", p.datapathName(router),
		prefix.Masked(), err)
}

// whySNAT names the Northbound row that was asked about a router that is known
// not to translate; nothing where none has to be.
func (p *pass) whySNAT(router observe.UUID) []object.Source {
	if !p.cfg.RequireSNATDisabled {
		return nil
	}
	row, ok := p.northboundRouter(router)
	if !ok {
		return nil
	}
	return []object.Source{p.Why("R7", observe.TableLogicalRouter, rowName(row))}
}

// rowName is the router's name, or its UUID where the column is empty: OVN does not
// require a name.
func rowName(row *observe.LogicalRouter) string {
	if row.Name == "" {
		return row.UUID.String()
	}
	return row.Name
}

// holdWhileDisconnected keeps what was derived with the row of a router whose
// gateway is here while the Northbound database is disconnected. Where the
// gateway is no longer here nothing is kept: the Southbound database
// decides that, and the routes that the subnets need are removed with it.
func (p *pass) holdWhileDisconnected(router observe.UUID) {
	if !p.cfg.RequireSNATDisabled || p.nbDoubt == "" {
		return
	}
	if row, ok := p.northboundRouter(router); ok {
		p.Skip(observe.Skip{
			Table: observe.TableLogicalRouter, Row: rowName(row), Code: observe.SkipUnknown, Text: p.nbDoubt, Hold: true,
		})
	}
}

// explainSNAT accounts for the router behind which a subnet is, and reports
// whether the subnet passes.
func (p *pass) explainSNAT(a *account, router observe.UUID, prefix netip.Prefix) bool {
	if !p.cfg.RequireSNATDisabled {
		return true
	}
	name := p.datapathName(router)
	nat, err := p.sourceNAT(router, prefix.Addr())
	switch {
	case err != nil:
		if a.step("policy", false, reason.SNATUnknown, "%s; no new address is announced, announced ones are kept",
			p.unknownSNAT(router, prefix, err)) {
			a.Try = "is ovn_nb_connection the Northbound database of this cloud? ovn-nbctl lr-list; bgp-ovn status"
		}
	case nat != nil:
		if a.step("policy", false, reason.SNATEnabled, "router %s translates source addresses of %s to %s, and "+
			"require_snat_disabled_for_tenant_networks is on", name, nat.LogicalIP, nat.ExternalIP) {
			a.Try = "openstack router set --disable-snat --external-gateway NETWORK " + name + " ; or turn " +
				"require_snat_disabled_for_tenant_networks off on the gateway nodes"
		}
	default:
		a.step("policy", true, "", "router %s does not translate source addresses of %s", name, prefix.Masked())
	}
	return !a.stop
}
