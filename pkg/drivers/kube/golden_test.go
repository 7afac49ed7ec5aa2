package kube_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/internal/golden/derived"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// workerA is the chassis of node worker-a in the scene kube.
const workerA = "6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11"

var scenarios = golden.Suite{
	Dir:   "testdata/stories",
	Given: []string{"config", "ask", "snapshot", "then"},
	Want:  []string{"want", "skipped", "why"},
}

// TestScenarios runs the scenarios of the specification on node worker-a. A file has the
// sections
//
//	config    options, one "key: value" a line; absent: the defaults
//	ask       addresses that are explained after every step, besides those of services
//	snapshot  what the world looks like (package story, scene kube)
//	then      what changes, in any number of steps
//
// and after snapshot and each step "want", the desired set, "skipped" if there is
// something to report, and "why", what keeps the addresses back that services have.
func TestScenarios(t *testing.T) {
	scenarios.Run(t, func(t *testing.T, c *golden.Case) {
		driver := kube.New(config(t, c.File))
		ask := c.Fields("ask")
		world := story.New()
		c.Each(func(name, text string) {
			if word, _, _ := strings.Cut(name, " "); word != "snapshot" && word != "then" {
				return
			}
			if err := world.Tell(text); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			snap := view(t, world, workerA)
			res := desired.Compute(snap, nil, driver)
			c.Want("want", derived.Objects(t, res.Want, derived.All, derived.RuleAndRow))
			c.WantSome("skipped", derived.Skips(res.Skipped))
			c.WantSome("why", whyNot(driver, snap, ask))
		})
	})
}

func view(t testing.TB, world *story.Story, chassis string) observe.Snapshot {
	t.Helper()
	snap, err := world.Snapshot(chassis)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// whyNot is the first link that fails of each address that a service has, and of those that
// are asked for.
func whyNot(d *kube.Driver, snap observe.Snapshot, ask []string) string {
	var b strings.Builder
	say := func(what string, a reason.Account, blockedOnly bool) {
		step, blocked := a.Blocked()
		switch {
		case blocked:
			fmt.Fprintf(&b, "%s: %s: %s: %s\n", what, step.Stage, step.Code, step.Text)
		case !blockedOnly:
			last := a.Steps[len(a.Steps)-1]
			fmt.Fprintf(&b, "%s: %s: %s\n", what, last.Stage, last.Text)
		}
	}
	for _, s := range snap.Kube.Services {
		accounts := d.ExplainService(snap, s.Namespace, s.Name)
		for _, addr := range slices.SortedFunc(maps.Keys(accounts), netip.Addr.Compare) {
			what := s.Text()
			if addr.IsValid() {
				what += " " + addr.String()
			}
			say(what, accounts[addr], true)
		}
	}
	for _, text := range ask {
		for _, a := range d.Explain(snap, netip.MustParseAddr(text)) {
			say(text+", "+a.What, a, false)
		}
	}
	return b.String()
}

// config reads options under their names in the configuration file. A policy is a line of
// words: "namespace N", "selector S", "aggregate4 N", "aggregate6 N", then attributes as in
// the text of a path; a class is its name, then attributes.
func config(t testing.TB, f *golden.File) kube.Config {
	t.Helper()
	cfg := kube.Config{Expose: expose.DefaultOptions()}
	f.Options(t, "config", func(key, value string) error {
		switch key {
		case "advertise":
			for _, w := range strings.Fields(value) {
				cfg.Advertise = append(cfg.Advertise, kube.Kind(w))
			}
		case "load_balancer_class":
			for _, w := range strings.Fields(value) {
				cfg.Classes = append(cfg.Classes, strings.Trim(w, `"`))
			}
		case "on_cordon":
			cfg.KeepCordoned = value == "keep"
		case "node_name":
			cfg.NodeName = value
		case "policy":
			p, err := policy(strings.Fields(value))
			cfg.Policies = append(cfg.Policies, p)
			return err
		case "class":
			name, text, _ := strings.Cut(value, " ")
			a, err := attributes(text)
			if cfg.Expose.Attributes == nil {
				cfg.Expose.Attributes = map[expose.Class]expose.Attributes{}
			}
			cfg.Expose.Attributes[expose.Class(name)] = a
			return err
		case "export_allow", "export_deny":
			r, err := observe.ParsePrefixRange(value)
			if key == "export_deny" {
				cfg.Expose.Export.Deny = append(cfg.Expose.Export.Deny, r)
			} else {
				cfg.Expose.Export.Allow = append(cfg.Expose.Export.Allow, r)
			}
			return err
		default:
			return errors.New("unknown option")
		}
		return nil
	})
	return cfg
}

func policy(words []string) (p kube.Policy, err error) {
	for ; len(words) >= 2 && err == nil; words = words[2:] {
		switch value := words[1]; words[0] {
		case "namespace":
			p.Namespaces = append(p.Namespaces, value)
		case "selector":
			p.Selector, err = kube.ParseSelector(value)
		case "aggregate4":
			p.Aggregate4, err = strconv.Atoi(value)
		case "aggregate6":
			p.Aggregate6, err = strconv.Atoi(value)
		default:
			p.Attributes, err = attributes(strings.Join(words, " "))
			return p, err
		}
	}
	return p, err
}

// attributes are those at the end of the text of a path.
func attributes(text string) (expose.Attributes, error) {
	v, err := object.Parse("path ipv4-unicast 192.0.2.1/32 next-hop self origin incomplete " + text)
	path, _ := v.(object.Path)
	return expose.Attributes{
		Communities: path.Communities, LargeCommunities: path.LargeCommunities, MED: path.MED, LocalPref: path.LocalPref,
	}, err
}
