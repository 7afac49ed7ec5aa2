package bgp

import (
	"context"
	"log/slog"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// EncodeEVPN and DecodeEVPN are a path on its way to GoBGP and back.
func EncodeEVPN(p object.EVPNPath) (*api.Path, error) { return evpnToAPI(p) }

func DecodeEVPN(p *api.Path) (path object.EVPNPath, clean, ok bool) { return evpnFromAPI(p) }

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

// LogTo changes where the backend's own messages go.
func (b *Backend) LogTo(log *slog.Logger) { b.log = log }
