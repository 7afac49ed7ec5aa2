package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// gobgpd is Debian's, which is older than what we link.
type gobgpd struct {
	*wire
	api api.GobgpApiClient
}

func newGoBGP(w *wire, sessions ...session) router {
	w.t.Helper()
	socket := w.dir + "/api"
	child(w.t, w.dir+"/gobgpd.out", w.inside("gobgpd", "-f", w.file("gobgpd.toml", goBGPConfig(w, sessions)),
		"--api-hosts", "unix://"+socket, "--pprof-disable", "-p")...)
	awaitListener(w.t, socket)
	conn, err := grpc.Dial("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	g := gobgpd{w, api.NewGobgpApiClient(conn)}
	// Its API answers before it has taken up its configuration.
	harness.Eventually(w.t, 20*time.Second, func() string {
		resp, err := g.api.GetBgp(context.Background(), &api.GetBgpRequest{})
		switch {
		case err != nil:
			return err.Error()
		case resp.GetGlobal().GetAsn() != routerAS:
			return fmt.Sprintf("gobgpd has AS %d", resp.GetGlobal().GetAsn())
		}
		return ""
	})
	for _, s := range sessions {
		for _, p := range s.announce {
			g.announce(p)
		}
	}
	return g
}

func goBGPConfig(w *wire, sessions []session) string {
	var c strings.Builder
	fmt.Fprintf(&c, "[global.config]\nas = %d\nrouter-id = %q\n", routerAS, w.theirs4)
	for _, s := range sessions {
		fmt.Fprintf(&c, "[[neighbors]]\n[neighbors.config]\nneighbor-address = %q\npeer-as = %d\nauth-password = %q\n",
			s.ours, nodeAS, s.password)
		fmt.Fprintf(&c, "[neighbors.timers.config]\nconnect-retry = 1\nidle-hold-time-after-reset = "+
			"1\n[neighbors.transport.config]\npassive-mode = true\n")
		fmt.Fprintf(&c, "[neighbors.ttl-security.config]\nenabled = %t\n", s.gtsm)
		fmt.Fprintf(&c, "[neighbors.graceful-restart.config]\nenabled = %t\nrestart-time = 60\nlong-lived-enabled = %t\n",
			s.graceful, s.longLived)
		for _, f := range s.families {
			fmt.Fprintf(&c, "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = %q\n", f)
			fmt.Fprintf(&c, "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = %t\n", s.graceful)
			fmt.Fprintf(&c, "[neighbors.afi-safis.long-lived-graceful-restart.config]\nenabled = %t\nrestart-time = 60\n",
				s.longLived)
		}
	}
	return c.String()
}

func (g gobgpd) announce(prefix string) {
	g.t.Helper()
	p := netip.MustParsePrefix(prefix)
	nlri := append([]byte{byte(p.Bits())}, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
	_, err := g.api.AddPath(context.Background(), &api.AddPathRequest{Path: &api.Path{
		Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, NlriBinary: nlri,
		PattrsBinary: [][]byte{{0x40, 1, 1, 0}, {0x40, 3, 4, 0, 0, 0, 0}},
	}})
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g gobgpd) routes(family object.Family) map[string]route {
	g.t.Helper()
	afi := api.Family_AFI_IP
	if family == object.IPv6Unicast {
		afi = api.Family_AFI_IP6
	}
	req := &api.ListPathRequest{Family: &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}, EnableOnlyBinary: true}
	stream, err := g.api.ListPath(context.Background(), req)
	if err != nil {
		g.t.Fatal(err)
	}
	out := map[string]route{}
	for {
		rsp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			g.t.Fatal(err)
		}
		for _, p := range rsp.Destination.Paths {
			if p.NeighborIp != "<nil>" {
				out[rsp.Destination.Prefix] = g.route(p)
			}
		}
	}
}

func (g gobgpd) route(p *api.Path) (r route) {
	g.t.Helper()
	var communities, large []string
	for _, raw := range p.PattrsBinary {
		attr, err := packet.GetPathAttribute(raw)
		if err != nil || attr.DecodeFromBytes(raw) != nil {
			g.t.Fatalf("attribute %x: %v", raw, err)
		}
		switch a := attr.(type) {
		case *packet.PathAttributeNextHop:
			r.Hop = a.Value.String()
		case *packet.PathAttributeMpReachNLRI:
			r.Hop = a.Nexthop.String()
		case *packet.PathAttributeMultiExitDisc:
			r.MED = fmt.Sprint(a.Value)
		case *packet.PathAttributeCommunities:
			for _, v := range a.Value {
				communities = append(communities, fmt.Sprintf("%d:%d", v>>16, v&0xffff))
			}
		case *packet.PathAttributeLargeCommunities:
			for _, v := range a.Values {
				large = append(large, fmt.Sprintf("%d:%d:%d", v.ASN, v.LocalData1, v.LocalData2))
			}
		}
	}
	r.Communities = words(g.t, object.CommunitiesOf, communities)
	r.Large = words(g.t, object.LargeCommunitiesOf, large)
	return r
}
