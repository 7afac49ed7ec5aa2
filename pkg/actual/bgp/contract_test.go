package bgp_test

import (
	"context"
	"testing"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

func TestContract(t *testing.T) {
	// Nobody else changes a speaker inside this process: there is no Foreign.
	t.Run("embedded", func(t *testing.T) {
		contract.Run(t, contract.Subject{New: func(t *testing.T) actual.Backend { return start(t, noListener) }})
	})
	for form := range forms {
		t.Run(form, func(t *testing.T) {
			var p *process
			contract.Run(t, contract.Subject{
				New: func(t *testing.T) actual.Backend {
					p = spawn(t, form)
					return dial(t, p, noListener)
				},
				Foreign: func(t *testing.T, _ actual.Backend, v object.Value) { p.foreign(t, v) },
			})
		})
	}
}

// foreign puts a path or a peer into a speaker as another program would.
func (p *process) foreign(t testing.TB, v object.Value) {
	t.Helper()
	var err error
	switch v := v.(type) {
	case object.Path:
		_, err = p.api(t).AddPath(context.Background(), &api.AddPathRequest{Path: bare([]object.Path{v})[0]})
	case object.EVPNPath:
		var raw *api.Path
		if raw, err = bgp.EncodeEVPN(v); err == nil {
			raw.Identifier = 0
			_, err = p.api(t).AddPath(context.Background(), &api.AddPathRequest{Path: raw})
		}
	case object.Peer:
		_, err = p.api(t).AddPeer(context.Background(), &api.AddPeerRequest{Peer: &api.Peer{
			Conf:      &api.PeerConf{NeighborAddress: v.Address, PeerAsn: v.AS},
			Transport: &api.Transport{PassiveMode: true},
		}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// api is the speaker's own.
func (p *process) api(t testing.TB) api.GobgpApiClient {
	t.Helper()
	conn, err := grpc.Dial(p.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return api.NewGobgpApiClient(conn)
}

var _ actual.Backend = (*bgp.Backend)(nil)
