package agent

import (
	"context"
	"fmt"
	"strings"
	"testing"

	api "github.com/osrg/gobgp/v4/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

var ipv4 = &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}

const global = api.TableType_TABLE_TYPE_GLOBAL

// What others do to paths and peers in a speaker of another process is repaired without
// an audit and told by status and history.
func TestDriftInTheSpeaker(t *testing.T) {
	w := newWorld(t)
	socket := "unix:" + w.path("speaker.sock")
	supervise(t, socket)
	w.configure(fmt.Sprintf("bgp: {as: 65001, router_id: 192.0.2.1, speaker: %q, "+
		"peers: [{address: 127.0.0.2, as: 65099, passive: true}]}", socket))
	c := w.start()
	conn, err := grpc.NewClient(socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	gobgp := api.NewGoBgpServiceClient(conn)
	await(t, func() string {
		if s, err := c.Status(t.Context()); err != nil || s.LastRound == nil || len(s.Peers) == 0 {
			return fmt.Sprintf("not converged: %+v, %v", s.Counts, err)
		}
		if p, err := c.Plan(t.Context()); err != nil || p.Differs() {
			return fmt.Sprintf("not converged: %+v, %v", p, err)
		}
		return ""
	})
	for _, tt := range []struct {
		name, kind string
		how        plan.How
		do         func(context.Context) error
	}{
		{"all paths deleted", "path", plan.HowDeleted, func(ctx context.Context) error {
			_, err := gobgp.DeletePath(ctx, &api.DeletePathRequest{TableType: global, Family: ipv4})
			return err
		}},
		{"peer deleted", "peer", plan.HowDeleted, func(ctx context.Context) error {
			_, err := gobgp.DeletePeer(ctx, &api.DeletePeerRequest{Address: "127.0.0.2"})
			return err
		}},
		{"peer disabled", "peer", plan.HowChanged, func(ctx context.Context) error {
			_, err := gobgp.DisablePeer(ctx, &api.DisablePeerRequest{Address: "127.0.0.2"})
			return err
		}},
		{"path added", "path", plan.HowAdded, func(ctx context.Context) error {
			_, err := gobgp.AddPath(ctx, &api.AddPathRequest{TableType: global, Path: pathTo("203.0.113.9")})
			return err
		}},
		{"path changed", "path", plan.HowChanged, func(ctx context.Context) error {
			_, err := gobgp.AddPath(ctx, &api.AddPathRequest{TableType: global, Path: pathTo(here.String())})
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := counted(t, c, tt.kind, tt.how)
			if err := tt.do(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, func() string {
				if n := counted(t, c, tt.kind, tt.how); n <= before {
					return fmt.Sprintf("%d times %s %s", n, tt.kind, tt.how)
				}
				if p, err := c.Plan(t.Context()); err != nil || p.Differs() {
					return fmt.Sprintf("not repaired: %+v, %v", p.Ops, err)
				}
				h, err := c.History(t.Context(), history.Filter{Cause: plan.CauseDrift})
				for _, step := range h.Steps {
					if step.Kind == tt.kind && step.Drift.How == tt.how && step.Outcome == history.OK {
						return ""
					}
				}
				return fmt.Sprintf("not in history: %+v, %v", h.Steps, err)
			})
		})
	}
	t.Run("path of others", func(t *testing.T) { testOthersInTheSpeaker(t, c, gobgp) })
}

// What others put into the speaker goes to our neighbours: it is left alone, and told.
func testOthersInTheSpeaker(t *testing.T, c *control.Client, gobgp api.GoBgpServiceClient) {
	t.Helper()
	foreign := func(s control.Status) string {
		for _, p := range s.Problems {
			if p.Code == "speaker-foreign" {
				return p.Text
			}
		}
		return ""
	}
	path := pathTo("203.0.113.99")
	path.Identifier = 0
	if _, err := gobgp.AddPath(t.Context(), &api.AddPathRequest{TableType: global, Path: path}); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, c, func(s control.Status) string {
		if text := foreign(s); !strings.Contains(text, "1 paths and 0 peers") || !strings.Contains(text, "203.0.113.99/32") {
			return fmt.Sprintf("status says %q", text)
		}
		return ""
	})
	gone := &api.DeletePathRequest{TableType: global, Family: ipv4, Path: path}
	if _, err := gobgp.DeletePath(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, c, func(s control.Status) string { return foreign(s) })
}

// counted is how often status counts drift of one kind and way.
func counted(t *testing.T, c *control.Client, kind string, how plan.How) int {
	t.Helper()
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range s.Drift.Counts {
		if d.Kind == kind && d.How == how {
			return d.Count
		}
	}
	return 0
}

// pathTo is a path to a host that carries our mark.
func pathTo(address string) *api.Path {
	return &api.Path{
		Family: ipv4, Identifier: speaker.PathMark,
		Nlri: &api.NLRI{Nlri: &api.NLRI_Prefix{
			Prefix: &api.IPAddressPrefix{PrefixLen: 32, Prefix: address},
		}},
		Pattrs: []*api.Attribute{
			{Attr: &api.Attribute_Origin{Origin: &api.OriginAttribute{Origin: 0}}},
			{Attr: &api.Attribute_NextHop{NextHop: &api.NextHopAttribute{NextHop: "192.0.2.250"}}},
		},
	}
}
