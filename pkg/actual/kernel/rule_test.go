package kernel

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestForeignDefaultRoute: a default route that somebody puts into a bridge's table,
// as ovn-bgp-agent does, does not take along what the node itself sends. What the
// table has a route of ours for goes where that leads.
func TestForeignDefaultRoute(t *testing.T) {
	l := newLab(t)
	for _, command := range []string{
		"addr add 192.0.2.1/24 dev d0", "route add default via 192.0.2.254 dev d0",
		"addr add 2001:db8:a::1/64 dev d0 nodad", "-6 route add default via 2001:db8:a::2 dev d0",
		"route add default dev d1 table 201", "-6 route add default dev d1 table 201",
	} {
		l.ip(command)
	}
	wanted := []object.Value{
		parse(t, "route 172.24.4.92/32 table 201 metric 0  dev d1"),
		parse(t, "route 2001:db8::92/128 table 201 metric 1024  dev d1"),
		object.NewRule(32000, 201, false), object.NewRule(32000, 201, true),
	}
	for _, v := range wanted {
		l.must(create(v))
	}
	for to, dev := range map[string]string{
		"172.24.4.92": "d1", "2001:db8::92": "d1", "198.51.100.1": "d0", "2001:db8:ffff::1": "d0",
	} {
		if out := l.ip("route get " + to); !strings.Contains(out, " dev "+dev+" ") {
			t.Errorf("%s is sent elsewhere than to %s: %s", to, dev, out)
		}
	}
	// What the default route would do without: the test can fail.
	l.must(create(object.Rule{Priority: 32000, Table: 201}))
	if out := l.ip("route get 198.51.100.1"); !strings.Contains(out, " dev d1 ") {
		t.Errorf("a rule that suppresses nothing leads to %s", out)
	}
}

// TestRuleOfEarlierVersions: a rule that suppresses nothing is recognised as ours, its
// successor can be added beside it, and deleting it leaves the successor, at the
// latest in the round after: at no moment is there none.
func TestRuleOfEarlierVersions(t *testing.T) {
	old, now := object.Rule{Priority: 32000, Table: 201}, object.NewRule(32000, 201, false)
	for name, first := range map[string]object.Rule{"upgrade": old, "downgrade in between": now} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.must(create(first))
			l.ip("rule add priority 32000 lookup 201 suppress_prefixlength 1 protocol 99") // another owner's
			focus := wanting(t, now)
			for round := 0; ; round++ {
				have := l.read(complete(focus))
				kept := text(l.read(focus))
				if fresh := text(have); kept != fresh {
					t.Errorf("the mirror has:\n%s\nthe kernel has:\n%s", kept, fresh)
				}
				out := l.ip("rule show priority 32000")
				if !strings.Contains(out, "proto 98") {
					t.Fatalf("there is none:\n%s", out)
				}
				it, made := have.Get(now.Key())
				made = made && it.Marked
				switch {
				case round == 0 && first == now:
					l.must(create(old)) // the earlier version does not know the form of now
				case !made:
					l.must(create(now))
				case have.Has(old.Key()):
					l.must(remove(old))
				default:
					if strings.Count(out, "proto 98") != 1 || strings.Count(out, "suppress_prefixlength 1") != 1 {
						t.Errorf("in the end there is\n%s", out)
					}
					return
				}
				if round > 5 {
					t.Fatalf("it does not end:\n%s", out)
				}
			}
		})
	}
}
