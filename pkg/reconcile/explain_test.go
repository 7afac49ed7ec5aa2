package reconcile

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestExplanations runs testdata/explain/*.txtar: each section "explain NODE
// ADDRESS" is what explain prints on that node, once it has settled in the
// world of the story. A section "then" has what happens before the question, as steps of stories do.
func TestExplanations(t *testing.T) {
	suite := golden.Suite{
		Dir: "testdata/explain", Given: []string{"snapshot", "config", "node", "then"}, Want: []string{"explain"},
	}
	suite.Run(t, func(t *testing.T, c *golden.Case) {
		s, nodes, _ := begin(t, c.File)
		byName := map[string]*node{}
		for _, n := range nodes {
			n.settle()
			byName[n.name] = n
		}
		happen(t, s, nodes, c.Section("then"))
		for _, name := range c.Named("explain") {
			words := strings.Fields(name)
			n, ok := byName[words[1]]
			if !ok {
				t.Fatalf("%s:%s: there is no node %s", c.Path, name, words[1])
			}
			c.Want(name, explain(t, n, netip.MustParseAddr(words[2])))
		}
	})
}

func explain(t *testing.T, n *node, addr netip.Addr) string {
	t.Helper()
	r, err := n.c.Plan(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	peers := []PeerStatus{{Address: "192.0.2.1", Up: true, Text: "192.0.2.1 AS 65000 Established"}}
	return n.c.Explain(r, addr, peers, true).String()
}

// fixed is an Observer of a world that does not change.
type fixed observe.Snapshot

func (f fixed) Snapshot(context.Context) (observe.Snapshot, error) { return observe.Snapshot(f), nil }

func (f fixed) Changed() []<-chan struct{} { return nil }

// A learned route is how this node reaches an address, not that it announces
// it; a learned default route is told of only when nothing else is known.
func TestExplainLearned(t *testing.T) {
	sb := &observe.Southbound{Chassis: []*observe.Chassis{{UUID: story.UUID("leaf-1"), Name: "leaf-1"}}}
	snap := observe.Snapshot{
		Chassis: "leaf-1", SB: sb, OVS: &observe.OpenVSwitch{},
		Host: &observe.Host{
			Links: []observe.Link{{Name: "eth0", Index: 2, Up: true}},
			Addresses: []observe.DeviceAddress{
				{Dev: "eth0", Addr: addr("192.0.2.0"), Net: prefix("192.0.2.0/31")},
				{Dev: "lo", Addr: addr("198.51.100.7"), Net: prefix("198.51.100.7/32")},
			},
		},
		Learned: &observe.Learned{Paths: []observe.LearnedPath{
			{Prefix: prefix("0.0.0.0/0"), NextHop: addr("192.0.2.1"), Peer: "192.0.2.1"},
			{Prefix: prefix("203.0.113.0/24"), NextHop: addr("192.0.2.1"), Peer: "192.0.2.1"},
			{Prefix: prefix("203.0.113.128/25"), NextHop: addr("10.9.9.9"), Peer: "192.0.2.1"},
		}},
	}
	drv := fabric.New(fabric.Config{
		Accept: []observe.PrefixRange{{Prefix: prefix("0.0.0.0/0"), Longest: 32}}, Metric: 4098, Max: 10,
		Loopback: true, Originate: []netip.Prefix{prefix("10.64.0.0/16")},
	})
	s, err := story.Parse("device eth0 mac 3a:f7:e9:54:e8:01")
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "leaf-1", s, defaults(), func(c *Config) {
		c.Drivers, c.Observer = []desired.Driver{drv}, fixed(snap)
	})
	n.settle()
	for _, tt := range []struct{ addr, want string }{
		{"8.8.8.8", `
8.8.8.8  address in 0.0.0.0/0, learned from 192.0.2.1  NOT ADVERTISED, LEARNED
  1 learned    0.0.0.0/0 is announced by 192.0.2.1 and accepted  ok
  2 steering   next hop 192.0.2.1 dev eth0  ok
  3 steering   route 0.0.0.0/0 table 254 metric 4098  dev eth0 via 192.0.2.1  ok
  first reason: no row of the Southbound database mentions 8.8.8.8 (no-row)
`},
		{"203.0.113.9", `
203.0.113.9  address in 203.0.113.0/24, learned from 192.0.2.1  NOT ADVERTISED, LEARNED
  1 learned    203.0.113.0/24 is announced by 192.0.2.1 and accepted  ok
  2 steering   next hop 192.0.2.1 dev eth0  ok
  3 steering   route 203.0.113.0/24 table 254 metric 4098  dev eth0 via 192.0.2.1  ok
  first reason: no row of the Southbound database mentions 203.0.113.9 (no-row)
`},
		{"203.0.113.200", `
203.0.113.200  address in 203.0.113.128/25, learned from 192.0.2.1
  NOT ADVERTISED: peer 192.0.2.1: next hop 10.9.9.9 is not on a prefix that is connected to this node
  1 learned    203.0.113.128/25 is announced by 192.0.2.1 and accepted  ok
  2 steering   peer 192.0.2.1: next hop 10.9.9.9 is not on a prefix that is connected to this node  BLOCKED no-next-hop
  first reason: peer 192.0.2.1: next hop 10.9.9.9 is not on a prefix that is connected to this node (no-next-hop)
`},
		{"198.51.100.7", `
198.51.100.7  address of lo  ADVERTISED
  1 host       lo of this node has 198.51.100.7  ok
  2 policy     advertise_loopback is on  ok
  3 BGP        path ipv4-unicast 198.51.100.7/32  next-hop self origin igp  ok
  4 peers      192.0.2.1 AS 65000 Established  ok
`},
		{"10.64.3.4", `
10.64.3.4  address in originated prefix 10.64.0.0/16  ADVERTISED
  1 policy     the configuration originates 10.64.0.0/16  ok
  2 BGP        path ipv4-unicast 10.64.0.0/16  next-hop self origin igp  ok
  3 peers      192.0.2.1 AS 65000 Established  ok
`},
	} {
		t.Run(tt.addr, func(t *testing.T) {
			if diff := cmp.Diff(tt.want[1:], explain(t, n, addr(tt.addr))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A node that reads only the ports that concern it does not claim to know all rows.
func TestExplainWhereNotAllIsRead(t *testing.T) {
	e := Explanation{Address: addr("172.24.4.9")}
	e.conclude(Round{Snapshot: observe.Snapshot{SB: &observe.Southbound{Asked: &observe.Asked{}}}})
	if !strings.Contains(e.First, "ovn_sb_scope: local") || e.Code != reason.NoRow {
		t.Errorf("got %q, %q", e.First, e.Code)
	}
}

// The sessions that count are those that carry the path: a tenant's IPv6 address is announced
// by EVPN, and not by IPv6 unicast.
func TestSessionsOfPath(t *testing.T) {
	up := []PeerStatus{{Address: "192.0.2.1", Up: true, Text: "192.0.2.1 up"}}
	host := netip.MustParsePrefix("2001:db8::5/128")
	evpn := object.EVPNPath{Type: object.EVPNPrefix, RD: "192.0.2.9:1", Prefix: host}.Key()
	unicast := object.NewPath(host, object.OriginIncomplete).Key()
	for name, tt := range map[string]struct {
		sessions Sessions
		path     object.Key
		ok       bool
		text     string
	}{
		"EVPN by EVPN":        {Sessions{EVPN: up}, evpn, true, "192.0.2.1 up"},
		"EVPN without EVPN":   {Sessions{IPv4: up, IPv6: up}, evpn, false, "no peer has family l2vpn-evpn (bgp.peers"},
		"unicast by IPv6":     {Sessions{IPv6: up}, unicast, true, "192.0.2.1 up"},
		"unicast with EVPN":   {Sessions{EVPN: up}, unicast, false, "no peer has family ipv6-unicast (bgp.peers"},
		"no peer at all":      {Sessions{}, evpn, false, "no peer is configured (bgp.peers)"},
		"a peer that is down": {Sessions{EVPN: []PeerStatus{{Text: "down"}}}, evpn, false, "down"},
	} {
		if s := tt.sessions.step(tt.path); s.OK != tt.ok || !strings.HasPrefix(s.Text, tt.text) || s.OK != (s.Code == "") {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// A default route that a router of OVN advertises, and this node does not announce, is not why an address is not
// announced of which another row tells.
func TestExplainBesideDefault(t *testing.T) {
	step := func(code string) []reason.Step { return []reason.Step{{Stage: "OVN", OK: code == "", Code: code}} }
	over := object.NewPath(prefix("0.0.0.0/0"), object.OriginIncomplete).Key()
	blocked := reason.Account{What: "default", Object: over, Steps: step("filtered-by-policy"), Chassis: []string{"hv1"}}
	open := reason.Account{What: "announced default", Object: over, Steps: step("")}
	own := reason.Account{What: "own", Steps: step("unbound")}
	for _, tt := range []struct {
		have []reason.Account
		want string
	}{
		{[]reason.Account{blocked, own}, "own"},
		{[]reason.Account{open, own}, "announced default, own"},
		{[]reason.Account{blocked}, "default"},
	} {
		e := Explanation{Accounts: tt.have}
		e.dropDefault()
		var got []string
		for _, a := range e.Accounts {
			got = append(got, a.What)
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
