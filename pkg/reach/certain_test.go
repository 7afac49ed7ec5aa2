package reach_test

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// certain are the faults of the table that prove that no packet gets through.
var certain = map[string]bool{
	"forwarding off at the uplink": true, "forwarding off": true, "forwarding off at the bridge": true,
	"foreign rule":  true,
	"refusing rule": true, "blackhole": true, "foreign route": true, "no route": true, "bridge down": true,
	"flow drops on the provider bridge": true, "not plugged": true, "no rule": true,
}

// TestCertain: only a fault of the node itself that stops every packet is proof, and none is
// where something could not be read.
func TestCertain(t *testing.T) {
	for _, s := range spoils {
		for _, ipv6 := range s.families() {
			f := wellFacts(ipv6)
			s.spoil(&f)
			if got := reach.Certain(f, reach.Judge(f)); got != certain[s.name] {
				t.Errorf("%s, IPv6 %v: certain %v", s.name, ipv6, got)
			}
			f.Incomplete = true
			if reach.Certain(f, reach.Judge(f)) {
				t.Errorf("%s, IPv6 %v: certain although something could not be read", s.name, ipv6)
			}
		}
	}
}

// second gives a node a second uplink by which packets come in, of which all goes well.
func second(f *reach.Facts) {
	f.Uplinks = append(f.Uplinks, reach.Device{Name: "fabric1", Up: true, Carrier: true, MTU: 1500, Forwarding: true})
	own := netip.PrefixFrom(f.Addr, f.Addr.BitLen())
	for _, l := range f.In {
		l.From, l.Refused = "fabric1", ""
		l.Route = reach.Route{Type: "unicast", Dst: own, Table: 201, Protocol: 98, Hops: []reach.Hop{{Dev: "br-ex"}}}
		f.In = append(f.In, l)
	}
}

// TestCertainOnlyForAll: what stops packets of one uplink, of one source or by one table is
// a fault and no proof.
func TestCertainOnlyForAll(t *testing.T) {
	for name, spoil := range map[string]func(*reach.Facts){
		"one uplink does not forward": func(f *reach.Facts) { f.Uplinks[0].Forwarding = false; second(f) },
		"a rule for one uplink":       func(f *reach.Facts) { foreignRule(f); second(f) },
		"a blackhole for one uplink":  func(f *reach.Facts) { blackhole(f); second(f) },
		"one source is refused":       func(f *reach.Facts) { well := f.In[1]; blackhole(f); f.In[1] = well },
		"another table leads there": func(f *reach.Facts) {
			foreignRule(f)
			for i := range f.In {
				f.In[i].Route.Hops = []reach.Hop{{Dev: "br-ex"}}
			}
		},
		"a flow for one source": func(f *reach.Facts) {
			f.Switch.In = reach.Trace{Asked: true, Dropped: true, Bridge: "br-ex", Last: "ip,nw_src=192.0.2.4, priority 9"}
		},
		"a refusal that is not known": func(f *reach.Facts) { refuse(f.In, "interrupted system call") },
	} {
		f := wellFacts(false)
		spoil(&f)
		if v := reach.Judge(f); reach.Certain(f, v) {
			t.Errorf("%s: certain of %+v", name, v.Stages)
		}
	}
}
