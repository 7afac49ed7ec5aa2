package sb

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// TestUnreadableWordsCostTheirLength: what a row of unreadable words costs grows with
// its length and not with the square of it, and what is reported of it is bounded.
func TestUnreadableWordsCostTheirLength(t *testing.T) {
	words := func(n int) string { return "fa:16:3e:15:9e:f0" + strings.Repeat(" x", n) }
	for name, row := range map[string]func(text string) *observe.PortBinding{
		"one mac": func(text string) *observe.PortBinding { return &observe.PortBinding{RawMAC: []string{text}} },
		"many mac": func(text string) *observe.PortBinding {
			return &observe.PortBinding{RawMAC: strings.SplitAfter(text, " ")}
		},
		"nat_addresses": func(text string) *observe.PortBinding { return &observe.PortBinding{RawNAT: []string{text}} },
		"guard": func(text string) *observe.PortBinding {
			return &observe.PortBinding{RawNAT: []string{text + " is_chassis_resident" + text}}
		},
		"one word": func(text string) *observe.PortBinding {
			return &observe.PortBinding{RawMAC: []string{strings.ReplaceAll(text, " ", "")}}
		},
	} {
		cost := func(n int) uint64 {
			p := row(words(n))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parseAddresses(p)
			runtime.ReadMemStats(&after)
			size := 0
			for _, text := range p.Problems {
				size += len(text)
			}
			if len(p.Problems) == 0 || len(p.Problems) > mostProblems+1 || size > 4096 {
				t.Errorf("%s: %d problems of %d bytes", name, len(p.Problems), size)
			}
			return after.TotalAlloc - before.TotalAlloc
		}
		once, twice := cost(20_000), cost(40_000)
		if twice > 3*once+1<<16 || twice > 400*2*40_000 {
			t.Errorf("%s: %d bytes for n words, %d for 2n", name, once, twice)
		}
	}
}

// TestExcerptsAreText: a character is not cut in two.
func TestExcerptsAreText(t *testing.T) {
	p := &observe.PortBinding{}
	problem(p, "mac", strings.Repeat("ä", 200), errors.New(strings.Repeat("é", 200)))
	if got := p.Problems[0]; got != strings.ToValidUTF8(got, "?") || !strings.Contains(got, `...": é`) {
		t.Errorf("got %s", got)
	}
}
