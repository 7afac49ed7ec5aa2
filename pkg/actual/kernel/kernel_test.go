package kernel

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kinds are objects of each kind that the kernel holds, as lines.
var kinds = []struct {
	name          string
	before, after string
	other         string // another object of the kind
}{
	{
		"route", "route 10.0.0.5/32 table 201 metric 0  dev d0",
		"route 10.0.0.5/32 table 201 metric 0  dev d1 via 192.0.2.9", "route 10.0.0.6/32 table 201 metric 0  dev d0",
	},
	{
		"route with metric", "route 10.0.0.0/8 table 201 metric 5  dev d0", "route 10.0.0.0/8 table 201 metric 5  dev d1",
		"route 10.0.0.0/8 table 201 metric 6  dev d0",
	},
	{
		"default route", "route 0.0.0.0/0 table 201 metric 0  dev d0", "route 0.0.0.0/0 table 201 metric 0  dev d1",
		"route 10.0.0.0/8 table 201 metric 6  dev d0",
	},
	{
		"high table", "route 10.0.0.5/32 table 100000 metric 0  dev d0", "route 10.0.0.5/32 table 100000 metric 0  dev d1",
		"route 10.0.0.5/32 table 100001 metric 0  dev d0",
	},
	{
		"IPv6 next hop", "route 10.0.0.5/32 table 201 metric 0  dev d0 via fe80::1",
		"route 10.0.0.5/32 table 201 metric 0  dev d1 via fe80::2", "route 10.0.0.6/32 table 201 metric 0  dev d0",
	},
	{
		"route6", "route 2001:db8::5/128 table 201 metric 1024  dev d0",
		"route 2001:db8::5/128 table 201 metric 1024  dev d1", "route 2001:db8::6/128 table 201 metric 1024  dev d0",
	},
	{
		"route6 via", "route 2001:db8::5/128 table 201 metric 1024  dev d0",
		"route 2001:db8::5/128 table 201 metric 1024  dev d1 via fe80::1",
		"route 2001:db8::/64 table 201 metric 1024  dev d0 via fe80::2",
	},
	{
		"default route6", "route ::/0 table 201 metric 1024  dev d0 via fe80::2",
		"route ::/0 table 201 metric 1024  dev d0 via fe80::1",
		"route 2001:db8::/64 table 201 metric 1024  dev d0 via fe80::2",
	},
	{
		"multipath", "route 0.0.0.0/0 table 201 metric 20  nexthop 192.0.2.1 dev d0 nexthop 192.0.2.3 dev d1",
		"route 0.0.0.0/0 table 201 metric 20  nexthop 192.0.2.3 dev d0 nexthop 192.0.2.3 dev d1",
		"route 10.0.0.0/8 table 201 metric 20  dev d0 via 192.0.2.1",
	},
	{
		"multipath to one", "route 0.0.0.0/0 table 254 metric 20  nexthop 192.0.2.1 dev d0 nexthop 192.0.2.3 dev d1",
		"route 0.0.0.0/0 table 254 metric 20  dev d1 via 192.0.2.3",
		"route 0.0.0.0/0 table 254 metric 21  dev d0 via 192.0.2.1",
	},
	{
		"one to multipath", "route 0.0.0.0/0 table 254 metric 20  dev d1 via 192.0.2.3",
		"route 0.0.0.0/0 table 254 metric 20  nexthop 192.0.2.1 dev d0 nexthop 192.0.2.3 dev d1",
		"route 0.0.0.0/0 table 254 metric 21  dev d0 via 192.0.2.1",
	},
	{
		"multipath of both families",
		"route 0.0.0.0/0 table 254 metric 20  nexthop 192.0.2.1 dev d0 nexthop fe80::1 dev d1",
		"route 0.0.0.0/0 table 254 metric 20  nexthop fe80::1 dev d0 nexthop fe80::1 dev d1",
		"route 10.0.0.0/8 table 254 metric 20  nexthop fe80::2 dev d0 nexthop fe80::1 dev d1",
	},
	{
		"multipath6", "route ::/0 table 254 metric 20  nexthop fe80::3 dev d0 nexthop fe80::1 dev d1",
		"route ::/0 table 254 metric 20  nexthop fe80::1 dev d0 nexthop fe80::1 dev d1 nexthop fe80::2 dev d1",
		"route 2001:db8::/64 table 254 metric 20  nexthop fe80::1 dev d0 nexthop fe80::2 dev d1",
	},
	{
		"multipath6 to one", "route ::/0 table 254 metric 20  nexthop fe80::1 dev d0 nexthop fe80::1 dev d1",
		"route ::/0 table 254 metric 20  dev d0 via fe80::1",
		"route 2001:db8::/64 table 254 metric 20  nexthop fe80::1 dev d0 nexthop fe80::2 dev d1",
	},
	{
		"one to multipath6", "route ::/0 table 254 metric 20  dev d0 via fe80::1",
		"route ::/0 table 254 metric 20  nexthop fe80::1 dev d0 nexthop fe80::1 dev d1",
		"route 2001:db8::/64 table 254 metric 20  nexthop fe80::1 dev d0 nexthop fe80::2 dev d1",
	},
	{"rule", "rule inet priority 32000 lookup 201", "", "rule inet priority 32000 lookup 202"},
	{
		"rule beside that of an earlier version", "rule inet priority 32000 lookup 201 suppress_prefixlength 0", "",
		"rule inet priority 32000 lookup 202",
	},
	{
		"high rule", "rule inet priority 32000 lookup 100000 suppress_prefixlength 0", "",
		"rule inet priority 31999 lookup 100000 suppress_prefixlength 0",
	},
	{"rule6", "rule inet6 priority 32000 lookup 201", "", "rule inet6 priority 32000 lookup 100000"},
	{"address", "address 169.254.1.1/32 dev d0", "", "address 169.254.1.1/32 dev d1"},
	{"address6", "address fd53:d91e:400:7f17::1:1/128 dev d0", "", "address fd53:d91e:400:7f17::1:2/128 dev d0"},
	{
		"neigh", "neigh 172.24.4.146 dev d0  lladdr fa:16:3e:74:e6:3b",
		"neigh 172.24.4.146 dev d0  lladdr fa:16:3e:74:e6:3c", "neigh 172.24.4.147 dev d0  lladdr fa:16:3e:74:e6:3b",
	},
	{
		"neigh6", "neigh 2001:db8::146 dev d0  lladdr fa:16:3e:74:e6:3b",
		"neigh 2001:db8::146 dev d0  lladdr fa:16:3e:74:e6:3c", "neigh 2001:db8::147 dev d0  lladdr fa:16:3e:74:e6:3b",
	},
	{"proxy", "proxy 172.24.4.1 dev d0", "", "proxy 172.24.4.2 dev d0"},
	{"proxy6", "proxy 2001:db8:: dev d0", "", "proxy 2001:db8::1 dev d0"},
}

// What is made is read back, also after it was changed, and is gone once removed,
// whatever was done twice.
func TestKinds(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			v, other := parse(t, tt.before), parse(t, tt.other)
			focus := wanting(t, v, other)
			check := func(want ...object.Value) {
				t.Helper()
				for _, f := range []actual.Focus{focus, complete(focus)} {
					set := l.read(f)
					for _, v := range []object.Value{v, other} {
						it, ok := set.Get(v.Key())
						expected := false
						for _, w := range want {
							if w.Key() != v.Key() {
								continue
							}
							expected = true
							if !ok || it.Value != w || !it.Marked {
								t.Errorf("complete %v: got %v marked %v, want %v", f.Complete, it.Value, it.Marked, w)
							}
						}
						if ok && !expected {
							t.Errorf("complete %v: %s should be gone", f.Complete, object.Text(it.Value))
						}
					}
				}
			}
			check()
			l.must(create(v), create(other))
			check(v, other)
			l.must(create(v)) // again
			check(v, other)
			if tt.after != "" {
				after := parse(t, tt.after)
				l.must(update(v, after))
				check(after, other)
				v = after
			}
			l.quiet()
			l.must(remove(v))
			check(other)
			l.must(remove(v)) // again
			l.must(remove(other))
			check()
			l.quiet()
		})
	}
}
