package fabric

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Explain accounts for an address of lo, for one in a prefix that the
// configuration originates, and for one that neighbours announce: that is how
// this node reaches it. It follows the same rules as Desired.
func (d *Driver) Explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	ignored := &object.Set{}
	p := &pass{cfg: d.cfg, host: snap.Host, out: ignored, Exposer: expose.New(Name, d.cfg.Expose, ignored)}
	var out []reason.Account
	if a, ok := p.explainLoopback(addr); ok {
		out = append(out, a)
	}
	if a, ok := p.explainOriginate(addr); ok {
		out = append(out, a)
	}
	if snap.Learned != nil && len(d.cfg.Accept) > 0 {
		if a, ok := p.explainLearned(snap.Learned, addr); ok {
			out = append(out, a)
		}
	}
	return out
}

// explainLoopback accounts for an address of lo (L2).
func (p *pass) explainLoopback(addr netip.Addr) (reason.Account, bool) {
	if p.host == nil {
		return reason.Account{}, false
	}
	i := slices.IndexFunc(p.host.Addresses, func(a observe.DeviceAddress) bool { return isLoopback(a) && a.Addr == addr })
	if i < 0 {
		return reason.Account{}, false
	}
	a := reason.Account{What: "address of lo", Steps: []reason.Step{{
		Stage: "host",
		Text:  "lo of this node has " + addr.String(), OK: true,
	}}}
	if p.cfg.Loopback {
		a.Steps = append(a.Steps, reason.Step{Stage: "policy", Text: "advertise_loopback is on", OK: true})
		return a, true
	}
	a.Steps = append(a.Steps, reason.Step{
		Stage: "policy",
		Text:  "addresses of lo are announced on request, and advertise_loopback is off", Code: reason.OptionOff,
	})
	a.Try = "advertise_loopback: true"
	return a, true
}

// explainOriginate accounts for an address in a configured prefix, the longest
// of several (L3).
func (p *pass) explainOriginate(addr netip.Addr) (reason.Account, bool) {
	best, ok := longest(p.cfg.Originate, addr)
	if !ok {
		return reason.Account{}, false
	}
	return reason.Account{
		What:   "address in originated prefix " + best.String(),
		Steps:  []reason.Step{{Stage: "policy", Text: "the configuration originates " + best.String(), OK: true}},
		Object: object.NewPath(best, p.cfg.Expose.Origin).Key(),
	}, true
}

// explainLearned accounts for the longest accepted prefix that neighbours
// announce and the address is in (L1).
func (p *pass) explainLearned(l *observe.Learned, addr netip.Addr) (reason.Account, bool) {
	byPrefix, prefixes := p.accepted(l.Paths)
	best, ok := longest(prefixes, addr)
	if !ok {
		return reason.Account{}, false
	}
	var peers []string
	for _, path := range byPrefix[best] {
		peers = append(peers, path.Peer)
	}
	a := reason.Account{
		What:   fmt.Sprintf("address in %s, learned from %s", best, strings.Join(slices.Compact(peers), ", ")),
		Object: p.bare(best).Key(),
	}
	text := fmt.Sprintf("%s is announced by %s and accepted", best, strings.Join(slices.Compact(peers), ", "))
	if l.Unsettled != "" {
		text += "; more may come: " + l.Unsettled
	}
	a.Steps = append(a.Steps, reason.Step{Stage: "learned", Text: text, OK: true})
	if at := slices.Index(prefixes, best); at >= p.cfg.Max {
		a.Steps = append(a.Steps, reason.Step{
			Stage: "policy", Code: reason.OverMaximum,
			Text: fmt.Sprintf("%d prefixes are accepted and learn.max is %d: longer ones are left out, this among them",
				len(prefixes), p.cfg.Max),
		})
		a.Try = "accept fewer prefixes or raise learn.max"
		return a, true
	}
	a.Steps = append(a.Steps, p.hopSteps(byPrefix[best])...)
	return a, true
}

// hopSteps say where each next hop leads. One is enough.
func (p *pass) hopSteps(paths []observe.LearnedPath) []reason.Step {
	if p.host == nil {
		return []reason.Step{{
			Stage: "steering", Text: "the network devices of this node have not been read",
			Code: reason.NoNextHop,
		}}
	}
	var good, bad []string
	for _, path := range paths {
		hop, problem := p.hop(path)
		if problem != "" {
			bad = append(bad, fmt.Sprintf("peer %s: %s", path.Peer, problem))
			continue
		}
		good = append(good, fmt.Sprintf("%s dev %s", hop.Via, hop.Dev))
	}
	if len(good) == 0 {
		return []reason.Step{{Stage: "steering", Text: strings.Join(bad, "; "), Code: reason.NoNextHop}}
	}
	text := "next hop " + strings.Join(good, ", ")
	if len(bad) > 0 {
		text += "; left out: " + strings.Join(bad, "; ")
	}
	return []reason.Step{{Stage: "steering", Text: text, OK: true}}
}

// longest is the longest prefix that holds the address.
func longest(prefixes []netip.Prefix, addr netip.Addr) (best netip.Prefix, ok bool) {
	for _, p := range prefixes {
		if p.Contains(addr) && (!ok || p.Bits() > best.Bits()) {
			best, ok = p, true
		}
	}
	return best, ok
}
