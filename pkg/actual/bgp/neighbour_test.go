package bgp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"github.com/osrg/gobgp/v3/pkg/server"

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
}

// quiet keeps GoBGP's messages out of the test's output.
type quiet struct{}

func (quiet) Panic(string, gobgplog.Fields) {}
func (quiet) Fatal(string, gobgplog.Fields) {}
func (quiet) Error(string, gobgplog.Fields) {}
func (quiet) Warn(string, gobgplog.Fields)  {}
func (quiet) Info(string, gobgplog.Fields)  {}
func (quiet) Debug(string, gobgplog.Fields) {}
func (quiet) SetLevel(gobgplog.LogLevel)    {}
func (quiet) GetLevel() gobgplog.LogLevel   { return gobgplog.ErrorLevel }

// newNeighbour starts a speaker that dials; as is its AS number.
func newNeighbour(t testing.TB, as uint32, routerID string) *neighbour {
	t.Helper()
	return newNeighbourOn(t, as, routerID, -1)
}

// newNeighbourOn starts one that listens at its router ID, unless the port is -1.
func newNeighbourOn(t testing.TB, as uint32, routerID string, listen int32) *neighbour {
	t.Helper()
	s := server.NewBgpServer(server.LoggerOption(quiet{}))
	go s.Serve()
	global := &api.Global{Asn: as, RouterId: routerID, ListenPort: listen, ListenAddresses: []string{routerID}}
	if err := s.StartBgp(context.Background(), &api.StartBgpRequest{Global: global}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.StopBgp(context.Background(), &api.StopBgpRequest{}) })
	return &neighbour{t, s}
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

func wireFamily(f object.Family) *api.Family {
	switch f {
	case object.IPv6Unicast:
		return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
	case object.L2VPNEVPN:
		return &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}
	}
	return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
}

// routes lists what the neighbour has learned: prefix to next hop.
func (n *neighbour) routes(f object.Family) map[string]string {
	out := make(map[string]string)
	req := &api.ListPathRequest{Family: wireFamily(f), EnableOnlyBinary: true}
	err := n.s.ListPath(context.Background(), req, func(d *api.Destination) {
		for _, p := range d.Paths {
			if p.NeighborIp != "<nil>" {
				out[d.Prefix] = hopOf(p.PattrsBinary)
			}
		}
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func hopOf(attrs [][]byte) string {
	for _, raw := range attrs {
		a, err := gobgp.GetPathAttribute(raw)
		if err != nil || a.DecodeFromBytes(raw) != nil {
			continue
		}
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

// announce originates a path at the neighbour.
func (n *neighbour) announce(prefix string) {
	n.t.Helper()
	p := netip.MustParsePrefix(prefix)
	nlri := append([]byte{byte(p.Bits())}, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
	req := &api.AddPathRequest{Path: &api.Path{
		Family:       &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST},
		NlriBinary:   nlri,
		PattrsBinary: [][]byte{{0x40, 1, 1, 0}, {0x40, 3, 4, 0, 0, 0, 0}},
	}}
	if _, err := n.s.AddPath(context.Background(), req); err != nil {
		n.t.Fatal(err)
	}
}
