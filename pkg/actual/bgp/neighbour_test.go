package bgp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	localAS     = 65001
	neighbourAS = 65002
	port        = 1790
)

// start makes a backend that is shut down with the test.
func start(t testing.TB, change func(*bgp.Config)) *bgp.Backend {
	t.Helper()
	b, err := bgp.New(config(change))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// config is that of the speakers under test.
func config(change func(*bgp.Config)) bgp.Config {
	cfg := bgp.Config{Config: speaker.Config{
		AS:         localAS,
		RouterID:   netip.MustParseAddr("192.0.2.1"),
		Listen:     []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		ListenPort: port,
		Logger:     logger(),
	}}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func noListener(c *bgp.Config) { c.ListenPort = -1 }

func logger() *slog.Logger {
	level := slog.LevelError
	if os.Getenv("BGP_TEST_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// neighbour is a plain GoBGP at the other end of a session.
type neighbour struct {
	t testing.TB
	s *server.BgpServer
	// listens says that it has a listening socket.
	listens bool
}

// newNeighbour starts a speaker that dials; as is its AS number.
func newNeighbour(t testing.TB, as uint32, routerID string) *neighbour {
	t.Helper()
	return newNeighbourOn(t, as, routerID, -1)
}

// newNeighbourOn starts one that listens at its router ID, unless the port is -1.
func newNeighbourOn(t testing.TB, as uint32, routerID string, listen int32) *neighbour {
	t.Helper()
	s := server.NewBgpServer()
	go s.Serve()
	global := &api.Global{Asn: as, RouterId: routerID, ListenPort: listen, ListenAddresses: []string{routerID}}
	if err := s.StartBgp(context.Background(), &api.StartBgpRequest{Global: global}); err != nil {
		t.Fatal(err)
	}
	n := &neighbour{t, s, listen >= 0}
	t.Cleanup(n.end)
	return n
}

// end takes the neighbour away. One that still dials loses its peers only: StopBgp forgets
// who it is while a connection may just be coming up, and GoBGP 4.8.0 ends the process then.
func (n *neighbour) end() {
	var peers []string
	n.s.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		peers = append(peers, p.Conf.NeighborAddress)
	})
	for _, addr := range peers {
		n.s.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: addr})
	}
	if n.listens {
		n.s.StopBgp(context.Background(), &api.StopBgpRequest{})
	}
}

// dial connects from one address to our backend's.
func (n *neighbour) dial(from, to string, change func(*api.Peer), families ...object.Family) {
	n.t.Helper()
	p := &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: to, PeerAsn: localAS},
		Transport: &api.Transport{LocalAddress: from, RemotePort: port},
		Timers:    &api.Timers{Config: &api.TimersConfig{ConnectRetry: 1, HoldTime: 9}},
	}
	for _, f := range families {
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: wireFamily(f), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{}},
		})
	}
	if change != nil {
		change(p)
	}
	if err := n.s.AddPeer(context.Background(), &api.AddPeerRequest{Peer: p}); err != nil {
		n.t.Fatal(err)
	}
}

func wireFamily(f object.Family) *api.Family { return speaker.FamilyToAPI(f) }

// listing asks a neighbour for everything of one family.
func listing(f object.Family) apiutil.ListPathRequest {
	return apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: speaker.WireFamily(f)}
}

// routes lists what the neighbour has learned: prefix to next hop.
func (n *neighbour) routes(f object.Family) map[string]string {
	out := make(map[string]string)
	err := n.s.ListPath(listing(f), func(prefix gobgp.NLRI, paths []*apiutil.Path) {
		for _, p := range paths {
			if !speaker.IsLocal(p) {
				out[prefix.String()] = hopOf(p.Attrs)
			}
		}
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func hopOf(attrs []gobgp.PathAttributeInterface) string {
	for _, a := range attrs {
		switch a := a.(type) {
		case *gobgp.PathAttributeNextHop:
			return a.Value.String()
		case *gobgp.PathAttributeMpReachNLRI:
			return a.Nexthop.String()
		}
	}
	return ""
}

// updates is how many UPDATE messages the neighbour has received.
func (n *neighbour) updates() uint64 {
	var count uint64
	err := n.s.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		count += p.State.Messages.Received.Update
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return count
}

// expect waits until the neighbour has learned exactly these routes.
func (n *neighbour) expect(f object.Family, want map[string]string) {
	n.t.Helper()
	eventually(n.t, 20*time.Second, func() string {
		if have := n.routes(f); fmt.Sprint(have) != fmt.Sprint(want) {
			return fmt.Sprintf("neighbour has %v, want %v", have, want)
		}
		return ""
	})
}

// announce originates a path at the neighbour, which puts further ASes before it.
func (n *neighbour) announce(prefix string, ases ...uint32) {
	n.t.Helper()
	n.add(originated(prefix, ases...))
}

// originated is a path that its speaker is the next hop of.
func originated(prefix string, ases ...uint32) *apiutil.Path {
	nlri, err := gobgp.NewIPAddrPrefix(netip.MustParsePrefix(prefix))
	if err != nil {
		panic(err)
	}
	hop, _ := gobgp.NewPathAttributeNextHop(netip.IPv4Unspecified())
	list := []gobgp.PathAttributeInterface{gobgp.NewPathAttributeOrigin(0)}
	if len(ases) > 0 {
		segment := gobgp.NewAs4PathParam(gobgp.BGP_ASPATH_ATTR_TYPE_SEQ, ases)
		list = append(list, gobgp.NewPathAttributeAsPath([]gobgp.AsPathParamInterface{segment}))
	}
	return &apiutil.Path{Family: gobgp.RF_IPv4_UC, Nlri: nlri, Attrs: append(list, hop)}
}

func (n *neighbour) add(p *apiutil.Path) {
	n.t.Helper()
	if _, err := n.s.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{p}}); err != nil {
		n.t.Fatal(err)
	}
}
