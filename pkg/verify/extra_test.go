package verify

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// self is the node of the other tests, with two ends of sessions.
var self = Self{
	AS: node.AS, RouterID: node.RouterID,
	Ends: []netip.Addr{hop, netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("fe80::5")},
}

// Only what can be nobody else's is held against the node: its own next hop and its own AS
// behind all others, its identifier within the AS, or the session that BMP names.
func TestSent(t *testing.T) {
	evpn := func(rd string) func(*Held) {
		return func(h *Held) {
			untouched(h)
			h.NLRI = object.EVPNPath{Type: object.EVPNPrefix, RD: rd, Prefix: prefix}.Key()
		}
	}
	from := func(addr, id string) func(*Held) {
		return func(h *Held) { h.From, h.FromID = netip.MustParseAddr(addr), netip.MustParseAddr(id) }
	}
	originator := func(id string) func(*Held) {
		return func(h *Held) { within(h); h.Originator = netip.MustParseAddr(id) }
	}
	by := func(hop string) func(*Held) {
		return func(h *Held) { untouched(h); h.NextHop = netip.MustParseAddr(hop) }
	}
	for name, tt := range map[string]struct {
		change func(*Held)
		want   bool
	}{
		"at a route server":               {untouched, true},
		"passed on by one":                {func(h *Held) { untouched(h); h.ASPath = []uint32{65100, 64999} }, true},
		"prepended":                       {func(h *Held) { untouched(h); h.ASPath = []uint32{64999, 64999} }, true},
		"of IPv6":                         {by("2001:db8::5"), true},
		"with a next hop of the way":      {nil, false},
		"with another node's next hop":    {by("192.0.2.7"), false},
		"somebody's route by way of us":   {func(h *Held) { untouched(h); h.ASPath = []uint32{65000} }, false},
		"with a link-local next hop":      {by("fe80::5"), false},
		"within our AS, reflected":        {originator("192.0.2.5"), true},
		"within our AS, another's":        {originator("192.0.2.7"), false},
		"within our AS, a static route":   {within, false},
		"in our tenant":                   {evpn("192.0.2.5:7"), true},
		"in a tenant of somebody else":    {evpn("192.0.2.7:7"), false},
		"in a tenant that many have":      {evpn("65000:7"), false},
		"from our session":                {from("192.0.2.5", "192.0.2.5"), true},
		"from our unnumbered session":     {from("fe80::5", "192.0.2.5"), true},
		"from our address, another's id":  {from("192.0.2.5", "192.0.2.7"), false},
		"from another address, as if our": {from("192.0.2.6", "192.0.2.5"), false},
	} {
		h := held(tt.change)
		if got := self.Sent(h); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		r, extra := self.Extra(View{Point: spine, Exact: []Held{held(nil), h}}, 0)
		if extra != tt.want || extra && (r.State != Extra || r.NextHop != h.NextHop.String()) {
			t.Errorf("%s: %v %+v", name, extra, r)
		}
		if (Self{}).Sent(h) {
			t.Errorf("%s: of a node that cannot tell", name)
		}
	}
}

// What is extra says who has it from whom, and what may be the cause; a point that cannot
// tell says nothing.
func TestExtra(t *testing.T) {
	h := held(func(h *Held) { untouched(h); h.From, h.FromID = hop, node.RouterID })
	r, ok := self.Extra(View{Point: spine, Exact: []Held{h}}, 2)
	want := "192.0.2.250 holds it from this node, which does not send it: next hop 192.0.2.5, from neighbour 192.0.2.5; " +
		"sessions that are not up: 2, whose routers may keep it by graceful restart"
	if !ok || r.Text != want || r.Point != spine.Name || r.ASPath != "64999" || r.Changes == nil {
		t.Errorf("%v %+v", ok, r)
	}
	if r, _ = self.Extra(View{Point: spine, Exact: []Held{h}}, 0); strings.Contains(r.Text, "graceful") {
		t.Error(r.Text)
	}
	blind := spine
	blind.Blind = "not up"
	if _, ok := self.Extra(View{Point: blind, Exact: []Held{h}}, 0); ok {
		t.Error("a point that cannot tell")
	}
	if !Extra.Worse(Changed) || !Missing.Worse(Extra) || Extra.Lost() {
		t.Error("the order of states")
	}
}
