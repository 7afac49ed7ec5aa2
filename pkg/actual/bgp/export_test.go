package bgp

import (
	"context"

	api "github.com/osrg/gobgp/v3/api"
)

// Bare GoBGP under the backend, for benchmarks and for the one call that must
// be refused.

func (b *Backend) DeletePath(p *api.Path) error {
	return b.speaker.(embedded).deletePath(context.Background(), p)
}

func (b *Backend) AddPath(p *api.Path) error {
	_, err := b.speaker.(embedded).AddPath(context.Background(), &api.AddPathRequest{Path: p})
	return err
}

func (b *Backend) ListPaths() error {
	req := &api.ListPathRequest{Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, EnableOnlyBinary: true}
	return b.speaker.ListPath(context.Background(), req, func(*api.Destination) {})
}
