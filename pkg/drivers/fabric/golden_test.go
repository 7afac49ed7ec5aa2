package fabric_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

var update = flag.Bool("update", false, "rewrite the last sections of the scenarios")

// TestScenarios runs testdata/*.txtar: config, host and learned are given, want
// and skipped are what the driver makes of them.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { scenario(t, file) })
	}
}

func scenario(t *testing.T, file string) {
	have, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := &txtar.Archive{Comment: have.Comment}
	given := map[string]string{}
	for _, f := range have.Files {
		if f.Name != "want" && f.Name != "skipped" {
			got.Files = append(got.Files, f)
			given[f.Name] = string(f.Data)
		}
	}
	snap := observe.Snapshot{Host: host(t, given["host"])}
	if text, ok := given["learned"]; ok {
		snap.Learned = learned(t, text)
	}
	res := desired.Compute(snap, nil, object.Set{}, fabric.New(config(t, given["config"])))
	got.Files = append(got.Files, txtar.File{Name: "want", Data: []byte(printSet(t, res.Want))})
	if text := printSkips(res.Skipped); text != "" {
		got.Files = append(got.Files, txtar.File{Name: "skipped", Data: []byte(text)})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(have)), string(txtar.Format(got))); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// config reads options under their names in the configuration file.
func config(t *testing.T, text string) fabric.Config {
	cfg := fabric.Config{Metric: 4098, Max: 100, Expose: expose.DefaultOptions()}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		var err error
		switch key {
		case "accept":
			var r observe.PrefixRange
			r, err = observe.ParsePrefixRange(value)
			cfg.Accept = append(cfg.Accept, r)
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
			t.Fatalf("unknown option %q", line)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

// host reads lines "DEV up|down|no-carrier ADDRESS/LENGTH ...".
func host(t *testing.T, text string) *observe.Host {
	h := &observe.Host{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		h.Links = append(h.Links, observe.Link{Name: words[0], Index: len(h.Links) + 1, Up: words[1] != "down", NoCarrier: words[1] == "no-carrier"})
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

// printSet prints one line an object and why it is there. Each line must read
// back as the same object.
func printSet(t *testing.T, s object.Set) string {
	var b strings.Builder
	for _, it := range s.Sorted() {
		line := object.Text(it.Value)
		if back, err := object.Parse(line); err != nil || back != it.Value {
			t.Errorf("%s reads back as %v, %v", line, back, err)
		}
		if it.Block != nil {
			line = "! " + line + "  (" + it.Block.Code + ")"
		}
		var why []string
		for _, src := range it.Why {
			why = append(why, src.Rule+" "+src.RowRef())
		}
		fmt.Fprintf(&b, "%s  # %s\n", line, strings.Join(why, ", "))
	}
	return b.String()
}

func printSkips(skips []observe.Skip) string {
	var b strings.Builder
	for _, s := range skips {
		hold := ""
		if s.Hold {
			hold = "  (hold)"
		}
		fmt.Fprintf(&b, "%s%s\n", s, hold)
	}
	return b.String()
}
