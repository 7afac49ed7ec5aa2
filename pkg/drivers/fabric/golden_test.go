package fabric_test

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/internal/golden/derived"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

var scenarios = golden.Suite{Given: []string{"config", "host", "learned"}, Want: []string{"want", "skipped"}}

// TestScenarios runs testdata/*.txtar: config, host and learned are given, want
// and skipped are what the driver makes of them.
func TestScenarios(t *testing.T) {
	scenarios.Run(t, func(t *testing.T, c *golden.Case) {
		cfg, snap := given(t, c.File)
		res := desired.Compute(snap, nil, fabric.New(cfg))
		c.Want("want", derived.Objects(t, res.Want, derived.All, derived.RuleTableAndRow))
		c.WantSome("skipped", derived.Skips(res.Skipped))
	})
}

// given reads what a scenario starts from. Without a section learned it is not
// known what the peers announce, which is not the same as nothing.
func given(t *testing.T, f *golden.File) (fabric.Config, observe.Snapshot) {
	t.Helper()
	snap := observe.Snapshot{Host: host(t, f.Section("host"))}
	if f.Has("learned") {
		snap.Learned = learned(t, f.Section("learned"))
	}
	return config(t, f), snap
}

// config reads options under their names in the configuration file.
func config(t *testing.T, f *golden.File) fabric.Config {
	t.Helper()
	cfg := fabric.Config{Metric: 4098, Max: 100, Expose: expose.DefaultOptions()}
	f.Options(t, "config", func(key, value string) (err error) {
		switch key {
		case "accept":
			var r observe.PrefixRange
			r, err = observe.ParsePrefixRange(value)
			cfg.Accept = append(cfg.Accept, r)
		case "peer":
			var a netip.Addr
			a, err = netip.ParseAddr(value)
			cfg.Peers = append(cfg.Peers, a)
		case "source4":
			cfg.Source4, err = netip.ParseAddr(value)
		case "source6":
			cfg.Source6, err = netip.ParseAddr(value)
		case "max":
			cfg.Max, err = strconv.Atoi(value)
		case "advertise_loopback":
			cfg.Loopback = value == "true"
		case "export_deny":
			var r observe.PrefixRange
			r, err = observe.ParsePrefixRange(value)
			cfg.Expose.Export.Deny = append(cfg.Expose.Export.Deny, r)
		case "med":
			class, med, _ := strings.Cut(value, " ")
			var n uint64
			n, err = strconv.ParseUint(med, 10, 32)
			if cfg.Expose.Attributes == nil {
				cfg.Expose.Attributes = map[expose.Class]expose.Attributes{}
			}
			cfg.Expose.Attributes[expose.Class(class)] = expose.Attributes{MED: object.MetricOf(uint32(n))}
		case "originate":
			cfg.Originate = append(cfg.Originate, netip.MustParsePrefix(value))
		default:
			return errors.New("unknown option")
		}
		return err
	})
	return cfg
}

// host reads lines "DEV up|down|no-carrier ADDRESS/LENGTH ..." and
// "gateway PREFIX via ADDRESS dev DEV".
func host(t *testing.T, text string) *observe.Host {
	h := &observe.Host{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if words[0] == "gateway" {
			h.Gateways = append(h.Gateways, observe.Gateway{
				Dst: netip.MustParsePrefix(words[1]), Via: netip.MustParseAddr(words[3]), Dev: words[5],
			})
			continue
		}
		h.Links = append(h.Links, observe.Link{
			Name: words[0], Index: len(h.Links) + 1, Up: words[1] != "down",
			NoCarrier: words[1] == "no-carrier",
		})
		for _, w := range words[2:] {
			p, err := netip.ParsePrefix(w)
			if err != nil {
				t.Fatal(err)
			}
			h.Addresses = append(h.Addresses, observe.DeviceAddress{Dev: words[0], Addr: p.Addr(), Net: p.Masked()})
		}
	}
	return h
}

// learned reads lines "PREFIX via HOP[,LINKLOCAL] peer PEER" and "unsettled WHY".
func learned(t *testing.T, text string) *observe.Learned {
	l := &observe.Learned{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if words[0] == "unsettled" {
			l.Unsettled = strings.Join(words[1:], " ")
			continue
		}
		p := observe.LearnedPath{Prefix: netip.MustParsePrefix(words[0]), Peer: words[4]}
		first, second, two := strings.Cut(words[2], ",")
		p.NextHop = netip.MustParseAddr(first)
		if two {
			p.LinkLocal = netip.MustParseAddr(second)
		}
		l.Paths = append(l.Paths, p)
	}
	return l
}
