package bgp

import (
	"context"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// EncodeEVPN and DecodeEVPN are a path on its way to GoBGP and back.
func EncodeEVPN(p object.EVPNPath) (*api.Path, error) { return evpnToAPI(p) }

func DecodeEVPN(p *api.Path) (path object.EVPNPath, clean, ok bool) { return evpnFromAPI(p) }

// Bare GoBGP under the backend, for benchmarks and for the one call that must
// be refused.

func (b *Backend) DeletePath(p *api.Path) error {
	if p != nil {
		p.IsWithdraw = true
	}
	return b.speaker.MovePaths(context.Background(), []*api.Path{p})[0]
}

func (b *Backend) AddPath(p *api.Path) error {
	return b.speaker.MovePaths(context.Background(), []*api.Path{p})[0]
}

func (b *Backend) ListPaths() error {
	req := &api.ListPathRequest{
		Family:           &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST},
		EnableOnlyBinary: true,
	}
	return b.speaker.ListPath(context.Background(), req, func(*api.Destination) {})
}
