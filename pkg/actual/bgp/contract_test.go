package bgp_test

import (
	"context"
	"testing"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
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
		err = p.add(t, originated(v.Prefix.String()))
	case object.EVPNPath:
		var path *apiutil.Path
		if path, err = bgp.EncodeEVPN(v); err == nil {
			err = p.add(t, path)
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

// add puts a path without our mark into the speaker.
func (p *process) add(t testing.TB, path *apiutil.Path) error {
	octets, err := speaker.OctetsOf(path)
	if err != nil {
		return err
	}
	_, err = p.api(t).AddPath(context.Background(), &api.AddPathRequest{Path: &api.Path{
		Family:     apiutil.ToApiFamily(path.Family.Afi(), path.Family.Safi()),
		NlriBinary: octets.NLRI, PattrsBinary: octets.Attributes,
	}})
	return err
}

// api is the speaker's own.
func (p *process) api(t testing.TB) api.GoBgpServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(p.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return api.NewGoBgpServiceClient(conn)
}

var _ actual.Backend = (*bgp.Backend)(nil)
