package agent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// TestVerify: what a looking point has of an address of ours, on a session of its own: as it
// was sent, with a community more, and not at all, which becomes a problem.
func TestVerify(t *testing.T) {
	const pointAS = 65100
	l, err := net.Listen("tcp", "127.0.0.4:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	speakerForms(t, ownVerifyPort, func(t *testing.T, w *world, speakerKey string, port uint16) {
		w.configure(fmt.Sprintf(`bgp: {as: 65001, router_id: 192.0.2.1, %slisten: {address: 127.0.0.1, port: %d}, `+
			`peers: [{address: %s, as: %d, passive: true}], `+
			`verify: {hold: 5, points: [{address: 127.0.0.4, port: %d, as: %d}]}}`,
			speakerKey, port, tablePeer, speakertest.AS, l.Addr().(*net.TCPAddr).Port, pointAS))
		c := w.start()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		point := speakertest.On(conn)
		t.Cleanup(func() { _ = point.Close() })
		if err := point.Establish(speakertest.OpenMessage(pointAS, netip.MustParseAddr("192.0.2.99"),
			speakertest.FourOctetAS(pointAS), speakertest.Families(speakertest.IPv4))); err != nil {
			t.Fatal(err)
		}
		var peer *speakertest.Peer
		await(t, func() string {
			if peer, err = sessionWith(port, tablePeer, speakertest.AS); err != nil {
				return err.Error()
			}
			return ""
		})
		t.Cleanup(func() { _ = peer.Close() })
		ours := netip.PrefixFrom(here, 32)
		as := speakertest.Usual(tablePeer, pointAS, speakertest.AS, 65001)
		as[3] = 2 // ORIGIN is incomplete, as ours is
		community := speakertest.Attribute(speakertest.Optional|speakertest.Transitive, 8, 0, 1, 0, 7)
		tagged := append(slices.Clone(as), community...)
		for _, step := range []struct {
			octets []byte
			state  verify.State
			text   string
		}{
			{append(speakertest.UpdateMessage(as, ours), speakertest.UpdateMessage(nil)...), verify.Found, ""},
			{speakertest.UpdateMessage(tagged, ours), verify.Changed, "communities 1:7 added"},
			{speakertest.WithdrawMessage(ours), verify.Missing, "127.0.0.4 does not have it"},
		} {
			if err := point.Write(step.octets); err != nil {
				t.Fatal(err)
			}
			await(t, func() string { return verifies(t, c, step.state, step.text) })
		}
		awaitStatus(t, c, hasProblem("not-seen-outside", here.String()+" is announced and not seen outside"))
		e, err := c.Explain(t.Context(), here.String())
		if err != nil || e.Outside == nil || !e.Outside.Lost || !strings.Contains(e.String(), "NOT SEEN OUTSIDE") {
			t.Errorf("%v\n%s", err, e.String())
		}
		holdsExtra(t, c, point, netip.MustParseAddr("127.0.0.1"))
	})
}

// holdsExtra has a looking point hold two prefixes that this node does not announce: one as
// this node sends its own, and one whose next hop somebody has replaced, which may be another
// node's. Only the first is told of, until it is gone.
func holdsExtra(t *testing.T, c *control.Client, point *speakertest.Peer, end netip.Addr) {
	t.Helper()
	stale, others := netip.MustParsePrefix("198.51.100.9/32"), netip.MustParsePrefix("198.51.100.10/32")
	octets := append(speakertest.UpdateMessage(speakertest.Usual(end, 65100, 65001), stale),
		speakertest.UpdateMessage(speakertest.Usual(netip.MustParseAddr("127.0.0.77"), 65100, 65001), others)...)
	if err := point.Write(octets); err != nil {
		t.Fatal(err)
	}
	says := func(within netip.Prefix, want string) func() string {
		return func() string {
			v, err := c.Verify(t.Context(), control.RouteQuery{Within: within, Limit: 9}, false)
			if err != nil {
				return err.Error()
			}
			raw, err := json.Marshal(v)
			if err == nil {
				err = apischema.Validate("../../docs/api", "verify", raw)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, raw)
			}
			have := ""
			for _, p := range v.Paths {
				have += fmt.Sprintf("%s %s %s,%v ", p.NLRI, p.State, p.Results[0].Text, p.Since.IsZero())
			}
			if want == "" && have == "" || want != "" && strings.HasPrefix(have, want) && len(v.Paths) == 1 {
				return ""
			}
			return string(raw)
		}
	}
	await(t, says(netip.MustParsePrefix("198.51.100.0/24"),
		"198.51.100.9/32 extra 127.0.0.4 holds it from this node, which does not send it: next hop 127.0.0.1,false"))
	awaitStatus(t, c, hasProblem("stale-outside", "198.51.100.9 is not announced and seen outside all the same"))
	e, err := c.Explain(t.Context(), stale.Addr().String())
	if err != nil || e.Outside == nil || e.Outside.State != verify.Extra ||
		!strings.Contains(e.String(), "extra: 127.0.0.4") {
		t.Errorf("%v\n%s", err, e.String())
	}
	if err := point.Write(speakertest.WithdrawMessage(stale)); err != nil {
		t.Fatal(err)
	}
	await(t, says(netip.MustParsePrefix("198.51.100.0/24"), ""))
	awaitStatus(t, c, func(s control.Status) string {
		if hasProblem("stale-outside", "")(s) == "" || s.Outside.Extra != 0 {
			return "stale-outside is still a problem"
		}
		return ""
	})
}

// verifies says what is missing in the answer about the address here.
func verifies(t *testing.T, c *control.Client, state verify.State, text string) string {
	t.Helper()
	v, err := c.Verify(t.Context(), control.RouteQuery{Within: netip.PrefixFrom(here, 32), Limit: 9}, true)
	if err != nil {
		return err.Error()
	}
	raw, err := json.Marshal(v)
	if err == nil {
		err = apischema.Validate("../../docs/api", "verify", raw)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	if len(v.Paths) != 1 || v.Paths[0].State != state || !strings.Contains(v.Paths[0].Results[0].Text, text) ||
		len(v.Paths[0].Objects) == 0 || v.Paths[0].Objects[0].Row != "vm-a" {
		return string(raw)
	}
	return ""
}
