package expose

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The order of precedence and the ranks say the same.
func TestRanksFollowTheOrder(t *testing.T) {
	last := uint8(255)
	for _, c := range append(Classes(), "a class of a driver's own") {
		if c.rank() >= last {
			t.Errorf("%s has rank %d, want less than the %d before it", c, c.rank(), last)
		}
		if last = c.rank(); last != 1 && classOf(last) != c {
			t.Errorf("rank %d is %s, want %s", last, classOf(last), c)
		}
	}
}

func TestFilter(t *testing.T) {
	ranges := func(list ...string) (out []observe.PrefixRange) {
		for _, text := range list {
			r, err := observe.ParsePrefixRange(text)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	for name, tt := range map[string]struct {
		filter Filter
		prefix string
		asked  bool
		why    string // what keeps it back
	}{
		"host":                  {Filter{}, "192.0.2.1/32", false, ""},
		"IPv6 host":             {Filter{}, "2001:db8::1/128", false, ""},
		"subnet":                {Filter{}, "10.0.0.0/26", false, "only host prefixes"},
		"subnet, method subnet": {Filter{Subnets: true}, "10.0.0.0/26", false, ""},
		"subnet asked for":      {Filter{}, "10.0.0.0/26", true, ""},
		"allowed":               {Filter{Allow: ranges("10.0.0.0/8 le 26")}, "10.0.0.0/26", false, ""},
		"longer than allowed": {
			Filter{Allow: ranges("10.0.0.0/8 le 26")},
			"10.0.0.0/27", false,
			"no range of bgp.export.allow",
		},
		"allowed exactly": {Filter{Allow: ranges("10.0.0.0/8")}, "10.0.0.0/8", false, ""},
		"host that is not allowed": {
			Filter{Allow: ranges("10.0.0.0/8 le 32")},
			"192.0.2.1/32", false,
			"no range of bgp.export.allow",
		},
		"other family": {
			Filter{Allow: ranges("0.0.0.0/0 le 32")},
			"2001:db8::1/128", false,
			"no range of bgp.export.allow",
		},
		"asked for, not allowed": {Filter{Allow: ranges("10.0.0.0/8 le 32")}, "192.0.2.1/32", true, ""},
		"denied": {
			Filter{Deny: ranges("192.0.2.0/24 le 32")},
			"192.0.2.1/32", false,
			"bgp.export.deny has 192.0.2.0/24 le 32",
		},
		"denied and allowed": {
			Filter{Allow: ranges("0.0.0.0/0 le 32"), Deny: ranges("192.0.2.1/32")},
			"192.0.2.1/32", false, "bgp.export.deny has 192.0.2.1/32",
		},
		"denied and asked for": {
			Filter{Deny: ranges("10.0.0.0/26")},
			"10.0.0.0/26", true,
			"bgp.export.deny has 10.0.0.0/26",
		},
		"subnet, method subnet denied": {
			Filter{Subnets: true, Deny: ranges("10.0.0.0/8 le 32")},
			"10.0.0.0/26", false,
			"bgp.export.deny",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := tt.filter.block(netip.MustParsePrefix(tt.prefix), tt.asked)
			switch {
			case tt.why == "" && b != nil:
				t.Errorf("kept back: %s", b.Text)
			case tt.why != "" && (b == nil || b.Code != object.BlockFiltered || !strings.Contains(b.Text, tt.why)):
				t.Errorf("got %+v, want %q", b, tt.why)
			}
		})
	}
}
