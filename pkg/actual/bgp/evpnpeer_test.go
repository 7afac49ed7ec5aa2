package bgp_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
)

// originate announces EVPN paths from the neighbour as the backend would write
// them.
func (n *neighbour) originate(paths ...object.EVPNPath) {
	n.t.Helper()
	for _, p := range paths {
		raw, err := bgp.EncodeEVPN(p)
		if err != nil {
			n.t.Fatal(err)
		}
		n.originateRaw(raw)
	}
}

func (n *neighbour) originateRaw(raw *apiutil.Path) {
	n.t.Helper()
	raw.RemoteID = 0
	n.add(raw)
}

// retract withdraws one of them.
func (n *neighbour) retract(p object.EVPNPath) {
	n.t.Helper()
	raw, err := bgp.EncodeEVPN(p)
	if err != nil {
		n.t.Fatal(err)
	}
	raw.RemoteID = 0
	if err := n.s.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{raw}}); err != nil {
		n.t.Fatal(err)
	}
}

// evpn lists what the neighbour has learned, as text.
func (n *neighbour) evpn() []string {
	n.t.Helper()
	var out []string
	err := n.s.ListPath(listing(object.L2VPNEVPN), func(_ gobgp.NLRI, paths []*apiutil.Path) {
		for _, p := range paths {
			if !speaker.IsLocal(p) {
				path, _, _ := bgp.DecodeEVPN(p)
				out = append(out, object.Text(path))
			}
		}
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func (n *neighbour) expectEVPN(want ...object.EVPNPath) {
	n.t.Helper()
	eventually(n.t, 20*time.Second, func() string {
		have := strings.Join(n.evpn(), "\n")
		for _, p := range want {
			if !strings.Contains(have, object.Text(p)) {
				return fmt.Sprintf("neighbour lacks\n%s\nof\n%s", object.Text(p), have)
			}
		}
		return emptyIf(len(n.evpn()) == len(want), "neighbour has\n"+have)
	})
}

// evpnText is what the backend has learned, one line a path.
func evpnText(t testing.TB, b *bgp.Backend) string {
	t.Helper()
	list, err := rib.TableOf(b.Conn(), nil).LearnedEVPN(context.Background())
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, p := range list {
		line := fmt.Sprintf("%s %s rd %s", p.Type, p.Prefix, p.RD)
		if !p.MAC.IsZero() {
			line += " mac " + p.MAC.String()
		}
		line += fmt.Sprintf(" vni %d via %s rt %s", p.VNI, p.NextHop, p.Targets)
		if !p.RouterMAC.IsZero() {
			line += " rmac " + p.RouterMAC.String()
		}
		for _, more := range []struct {
			there bool
			text  string
		}{
			{p.VNI2 != 0, fmt.Sprintf("vni2 %d", p.VNI2)},
			{p.EthernetTag != 0, fmt.Sprintf("tag %d", p.EthernetTag)},
			{p.Segment != "", "esi " + p.Segment},
			{p.Gateway.IsValid(), "gateway " + p.Gateway.String()},
			{p.Mobility.Set, "mobility " + p.Mobility.String()},
			{p.Sticky, "sticky"},
			{p.Stale, "stale"},
		} {
			if more.there {
				line += " " + more.text
			}
		}
		lines = append(lines, line+" peer "+p.Peer)
	}
	return strings.Join(lines, "\n")
}

func awaitEVPN(t testing.TB, b *bgp.Backend, want ...string) {
	t.Helper()
	eventually(t, 30*time.Second, func() string {
		have := evpnText(t, b)
		return emptyIf(have == strings.Join(want, "\n"), fmt.Sprintf("learned:\n%s\nwant:\n%s", have,
			strings.Join(want, "\n")))
	})
}

// theirs is a path as the neighbour announces it.
func theirs(p object.EVPNPath) object.EVPNPath {
	p.RD = strings.Replace(p.RD, "192.0.2.1", "192.0.2.2", 1)
	p.NextHop = netip.MustParseAddr("192.0.2.2")
	return p
}

// Paths of all types reach a neighbour that has the family, and no other one;
// theirs are learned, and not passed on.
func TestEVPNWithGoBGP(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, nil)
		ours := []object.EVPNPath{type5("10.0.0.5/32"), type5("2001:db8:a::/64"), type2(1, ""), type2(1, "10.0.0.5"), type3()}
		apply(t, b, create(path("203.0.113.7/32")))
		apply(t, b, create(ours...))
		both, plain := passive("192.0.2.2", object.IPv4Unicast, object.L2VPNEVPN), passive("192.0.2.3", object.IPv4Unicast)
		plain.AS = neighbourAS + 1
		apply(t, b, create(both, plain))
		first, second := newNeighbour(t, neighbourAS, "192.0.2.2"), newNeighbour(t, neighbourAS+1, "192.0.2.3")
		first.originate(theirs(type5("10.9.0.0/16")), theirs(type2(9, "10.9.0.1")), theirs(type3()))
		first.originate(type3()) // the same NLRI as ours
		first.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast, object.L2VPNEVPN)
		second.dial("192.0.2.3", "192.0.2.1", nil, object.IPv4Unicast, object.L2VPNEVPN)
		second.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
		first.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
		first.expectEVPN(ours...)
		awaitEVPN(t, b,
			"type-2 10.9.0.1/32 rd 192.0.2.2:70 mac fa:16:3e:00:00:09 vni 70000 via 192.0.2.2 rt 65001:70000 peer 192.0.2.2",
			"type-3 192.0.2.1/32 rd 192.0.2.2:70 vni 70000 via 192.0.2.2 rt 65001:70000 peer 192.0.2.2",
			"type-5 10.9.0.0/16 rd 192.0.2.2:1001 vni 1001 via 192.0.2.2 rt 65001:1001 rmac 02:00:00:00:10:01 peer 192.0.2.2")
		state := stateOf(t, b, "192.0.2.2")
		if got := state.Families[1]; got.Family != object.L2VPNEVPN || !got.Negotiated || got.Sent != 5 || got.Received != 4 {
			t.Errorf("counts %+v, want 5 sent and 4 received", got)
		}

		changed := ours[0]
		changed.VNI, changed.RouterMAC[5] = 1002, 7
		apply(t, b, []object.Change{{Before: ours[0], After: changed}})
		apply(t, b, remove(ours[1], ours[2]))
		first.expectEVPN(changed, ours[3], ours[4])
		// A neighbour of another AS sees our own one in front of what is prepended, and no
		// LOCAL_PREF (RFC 4271 section 5.1.5).
		resort := changed.Lowered(object.LastResort{Prepend: object.Prepend{AS: localAS, Times: 2}, LocalPref: true})
		apply(t, b, []object.Change{{Before: changed, After: resort}})
		seen := resort.(object.EVPNPath)
		seen.LocalPref, seen.Prepend.Times = object.Metric{}, 3
		first.expectEVPN(seen, ours[3], ours[4])
		if got := second.evpn(); len(got) != 0 {
			t.Errorf("a neighbour without the family received %v", got)
		}
		first.retract(theirs(type3()))
		first.retract(theirs(type2(9, "10.9.0.1")))
		awaitEVPN(t, b, "type-5 10.9.0.0/16 rd 192.0.2.2:1001 vni 1001 via 192.0.2.2 rt 65001:1001 rmac 02:00:00:00:10:01 "+
			"peer 192.0.2.2")
	})
}

// evpnRoute is a route as a neighbour announces it, without its next hop.
type evpnRoute struct {
	nlri        *gobgp.EVPNNLRI
	communities []gobgp.ExtendedCommunityInterface
	more        []gobgp.PathAttributeInterface
}

// evpnRoutes are routes of each type, some of which cannot be used.
func evpnRoutes(t *testing.T) []evpnRoute {
	t.Helper()
	rd := gobgp.NewRouteDistinguisherFourOctetAS(4200000000, 7)
	esi := gobgp.EthernetSegmentIdentifier{Type: gobgp.ESI_ARBITRARY, Value: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	addr := netip.MustParseAddr
	route := func(r *gobgp.EVPNNLRI, err error) *gobgp.EVPNNLRI {
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	vxlan := gobgp.NewEncapExtended(gobgp.TUNNEL_TYPE_VXLAN)
	target := gobgp.NewFourOctetAsSpecificExtended(gobgp.EC_SUBTYPE_ROUTE_TARGET, 4200000000, 7, true)
	return []evpnRoute{
		{
			route(gobgp.NewEVPNMacIPAdvertisementRoute(rd, esi, 5, "fa:16:3e:00:00:07", addr("2001:db8::7"),
				[]uint32{70000, 1001})),
			[]gobgp.ExtendedCommunityInterface{
				target, vxlan, gobgp.NewMacMobilityExtended(4, true),
				gobgp.NewRoutersMacExtended("02:00:00:00:00:07"),
			},
			[]gobgp.PathAttributeInterface{gobgp.NewPathAttributeMultiExitDisc(12)},
		},
		{
			route(gobgp.NewEVPNIPPrefixRoute(rd, gobgp.EthernetSegmentIdentifier{}, 0, 24, addr("10.7.0.0"), addr("10.0.0.9"),
				1001)),
			[]gobgp.ExtendedCommunityInterface{target},
			nil,
		},
		// Another encapsulation, another tunnel, another type.
		{
			route(gobgp.NewEVPNIPPrefixRoute(rd, gobgp.EthernetSegmentIdentifier{}, 0, 24, addr("10.8.0.0"), addr("0.0.0.0"),
				17)),
			[]gobgp.ExtendedCommunityInterface{target, gobgp.NewEncapExtended(gobgp.TUNNEL_TYPE_MPLS)},
			nil,
		},
		{
			route(gobgp.NewEVPNMulticastEthernetTagRoute(rd, 0, addr("192.0.2.8"))),
			[]gobgp.ExtendedCommunityInterface{target, vxlan},
			[]gobgp.PathAttributeInterface{
				gobgp.NewPathAttributePmsiTunnel(gobgp.PMSI_TUNNEL_TYPE_PIM_SM_TREE, false, 7,
					gobgp.NewDefaultPmsiTunnelID([]byte{192, 0, 2, 8, 239, 0, 0, 1})),
			},
		},
		// no tunnel
		{
			route(gobgp.NewEVPNMulticastEthernetTagRoute(rd, 0, addr("192.0.2.9"))),
			[]gobgp.ExtendedCommunityInterface{target, vxlan},
			nil,
		},
		{gobgp.NewEVPNEthernetAutoDiscoveryRoute(rd, esi, 0, 7), []gobgp.ExtendedCommunityInterface{target, vxlan}, nil},
		{route(gobgp.NewEVPNEthernetSegmentRoute(rd, esi, addr("192.0.2.9"))), nil, nil},
	}
}

// The less common parts of a route, and what is left out.
func TestLearnedEVPNInFull(t *testing.T) {
	var logged bytes.Buffer // written to by LearnedEVPN, in this goroutine
	log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b := start(t, func(c *bgp.Config) { c.Logger = logger() })
	table := rib.TableOf(b.Conn(), log)
	apply(t, b, create(passive("192.0.2.2", object.L2VPNEVPN)))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	for _, r := range evpnRoutes(t) {
		attributes := append([]gobgp.PathAttributeInterface{gobgp.NewPathAttributeOrigin(0)}, r.more...)
		if len(r.communities) > 0 {
			attributes = append(attributes, gobgp.NewPathAttributeExtendedCommunities(r.communities))
		}
		reach, err := gobgp.NewPathAttributeMpReachNLRI(gobgp.RF_EVPN, []gobgp.PathNLRI{{NLRI: r.nlri}},
			netip.MustParseAddr("192.0.2.2"))
		if err != nil {
			t.Fatal(err)
		}
		n.originateRaw(&apiutil.Path{Family: gobgp.RF_EVPN, Nlri: r.nlri, Attrs: append(attributes, reach)})
	}
	n.dial("192.0.2.2", "192.0.2.1", nil, object.L2VPNEVPN)
	eventually(t, 20*time.Second, func() string {
		s := stateOf(t, b, "192.0.2.2")
		return emptyIf(len(s.Families) == 1 && s.Families[0].Received == 7, fmt.Sprintf("%+v", s))
	})
	awaitEVPN(t, b,
		"type-2 2001:db8::7/128 rd 4200000000:7 mac fa:16:3e:00:00:07 vni 70000 via 192.0.2.2 rt 4200000000:7 rmac "+
			"02:00:00:00:00:07 vni2 1001 tag 5 esi 00:01:02:03:04:05:06:07:08:09 mobility 4 sticky peer 192.0.2.2",
		"type-5 10.7.0.0/24 rd 4200000000:7 vni 1001 via 192.0.2.2 rt 4200000000:7 gateway 10.0.0.9 peer 192.0.2.2")
	var list []observe.EVPNRoute
	for range 3 {
		var err error
		if list, err = table.LearnedEVPN(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(logged.String(), "cannot be read and is not used"); got != 1 ||
		!strings.Contains(logged.String(), "without a tunnel") {
		t.Errorf("logged %d times, want once:\n%s", got, logged.String())
	}
	if p := list[0]; p.Rank.Preference != 100 || p.Rank.Length != 1 || p.Rank.Origin != object.OriginIGP ||
		p.Rank.MED != 12 || !p.Rank.External {
		t.Errorf("rank of %+v", p)
	}
}

// A MAC that a neighbour has announced before gets a higher sequence number from
// GoBGP. That is no reason to announce it again, and a number of our own may go
// up and down.
func TestMACMobility(t *testing.T) {
	inEachForm(t, func(t *testing.T, open func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := open(t, nil)
		apply(t, b, create(passive("192.0.2.2", object.L2VPNEVPN)))
		n := newNeighbour(t, neighbourAS, "192.0.2.2")
		there := theirs(type2(1, "10.0.0.5"))
		n.originate(there)
		n.dial("192.0.2.2", "192.0.2.1", nil, object.L2VPNEVPN)
		line := "type-2 10.0.0.5/32 rd 192.0.2.2:70 mac fa:16:3e:00:00:01 vni 70000 via 192.0.2.2 rt 65001:70000%s peer " +
			"192.0.2.2"
		awaitEVPN(t, b, fmt.Sprintf(line, ""))

		moved := type2(1, "10.0.0.5")
		apply(t, b, create(moved))
		asSent := moved
		asSent.Mobility = object.MetricOf(0)
		n.expectEVPN(asSent)
		asked := read(t, b, false)
		for range 3 {
			if got := read(t, b, true); !got.Same(asked) {
				t.Errorf("an audit finds\n%swant\n%s", text(got), text(asked))
			}
		}
		// It moves away: the neighbour takes a higher number, ours is withdrawn by
		// whoever knows that it is gone; then back.
		n.retract(there)
		there.Mobility = object.MetricOf(1)
		n.originate(there)
		awaitEVPN(t, b, fmt.Sprintf(line, " mobility 1"))
		apply(t, b, remove(moved))
		n.expectEVPN()
		low := moved
		low.Mobility = object.MetricOf(0)
		// Others in the same batch do not suffer from it.
		errs := b.Apply(t.Context(), create(type5("10.1.0.0/16"), low, type3()))
		if errs[0] != nil || errs[1] == nil || !strings.Contains(errs[1].Error(), "mobility") || errs[2] != nil {
			t.Errorf("a number under the neighbour's: got errors %v", errs)
		}
		n.expectEVPN(type5("10.1.0.0/16"), type3())
		apply(t, b, remove(type5("10.1.0.0/16"), type3()))
		high, higher := moved, moved
		high.Mobility, higher.Mobility = object.MetricOf(2), object.MetricOf(9)
		read(t, b, true)
		apply(t, b, create(higher))
		n.expectEVPN(higher)
		apply(t, b, []object.Change{{Before: higher, After: high}})
		n.expectEVPN(high)
		if it, _ := read(t, b, true).Get(high.Key()); it.Value != object.Value(high) || !it.Marked {
			t.Errorf("got %v, want %s", it, object.Text(high))
		}
		// It moves away again, and ours, with its lower number, gives way.
		there.Mobility = object.MetricOf(20)
		n.originate(there)
		awaitEVPN(t, b, fmt.Sprintf(line, " mobility 20"))
		apply(t, b, remove(high))
		n.expectEVPN()
	})
}

// A controller that starts anew finds what GoBGP has added as a difference in
// nothing else.
func TestMACMobilityAfterARestart(t *testing.T) {
	p := spawn(t, "speaker")
	first := dial(t, p, nil)
	apply(t, first, create(passive("192.0.2.2", object.L2VPNEVPN)))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.originate(theirs(type2(1, "10.0.0.5")))
	n.dial("192.0.2.2", "192.0.2.1", nil, object.L2VPNEVPN)
	eventually(t, 20*time.Second, func() string { return emptyIf(evpnText(t, first) != "", "nothing learned") })
	ours := type2(1, "10.0.0.5")
	apply(t, first, create(ours))
	first.Close()

	second := dial(t, p, nil)
	added := ours
	added.Mobility = object.MetricOf(0)
	it, ok := read(t, second, true).Get(ours.Key())
	if !ok || !it.Marked || it.Value != object.Value(added) {
		t.Fatalf("got %v, want %s", it, object.Text(added))
	}
	before := n.updates()
	apply(t, second, []object.Change{{Before: added, After: ours}})
	if it, _ := read(t, second, true).Get(ours.Key()); it.Value != object.Value(ours) {
		t.Errorf("got %v, want %s", it, object.Text(ours))
	}
	n.expectEVPN(added)
	if got := n.updates() - before; got != 0 {
		t.Errorf("%d UPDATEs for nothing", got)
	}
}
