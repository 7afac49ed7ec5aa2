package native_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/internal/golden/derived"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

var scenarios = golden.Suite{
	Given: []string{"snapshot", "config", "node", "explain"}, Want: []string{"want", "skipped", "explained"},
}

// TestScenarios runs every story in testdata, as those of the other drivers are run.
func TestScenarios(t *testing.T) {
	scenarios.Run(t, func(t *testing.T, c *golden.Case) {
		cfg := config(t, c.File)
		world, err := story.Parse(c.Section("snapshot"))
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range c.Fields("node") {
			snap, err := world.Snapshot(node)
			if err != nil {
				t.Fatal(err)
			}
			res := desired.Compute(snap, nil, native.New(cfg))
			c.Want("want "+node, derived.Objects(t, res.Want, derived.All, source))
			c.WantSome("skipped "+node, derived.Skips(res.Skipped))
			if c.Has("explain") {
				c.Want("explained "+node, explained(t, native.New(cfg), snap, c.Fields("explain")))
			}
		}
	})
}

// explained prints the accounts of addresses.
func explained(t *testing.T, d *native.Driver, snap observe.Snapshot, addrs []string) string {
	t.Helper()
	var b strings.Builder
	for _, text := range addrs {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range d.Explain(snap, addr) {
			fmt.Fprintf(&b, "%s  %s\n", addr, a.What)
			for _, s := range a.Steps {
				state := "ok"
				if !s.OK {
					state = "BLOCKED " + s.Code
				}
				fmt.Fprintf(&b, "  %-10s %s  %s\n", s.Stage, s.Text, state)
			}
			if len(a.Chassis) > 0 {
				fmt.Fprintf(&b, "  announced by: %s\n", strings.Join(a.Chassis, ", "))
			}
			if a.Try != "" {
				fmt.Fprintf(&b, "  try: %s\n", a.Try)
			}
			if _, blocked := a.Blocked(); !blocked {
				fmt.Fprintf(&b, "  leads to %s\n", a.Object.Text())
			}
		}
	}
	return b.String()
}

// source leaves out rows without a name, of which the prefix says enough.
func source(s object.Source) string {
	if s.Table == observe.TableAdvertisedRoute || s.Table == observe.TableAdvertisedMAC {
		return s.Rule + " row"
	}
	return derived.RuleAndRow(s)
}

// config reads options under their names in the configuration file.
func config(t *testing.T, f *golden.File) native.Config {
	t.Helper()
	cfg := defaults()
	f.Options(t, "config", func(key, value string) (err error) {
		switch key {
		case "nexthop":
			cfg.NextHop = native.NextHopMode(value)
		case "export_metric":
			cfg.Export = native.Metric(value)
		case "subnets":
			cfg.Subnets = value == "true"
		case "require_kernel":
			cfg.RequireKernel = value == "true"
		case "learn_map":
			dev, router, _ := strings.Cut(value, "=")
			cfg.LearnMap = map[string]string{dev: router}
		case "learn_accept":
			var r observe.PrefixRange
			r, err = observe.ParsePrefixRange(value)
			cfg.LearnAccept = []observe.PrefixRange{r}
		case "export_allow":
			var r observe.PrefixRange
			r, err = observe.ParsePrefixRange(value)
			cfg.Expose.Export.Allow = append(cfg.Expose.Export.Allow, r)
		case "peer":
			var a netip.Addr
			a, err = netip.ParseAddr(value)
			cfg.Peers = append(cfg.Peers, a)
		case "target":
			target := native.Target{MAC: object.MAC{2, 0, 0, 0, 0, 7}}
			_, err = fmt.Sscanf(value, "%s %d", &target.Router, &target.VNI)
			cfg.Targets = append(cfg.Targets, target)
		default:
			return errors.New("unknown option")
		}
		return err
	})
	return cfg
}
