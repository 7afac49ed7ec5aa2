package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
)

func (l *LearnConfig) validate(p *problems) {
	_, err := l.accept()
	p.check(err == nil, "learn.accept: %v", err)
	source4, err := netip.ParseAddr(l.Source4)
	p.check(l.Source4 == "" || err == nil && source4.Is4(), "learn.source4: %q is not an IPv4 address", l.Source4)
	source6, err := netip.ParseAddr(l.Source6)
	p.check(l.Source6 == "" || err == nil && source6.Is6() && source6.Zone() == "", "learn.source6: %q is not an IPv6 address", l.Source6)
	p.check(l.Metric > 0, "learn.metric: use 1 or more: the kernel has no IPv6 route with metric 0")
	p.check(l.Max > 0, "learn.max: %d: use 1 or more; an empty learn.accept learns nothing", l.Max)
}

func (l *LearnConfig) accept() ([]observe.PrefixRange, error) { return prefixRanges(l.Accept) }

func (c *Config) originate() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range c.Originate {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("%q is not a prefix", text)
		}
		out = append(out, p)
	}
	return out, nil
}

func (c *Config) fabricConfig(opts expose.Options) fabric.Config {
	f := fabric.Config{Metric: c.Learn.Metric, Max: c.Learn.Max, Loopback: c.AdvertiseLoopback, Expose: opts}
	f.Accept, _ = c.Learn.accept() // validated
	f.Originate, _ = c.originate() // validated
	f.Source4, _ = netip.ParseAddr(c.Learn.Source4)
	f.Source6, _ = netip.ParseAddr(c.Learn.Source6)
	return f
}

// followsEVPN reports whether a neighbour is asked for EVPN paths.
func (c *Config) followsEVPN() bool {
	return slices.ContainsFunc(c.BGP.Peers, func(p PeerConfig) bool {
		return slices.Contains(p.Families, object.L2VPNEVPN.String())
	})
}

// openLearned follows what neighbours announce; of that nothing, if nothing is
// accepted, because a reload can change that. Sessions have as long to come up as
// after a graceful restart.
func (a *app) openLearned() error {
	if a.join == nil || a.speaker == nil {
		return nil
	}
	accept, _ := a.cfg.Learn.accept() // validated
	settle := time.Duration(a.cfg.BGP.GracefulRestart.DeferralTime) * time.Second
	if len(a.cfg.BGP.Peers) == 0 {
		settle = 0 // there is nobody to wait for
	}
	conf := rib.Config{Speaker: a.speaker, Accept: accept, EVPN: a.cfg.followsEVPN(), Settle: settle, Logger: a.log}
	if conf.EVPN {
		routes, err := host.OpenRoutes("", a.log)
		if err != nil {
			return fmt.Errorf("follow the routes to VTEPs: %w", err)
		}
		a.onClose(routes.Close)
		conf.Resolver = routes
	}
	source, err := rib.Open(conf)
	if err != nil {
		return fmt.Errorf("follow what neighbours announce: %w", err)
	}
	a.onClose(source.Close)
	a.learned, a.join.Learned = source, source
	return nil
}
