package evpn

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// findVTEP returns the address from which VXLAN is sent (V6).
func (p *pass) findVTEP() netip.Addr {
	if p.cfg.LocalIP.IsValid() {
		return p.cfg.LocalIP
	}
	if p.host == nil {
		return netip.Addr{}
	}
	var lo netip.Addr
	for _, a := range p.host.Addresses {
		switch {
		case !a.Addr.Is4() || a.Addr.IsLoopback():
		case p.cfg.NIC != "" && a.Dev == p.cfg.NIC:
			return a.Addr
		case a.Dev == "lo" && a.Net.IsSingleIP() && !lo.IsValid():
			lo = a.Addr
		}
	}
	if p.cfg.NIC != "" && lo.IsValid() {
		p.report("configuration", "evpn_nic", observe.SkipDegraded,
			"device %s has no IPv4 address: VXLAN is sent from %s, which lo has", p.cfg.NIC, lo)
	}
	return lo
}

// noVTEP reports that nothing can be done.
func (p *pass) noVTEP() {
	if p.cfg.NIC != "" {
		p.report("configuration", "evpn_nic", observe.SkipDegraded,
			"neither device %s nor lo has an IPv4 address to send VXLAN from: no VNI is served; give it one, or set "+
				"evpn_local_ip", p.cfg.NIC)
		return
	}
	p.report("configuration", "evpn_local_ip", observe.SkipDegraded,
		"no local address for VXLAN: no VNI is served; set evpn_local_ip or evpn_nic, or give lo a /32 address")
}
