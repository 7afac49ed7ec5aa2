package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// sessionWith brings a session up with graceful restart.
func sessionWith(port uint16, from netip.Addr, as uint32) (*speakertest.Peer, error) {
	p, err := speakertest.Dial(context.Background(), from, netip.AddrPortFrom(speakerAddr, port))
	if err != nil {
		return nil, err
	}
	open := speakertest.OpenMessage(speakertest.AS, from, speakertest.Families(speakertest.IPv4),
		speakertest.FourOctetAS(as), speakertest.GracefulRestart(60, speakertest.IPv4))
	if err := p.Establish(open); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// The ports of speakers in this process, which hold them until the process ends.
const ownPort, ownBMPPort, ownVerifyPort = 1792, 1793, 1796

// speakerForms runs a test with each of the two forms of a speaker, the beginning of key
// bgp, and the port.
func speakerForms(t *testing.T, own uint16, test func(t *testing.T, w *world, speakerKey string, port uint16)) {
	t.Run("in process", func(t *testing.T) { test(t, newWorld(t), "", own) })
	t.Run("another process", func(t *testing.T) {
		w := newWorld(t)
		socket := "unix:" + w.path("speaker.sock")
		supervise(t, socket)
		test(t, w, fmt.Sprintf("speaker: %q, ", socket), speakerPort)
	})
}

var (
	tablePeer = netip.MustParseAddr("127.0.0.2")
	stranger  = netip.MustParseAddr("127.0.0.3")
)

// TestBGPTables: what a real session has sent and received, in both forms of the speaker.
func TestBGPTables(t *testing.T) {
	speakerForms(t, ownPort, func(t *testing.T, w *world, speakerKey string, port uint16) {
		w.configure(fmt.Sprintf(`bgp: {as: 65001, router_id: 192.0.2.1, %slisten: {address: 127.0.0.1, port: %d}, `+
			`peers: [{address: %s, as: %d, passive: true}, {address: %s, as: 65099, passive: true}]}`,
			speakerKey, port, tablePeer, speakertest.AS, stranger), `learn: {accept: ["10.0.0.0/8 le 24"]}`)
		c := w.start()
		var peer *speakertest.Peer
		await(t, func() string {
			var err error
			if peer, err = sessionWith(port, tablePeer, speakertest.AS); err != nil {
				return err.Error()
			}
			return ""
		})
		t.Cleanup(func() { _ = peer.Close() })
		for _, u := range []struct {
			path     []uint32
			prefixes string
		}{
			{[]uint32{speakertest.AS}, "10.1.0.0/24 198.51.100.0/24 169.254.7.0/24 172.24.4.11/32"},
			{[]uint32{speakertest.AS, 65001}, "10.2.0.0/24"},
		} {
			var list []netip.Prefix
			for _, p := range strings.Fields(u.prefixes) {
				list = append(list, netip.MustParsePrefix(p))
			}
			if err := peer.Write(speakertest.UpdateMessage(speakertest.Usual(tablePeer, u.path...), list...)); err != nil {
				t.Fatal(err)
			}
		}
		tablesOfSession(t, c)
		pagesOfTables(t, c)
		announcedElsewhere(t, c, peer)
		if speakerKey == "" {
			wrongAS(t, c)
		}
		lostSession(t, c, port, peer)
	})
}

func tablesOfSession(t *testing.T, c *control.Client) {
	t.Helper()
	var p control.BGPPeers
	await(t, func() (missing string) {
		var err error
		if p, err = c.BGPPeers(t.Context(), tablePeer.String()); err != nil || len(p.Peers) != 1 {
			return fmt.Sprint(p, err)
		}
		if n := p.Peers[0].Counts[0]; n.Sent != 1 || n.Received != 5 || n.Accepted != 4 || n.Looped != 1 {
			return fmt.Sprintf("counts %+v", n)
		}
		return ""
	})
	peer := p.Peers[0]
	if !slices.Contains(peer.Remote, control.BGPCapability{Name: "graceful-restart", Detail: "60 s", Seconds: 60}) ||
		!slices.Contains(peer.Local,
			control.BGPCapability{Name: "family", Detail: "ipv4-unicast", Family: "ipv4-unicast"}) {
		t.Errorf("capabilities %+v, %+v", peer.Local, peer.Remote)
	}
	if peer.OurRoutes.Kept != "session-up" || peer.Uptime <= 0 || peer.Downtime != 0 {
		t.Errorf("got %+v", peer)
	}
	a, err := c.Advertised(t.Context(), control.RouteQuery{Peer: tablePeer.String()})
	if err != nil || len(a.Paths) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	got := a.Paths[0]
	if got.NLRI != here.String()+"/32" || len(got.Sent) != 1 || got.Sent[0].NextHop != speakerAddr.String() ||
		len(got.Objects) == 0 || got.Objects[0].Table != "Port_Binding" || got.Objects[0].Row != "vm-a" {
		t.Errorf("got %+v", got)
	}
	want := map[string]string{
		"10.2.0.0/24": control.UnusedLoop, "198.51.100.0/24": control.UnusedNotAccepted,
		"169.254.7.0/24": control.UnusedMartian, "172.24.4.11/32": control.UnusedOurs,
	}
	await(t, func() string {
		r, err := c.Received(t.Context(), control.RouteQuery{}, true)
		if err != nil {
			return err.Error()
		}
		have := map[string]string{}
		for _, p := range r.Paths {
			if p.NLRI != "10.1.0.0/24" { // whether its route can be made is not the point here
				have[p.NLRI] = p.Reason
			}
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			return fmt.Sprintf("rejected %v, want %v", have, want)
		}
		return ""
	})
	for _, peer := range []string{"192.0.2.99", "nonsense"} {
		if _, err := c.Received(t.Context(), control.RouteQuery{Peer: peer}, false); err == nil {
			t.Errorf("peer %s was answered for", peer)
		}
		if _, err := c.BGPPeers(t.Context(), peer); err == nil {
			t.Errorf("peer %s was answered for", peer)
		}
	}
}

// pagesOfTables: pages of two have everything once, and a prefix bounds them.
func pagesOfTables(t *testing.T, c *control.Client) {
	t.Helper()
	var got []string
	for q := (control.RouteQuery{Limit: 2}); ; {
		r, err := c.Received(t.Context(), q, false)
		if err != nil || r.Total != 5 || len(r.Paths) > 2 || len(got) > 5 {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, p := range r.Paths {
			got = append(got, p.NLRI)
		}
		if q.After = r.Next; q.After == "" {
			break
		}
	}
	want := []string{"10.1.0.0/24", "10.2.0.0/24", "169.254.7.0/24", "172.24.4.11/32", "198.51.100.0/24"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	r, err := c.Received(t.Context(), control.RouteQuery{Within: netip.MustParsePrefix("10.0.0.0/8")}, false)
	if err != nil || r.Total != 2 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// wrongAS: a neighbour that has another AS than the configured one is told as that.
func wrongAS(t *testing.T, c *control.Client) {
	t.Helper()
	if p, err := sessionWith(ownPort, stranger, 65098); err == nil {
		_ = p.Close()
		t.Error("a session with another AS came up")
	}
	await(t, func() string {
		p, err := c.BGPPeers(t.Context(), stranger.String())
		if err != nil || len(p.Peers) != 1 || p.Peers[0].Fault == nil {
			return fmt.Sprintf("%+v, %v", p, err)
		}
		if f := p.Peers[0].Fault; f.Code != "wrong-as" || !f.Current || f.Cause == "" || f.Remedy == "" {
			return fmt.Sprintf("%+v", f)
		}
		return ""
	})
}

// lostSession: a connection that is lost may leave our routes at the neighbour until its
// restart time is over; a NOTIFICATION ends that at once.
func lostSession(t *testing.T, c *control.Client, port uint16, peer *speakertest.Peer) {
	t.Helper()
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	awaitKept(t, c, "possibly")
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Problems, func(p control.Problem) bool {
		return strings.Contains(p.Text, tablePeer.String()+" is")
	})
	if i < 0 || !strings.Contains(s.Problems[i].Text, "may keep our routes until") {
		t.Errorf("problems %+v", s.Problems)
	}
	var again *speakertest.Peer
	await(t, func() string {
		if again, err = sessionWith(port, tablePeer, speakertest.AS); err != nil {
			return err.Error()
		}
		return ""
	})
	defer again.Close()
	awaitKept(t, c, "session-up")
	if err := again.Write(speakertest.Message(speakertest.Notification, []byte{6, 2})); err != nil {
		t.Fatal(err)
	}
	if port != ownPort { // only the log of the other process has the message
		awaitKept(t, c, "possibly")
		return
	}
	if p := awaitKept(t, c, "no"); p.Fault == nil || p.Fault.Code != "admin-shutdown" {
		t.Errorf("fault %+v", p.Fault)
	}
}

func awaitKept(t *testing.T, c *control.Client, want string) (found control.BGPPeer) {
	t.Helper()
	await(t, func() string {
		p, err := c.BGPPeers(t.Context(), tablePeer.String())
		if err != nil || len(p.Peers) != 1 {
			return fmt.Sprintf("%+v, %v", p, err)
		}
		if found = p.Peers[0]; found.OurRoutes.Kept != want {
			return fmt.Sprintf("state %s, our routes %+v, want %s", found.State, found.OurRoutes, want)
		}
		return ""
	})
	return found
}

// A pager keeps one page of a table in any order, and no more than twice as much.
func TestPager(t *testing.T) {
	const n, limit = 1000, 7
	var got []string
	for after := (position{}); ; {
		p := pager[string]{limit: limit, after: after}
		made := 0
		for i := range n {
			at := position{
				family: object.IPv4Unicast, peer: "p",
				prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i * 7 % n >> 8), byte(i * 7 % n)}), 32),
			}
			p.add(at, func() string { made++; return at.prefix.String() })
			if len(p.kept) > 2*limit+1 {
				t.Fatalf("%d paths are kept", len(p.kept))
			}
		}
		items, next := p.page()
		got = append(got, items...)
		if p.total != n || len(items) > limit || made > n {
			t.Fatalf("total %d, %d items", p.total, len(items))
		}
		if next == "" {
			break
		}
		var err error
		if after, err = parsePosition(next); err != nil {
			t.Fatal(err)
		}
	}
	for i, prefix := range got {
		if want := fmt.Sprintf("10.0.%d.%d/32", i>>8, i&0xff); prefix != want {
			t.Fatalf("item %d is %s, want %s", i, prefix, want)
		}
	}
	if len(got) != n {
		t.Errorf("%d items, want %d", len(got), n)
	}
	for _, text := range []string{"x", "a|b|c|d", "ipv4-unicast|x|p|1", "ipv4-unicast|10.0.0.0/8|p|x"} {
		if _, err := parsePosition(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	evpn := position{family: object.L2VPNEVPN, nlri: "prefix 10.0.0.0/8 rd 1:1", peer: "fe80::1%eth0", id: 7}
	if back, err := parsePosition(evpn.String()); err != nil || back != evpn {
		t.Errorf("got %+v, %v", back, err)
	}
}
